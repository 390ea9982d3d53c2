//! ErasureRunner: goes on wherever an erasure was stopped, and erases again what a backup brings back.

use std::collections::BTreeSet;

use rtvoice::model::ids::UserToken;
use rtvoice::ports::documents::{Condition, Container, Documents as _};
use rtvoice::steps::erasure::{self, State};
use serde_json::Value;

use super::erase_user::{erase, known, personal};

#[tokio::test]
async fn stopped_after_each_step_and_within_each_it_goes_on() {
    for steps in 0..7 {
        for written in [true, false] {
            let (app, user) = known().await;
            let token = UserToken::parse(user.as_str()).unwrap();
            let id = erasure::request(&app.app, &token).await.unwrap().id;
            for _ in 0..steps {
                assert_eq!(erasure::advance(&app.app, &id).await.unwrap().state, State::Open);
            }
            if !written {
                // Killed between what the step does and its note that it is done.
                app.documents.fail_in("put", crate::harness::faults::Fault::Away);
                let _ = erasure::advance(&app.app, &id).await;
                app.documents.heal();
            }
            app.tick("ErasureRunner").await.ok();
            assert_eq!(erasure::read(&app.app, &id).await.unwrap().unwrap().state, State::Done, "stopped after {steps}");
            assert_eq!(personal(&app), Vec::<Value>::new(), "stopped after {steps}");
            app.tick("ErasureRunner").await.ok();
            app.finish().await;
        }
    }
}

#[tokio::test]
async fn a_restored_copy_is_erased_again_and_what_came_later_stays() {
    let (app, user) = known().await;
    let containers = [Container::Transcripts, Container::Profiles, Container::Analytics, Container::Keys];
    let copy: Vec<(Container, Vec<Value>)> = containers.into_iter().map(|container| (container, app.documents_in(container))).collect();
    let state = app.state_copy();
    app.clock.advance_millis(1_000);
    erase(&app, &user).await;
    app.quiesce().await;
    assert_eq!(personal(&app), Vec::<Value>::new());

    app.clock.advance_millis(60_000);
    app.event("CallConnected", "call-new", "n1").await.ok();
    let turn = serde_json::json!({"turnId": "t1", "text": "I am back", "context": {"user_id": "customer-7"}});
    app.post("/api/calls/call-new/turns", &turn).await.ok();
    app.quiesce().await;
    app.event("CallDisconnected", "call-new", "n2").await.ok();
    app.deliver_queue().await;
    let later: BTreeSet<String> = personal(&app).into_iter().map(|d| d["id"].to_string()).collect();
    assert!(!later.is_empty());

    for (container, documents) in copy {
        for document in documents.into_iter().filter(|d| d["id"] != "profile") {
            app.beneath().put(container, &document, Condition::Always).await.unwrap();
        }
    }
    app.tick("BreachClock").await.ok();
    assert_eq!(app.documents_in(Container::Breaches), Vec::<Value>::new(), "nothing so far was a replay");
    app.restore_state(&state);
    app.tick("ErasureRunner").await.ok();
    let incident = app.documents_in(Container::Breaches);
    assert_eq!((incident.len(), incident[0]["source"].as_str()), (1, Some("security:replay")), "{incident:?}");
    let left: BTreeSet<String> = personal(&app).into_iter().map(|d| d["id"].to_string()).collect();
    assert_eq!(left, later, "the copy is gone again, and what the person left since stays");
    assert!(app.hash("call-now:session").is_empty(), "also in the state store");
    assert_eq!(app.archived_turns("call-new").await, ["t1"]);
    app.finish().await;
}
