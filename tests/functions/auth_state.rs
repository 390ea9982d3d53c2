//! AuthState: the state, its count of failures, its lock, and that every turn hands it to its reply.

use serde_json::json;

use crate::harness::app::Rtvoice;

const AUTH: &str = "/api/calls/call-1/auth";

fn attempt(authenticated: bool) -> serde_json::Value {
    json!({"authenticated": authenticated, "method": "pin", "level": "basic"})
}

#[tokio::test]
async fn a_state_is_kept_read_back_and_cleared() {
    let app = Rtvoice::start();
    app.get(AUTH).await.problem(404, "not-found", "");
    let state = app.put(AUTH, &json!({"authenticated": true, "method": "pin", "level": "basic", "subject": "customer-7"})).await.ok();
    let expected = json!({
        "authenticated": true, "method": "pin", "level": "basic", "subject": "customer-7",
        "failedAttempts": 0, "locked": false, "expiresInSeconds": 900,
    });
    assert_eq!(state, expected);
    app.clock.advance_millis(100_000);
    assert_eq!(app.get(AUTH).await.ok()["expiresInSeconds"], 800);
    assert_eq!(app.delete(AUTH).await.ok(), json!({"cleared": true}));
    app.get(AUTH).await.problem(404, "not-found", "");
    assert_eq!(app.delete(AUTH).await.ok(), json!({"cleared": true}), "clearing twice is no failure");
    app.finish().await;
}

#[tokio::test]
async fn the_state_expires() {
    let app = Rtvoice::start();
    app.put(AUTH, &attempt(true)).await.ok();
    app.clock.advance_millis(900_001);
    app.get(AUTH).await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn too_many_failures_lock_it_until_it_expires() {
    let app = Rtvoice::with(&[("AUTH_MAX_ATTEMPTS", "2")]);
    assert_eq!(app.put(AUTH, &attempt(false)).await.ok()["failedAttempts"], 1);
    let locked = app.put(AUTH, &attempt(false)).await.ok();
    assert_eq!((&locked["failedAttempts"], &locked["locked"]), (&json!(2), &json!(true)));
    app.clock.advance_millis(60_000);
    app.put(AUTH, &attempt(true)).await.problem(409, "conflict", "");
    app.delete(AUTH).await.problem(409, "conflict", "");
    let state = app.get(AUTH).await.ok();
    assert_eq!((&state["authenticated"], &state["expiresInSeconds"]), (&json!(false), &json!(840)), "refused attempts do not prolong the lock");
    app.clock.advance_millis(840_001);
    assert_eq!(app.put(AUTH, &attempt(true)).await.ok()["authenticated"], true);
    app.finish().await;
}

#[tokio::test]
async fn a_success_clears_the_count() {
    let app = Rtvoice::start();
    app.put(AUTH, &attempt(false)).await.ok();
    app.put(AUTH, &attempt(false)).await.ok();
    assert_eq!(app.put(AUTH, &attempt(true)).await.ok()["failedAttempts"], 0);
    assert_eq!(app.put(AUTH, &attempt(false)).await.ok()["failedAttempts"], 1);
    app.finish().await;
}

#[tokio::test]
async fn of_many_failures_at_once_the_third_locks() {
    let app = Rtvoice::start();
    let wrong = attempt(false);
    let answers = futures::future::join_all((0..12).map(|_| app.put(AUTH, &wrong))).await;
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 3);
    assert_eq!(answers.iter().filter(|a| a.status == 409).count(), 9);
    app.finish().await;
}

#[tokio::test]
async fn the_turn_hands_it_to_the_reply() {
    for (sees, subject) in [("false", serde_json::Value::Null), ("true", json!("customer-7"))] {
        let app = Rtvoice::with(&[("REPLY_SEES_PII", sees)]);
        app.put(AUTH, &json!({"authenticated": true, "method": "voice", "level": "strong", "subject": "customer-7"})).await.ok();
        app.turn("call-1", "t1", "hello").await.ok();
        let auth = app.agent.prompts().remove(0)["auth"].clone();
        assert_eq!(
            (&auth["authenticated"], &auth["method"], &auth["level"], &auth["subject"]),
            (&json!(true), &json!("voice"), &json!("strong"), &subject),
            "who it is the agent is told only where the settings allow it"
        );
        app.finish().await;
    }
}

#[tokio::test]
async fn an_ended_call_takes_no_attempt() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.put(AUTH, &attempt(true)).await.problem(409, "call-ended", "");
    app.deliver_queue().await;
    app.put(AUTH, &attempt(true)).await.problem(409, "call-ended", "");
    app.get(AUTH).await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_it_says_when_to_come_back() {
    let app = Rtvoice::start();
    app.state.fail(crate::harness::faults::Fault::Away);
    for answer in [app.get(AUTH).await, app.put(AUTH, &attempt(true)).await, app.delete(AUTH).await] {
        answer.problem(503, "unavailable", "");
    }
    app.state.heal();
    app.finish().await;
}
