//! CallWorker: who holds a call.

use serde_json::json;

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

#[tokio::test]
async fn it_names_the_holder_and_never_the_token() {
    let app = Rtvoice::start();
    app.get("/api/calls/call-1/worker").await.problem(404, "not-found", "");
    app.put("/api/workers/worker-1/calls/call-1", &json!({})).await.ok();
    let expected = json!({"callConnectionId": "call-1", "workerId": "worker-1", "expiresAt": START.plus_millis(600_000)});
    assert_eq!(app.get("/api/calls/call-1/worker").await.ok(), expected);
    app.finish().await;
}

#[tokio::test]
async fn a_dead_worker_holds_nothing() {
    let app = Rtvoice::start();
    app.put("/api/workers/worker-1/calls/call-1", &json!({})).await.ok();
    app.clock.advance_millis(60_001);
    app.get("/api/calls/call-1/worker").await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn a_claim_expires_though_its_worker_lives() {
    let app = Rtvoice::start();
    app.put("/api/workers/worker-1/calls/call-1", &json!({})).await.ok();
    for _ in 0..13 {
        app.clock.advance_millis(50_000);
        app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok();
    }
    app.get("/api/calls/call-1/worker").await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_it_says_when_to_come_back() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Hang);
    app.get("/api/calls/call-1/worker").await.problem(503, "deadline", "");
    app.finish().await;
}
