//! Metrics: what this instance has counted since it started, for Prometheus. Out: text exposition 0.0.4.

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, response};
use crate::steps::watch;
use crate::telemetry::prometheus;

/// Answers one request.
pub async fn run(app: App, _request: Request) -> Result<Response> {
    watch::look_inside(&app);
    Ok(response(StatusCode::OK, prometheus::CONTENT_TYPE, prometheus::text(&app.metrics.figures()).into()))
}
