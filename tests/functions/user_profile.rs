//! UserProfile: what is known of a user, changed under its version, counted once per call.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Rtvoice, START};
use crate::harness::faults::Fault;

/// Any token: nobody has used it.
const USER: &str = "/api/users/u1-0123456789abcdef0123456789abcdef";

async fn patch_if(app: &Rtvoice, etag: &str, body: &Value) -> Answer {
    app.send(Method::PATCH, USER, &[("content-type", "application/merge-patch+json"), ("if-match", etag)], body.to_string()).await
}

#[tokio::test]
async fn it_is_made_by_its_first_patch_and_read_back() {
    let app = Rtvoice::start();
    app.get(USER).await.problem(404, "not-found", "");
    let made = app.patch(USER, &json!({"preferences": {"name": "Ada", "tone": "formal"}, "language": "en-GB"})).await;
    let expected = json!({
        "userId": "u1-0123456789abcdef0123456789abcdef", "preferences": {"name": "Ada", "tone": "formal"}, "language": "en-GB",
        "calls": 0, "turns": 0, "lastCallAt": null, "languages": [],
    });
    assert_eq!(made.ok(), expected);
    let read = app.get(USER).await;
    assert_eq!(read.ok(), expected);
    assert!(made.header("etag").starts_with('"') && made.header("etag").ends_with('"'));
    assert_eq!(read.header("etag"), made.header("etag"));
    app.finish().await;
}

#[tokio::test]
async fn a_patch_is_a_json_merge_patch() {
    let app = Rtvoice::start();
    app.patch(USER, &json!({"preferences": {"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": true}, "language": "en-GB"})).await.ok();
    let merged = app.patch(USER, &json!({"preferences": {"a": {"b": null, "d": 3}, "list": [3], "gone": null}, "language": null})).await.ok();
    assert_eq!(merged["preferences"], json!({"a": {"c": 2, "d": 3}, "list": [3]}));
    assert_eq!(merged["language"], Value::Null);
    assert_eq!(app.patch(USER, &json!({"preferences": null})).await.ok()["preferences"], json!({}));
    app.finish().await;
}

#[tokio::test]
async fn if_match_guards_the_version() {
    let app = Rtvoice::start();
    patch_if(&app, "*", &json!({"language": "en-GB"})).await.problem(412, "precondition-failed", "If-Match");
    let first = app.patch(USER, &json!({"language": "en-GB"})).await;
    let second = patch_if(&app, first.header("etag"), &json!({"language": "de-DE"})).await;
    assert_eq!(second.ok()["language"], "de-DE");
    assert_ne!(second.header("etag"), first.header("etag"));
    patch_if(&app, first.header("etag"), &json!({"language": "fr-FR"})).await.problem(412, "precondition-failed", "If-Match");
    assert_eq!(app.get(USER).await.ok()["language"], "de-DE");
    let listed = format!("\"other\", {}", second.header("etag"));
    assert_eq!(patch_if(&app, &listed, &json!({"language": "it-IT"})).await.ok()["language"], "it-IT");
    assert_eq!(patch_if(&app, "*", &json!({"language": "es-ES"})).await.ok()["language"], "es-ES");
    app.finish().await;
}

#[tokio::test]
async fn many_patches_at_once_all_count() {
    let app = Rtvoice::start();
    app.patch(USER, &json!({"preferences": {}})).await.ok();
    let patches: Vec<Value> = (0..6).map(|n| json!({"preferences": {format!("key{n}"): n}})).collect();
    for answer in futures::future::join_all(patches.iter().map(|patch| app.patch(USER, patch))).await {
        answer.ok();
    }
    assert_eq!(app.get(USER).await.ok()["preferences"].as_object().unwrap().len(), 6);
    app.finish().await;
}

#[tokio::test]
async fn a_call_is_counted_once() {
    let app = Rtvoice::start();
    let user = format!("/api/users/{}", app.token("customer-7").await);
    app.event("CallConnected", "call-1", "e1").await.ok();
    let turn = json!({"turnId": "t1", "text": "it is me", "language": "de-DE", "context": {"user_id": "customer-7"}});
    app.post("/api/calls/call-1/turns", &turn).await.ok();
    app.turn("call-1", "t2", "bye").await.ok();
    app.clock.advance_millis(60_000);
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let counted = app.get(&user).await.ok();
    assert_eq!((&counted["calls"], &counted["turns"], &counted["languages"]), (&json!(1), &json!(2), &json!(["de-DE"])));
    assert_eq!(counted["lastCallAt"], json!(START.plus_millis(60_000)));
    // The same end once more, as a second archiver would see it.
    let ended = json!({"kind": "callEnded", "callConnectionId": "call-1", "at": app.clock_now(), "reason": "CallDisconnected", "lastSeq": 2});
    app.envelope("TranscriptWriter", "message", Value::String(ended.to_string())).await.ok();
    assert_eq!(app.get(&user).await.ok(), counted);
    app.finish().await;
}

#[tokio::test]
async fn a_patch_refreshes_the_cached_copy() {
    let app = Rtvoice::start();
    let user = format!("/api/users/{}", app.token("customer-7").await);
    let greet = |turn: &'static str| json!({"turnId": turn, "text": "hello", "context": {"user_id": "customer-7"}});
    app.patch(&user, &json!({"preferences": {"tone": "formal"}})).await.ok();
    app.post("/api/calls/call-1/turns", &greet("t1")).await.ok();
    app.quiesce().await;
    app.patch(&user, &json!({"preferences": {"tone": "casual"}})).await.ok();
    app.documents.fail(Fault::Away);
    app.post("/api/calls/call-2/turns", &greet("t1")).await.ok();
    app.quiesce().await;
    app.documents.heal();
    app.agent.prompts();
    app.turn("call-2", "t2", "who am I").await.ok();
    assert_eq!(app.agent.prompts()[0]["profile"]["preferences"]["tone"], "casual", "from the copy: the record was away");
    app.finish().await;
}

#[tokio::test]
async fn with_the_record_away_it_says_when_to_come_back() {
    let app = Rtvoice::start();
    app.documents.fail(Fault::Away);
    app.get(USER).await.problem(503, "unavailable", "");
    app.patch(USER, &json!({"language": "en-GB"})).await.problem(503, "unavailable", "");
    app.documents.heal();
    app.get(USER).await.problem(404, "not-found", "");
    app.state.fail(Fault::Away);
    app.patch(USER, &json!({"language": "en-GB"})).await.ok();
    app.finish().await;
}
