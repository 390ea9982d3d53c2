//! CallWorker: which media worker holds a call; 404 where none does.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response};
use crate::model::ids::CallId;
use crate::ports::running;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let call = CallId::parse(request.param("callConnectionId"))?;
    running::about(&call);
    match app.state.holder(&call, app.clock.now()).await? {
        Some(lease) => Ok(json_response(StatusCode::OK, &json!({ "callConnectionId": call, "workerId": lease.worker, "expiresAt": lease.until }))),
        None => Err(Error::new(Kind::NotFound, "no worker holds the call")),
    }
}
