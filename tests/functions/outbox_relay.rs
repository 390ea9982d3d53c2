//! OutboxRelay: what fell between, once a minute.

use rtvoice::model::ids::CallId;
use rtvoice::steps::outbox::owed;
use serde_json::json;

use crate::harness::app::{PATIENCE, Rtvoice, START};
use crate::harness::faults::Fault;

const MINUTE: i64 = 60_000;

/// A call with one turn that the queue never got.
async fn unconfirmed() -> Rtvoice {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    app.queue.heal();
    app
}

#[tokio::test]
async fn what_is_unconfirmed_for_five_seconds_is_sent_again() {
    let app = unconfirmed().await;
    app.clock.advance_millis(4_999);
    app.relay().await.ok();
    assert!(app.queued().is_empty(), "it may still be on its way");
    app.clock.advance_millis(1);
    app.relay().await.ok();
    assert_eq!(app.queued().len(), 1);
    assert!(app.hash("call-1:outbox").is_empty());
    app.relay().await.ok();
    assert_eq!(app.queued().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn with_the_queue_still_away_it_stays_and_the_tick_fails() {
    let app = unconfirmed().await;
    app.queue.fail(Fault::Away);
    app.clock.advance_millis(MINUTE);
    app.relay().await.problem(503, "unavailable", "");
    assert!(app.hash("call-1:outbox").contains_key("t:t1"));
    app.finish_with(1, 0).await;
}

#[tokio::test]
async fn a_large_outbox_is_sent_in_the_order_of_its_turns() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    let turns: Vec<String> = (0..120).map(|n| format!("t{n}")).collect();
    for turn in &turns {
        app.turn("call-1", turn, "hello").await.ok();
    }
    app.quiesce().await;
    app.queue.heal();
    app.clock.advance_millis(MINUTE);
    app.relay().await.ok();
    let sent: Vec<_> = app.queued().into_iter().map(|(message, ..)| message["turnId"].clone()).collect();
    assert_eq!(sent, turns);
    assert!(app.hash("call-1:outbox").is_empty());
    app.finish().await;
}

#[tokio::test]
async fn one_call_that_fails_does_not_hold_up_the_others() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    for n in 0..40 {
        app.clock.advance_millis(1);
        app.turn(&format!("call-{n}"), "t1", "hello").await.ok();
    }
    app.quiesce().await;
    app.queue.heal();
    // What the store holds of one call is broken, so that its message can never be composed.
    app.spoil_outbox("call-7");
    app.clock.advance_millis(MINUTE);
    assert_eq!(app.relay().await.status, 500);
    assert_eq!(app.queued().len(), 39);
    app.finish_with(1, 0).await;
}

#[tokio::test]
async fn a_silent_call_is_ended_and_archived() {
    let app = Rtvoice::with(&[("CALL_IDLE_LIMIT", "600")]);
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.clock.advance_millis(600_000);
    app.relay().await.ok();
    assert_eq!(app.hash("call-1:session")["status"], "connected", "not before its time");
    app.clock.advance_millis(1);
    app.relay().await.ok();
    let session = app.hash("call-1:session");
    assert_eq!((session["status"].as_str(), session["endReason"].as_str()), ("ended", "idle"));
    app.deliver_queue().await;
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!((header.complete, header.turns, header.end_reason.as_deref()), (true, 1, Some("idle")));
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.finish().await;
}

#[tokio::test]
async fn an_entry_without_state_is_dropped_after_an_hour() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.quiesce().await;
    app.forget("call-1");
    assert_eq!(app.members("open"), ["call-1"]);
    app.clock.advance_millis(60 * MINUTE);
    app.relay().await.ok();
    assert_eq!(app.members("open"), ["call-1"], "not before its time");
    app.clock.advance_millis(1);
    app.relay().await.ok();
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.finish().await;
}

/// A call whose turn is in the record and whose state is gone.
async fn lost() -> Rtvoice {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.deliver_queue().await;
    app.forget("call-1");
    app.clock.advance_millis(60 * MINUTE + 1);
    app
}

#[tokio::test]
async fn a_call_whose_state_was_lost_is_archived_with_what_the_record_has() {
    let app = lost().await;
    app.relay().await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!((header.end_reason.as_deref(), header.ended_at), (Some("lost"), Some(START)), "it ended when it was last heard of");
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.relay().await.ok();
    assert!(app.queued().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn while_the_record_is_away_a_call_without_state_stays_open_and_holds_up_nobody() {
    let app = lost().await;
    app.documents.fail(Fault::Away);
    app.relay().await.ok();
    assert_eq!(app.members("open"), ["call-1"]);
    app.documents.heal();
    app.relay().await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}

#[tokio::test]
async fn an_ended_call_without_an_archive_is_asked_for_again() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    app.lose_queue();
    app.clock.advance_millis(15 * MINUTE);
    app.relay().await.ok();
    assert!(app.queued().is_empty(), "not before its time");
    app.clock.advance_millis(1);
    app.relay().await.ok();
    assert_eq!(app.queued().len(), 1);
    assert_eq!(app.queued()[0].0["kind"], "callEnded");
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}

#[tokio::test]
async fn an_archived_call_that_stayed_in_the_open_set_leaves_it() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.state.fail_in("touch_open", Fault::Away);
    app.quiesce().await;
    // Answered 503 only after its patience, so the archive is made by hand here.
    let call = rtvoice::model::ids::CallId::parse("call-1").unwrap();
    rtvoice::steps::archiving::archive(&app.app, &call, None).await.unwrap_err();
    assert_eq!(app.members("open"), ["call-1"]);
    app.state.heal();
    app.relay().await.ok();
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.deliver_queue().await;
    app.finish().await;
}

#[tokio::test]
async fn with_the_state_store_away_the_tick_fails() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    app.relay().await.problem(503, "unavailable", "");
    app.finish().await;
}

#[tokio::test]
async fn a_tick_by_hand_is_taken_too() {
    let app = Rtvoice::start();
    app.envelope("OutboxRelay", "timer", json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": true})).await.ok();
    app.envelope("OutboxRelay", "timer", json!("{\"IsPastDue\":false}")).await.ok();
    app.finish().await;
}

#[tokio::test]
async fn what_the_queue_did_not_take_is_sent_without_a_tick_once_it_answers() {
    let app = unconfirmed().await;
    app.queue.fail(Fault::Away);
    let stop = tokio_util::sync::CancellationToken::new();
    let (watched, stopped) = (app.app.clone(), stop.clone());
    let keeping_up = tokio::spawn(async move { owed::keep_up(&watched, &stopped).await });
    let mut calls = Vec::new();
    let mut checks = |least: usize| {
        calls.extend(app.queue.calls());
        calls.iter().filter(|call| **call == "check").count() >= least
    };
    until(|| checks(1)).await;
    assert!(app.queued().is_empty() && app.app.owed.is_some());
    app.queue.heal();
    // By the clock of the app it may still be on its way.
    until(|| checks(3)).await;
    assert!(app.queued().is_empty(), "it is kept in mind");
    app.clock.advance_millis(3_000);
    until(|| app.queued().len() == 1 && app.hash("call-1:outbox").is_empty() && !app.app.owed.is_some()).await;
    stop.cancel();
    keeping_up.await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn more_calls_than_are_remembered_are_found_among_the_open_ones() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    for n in 0..10_000 {
        app.app.owed.note(&CallId::parse(format!("other-{n}")).unwrap());
    }
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    app.queue.heal();
    app.clock.advance_millis(3_000);
    owed::round(&app.app).await;
    assert_eq!((app.queued().len(), app.app.owed.is_some()), (1, false));
    app.finish().await;
}

#[tokio::test]
async fn what_still_cannot_be_sent_is_owed_afterwards() {
    let app = unconfirmed().await;
    app.clock.advance_millis(3_000);
    for fault in [Fault::Away, Fault::Hang] {
        app.queue.fail(fault);
        owed::round(&app.app).await;
        assert!(app.app.owed.is_some() && app.queued().is_empty(), "{fault:?}");
    }
    app.queue.heal();
    app.state.fail(Fault::Away);
    owed::round(&app.app).await;
    assert!(app.app.owed.is_some() && app.queued().is_empty());
    app.state.heal();
    owed::round(&app.app).await;
    assert_eq!((app.queued().len(), app.app.owed.is_some()), (1, false));
    app.finish().await;
}

/// Waits for a condition.
async fn until(mut holds: impl FnMut() -> bool) {
    let waits = async {
        while !holds() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("in time");
}
