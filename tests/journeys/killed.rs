//! The handler is killed (SIGKILL) where it hurts, and started again: nothing that was answered is lost or doubled.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use rtvoice::ports::documents::Container;
use serde_json::json;

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::cosmos;
use crate::harness::process::eventually;
use crate::harness::service_bus;
use crate::harness::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn between_commit_and_send() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    stack.bus.inject([service_bus::Fault::Hang]);
    assert_eq!(call.said("answered", "committed and not sent").await, 1);
    let sending = async || (stack.bus.faulted() == 1).then_some(());
    eventually("the message is being sent", || stack.handler.output(), sending).await;
    stack.handler.kill();
    assert_eq!(stack.bus.accepted(), [], "the queue has nothing of it");
    stack.handler.restart().await;
    let relayed = async || {
        assert!(stack.handler.relay().await);
        (!stack.bus.accepted().is_empty()).then(|| stack.bus.accepted())
    };
    let sent = eventually("the relay sends it", || stack.handler.output(), relayed).await;
    assert_eq!((sent.len(), sent[0].label.as_str()), (1, "turn"));
    stack.delivered().await;
    // The end suffers the same: nobody but the relay sends it.
    stack.bus.inject([service_bus::Fault::Hang]);
    call.disconnect().await;
    let sending = async || (stack.bus.faulted() == 2).then_some(());
    eventually("the end is being sent", || stack.handler.output(), sending).await;
    stack.handler.kill();
    stack.handler.restart().await;
    let relayed = async || {
        assert!(stack.handler.relay().await);
        (stack.bus.accepted().len() == 2).then_some(())
    };
    eventually("the relay sends the end", || stack.handler.output(), relayed).await;
    let archived = call.archived(1).await;
    assert!(archived.header.complete);
    assert_eq!(turn_ids(&archived), ["answered"]);
    stack.delivered().await;
    assert!(stack.handler.relay().await);
    assert_eq!((stack.bus.accepted().len(), stack.bus.duplicates()), (2, 0), "nothing is left to relay");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_any_moment_of_its_turns() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    let speakers = (0..4).map(|speaker| {
        let call = call.clone();
        tokio::spawn(async move {
            let mut answered = BTreeMap::new();
            for number in 0..25 {
                let turn = format!("turn-{speaker}-{number}");
                let body = json!({"turnId": turn, "text": format!("words of {turn}"), "speak": number % 5 == 0});
                let answer = call.insist(body).await;
                answered.insert(turn, (answer.body["seq"].as_u64(), answer.body["reply"]["text"].as_str().expect("a reply").to_owned()));
            }
            answered
        })
    });
    let speakers: Vec<_> = speakers.collect();
    let mut kills = 0;
    while !speakers.iter().all(tokio::task::JoinHandle::is_finished) && kills < 12 {
        tokio::time::sleep(Duration::from_millis(30 + 37 * (kills % 5))).await;
        stack.handler.kill();
        stack.handler.restart().await;
        kills += 1;
    }
    let answered: BTreeMap<_, _> = join_all(speakers).await.into_iter().flat_map(|a| a.expect("a speaker")).collect();
    assert!(kills >= 3, "it was killed while they spoke");
    call.disconnect().await;
    let archived = stack.archived_at_last(&call.id, answered.len()).await;
    let kept: BTreeMap<_, _> = archived.union.in_order().into_iter().map(|t| (t.entry.turn_id.clone(), t)).collect();
    assert_eq!(kept.keys().collect::<Vec<_>>(), answered.keys().collect::<Vec<_>>());
    for (turn, (seq, reply)) in &answered {
        assert_eq!(kept[turn].entry.words.assistant.as_ref(), Some(reply), "{turn}");
        assert!(seq.is_none() || kept[turn].seq == *seq, "{turn} was answered as number {seq:?} and kept as {:?}", kept[turn].seq);
    }
    assert!(archived.header.complete, "{:?}", archived.header);
}

#[tokio::test(flavor = "multi_thread")]
async fn anywhere_in_an_archive() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    call.participants("+14255550123").await;
    stack.pump.pause();
    // Five pages of turns.
    let text = "\u{1f4de}".repeat(4000);
    let turns = 120;
    for number in 0..turns {
        call.said(&format!("turn-{number:03}"), &text).await;
    }
    call.disconnect().await;
    stack.pump.go_on();
    let mut killed = 0;
    // The turns' documents are written first, and killed among; then the archive itself, ever later in it.
    for served in [5, 100, 136, 1, 3, 6, 8, 10, 12, 30, 60, 20, 100] {
        stack.cosmos.fail_after(served, cosmos::Fault::Hang);
        let hangs = async || (stack.cosmos.is_failing() || stack.pump.is_idle()).then(|| stack.pump.is_idle());
        if eventually("the record hangs", || stack.handler.output(), hangs).await {
            break;
        }
        stack.handler.kill();
        stack.cosmos.recover();
        stack.handler.restart().await;
        killed += 1;
    }
    stack.cosmos.recover();
    assert!(killed >= 8, "killed {killed} times");
    let archived = call.archived(turns).await;
    assert!(archived.header.complete);
    assert!(archived.header.pages.len() > 1);
    assert_eq!(seqs(&archived), (1..=turns as u64).map(Some).collect::<Vec<_>>());
    stack.delivered().await;
    let app = stack.handler.app();
    let profile = rtvoice::steps::profile::stored(app, archived.header.user.as_ref().expect("a user")).await;
    let (profile, _) = profile.expect("a record").expect("a profile");
    assert_eq!((profile.calls, profile.turns), (1, turns as u64), "counted once");
    let loose = app.documents.list(Container::Transcripts, &call.id, "turn-", None, 10).await.expect("a list").documents;
    assert_eq!((stack.pump.dead(), loose.len()), (0, 0));
}
