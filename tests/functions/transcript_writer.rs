//! TranscriptWriter: turns and ends into the record, in any order, any number of times, also when a store is away.

use std::time::Duration;

use rtvoice::ports::documents::Container;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::app::{Answer, Rtvoice, START};
use crate::harness::faults::Fault;

fn turn_message(turn: &str, seq: Option<u64>, rev: u32, assistant: &str) -> Value {
    json!({
        "kind": "turn", "callConnectionId": "call-1", "rev": rev, "seq": seq, "degraded": seq.is_none(),
        "turnId": turn, "at": START, "user": "hello", "assistant": assistant, "source": "scripted",
    })
}

fn ended_message(last_seq: u64) -> Value {
    json!({"kind": "callEnded", "callConnectionId": "call-1", "at": START, "reason": "CallDisconnected", "lastSeq": last_seq})
}

/// Delivered as `dataType: binary` has it: base64.
async fn write(app: &Rtvoice, message: &Value) -> Answer {
    use base64::Engine as _;
    app.envelope("TranscriptWriter", "message", json!(base64::engine::general_purpose::STANDARD.encode(message.to_string()))).await
}

#[tokio::test]
async fn a_turn_becomes_one_document() {
    let app = Rtvoice::start();
    for _ in 0..3 {
        write(&app, &turn_message("t1", Some(1), 0, "hi")).await.ok();
    }
    let documents = app.documents_in(Container::Transcripts);
    let [document] = documents.as_slice() else { panic!("{documents:?}") };
    let mut document = document.clone();
    let sealed = document.as_object_mut().unwrap();
    assert!(sealed.remove("transcript").unwrap().as_str().unwrap().starts_with("e1."), "the words rest sealed");
    assert!(sealed.remove("key").unwrap().as_str().unwrap().starts_with("c:"), "under the key of their call");
    let expected = json!({
        "id": "turn-t1", "type": "turn", "callConnectionId": "call-1", "seq": 1, "rev": 0,
        "turnId": "t1", "at": START, "source": "scripted",
        "expiresAt": START.plus_millis(90 * 86_400_000), "ttl": 90 * 86_400,
    });
    assert_eq!(document, expected);
    app.finish().await;
}

#[tokio::test]
async fn a_higher_revision_replaces_a_lower_one_never_the_reverse() {
    let app = Rtvoice::start();
    for (rev, assistant) in [(1, "second"), (0, "first"), (2, "third"), (1, "second")] {
        write(&app, &turn_message("t1", Some(1), rev, assistant)).await.ok();
    }
    assert_eq!(app.documents_in(Container::Transcripts)[0]["rev"], 2);
    write(&app, &ended_message(1)).await.ok();
    write(&app, &turn_message("t1", Some(1), 1, "second")).await.ok();
    let archived = app.archive("call-1").await.unwrap();
    assert_eq!(archived.union.in_order()[0].entry.words.assistant.as_deref(), Some("third"));
    app.finish().await;
}

#[tokio::test]
async fn a_turn_that_comes_after_the_archive_merges_into_it() {
    let app = Rtvoice::start();
    write(&app, &turn_message("t2", Some(2), 0, "two")).await.ok();
    write(&app, &ended_message(2)).await.ok();
    assert!(!app.archive("call-1").await.unwrap().header.complete, "turn 1 is missing");
    write(&app, &turn_message("t1", Some(1), 0, "one")).await.ok();
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!((header.complete, header.turns), (true, 2));
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"]);
    let kinds: Vec<Value> = app.documents_in(Container::Transcripts).iter().map(|d| d["type"].clone()).collect();
    assert_eq!(kinds, ["header", "page"], "no turn document is left beside the archive");
    app.finish().await;
}

/// Types of what the record has of transcripts.
fn kinds(app: &Rtvoice) -> Vec<Value> {
    app.documents_in(Container::Transcripts).iter().map(|d| d["type"].clone()).collect()
}

/// The message of a turn comes once more, after the archive and while it cannot be merged: it waits in the queue, not in the record.
#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_again_is_never_written_beside_its_archive() {
    let app = Rtvoice::start();
    write(&app, &turn_message("t1", Some(1), 0, "one")).await.ok();
    write(&app, &ended_message(1)).await.ok();
    let before = app.documents_in(Container::Transcripts);
    app.state.fail(Fault::Away);
    for message in [turn_message("t1", Some(1), 0, "one"), turn_message("t1", None, 0, "one"), turn_message("t2", Some(2), 0, "two")] {
        write(&app, &message).await.ok();
        assert_eq!(app.documents_in(Container::Transcripts), before, "not until the archive can be merged");
    }
    let put_off: Vec<_> = app.queued().iter().map(|(body, ..)| body["turnId"].clone()).collect();
    assert_eq!(put_off, ["t1", "t2"], "both turns are put off, each once");
    app.state.heal();
    app.clock.advance_millis(60_000);
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"]);
    assert_eq!(kinds(&app), ["header", "page"]);
    app.finish().await;
}

/// The archive is written, and whoever wrote it gets no further: the next one removes what it left.
#[tokio::test(start_paused = true)]
async fn what_an_archiver_left_beside_its_archive_goes_with_the_next_message() {
    for next in [None, Some(turn_message("t1", Some(1), 0, "one")), Some(turn_message("t1", None, 0, "one")), Some(ended_message(1))] {
        let app = Rtvoice::start();
        write(&app, &turn_message("t1", Some(1), 0, "one")).await.ok();
        app.documents.fail_in("delete", Fault::Away);
        write(&app, &ended_message(1)).await.ok();
        assert_eq!(kinds(&app), ["header", "page", "turn"], "the turn stands there twice");
        app.documents.heal();
        match &next {
            Some(message) => drop(write(&app, message).await.ok()),
            None => {
                app.clock.advance_millis(60_000);
                app.deliver_queue().await;
            }
        }
        assert_eq!(kinds(&app), ["header", "page"], "after {next:?}");
        assert_eq!(app.archived_turns("call-1").await, ["t1"]);
        app.finish().await;
    }
}

/// The archive comes between the two looks of a writer: its turn is there before the second one, or merged after it.
#[tokio::test]
async fn a_turn_and_the_end_of_its_call_at_once_leave_nothing_beside_the_archive() {
    for round in 0..20 {
        let app = Rtvoice::start();
        let (first, again) = (turn_message("t1", Some(1), 0, "one"), turn_message("t1", None, 0, "one"));
        let (ended, mut other) = (ended_message(2), turn_message("t2", Some(2), 0, "two"));
        other["at"] = json!(START.plus_millis(1));
        let messages = [&first, &ended, &again, &other];
        for answer in futures::future::join_all((0..4).map(|n| write(&app, messages[(n + round) % 4]))).await {
            answer.ok();
        }
        assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"]);
        assert_eq!(kinds(&app), ["header", "page"], "round {round}");
        app.finish().await;
    }
}

#[tokio::test]
async fn an_archive_written_again_never_shrinks() {
    let app = Rtvoice::start();
    write(&app, &turn_message("t1", Some(1), 0, "one")).await.ok();
    write(&app, &ended_message(1)).await.ok();
    let before = app.documents_in(Container::Transcripts);
    let mut poorer = ended_message(0);
    poorer["lastSeq"] = Value::Null;
    for message in [ended_message(1), poorer] {
        write(&app, &message).await.ok();
        assert_eq!(app.documents_in(Container::Transcripts), before);
    }
    app.finish().await;
}

#[tokio::test]
async fn two_archivers_at_once_end_in_one_archive() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    for n in 1..=5 {
        app.turn("call-1", &format!("t{n}"), "hello").await.ok();
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    let ended = ended_message(5);
    for answer in futures::future::join_all((0..4).map(|_| write(&app, &ended))).await {
        answer.ok();
    }
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2", "t3", "t4", "t5"]);
    assert_eq!(app.documents_in(Container::Analytics).len(), 1);
    let kinds: Vec<Value> = app.documents_in(Container::Transcripts).iter().map(|d| d["type"].clone()).collect();
    assert_eq!(kinds, ["header", "page"]);
    app.finish().await;
}

#[tokio::test]
async fn the_summary_stays_and_the_state_goes() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let keys = app.keys();
    let of_the_call: Vec<&String> = keys.iter().filter(|k| k.contains(":call-1:")).collect();
    assert_eq!(of_the_call, ["rtvoice:dev:call:call-1:summary"]);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_away_for_a_moment_is_waited_for() {
    let app = Rtvoice::start();
    app.documents.fail(Fault::Away);
    let began = Instant::now();
    let message = turn_message("t1", Some(1), 0, "hi");
    let (answer, ()) = tokio::join!(write(&app, &message), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        app.documents.heal();
    });
    answer.ok();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(app.queued().is_empty());
    assert_eq!(app.documents_in(Container::Transcripts).len(), 1);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_stays_away_puts_the_message_off_and_lets_the_original_go() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    app.documents.fail(Fault::Away);
    let (_, _, original) = app.queued().remove(0);
    let mut ids = vec![original];
    for (deferrals, minutes) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5)] {
        let began = Instant::now();
        assert_eq!(app.deliver_queue().await.len(), 1, "the delivered one is completed");
        assert!(began.elapsed() <= Duration::from_secs(30), "{:?}", began.elapsed());
        let queued = app.queued();
        assert_eq!(queued.len(), 1);
        let (body, due, id) = &queued[0];
        assert_eq!((&body["deferrals"], &body["turnId"]), (&json!(deferrals), &json!("t1")));
        assert_eq!(*due, app.clock_now().plus_millis(minutes * 60_000).millis(), "deferral {deferrals}");
        assert!(!ids.contains(id), "the broker would drop a copy with the id of its original");
        ids.push(id.clone());
        app.clock.advance_millis(minutes * 60_000);
    }
    app.documents.heal();
    app.deliver_queue().await;
    assert_eq!(app.documents_in(Container::Transcripts).len(), 1);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_for_the_state_store_however_long_it_takes() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    app.state.fail(Fault::Hang);
    for _ in 0..20 {
        app.deliver_queue().await;
        app.clock.advance_millis(5 * 60_000);
    }
    assert_eq!(app.embedded_queue().stats().await.unwrap().dead, 0, "waiting burns no delivery");
    app.state.heal();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn with_the_queue_away_too_the_broker_keeps_the_original() {
    let app = Rtvoice::start();
    app.documents.fail(Fault::Away);
    app.queue.fail(Fault::Away);
    write(&app, &turn_message("t1", Some(1), 0, "hi")).await.problem(503, "unavailable", "");
    app.finish().await;
}

#[tokio::test]
async fn a_call_of_which_only_degraded_turns_were_heard_is_archived_in_the_end() {
    let app = Rtvoice::with(&[("CALL_IDLE_LIMIT", "600")]);
    app.state.fail(Fault::Away);
    assert_eq!(app.turn("call-1", "t1", "hello").await.ok()["degraded"], true);
    app.state.heal();
    app.deliver_queue().await;
    assert_eq!(app.members("open"), ["call-1"]);
    // CallDisconnected never comes.
    app.clock.advance_millis(600_001);
    app.relay().await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_degraded_turn_is_kept_at_once_and_comes_back_until_its_call_can_be_opened() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    app.turn("call-1", "t1", "hello").await.ok();
    let began = Instant::now();
    assert_eq!(app.deliver_queue().await.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(5), "a lane does not wait for the outage: {:?}", began.elapsed());
    assert_eq!(app.documents_in(Container::Transcripts).len(), 1);
    assert_eq!(app.queued()[0].0["deferrals"], 1);
    app.state.heal();
    app.clock.advance_millis(60_000);
    app.deliver_queue().await;
    assert_eq!(app.members("open"), ["call-1"]);
    app.finish().await;
}

#[tokio::test]
async fn a_degraded_turn_revives_no_call_that_has_ended_or_is_archived() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    write(&app, &turn_message("t1", None, 0, "one")).await.ok();
    assert_eq!(app.hash("call-1:session")["status"], "ended");
    app.deliver_queue().await;
    write(&app, &turn_message("t2", None, 0, "two")).await.ok();
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2"]);
    assert_eq!(app.members("open"), Vec::<String>::new());
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_read_fails_at_once_and_ends_parked() {
    let app = Rtvoice::start();
    let began = Instant::now();
    for bad in [json!({"kind": "unheardOf"}), json!({"kind": "turn", "callConnectionId": "a:b"}), json!([]), json!("text"), json!(7)] {
        write(&app, &bad).await.problem(500, "unreadable-message", "");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "nothing was waited for");
    app.enqueue("not a message").await;
    app.deliver_queue().await;
    assert_eq!(app.deliver_dead().await, 1);
    app.finish_with(0, 1).await;
}

/// The state store forgot its numbering in the middle of a call.
#[tokio::test]
async fn where_numbers_repeat_time_orders_the_turns_and_the_archive_is_not_complete() {
    let app = Rtvoice::start();
    for (turn, seq, later) in [("t1", 1, 0), ("t2", 2, 1), ("t10", 1, 2), ("t9", 2, 3)] {
        let mut message = turn_message(turn, Some(seq), 0, "hi");
        message["at"] = json!(START.plus_millis(later));
        write(&app, &message).await.ok();
    }
    write(&app, &ended_message(2)).await.ok();
    let archived = app.archive("call-1").await.unwrap();
    let order: Vec<_> = archived.union.in_order().iter().map(|turn| turn.entry.turn_id.clone()).collect();
    assert_eq!(order, ["t1", "t2", "t10", "t9"]);
    assert!(!archived.header.complete, "nobody knows what else was forgotten");
    app.finish().await;
}

/// A network held a commit back: the caller was answered without it, and it ran after a later turn's.
#[tokio::test]
async fn a_commit_that_ran_late_stands_where_it_was_said() {
    let message = |turn: &str, seq, later| {
        let mut message = turn_message(turn, seq, 0, "hi");
        message["at"] = json!(START.plus_millis(later));
        message
    };
    let messages = [message("t1", None, 0), message("t2", Some(1), 1), message("t1", Some(2), 0), ended_message(2)];
    for order in [[0, 1, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3], [0, 1, 3, 2], [1, 2, 3, 0], [3, 2, 1, 0]] {
        let app = Rtvoice::start();
        for place in order {
            write(&app, &messages[place]).await.ok();
        }
        let archived = app.archive("call-1").await.unwrap();
        let turns: Vec<_> = archived.union.in_order().iter().map(|turn| (turn.entry.turn_id.clone(), turn.seq)).collect();
        assert_eq!(turns, [("t1".to_owned(), Some(2)), ("t2".to_owned(), Some(1))], "{order:?}");
        assert!(archived.header.complete, "{order:?}");
        app.finish().await;
    }
}

#[tokio::test]
async fn an_archive_written_again_remembers_who_took_part() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    let phone = json!({"identifier": {"rawId": "4:+14255550123", "kind": "phoneNumber"}});
    let event = app.cloud_event("ParticipantsUpdated", "call-1", "e2", json!({"sequenceNumber": 1, "participants": [phone]}));
    app.post("/api/calls/events", &event).await.ok();
    app.event("CallDisconnected", "call-1", "e3").await.ok();
    app.deliver_queue().await;
    let before = app.archive("call-1").await.unwrap().header;
    assert!(before.participant_info.as_ref().is_some_and(|info| info["participants"][0]["identifier"]["rawId"] == "4:+14255550123"));
    // The tombstone expires, and the end comes once more.
    app.clock.advance_millis(8 * 86_400_000);
    write(&app, &ended_message(0)).await.ok();
    let after = app.archive("call-1").await.unwrap().header;
    assert_eq!((after.participant_info, after.user), (before.participant_info, before.user));
    app.finish().await;
}

#[tokio::test]
async fn an_end_that_cannot_be_true_does_not_take_the_transcript_with_it() {
    const DAY: i64 = 86_400_000;
    for (days, since) in [(200, START), (3, START.plus_millis(-3 * DAY))] {
        let app = Rtvoice::start();
        let end = START.plus_millis(-days * DAY);
        write(&app, &turn_message("t1", Some(1), 0, "one")).await.ok();
        write(&app, &json!({"kind": "callEnded", "callConnectionId": "call-1", "at": end, "reason": "CallDisconnected", "lastSeq": 2})).await.ok();
        app.clock.advance_millis(3_600_000);
        // What comes late changes neither.
        write(&app, &turn_message("t2", Some(2), 0, "two")).await.ok();
        let kept = |container: Container| app.documents_in(container).into_iter().map(|document| (document["endedAt"].clone(), document["expiresAt"].clone()));
        let (transcripts, analytics): (Vec<_>, Vec<_>) = (kept(Container::Transcripts).collect(), kept(Container::Analytics).collect());
        assert_eq!((transcripts.len(), analytics.len()), (2, 1), "header and page: {transcripts:?}");
        assert!(transcripts.iter().all(|kept| *kept == (json!(end), json!(since.plus_millis(90 * DAY)))), "{days}: {transcripts:?}");
        assert_eq!(analytics, [(json!(end), json!(since.plus_millis(400 * DAY)))], "{days}");
        app.finish().await;
    }
}
