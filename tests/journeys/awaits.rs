//! The handler ends at every single await of a turn and of an archive, and is started again: what was answered is kept, once.

use serde_json::json;

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::process::eventually;
use crate::harness::stack::Stack;

/// More waits than any of the two has: past them the test is in an endless loop.
const MOST: u64 = 600;

fn ends_at(function: &str, number: u64) -> Vec<(&'static str, String)> {
    vec![("RTVOICE_TEST_ENDS_AT", format!("{function}:{number}"))]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_turn() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    let mut turns = Vec::new();
    for number in 2..MOST {
        stack.handler.restart_with(ends_at("ConversationTurn", number)).await;
        let turn = format!("turn-{number}");
        let body = json!({"turnId": turn, "text": format!("words of {turn}")});
        let first = call.turn(body.clone()).await;
        turns.push(turn);
        if let Some(answer) = first {
            assert_eq!(answer.status, 200, "{answer:?}");
            break;
        }
        eventually("it has ended", || stack.handler.output(), async || stack.handler.has_died().then_some(())).await;
        stack.handler.restart().await;
        // On a busy machine Redis may be too slow for a handler that has just started: without it a turn has no number yet.
        let whole = async || Some(call.insist(body.clone()).await).filter(|answer| answer.body["degraded"] == json!(false));
        let again = eventually("it is answered whole", || stack.handler.output(), whole).await;
        assert_eq!(again.body["seq"], json!(turns.len()), "one turn has one number: {again:?}");
    }
    assert!(turns.len() > 8, "it ended at {} places", turns.len() - 1);
    call.disconnect().await;
    let archived = stack.archived_at_last(&call.id, turns.len()).await;
    assert_eq!(turn_ids(&archived), turns);
    assert_eq!(seqs(&archived), (1..=turns.len() as u64).map(Some).collect::<Vec<_>>());
    assert!(archived.header.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_archive() {
    let stack = Stack::start().await;
    let mut calls = 0;
    for number in 2..MOST {
        let call = Call::new(&stack.handler);
        call.connect().await;
        call.participants("+14255550123").await;
        for turn in ["one", "two"] {
            call.said(turn, "kept once").await;
        }
        stack.delivered().await;
        stack.pump.pause();
        call.disconnect().await;
        let sent = async || stack.bus.accepted().iter().any(|m| m.label == "callEnded" && m.correlation_id == call.id).then_some(());
        eventually("the end is sent", || stack.handler.output(), sent).await;
        stack.handler.restart_with(ends_at("TranscriptWriter", number)).await;
        stack.pump.go_on();
        let through = async || (stack.handler.has_died() || stack.pump.is_idle()).then(|| stack.handler.has_died());
        let died = eventually("it ends, or is through", || stack.handler.output(), through).await;
        stack.handler.restart().await;
        let archived = call.archived(2).await;
        calls += 1;
        assert!(archived.header.complete);
        assert_eq!(turn_ids(&archived), ["one", "two"]);
        stack.delivered().await;
        let user = archived.header.user.as_ref().expect("a user");
        let (profile, _) = rtvoice::steps::profile::stored(stack.handler.app(), user).await.expect("a record").expect("a profile");
        assert_eq!((profile.calls, profile.turns), (calls, calls * 2), "counted once, though it ended at {number}");
        if !died {
            break;
        }
    }
    assert!(calls > 20, "it ended at {} places", calls - 1);
    assert_eq!(stack.pump.dead(), 0);
}
