//! `rtvoice dlq`: what was parked is listed without its words, read with a note in the log, delivered again, dropped.

use std::time::Duration;

use axum::http::Method;
use rtvoice::error::Kind;
use rtvoice::ops::dlq::{self, DlqArgs};
use rtvoice::ports::documents::{Condition, Container, Documents as _};
use serde_json::{Value, json};

use super::{args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

async fn run(app: &Rtvoice, words: &[&str]) -> (Value, bool) {
    let told = dlq::run(&app.app, &args::<DlqArgs>(words)).await.unwrap();
    (json(&told), told.good)
}

fn audited(app: &Rtvoice, action: &str) -> bool {
    json!(app.documents_in(Container::Audit)).to_string().contains(action)
}

/// Lets the first message of the queue become a dead letter, and parks it.
async fn bury(app: &Rtvoice) -> usize {
    for _ in 0..rtvoice::ports::queue::embedded::MAX_DELIVERIES {
        for delivery in app.embedded_queue().receive(1, Duration::from_secs(60)).await.unwrap() {
            app.embedded_queue().abandon(&delivery).await.unwrap();
        }
    }
    app.deliver_dead().await
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_listed_read_and_dropped() {
    let app = Rtvoice::start();
    app.enqueue("no JSON, and the number 4255550123").await;
    assert_eq!(bury(&app).await, 1);
    let (found, _) = run(&app, &["list", "--json"]).await;
    let parked = &found["parked"][0];
    assert_eq!((found["parked"].as_array().unwrap().len(), &parked["replayable"], &found["unparked"]), (1, &json!(false), &json!(0)));
    assert!(!found.to_string().contains("4255550123"), "{found}");
    let (day, id) = (parked["day"].as_str().unwrap(), parked["id"].as_str().unwrap());

    assert!(!audited(&app, "deadletter.read"));
    let (shown, _) = run(&app, &["show", day, id]).await;
    assert_eq!(shown["body"], "no JSON, and the number 4255550123");
    assert_eq!(run(&app, &["show", id]).await.0, shown, "a list's id is enough");
    for wrong in [&["show", day][..], &["drop", day], &["replay", day]] {
        assert_eq!(dlq::run(&app.app, &args(wrong)).await.unwrap_err().kind, Kind::BadInput, "{wrong:?}: a day is no document");
    }
    assert_eq!(dlq::run(&app.app, &args(&["show", "unknown"])).await.unwrap_err().kind, Kind::NotFound);
    assert!(audited(&app, "deadletter.read"));

    let (replayed, good) = run(&app, &["replay", day, id, "--json"]).await;
    assert_eq!((&replayed["delivered"], good), (&json!(0), false));
    assert!(replayed["failed"][0]["reason"].as_str().unwrap().contains("not a message that can be read"), "{replayed}");
    assert_eq!(app.queued(), []);

    app.clock.advance_millis(3 * 86_400_000);
    let (dropped, good) = run(&app, &["drop", id, "--json"]).await;
    assert_eq!((&dropped["dropped"], good), (&json!(1), true));
    assert!(audited(&app, "deadletter.drop"));
    assert_eq!(dlq::run(&app.app, &args(&["show", day, id])).await.unwrap_err().kind, Kind::NotFound);
    app.finish().await;
}

#[tokio::test]
async fn a_message_is_delivered_again_and_archived() {
    let app = Rtvoice::start();
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    // All that the queue knows of the call becomes a dead letter: an archive was away for very long.
    assert_eq!(bury(&app).await, 1);
    assert_eq!(app.archive("call-1").await.map(|_| ()), None);
    let (found, _) = run(&app, &["list", "--json"]).await;
    let (day, id) = (found["parked"][0]["day"].as_str().unwrap().to_owned(), found["parked"][0]["id"].as_str().unwrap().to_owned());
    assert_eq!((&found["parked"][0]["replayable"], &found["parked"][0]["call"]), (&json!(true), &json!("call-1")));

    app.queue.fail(Fault::Away);
    assert!(dlq::run(&app.app, &args(&["replay", &day, &id])).await.unwrap_err().is_transient());
    app.queue.heal();
    let (replayed, good) = run(&app, &["replay", &day, "--all", "--json"]).await;
    assert_eq!((&replayed["delivered"], good), (&json!(1), true));
    // The broker would have dropped it under the id that it had before.
    assert_eq!(app.deliver_queue().await.len(), 1);
    assert_ne!(run(&app, &["list", "--json"]).await.0["parked"][0]["replayedAt"], Value::Null);
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);

    let (replayed, _) = run(&app, &["replay", "--all", "--drop", "--json"]).await;
    assert_eq!(replayed["delivered"], 1);
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"], "twice is once");
    assert_eq!(run(&app, &["list", "--json"]).await.0["parked"], json!([]));
    app.finish().await;
}

#[tokio::test]
async fn an_event_that_can_never_be_taken_stays_parked() {
    let app = Rtvoice::start();
    let event = json!([{ "id": "e1", "eventType": "Microsoft.Communication.CallConnected", "data": { "callConnectionId": "no {id}" } }]);
    app.envelope("CallConnected", "event", event).await;
    let (found, _) = run(&app, &["list", "--json"]).await;
    let parked = &found["parked"][0];
    assert_eq!(parked["kind"], "event", "{found}");
    let (replayed, good) = run(&app, &["replay", parked["day"].as_str().unwrap(), parked["id"].as_str().unwrap(), "--json"]).await;
    assert_eq!((&replayed["delivered"], good), (&json!(0), false));
    app.finish_with(0, 1).await;
}

#[tokio::test]
async fn a_message_is_delivered_again_in_its_own_trace() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let app = Rtvoice::start();
    let context = format!("00-{TRACE}-b7ad6b7169203331-01");
    let body = json!({"turnId": "t1", "text": "Hello"}).to_string();
    let headers = [("content-type", "application/json"), ("traceparent", context.as_str())];
    app.send(Method::POST, "/api/calls/call-1/turns", &headers, body).await.ok();
    app.quiesce().await;
    assert_eq!(bury(&app).await, 1);
    let parked = app.parked().await.remove(0);
    let (day, id) = (parked["day"].as_str().unwrap(), parked["id"].as_str().unwrap());
    assert!(parked["traceparent"].as_str().unwrap().starts_with(&format!("00-{TRACE}-")), "{parked}");
    // One that was parked before contexts were kept goes by the trace of its turn.
    for _ in 0..2 {
        run(&app, &["replay", day, id, "--json"]).await;
        let delivery = app.embedded_queue().receive(1, Duration::from_secs(60)).await.unwrap().remove(0);
        let context = delivery.message.traceparent.clone().unwrap();
        assert!(context.starts_with(&format!("00-{TRACE}-")), "{context}");
        app.embedded_queue().complete(&delivery).await.unwrap();
        let mut older = app.beneath().get(Container::DeadLetters, day, id).await.unwrap().unwrap().body;
        older.as_object_mut().unwrap().remove("traceparent");
        app.beneath().put(Container::DeadLetters, &older, Condition::Always).await.unwrap();
    }
    app.finish_with(0, 1).await;
}
