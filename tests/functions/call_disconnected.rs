//! CallDisconnected over Event Grid: the end is sticky, comes once, and leads to the right archive whatever is away.

use serde_json::{Value, json};

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

async fn disconnected(app: &Rtvoice, call: &str, id: &str) {
    app.envelope("CallDisconnected", "event", app.cloud_event("CallDisconnected", call, id, json!({}))).await.ok();
}

#[tokio::test]
async fn the_call_ends_and_is_archived() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.turn("call-1", "t2", "goodbye").await.ok();
    app.clock.advance_millis(60_000);
    disconnected(&app, "call-1", "e2").await;
    let done = app.deliver_queue().await;
    assert_eq!(done.iter().filter(|m| m["kind"] == "callEnded").count(), 1);
    let header = app.archive("call-1").await.unwrap().header;
    assert!(header.complete);
    assert_eq!((header.last_seq, header.turns), (Some(2), 2));
    assert_eq!(header.started_at, Some(START));
    assert_eq!(header.ended_at, Some(START.plus_millis(60_000)));
    assert_eq!(header.end_reason.as_deref(), Some("CallDisconnected"));
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"]);
    assert!(app.hash("call-1:session").is_empty(), "the state is let go");
    app.finish().await;
}

#[tokio::test]
async fn an_ended_call_stays_ended() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    disconnected(&app, "call-1", "e2").await;
    let ended_at = app.hash("call-1:session")["endedAt"].clone();
    app.clock.advance_millis(1_000);
    app.event("CallConnected", "call-1", "e3").await.ok();
    disconnected(&app, "call-1", "e2").await;
    disconnected(&app, "call-1", "e4").await;
    let session = app.hash("call-1:session");
    assert_eq!((session["status"].as_str(), &session["endedAt"]), ("ended", &ended_at));
    app.turn("call-1", "t1", "hello").await.problem(409, "call-ended", "");
    let done = app.deliver_queue().await;
    assert_eq!(done.len(), 1, "one end, one message: {done:?}");
    app.event("CallConnected", "call-1", "e5").await.ok();
    app.turn("call-1", "t2", "hello").await.problem(409, "call-ended", "");
    assert!(app.hash("call-1:session").is_empty(), "the tombstone holds");
    assert_eq!(app.deliver_queue().await, Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn an_end_that_comes_first_is_a_tombstone() {
    let app = Rtvoice::start();
    disconnected(&app, "call-1", "e2").await;
    app.event("CallConnected", "call-1", "e1").await.ok();
    assert_eq!(app.hash("call-1:session")["status"], "ended");
    app.turn("call-1", "t1", "hello").await.problem(409, "call-ended", "");
    app.deliver_queue().await;
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!((header.complete, header.last_seq, header.turns), (true, Some(0), 0));
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_the_archive_is_right_once_it_is_back() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    app.state.fail(Fault::Away);
    let degraded = app.turn("call-1", "t2", "are you there").await.ok();
    assert_eq!((&degraded["seq"], &degraded["degraded"]), (&Value::Null, &json!(true)));
    app.clock.advance_millis(30_000);
    disconnected(&app, "call-1", "e2").await;
    disconnected(&app, "call-1", "e2").await;
    app.state.heal();
    app.clock.advance_millis(30_000);
    app.deliver_queue().await;
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!(header.ended_at, Some(START.plus_millis(30_000)));
    assert_eq!(header.end_reason.as_deref(), Some("CallDisconnected"));
    assert_eq!((header.complete, header.last_seq, header.turns), (true, Some(1), 2));
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"], "what has no number is ordered by its time");
    app.finish().await;
}

#[tokio::test]
async fn a_whole_call_with_the_state_store_away_is_archived() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    app.event("CallConnected", "call-1", "e1").await.ok();
    for (turn, text) in [("t1", "one"), ("t2", "two"), ("t3", "three")] {
        app.clock.advance_millis(1_000);
        assert_eq!(app.turn("call-1", turn, text).await.ok()["degraded"], true);
    }
    app.clock.advance_millis(1_000);
    disconnected(&app, "call-1", "e2").await;
    app.state.heal();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2", "t3"]);
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!((header.started_at, header.ended_at), (Some(START), Some(START.plus_millis(4_000))));
    app.finish().await;
}

#[tokio::test]
async fn with_the_queue_away_the_end_stays_in_the_outbox_and_the_relay_sends_it() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.queue.fail(Fault::Away);
    disconnected(&app, "call-1", "e2").await;
    app.quiesce().await;
    assert!(app.hash("call-1:outbox").contains_key("ended"));
    app.queue.heal();
    app.clock.advance_millis(6_000);
    app.relay().await.ok();
    assert!(app.hash("call-1:outbox").is_empty());
    app.deliver_queue().await;
    assert!(app.archive("call-1").await.is_some());
    app.finish().await;
}
