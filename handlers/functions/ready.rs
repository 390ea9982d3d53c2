//! Ready: whether the app serves, for load balancers, by the last look of health. Out: the aggregate status alone, 200 or 503.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, json_response};
use crate::steps::health;

/// Answers one request.
pub async fn run(app: App, _request: Request) -> Result<Response> {
    let status = health::status(&app).await;
    Ok(json_response(StatusCode::from_u16(health::http_status(status)).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), &json!({ "status": status })))
}
