//! Metrics: what this instance has counted since it started, for Prometheus, with the gauges that other instances alone have set.
//! Out: text exposition 0.0.4.

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, response};
use crate::steps::watch;
use crate::telemetry::prometheus;

/// Answers one request.
pub async fn run(app: App, _request: Request) -> Result<Response> {
    Ok(response(StatusCode::OK, prometheus::CONTENT_TYPE, prometheus::text(&watch::figures(&app)).into()))
}
