//! Health: whether the app serves, with the state of each dependency.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, json_response};
use crate::steps::health;

/// Answers one request.
pub async fn run(app: App, _request: Request) -> Result<Response> {
    let report = health::report(&app).await;
    let status = StatusCode::from_u16(health::http_status(report.status)).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Ok(json_response(status, &json!({ "status": report.status, "details": report.details })))
}
