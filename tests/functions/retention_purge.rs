//! RetentionPurge: what has outlived its time is removed, what has no expiry gets one, and a run that stops goes on.

use rtvoice::model::ids::CallId;
use rtvoice::ports::documents::{Condition, Container, Documents as _};
use serde_json::{Value, json};

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

const DAY: i64 = 86_400_000;

fn day() -> String {
    START.day()
}

/// What the runs of today did.
fn figures(app: &Rtvoice) -> Value {
    app.documents_in(Container::Analytics).into_iter().find(|d| d["id"] == format!("purge-{}", day())).unwrap_or_default()
}

/// A document past its time that the store keeps: its ttl is wrong, or the store lets nothing expire.
fn straggler(id: &str) -> Value {
    json!({"id": id, "callConnectionId": id, "endedAt": START.plus_millis(-91 * DAY), "expiresAt": START.plus_millis(-DAY), "ttl": 999_999})
}

#[tokio::test]
async fn stragglers_are_removed_and_counted() {
    let app = Rtvoice::start();
    for n in 0..450 {
        app.beneath().put(Container::Transcripts, &straggler(&format!("late-{n}")), Condition::Always).await.unwrap();
    }
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let kept = app.documents_in(Container::Transcripts).len() - 450;
    app.tick("RetentionPurge").await.ok();
    assert_eq!(app.documents_in(Container::Transcripts).len(), kept, "what is within its time stays");
    assert_eq!((&figures(&app)["removed"], &figures(&app)["complete"]), (&json!({"transcripts": 450}), &json!(true)));
    app.tick("RetentionPurge").await.ok();
    assert_eq!(figures(&app)["removed"], json!({"transcripts": 450}), "the figures of a day are added up");
    app.finish().await;
}

#[tokio::test]
async fn what_has_no_expiry_or_a_wrong_one_gets_a_right_one() {
    let app = Rtvoice::start();
    let bodies = [
        json!({"id": "none", "callConnectionId": "c", "endedAt": START}),
        json!({"id": "disagrees", "callConnectionId": "c", "endedAt": START, "expiresAt": START.plus_millis(90 * DAY), "ttl": 60 * 86_400}),
        json!({"id": "exceeds", "callConnectionId": "c", "endedAt": START, "expiresAt": START.plus_millis(500 * DAY), "ttl": 500 * 86_400}),
    ];
    for body in &bodies {
        app.beneath().put(Container::Transcripts, body, Condition::Always).await.unwrap();
    }
    app.beneath().put(Container::Breaches, &json!({"id": "b1"}), Condition::Always).await.unwrap();
    app.tick("RetentionPurge").await.ok();
    for document in app.documents_in(Container::Transcripts) {
        assert_eq!((&document["expiresAt"], &document["ttl"]), (&json!(START.plus_millis(90 * DAY)), &json!(90 * 86_400)), "{document}");
    }
    assert_eq!(app.documents_in(Container::Breaches), [json!({"id": "b1"})], "the register is kept");
    assert_eq!(figures(&app)["restamped"], json!({"transcripts": 3}));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_goes_on_where_it_stopped() {
    let app = Rtvoice::start();
    for n in 0..900 {
        app.beneath().put(Container::Transcripts, &straggler(&format!("late-{n:04}")), Condition::Always).await.unwrap();
    }
    app.documents.fail_after("delete", 300, Fault::Away);
    app.tick("RetentionPurge").await.problem(503, "unavailable", "");
    assert_eq!(app.documents_in(Container::Transcripts).len(), 600);
    let place = app.documents_in(Container::Analytics).into_iter().find(|d| d["id"] == "purge").unwrap();
    assert!(place["container"] == "transcripts" && place["from"].is_string(), "{place}");
    app.documents.heal();
    app.documents.calls();
    app.tick("RetentionPurge").await.ok();
    assert!(app.documents_in(Container::Transcripts).is_empty());
    assert_eq!((&figures(&app)["removed"]["transcripts"], &figures(&app)["complete"]), (&json!(900), &json!(true)), "{}", figures(&app));
    app.finish().await;
}

#[tokio::test]
async fn a_place_that_the_store_has_forgotten_begins_anew() {
    let app = Rtvoice::start();
    app.beneath().put(Container::Transcripts, &straggler("late"), Condition::Always).await.unwrap();
    let place = json!({"id": "purge", "day": "compliance", "container": "transcripts", "from": "no such place"});
    app.app.documents.put(Container::Analytics, &place, Condition::Always).await.unwrap();
    app.tick("RetentionPurge").await.ok();
    assert!(app.documents_in(Container::Transcripts).is_empty());
    app.finish().await;
}

/// The store wrote a turn after its writer had given up, and after the turn was archived from elsewhere: no message tells of it.
#[tokio::test]
async fn a_turn_that_lies_beside_the_archive_of_its_call_is_taken_in() {
    let app = Rtvoice::start();
    for call in ["call-1", "call-2", "call-3"] {
        app.event("CallConnected", call, &format!("{call}-e1")).await.ok();
        app.turn(call, "t1", "hello").await.ok();
    }
    app.deliver_queue().await;
    let late = app.documents_in(Container::Transcripts);
    assert_eq!(late.iter().map(|d| &d["type"]).collect::<Vec<_>>(), ["turn"; 3]);
    for call in ["call-1", "call-2"] {
        app.event("CallDisconnected", call, &format!("{call}-e2")).await.ok();
    }
    app.deliver_queue().await;
    rtvoice::steps::archive::bury(&app.app, &CallId::parse("call-2").unwrap()).await.unwrap();
    for document in &late {
        app.beneath().put(Container::Transcripts, document, Condition::Always).await.unwrap();
    }
    let turns =
        || app.documents_in(Container::Transcripts).into_iter().filter(|d| d["type"] == "turn").map(|d| d["callConnectionId"].clone()).collect::<Vec<_>>();
    app.tick("RetentionPurge").await.ok();
    assert_eq!(turns(), ["call-1", "call-2", "call-3"], "whose message may still be on its way");
    app.clock.advance_millis(3_602_000);
    app.tick("RetentionPurge").await.ok();
    assert_eq!(turns(), ["call-3"], "a call that goes on keeps its turns");
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}
