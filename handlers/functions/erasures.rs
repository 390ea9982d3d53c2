//! Erasures: how far an erasure is, and once it is done its certificate. In: its id, as EraseUser answered it.

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response};
use crate::steps::erasure;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let erasure = erasure::read(&app, request.param("id")).await?;
    let erasure = erasure.ok_or_else(|| Error::new(Kind::NotFound, "there is no erasure of this id"))?;
    Ok(json_response(StatusCode::OK, &erasure.view()))
}
