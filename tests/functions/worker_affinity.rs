//! WorkerAffinity: one owner per call, proven by a lease token, ended by expiry, release, or the worker's death.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Rtvoice, START};

async fn claim(app: &Rtvoice, worker: &str, token: Option<&Value>) -> Answer {
    let body = token.map_or_else(|| json!({}), |token| json!({"leaseToken": token}));
    app.put(&format!("/api/workers/{worker}/calls/call-1"), &body).await
}

async fn release(app: &Rtvoice, worker: &str, token: Option<&Value>) -> Answer {
    let body = token.map_or_else(String::new, |token| json!({"leaseToken": token}).to_string());
    app.send(Method::DELETE, &format!("/api/workers/{worker}/calls/call-1"), &[("content-type", "application/json")], body).await
}

#[track_caller]
fn held_by(answer: &Answer, owner: &str) {
    let problem = answer.problem(409, "conflict", "");
    assert_eq!(problem["owner"], owner);
    assert!(problem["expiresAt"].is_string());
    assert!(problem.get("leaseToken").is_none(), "the token is the owner's alone");
}

#[tokio::test]
async fn a_claim_has_an_owner_a_token_and_an_expiry() {
    let app = Rtvoice::start();
    let lease = claim(&app, "worker-1", None).await.ok();
    assert_eq!(
        (&lease["callConnectionId"], &lease["workerId"], &lease["expiresAt"]),
        (&json!("call-1"), &json!("worker-1"), &json!(START.plus_millis(600_000)))
    );
    assert!(lease["leaseToken"].as_str().is_some_and(|t| t.len() == 32));
    app.clock.advance_millis(30_000);
    let renewed = claim(&app, "worker-1", Some(&lease["leaseToken"])).await.ok();
    assert_eq!((&renewed["leaseToken"], &renewed["expiresAt"]), (&lease["leaseToken"], &json!(START.plus_millis(630_000))));
    let confirmed = app.send(Method::PUT, "/api/workers/worker-1/calls/call-1", &[], "").await.ok();
    assert_eq!(confirmed["leaseToken"], lease["leaseToken"], "the owner's own claim is confirmed, also without a body");
    app.finish().await;
}

#[tokio::test]
async fn nobody_else_gets_it_while_its_owner_lives() {
    let app = Rtvoice::start();
    let lease = claim(&app, "worker-1", None).await.ok();
    held_by(&claim(&app, "worker-2", None).await, "worker-1");
    held_by(&claim(&app, "worker-2", Some(&lease["leaseToken"])).await, "worker-1");
    held_by(&claim(&app, "worker-1", Some(&json!("not-the-token"))).await, "worker-1");
    held_by(&release(&app, "worker-2", None).await, "worker-1");
    held_by(&release(&app, "worker-1", Some(&json!("not-the-token"))).await, "worker-1");
    assert_eq!(app.get("/api/calls/call-1/worker").await.ok()["workerId"], "worker-1");
    app.finish().await;
}

#[tokio::test]
async fn of_many_claims_at_once_one_wins() {
    let app = Rtvoice::start();
    let workers: Vec<String> = (0..10).map(|n| format!("worker-{n}")).collect();
    let answers = futures::future::join_all(workers.iter().map(|worker| claim(&app, worker, None))).await;
    let owner = app.get("/api/calls/call-1/worker").await.ok()["workerId"].as_str().unwrap().to_owned();
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    answers.iter().filter(|a| a.status != 200).for_each(|a| held_by(a, &owner));
    app.finish().await;
}

#[tokio::test]
async fn a_released_call_is_free() {
    let app = Rtvoice::start();
    let lease = claim(&app, "worker-1", None).await.ok();
    let released = release(&app, "worker-1", Some(&lease["leaseToken"])).await.ok();
    assert_eq!(released, json!({"callConnectionId": "call-1", "workerId": "worker-1", "released": true}));
    assert_eq!(release(&app, "worker-1", None).await.ok()["released"], false, "releasing twice is no failure");
    assert_eq!(claim(&app, "worker-2", None).await.ok()["workerId"], "worker-2");
    app.finish().await;
}

#[tokio::test]
async fn a_dead_workers_call_is_free_and_its_old_token_worthless() {
    let app = Rtvoice::start();
    let lease = claim(&app, "worker-1", None).await.ok();
    app.clock.advance_millis(59_000);
    held_by(&claim(&app, "worker-2", None).await, "worker-1");
    app.clock.advance_millis(1_001);
    assert_eq!(claim(&app, "worker-2", None).await.ok()["workerId"], "worker-2");
    held_by(&claim(&app, "worker-1", Some(&lease["leaseToken"])).await, "worker-2");
    assert_eq!(app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok()["calls"], 0);
    app.finish().await;
}

#[tokio::test]
async fn a_heartbeat_keeps_the_claim() {
    let app = Rtvoice::start();
    claim(&app, "worker-1", None).await.ok();
    for _ in 0..10 {
        app.clock.advance_millis(50_000);
        app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok();
    }
    held_by(&claim(&app, "worker-2", None).await, "worker-1");
    app.clock.advance_millis(50_000);
    app.put("/api/workers/worker-1/heartbeat", &json!({})).await.ok();
    app.clock.advance_millis(50_001);
    assert_eq!(claim(&app, "worker-2", None).await.ok()["workerId"], "worker-2", "the claim itself lives 600 s unless renewed");
    app.finish().await;
}
