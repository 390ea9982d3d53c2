//! Service Bus and Cosmos DB answer as they do when something is wrong with them: nothing is lost, nothing is doubled, and no
//! delivery is burnt.

use std::time::Duration;

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::cosmos;
use crate::harness::process::eventually;
use crate::harness::service_bus::Fault;
use crate::harness::stack::Stack;
use crate::harness::stopwatch::Stopwatch;

/// Says turns until the queue has one of them: its circuit is closed again then.
async fn until_taken(stack: &Stack, call: &Call, turns: &mut Vec<String>) {
    let taken = stack.bus.accepted().len();
    let said = async || {
        let turn = format!("turn-{}", turns.len());
        call.said(&turn, "with the queue").await;
        turns.push(turn);
        (stack.bus.accepted().len() > taken).then_some(())
    };
    eventually("the queue takes messages", || stack.handler.output(), said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn service_bus_refuses_in_every_way_that_it_has() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    let mut turns = Vec::new();
    let faults = [
        Fault::status(401),
        Fault::quota(),
        Fault::Answer(429, Some(1), ""),
        Fault::status(500),
        Fault::status(503),
        Fault::Drop,
        Fault::TakeAndDrop,
        Fault::TakeAndHang,
    ];
    for fault in faults {
        let given_up = || stack.handler.output().matches("the turn stays in the outbox").count();
        let before = (stack.bus.faulted(), given_up());
        stack.bus.inject(std::iter::repeat_n(fault.clone(), 10_000));
        let turn = format!("turn-{}", turns.len());
        // The caller notices nothing: the message is sent beside the answer.
        call.said(&turn, "while it refuses").await;
        turns.push(turn);
        let refused = async || (stack.bus.faulted() > before.0 && given_up() > before.1).then_some(());
        eventually(&format!("a send meets {fault:?}"), || stack.handler.output(), refused).await;
        stack.bus.recover();
        until_taken(&stack, &call, &mut turns).await;
    }
    call.disconnect().await;
    let relayed = async || {
        stack.handler.relay().await;
        stack.bus.accepted().iter().any(|message| message.label == "callEnded").then_some(())
    };
    eventually("the end is sent", || stack.handler.output(), relayed).await;
    let archived = call.archived(turns.len()).await;
    assert!(archived.header.complete);
    assert_eq!(turn_ids(&archived), turns);
    assert!(stack.bus.duplicates() > 0, "what was taken without an answer came again, with the same id");
    stack.delivered().await;
    assert_eq!((stack.pump.failed(), stack.pump.dead()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cosmos_db_refuses_in_every_way_that_it_has() {
    let stack = Stack::start().await;
    let faults = [
        (6, cosmos::Fault::Throttle(Duration::from_millis(300))),
        (6, cosmos::Fault::Status(503, 0)),
        (6, cosmos::Fault::Status(500, 0)),
        (3, cosmos::Fault::Status(408, 0)),
        (2, cosmos::Fault::Status(412, 0)),
        (4, cosmos::Fault::Slow(Duration::from_millis(1_200))),
        (2, cosmos::Fault::Hang),
        (2, cosmos::Fault::LoseAnswer),
        (2, cosmos::Fault::BreakOff),
    ];
    let mut calls = 0;
    for (times, fault) in faults {
        let call = Call::new(&stack.handler);
        call.connect().await;
        call.participants("+14255550123").await;
        stack.pump.pause();
        for number in 0..3 {
            call.said(&format!("turn-{number}"), "kept while the record refuses").await;
        }
        call.disconnect().await;
        let watch = Stopwatch::start();
        stack.cosmos.fail_next(times, fault);
        stack.pump.go_on();
        // Nothing is put off, unless the machine stands still for as long as a writer waits; and then it comes now, not in a minute.
        stack.pump.release_scheduled();
        let archived = call.archived(3).await;
        let put_off = stack.bus.accepted().iter().filter(|message| message.scheduled.is_some()).count();
        assert!(put_off == 0 || !watch.lost().is_zero(), "{put_off} messages are put off: {fault:?}");
        stack.cosmos.recover();
        calls += 1;
        assert!(archived.header.complete, "{fault:?}");
        assert_eq!(seqs(&archived), [Some(1), Some(2), Some(3)], "{fault:?}");
        stack.delivered().await;
        let user = archived.header.user.as_ref().expect("a user");
        let profile = rtvoice::steps::profile::stored(stack.handler.app(), user).await;
        let (profile, _) = profile.expect("a record").expect("a profile");
        assert_eq!((profile.calls, profile.turns), (calls, calls * 3), "counted once: {fault:?}");
        assert_eq!((stack.pump.failed(), stack.pump.dead()), (0, 0), "an outage burns no delivery: {fault:?}");
    }
}
