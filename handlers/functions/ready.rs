//! Ready: whether the app serves, for load balancers. Out: the aggregate status alone, 200 or 503.

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
    Ok(json_response(StatusCode::from_u16(report.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), &json!({ "status": report.status })))
}
