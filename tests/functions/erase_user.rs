//! EraseUser: a person is forgotten everywhere, whatever is under way, and however often it is asked for.

use axum::http::Method;
use rtvoice::model::ids::CallId;
use rtvoice::ports::documents::Container;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Rtvoice};

/// A user with an archived call, a call in progress and a profile.
pub async fn known() -> (Rtvoice, String) {
    let app = Rtvoice::start();
    let user = app.token("customer-7").await.to_string();
    app.patch(&format!("/api/users/{user}"), &json!({"preferences": {"name": "Ada"}})).await.ok();
    for call in ["call-old", "call-now"] {
        app.event("CallConnected", call, &format!("{call}-1")).await.ok();
        let turn = json!({"turnId": "t1", "text": "it is me", "context": {"user_id": "customer-7"}});
        app.post(&format!("/api/calls/{call}/turns"), &turn).await.ok();
        app.quiesce().await;
    }
    app.event("CallDisconnected", "call-old", "call-old-2").await.ok();
    app.deliver_queue().await;
    assert!(app.archive("call-old").await.is_some());
    (app, user)
}

pub async fn erase(app: &Rtvoice, user: &str) -> Answer {
    app.send(Method::DELETE, &format!("/api/users/{user}"), &[], "").await
}

/// Documents of the record that are anybody's: neither tombstones nor the register of erasures.
pub fn personal(app: &Rtvoice) -> Vec<Value> {
    let containers = [Container::Transcripts, Container::Profiles, Container::Analytics, Container::Keys];
    let documents = containers.into_iter().flat_map(|container| app.documents_in(container));
    documents.filter(|d| d["type"] != "erased" && !["epochs", "index"].contains(&d["user"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn nothing_is_left_but_tombstones_and_the_certificate() {
    let (app, user) = known().await;
    assert!(personal(&app).len() > 4);
    let asked = erase(&app, &user).await;
    assert_eq!(asked.status, 202);
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(asked.header("location"), format!("/api/erasures/{id}"));
    app.quiesce().await;
    let done = app.get(&format!("/api/erasures/{id}")).await.ok();
    assert_eq!((&done["state"], &done["step"], &done["calls"]), (&json!("done"), &json!("end"), &json!(2)), "{done}");
    assert_eq!(done["certificate"]["probe"], "does not open", "{done}");
    assert_eq!(personal(&app), Vec::<Value>::new());
    assert_eq!(app.documents_in(Container::Transcripts).len(), 2, "a tombstone for each call");
    assert!(app.app.state.facts(&CallId::parse("call-now").unwrap()).await.unwrap().is_none());
    app.get(&format!("/api/users/{user}")).await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn a_call_in_progress_ends_for_the_stores() {
    let (app, user) = known().await;
    erase(&app, &user).await;
    app.quiesce().await;
    let before = personal(&app);
    app.turn("call-now", "t2", "are you still there").await.problem(409, "call-ended", "");
    app.event("CallDisconnected", "call-now", "call-now-2").await.ok();
    app.deliver_queue().await;
    assert_eq!(personal(&app), before, "nothing of it is kept");
    app.finish().await;
}

#[tokio::test]
async fn a_turn_that_waits_in_the_queue_is_dropped_when_it_comes() {
    let (app, user) = known().await;
    app.state.fail(crate::harness::faults::Fault::Away);
    app.turn("call-now", "t2", "sent while the state store was away").await.ok();
    app.state.heal();
    erase(&app, &user).await;
    app.quiesce().await;
    app.deliver_queue().await;
    assert_eq!(personal(&app), Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn asked_for_again_it_is_the_same_or_finds_nothing() {
    let (app, user) = known().await;
    app.state.fail(crate::harness::faults::Fault::Away);
    let first = erase(&app, &user).await.json()["id"].clone();
    app.quiesce().await;
    assert_eq!(erase(&app, &user).await.json()["id"], first, "the open one");
    app.quiesce().await;
    app.state.heal();
    app.tick("ErasureRunner").await.ok();
    assert_eq!(personal(&app), Vec::<Value>::new());
    assert_ne!(erase(&app, &user).await.json()["id"], first);
    app.quiesce().await;
    app.finish().await;
}

#[tokio::test]
async fn a_legal_hold_forbids_it() {
    let (app, user) = known().await;
    let token = app.token("customer-7").await;
    rtvoice::steps::erasure::hold(&app.app, &token, "case 12").await.unwrap();
    let before = personal(&app);
    erase(&app, &user).await.problem(409, "conflict", "");
    assert_eq!(personal(&app), before);
    assert!(rtvoice::steps::erasure::release(&app.app, &token).await.unwrap());
    assert_eq!(erase(&app, &user).await.status, 202);
    app.quiesce().await;
    assert_eq!(personal(&app), Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn only_a_token_names_a_person() {
    let app = Rtvoice::start();
    for raw in ["customer-7", "tel-14255550123", "u1-xyz"] {
        erase(&app, raw).await.problem(400, "bad-input", "userId");
    }
    app.finish().await;
}
