//! Erasures: how far an erasure is, by its id.

use serde_json::json;

use super::erase_user::{erase, known};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

#[tokio::test]
async fn an_erasure_that_stopped_says_where() {
    let (app, user) = known().await;
    app.state.fail_in("erase_call", Fault::Away);
    let id = erase(&app, &user).await.json()["id"].as_str().unwrap().to_owned();
    app.quiesce().await;
    let stopped = app.get(&format!("/api/erasures/{id}")).await.ok();
    assert_eq!((&stopped["state"], &stopped["step"], &stopped["certificate"]), (&json!("open"), &json!("collect"), &json!(null)), "{stopped}");
    app.state.heal();
    app.tick("ErasureRunner").await.ok();
    assert_eq!(app.get(&format!("/api/erasures/{id}")).await.ok()["state"], "done");
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_one_is_not_found() {
    let app = Rtvoice::start();
    for id in ["u1-0123456789abcdef0123456789abcdef.1", "none", "u1-0123456789abcdef0123456789abcdef"] {
        app.get(&format!("/api/erasures/{id}")).await.problem(404, "not-found", "");
    }
    app.finish().await;
}
