//! What happens to a single machine: its file is full, its clock jumps, its host delivers again and again.

use futures::future::join_all;
use rtvoice::ports::documents::Container;
use serde_json::json;

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_file_that_is_full() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "first", "there is room").await.ok();
    app.quiesce().await;
    // As many pages as it has, and not one more.
    app.embedded_queue().file().prepare("PRAGMA max_page_count = 1").expect("a bound");
    let text = "x".repeat(4_000);
    let (mut answered, mut refused) = (vec!["first".to_owned()], 0);
    for number in 0..40 {
        let turn = format!("turn-{number}");
        let answer = app.turn("call-1", &turn, &text).await;
        if answer.status == 200 {
            answered.push(turn);
        } else {
            answer.problem(503, "unavailable", "");
            refused += 1;
        }
    }
    assert!(refused > 0, "it was full");
    let ended = app.event("CallDisconnected", "call-1", "e2").await;
    assert!(matches!(ended.status, 200 | 503), "{ended:?}");
    app.quiesce().await;
    app.embedded_queue().file().prepare("PRAGMA max_page_count = 1000000").expect("no bound");
    if ended.status == 503 {
        let last = app.turn("call-1", "last", "there is room again").await.ok();
        assert_eq!(last["degraded"], json!(false));
        answered.push("last".to_owned());
        app.event("CallDisconnected", "call-1", "e2").await.ok();
    }
    app.clock.advance_millis(10_000);
    app.relay().await.ok();
    app.deliver_queue().await;
    let archived = app.archived_turns("call-1").await;
    let kept: Vec<_> = archived.iter().filter(|turn| answered.contains(turn)).cloned().collect();
    assert_eq!(kept, answered, "every answered turn, once and in order");
    app.finish().await;
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_ahead_and_back() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    let mut turns = Vec::new();
    for jump in [0, HOUR, -HOUR, -HOUR, HOUR, HOUR] {
        app.clock.advance_millis(jump);
        for _ in 0..2 {
            let turn = format!("turn-{}", turns.len() + 1);
            let answer = app.turn("call-1", &turn, "what time is it?").await.ok();
            assert_eq!((&answer["seq"], &answer["degraded"]), (&json!(turns.len() + 1), &json!(false)));
            turns.push(turn);
            app.clock.advance_millis(1_000);
        }
        app.relay().await.ok();
        app.deliver_queue().await;
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.clock.advance_millis(-HOUR);
    app.deliver_queue().await;
    app.clock.advance_millis(2 * HOUR);
    app.relay().await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, turns);
    assert!(app.archive("call-1").await.expect("an archive").header.complete);
    app.finish().await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_while_the_queue_is_away() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "turn-1", "before the jump").await.ok();
    app.quiesce().await;
    app.clock.advance_millis(-HOUR);
    app.turn("call-1", "turn-2", "after it").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    app.queue.heal();
    // By this clock the first was sent in the future: it must not wait until then.
    app.clock.advance_millis(60_000);
    app.relay().await.ok();
    assert!(app.hash("call-1:outbox").is_empty(), "all of it is sent");
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["turn-1", "turn-2"]);
    app.finish().await;
}

#[tokio::test]
async fn a_host_that_delivers_everything_ten_times() {
    let app = Rtvoice::start();
    let participants = json!({"sequenceNumber": 1, "participants": [{"identifier": {"rawId": "4:+14255550123", "kind": "phoneNumber", "phoneNumber": {"value": "+14255550123"}}}]});
    let events = [app.cloud_event("CallConnected", "call-1", "e1", json!({})), app.cloud_event("ParticipantsUpdated", "call-1", "e2", participants)];
    for _ in 0..10 {
        app.post("/api/calls/events", &json!(events)).await.ok();
    }
    let turns = ["one", "two", "three"];
    for turn in turns {
        let answers = join_all((0..10).map(|_| app.turn("call-1", turn, "once is enough"))).await;
        let seqs: Vec<_> = answers.iter().map(|answer| answer.ok()["seq"].clone()).collect();
        assert!(seqs.iter().all(|seq| *seq == seqs[0]), "{seqs:?}");
    }
    let ended = json!([app.cloud_event("CallDisconnected", "call-1", "e3", json!({}))]);
    for _ in 0..10 {
        app.post("/api/calls/events", &ended).await.ok();
    }
    loop {
        app.quiesce().await;
        let batch = app.embedded_queue().receive(64, std::time::Duration::from_secs(60)).await.expect("the queue");
        if batch.is_empty() {
            break;
        }
        for delivery in batch {
            for answer in join_all((0..10).map(|_| app.deliver("TranscriptWriter", &delivery, true))).await {
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            assert!(app.embedded_queue().complete(&delivery).await.expect("the queue"), "the lock was lost");
        }
    }
    assert_eq!(app.archived_turns("call-1").await, turns);
    let profiles = app.documents_in(Container::Profiles);
    let counted: Vec<_> =
        profiles.iter().filter(|profile| profile["calls"].is_number()).map(|profile| (profile["calls"].clone(), profile["turns"].clone())).collect();
    assert_eq!(counted, [(json!(1), json!(3))], "counted once");
    app.finish().await;
}
