//! WorkerHeartbeat: a media worker's sign of life. A worker without one for 60 s loses its calls.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, json_response};
use crate::model::ids::WorkerId;
use crate::ports::state::keys::{RedisKeyManager, TtlPolicy};

/// Takes one sign of life; the body does not matter.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let worker = WorkerId::parse(request.param("workerId"))?;
    let now = app.clock.now();
    let calls = app.state.heartbeat(&worker, now).await?;
    let life = RedisKeyManager::new(&app.config).ttl(TtlPolicy::WorkerHeartbeat);
    let until = now.plus_millis(i64::try_from(life).unwrap_or(i64::MAX).saturating_mul(1000));
    Ok(json_response(StatusCode::OK, &json!({ "workerId": worker, "calls": calls, "expiresAt": until })))
}
