//! CallConnected over Event Grid: both schemas, once in effect, and what follows: the profile, and the queue where the
//! state store is away.

use serde_json::{Value, json};

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

/// The same event in the Event Grid schema.
fn event_grid(app: &Rtvoice, kind: &str, call: &str, id: &str) -> Value {
    let event = app.cloud_event(kind, call, id, json!({}));
    json!({
        "id": id, "topic": "/subscriptions/s", "subject": event["subject"], "eventType": event["type"], "eventTime": event["time"],
        "data": event["data"], "dataVersion": "1.0", "metadataVersion": "1",
    })
}

async fn connected(app: &Rtvoice, value: Value) {
    assert_eq!(app.envelope("CallConnected", "event", value).await.ok()["Outputs"], Value::Null);
}

#[tokio::test]
async fn both_schemas_open_the_call() {
    let app = Rtvoice::start();
    connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    connected(&app, event_grid(&app, "CallConnected", "call-2", "e1")).await;
    for call in ["call-1", "call-2"] {
        let session = app.hash(&format!("{call}:session"));
        assert_eq!(session["status"], "connected");
        assert_eq!(session["connectedAt"], START.millis().to_string());
        assert_eq!(session["serverCallId"], format!("server-{call}"));
        assert_eq!(session["correlationId"], format!("correlation-{call}"));
    }
    app.finish().await;
}

#[tokio::test]
async fn every_form_of_the_trigger_value_is_taken() {
    let app = Rtvoice::start();
    let event = |n: u32| app.cloud_event("CallConnected", &format!("call-{n}"), "e1", json!({}));
    connected(&app, event(1)).await;
    connected(&app, Value::String(event(2).to_string())).await;
    connected(&app, Value::String(Value::String(event(3).to_string()).to_string())).await;
    connected(&app, json!([event(4), event(5)])).await;
    connected(&app, Value::String(json!([event(6)]).to_string())).await;
    for n in 1..=6 {
        assert_eq!(app.hash(&format!("call-{n}:session"))["status"], "connected", "call-{n}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_second_delivery_changes_nothing() {
    let app = Rtvoice::start();
    let event = app.cloud_event("CallConnected", "call-1", "e1", json!({}));
    connected(&app, event.clone()).await;
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    let before = app.hash("call-1:session");
    app.clock.advance_millis(60_000);
    let mut later = event;
    later["time"] = json!(app.clock_now());
    connected(&app, later).await;
    let after = app.hash("call-1:session");
    for field in ["status", "connectedAt", "lastSeq"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    app.finish().await;
}

#[tokio::test]
async fn it_completes_a_call_that_a_turn_opened() {
    let app = Rtvoice::start();
    assert_eq!(app.turn("call-1", "t1", "hello").await.ok()["seq"], 1);
    assert_eq!(app.hash("call-1:session")["status"], "provisional");
    connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    let session = app.hash("call-1:session");
    assert_eq!((session["status"].as_str(), session["lastSeq"].as_str()), ("connected", "1"));
    app.finish().await;
}

#[tokio::test]
async fn an_event_from_the_future_counts_as_now() {
    let app = Rtvoice::start();
    let mut event = app.cloud_event("CallConnected", "call-1", "e1", json!({}));
    event["time"] = json!("2031-01-01T00:00:00Z");
    connected(&app, event).await;
    assert_eq!(app.hash("call-1:session")["connectedAt"], START.millis().to_string());
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_the_call_waits_in_the_queue() {
    let app = Rtvoice::start();
    for fault in [Fault::Away, Fault::Hang] {
        app.state.fail(fault);
        connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    }
    app.state.heal();
    let queued = app.queued();
    assert_eq!(queued.len(), 1, "one message for one event, however often it comes");
    let expected = json!({
        "kind": "callStarted", "callConnectionId": "call-1", "eventId": "e1", "at": app.clock_now(),
        "serverCallId": "server-call-1", "correlationId": "correlation-call-1",
    });
    assert_eq!(queued[0].0, expected);
    assert!(app.hash("call-1:session").is_empty());
    app.clock.advance_millis(5_000);
    assert_eq!(app.deliver_queue().await.len(), 1);
    let session = app.hash("call-1:session");
    assert_eq!(session["status"], "connected");
    assert_eq!(session["connectedAt"], START.millis().to_string(), "connected when it was connected, not when it was heard of");
    connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    assert_eq!(app.hash("call-1:session")["connectedAt"], START.millis().to_string());
    app.finish().await;
}

#[tokio::test]
async fn with_state_and_queue_away_it_must_come_again() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    app.queue.fail(Fault::Away);
    app.envelope("CallConnected", "event", app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await.problem(503, "unavailable", "");
    app.state.heal();
    app.queue.heal();
    connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    assert_eq!(app.hash("call-1:session")["status"], "connected");
    app.finish().await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_made_up_for_by_the_queue() {
    let app = Rtvoice::start();
    app.state.fail_in("apply", Fault::AnswerLost);
    connected(&app, app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await;
    app.state.heal();
    assert_eq!(app.deliver_queue().await.len(), 1);
    assert_eq!(app.hash("call-1:session")["status"], "connected");
    app.finish().await;
}

#[tokio::test]
async fn other_events_that_are_republished_here_are_taken_for_what_they_are() {
    let app = Rtvoice::start();
    connected(&app, app.cloud_event("CallDisconnected", "call-1", "e1", json!({}))).await;
    assert_eq!(app.hash("call-1:session")["status"], "ended");
    connected(&app, json!({"id": "x", "eventType": "Contoso.Orders.Created", "data": "not an object"})).await;
    app.deliver_queue().await;
    app.finish().await;
}
