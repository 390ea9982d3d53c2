//! WorkerHeartbeat: a sign of life, good for 60 s.

use axum::http::Method;
use serde_json::json;

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

#[tokio::test]
async fn it_tells_the_calls_and_until_when() {
    let app = Rtvoice::start();
    let expected = json!({"workerId": "worker-1", "calls": 0, "expiresAt": START.plus_millis(60_000)});
    assert_eq!(app.send(Method::PUT, "/api/workers/worker-1/heartbeat", &[], "").await.ok(), expected);
    for call in ["call-1", "call-2"] {
        app.put(&format!("/api/workers/worker-1/calls/{call}"), &json!({})).await.ok();
    }
    assert_eq!(app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok()["calls"], 2);
    app.delete("/api/workers/worker-1/calls/call-1").await.ok();
    assert_eq!(app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok()["calls"], 1);
    app.finish().await;
}

#[tokio::test]
async fn the_multiplier_scales_it() {
    let app = Rtvoice::with(&[("TTL_MULTIPLIER", "2.0")]);
    assert_eq!(app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok()["expiresAt"], json!(START.plus_millis(120_000)));
    app.put("/api/workers/worker-1/calls/call-1", &json!({})).await.ok();
    app.clock.advance_millis(119_000);
    app.get("/api/calls/call-1/worker").await.ok();
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_it_says_when_to_come_back() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    app.put("/api/workers/worker-1/heartbeat", &json!({})).await.problem(503, "unavailable", "");
    app.finish().await;
}
