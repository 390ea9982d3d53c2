//! What the queue did not take is sent as soon as it answers again, by whoever could not send it: no tick of OutboxRelay comes in
//! these journeys.

use std::time::Duration;

use rtvoice::model::ids::CallId;

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::process::{Handler, eventually};
use crate::harness::service_bus::Fault;
use crate::harness::stack::Stack;
use crate::harness::stopwatch::Stopwatch;

/// The longest that anything may wait once the queue is there again.
const RECOVERY: Duration = Duration::from_secs(10);

/// Waits until the archive of a call has these turns, in order, and its state is let go.
async fn archived_in_time(call: &Call, turns: &[String], since: Stopwatch) {
    let archived = since.in_time(RECOVERY, || format!("no archive in time:\n{}", call.handler.output()), call.archived(turns.len())).await;
    assert!(archived.header.complete);
    assert_eq!(turn_ids(&archived), turns);
    assert_eq!(seqs(&archived), (1..=turns.len() as u64).map(Some).collect::<Vec<_>>());
}

/// How much the outbox of a call holds.
async fn waiting(handler: &Handler, call: &Call) -> u64 {
    let id = CallId::parse(call.id.clone()).expect("an id");
    handler.app().state.survey(std::slice::from_ref(&id)).await.expect("a survey")[0].waiting
}

/// Waits until so many ends of calls were given up: none is on its way when the queue returns.
async fn given_up(handlers: &[&Handler], ends: usize) {
    let given_up = || handlers.iter().map(|handler| handler.output().matches("callEnded stays in the outbox").count()).sum::<usize>();
    eventually("the ends were given up", || handlers[0].output(), async || (given_up() == ends).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_queue_missed_is_archived_within_ten_seconds_of_its_return() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    stack.bus.inject(std::iter::repeat_n(Fault::status(503), 100_000));
    let turns: Vec<String> = (0..8).map(|number| format!("turn-{number}")).collect();
    for turn in &turns {
        call.said(turn, "nobody takes it").await;
    }
    call.disconnect().await;
    given_up(&[&stack.handler], 1).await;
    assert_eq!((waiting(&stack.handler, &call).await, stack.bus.accepted()), (9, Vec::new()), "all of it waits");
    let returned = Stopwatch::start();
    stack.bus.recover();
    archived_in_time(&call, &turns, returned).await;
    stack.delivered().await;
    assert_eq!((stack.pump.failed(), stack.pump.dead()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_goes_on_has_nothing_waiting_ten_seconds_later() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    // Refused at once, without a sign of when to come back; and taken without an answer, which is a duplicate afterwards.
    stack.bus.inject(std::iter::repeat_n(Fault::status(401), 100_000));
    let mut turns = vec!["refused".to_owned()];
    call.said("refused", "nobody takes it").await;
    let refused = async || (stack.bus.faulted() > 0).then_some(());
    eventually("it is refused", || stack.handler.output(), refused).await;
    let returned = Stopwatch::start();
    stack.bus.recover();
    let settled = async || (waiting(&stack.handler, &call).await == 0).then_some(());
    eventually("nothing waits", || stack.handler.output(), settled).await;
    returned.below(RECOVERY, "something waited");
    stack.bus.inject([Fault::TakeAndHang]);
    call.said("taken", "and nobody says so").await;
    turns.push("taken".to_owned());
    eventually("it is taken", || stack.handler.output(), async || (stack.bus.accepted().len() == 2).then_some(())).await;
    call.disconnect().await;
    archived_in_time(&call, &turns, Stopwatch::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_instances_sends_what_it_could_not() {
    let stack = Stack::start().await;
    let twin = stack.handler.twin().await;
    let here = Call::new(&stack.handler);
    let there = Call::new(&twin);
    // One call at both of them, and one at each.
    let both = Call::new(&stack.handler);
    stack.bus.inject(std::iter::repeat_n(Fault::Drop, 100_000));
    for call in [&here, &there, &both] {
        call.connect().await;
    }
    let turns: Vec<String> = (0..4).map(|number| format!("turn-{number}")).collect();
    for (number, turn) in turns.iter().enumerate() {
        here.said(turn, "nobody takes it").await;
        there.said(turn, "nobody takes it").await;
        both.at(if number % 2 == 0 { &stack.handler } else { &twin }).said(turn, "nobody takes it").await;
    }
    for call in [&here, &there, &both] {
        call.disconnect().await;
    }
    given_up(&[&stack.handler, &twin], 3).await;
    let returned = Stopwatch::start();
    stack.bus.recover();
    for call in [&here, &there, &both] {
        archived_in_time(call, &turns, returned).await;
    }
    stack.delivered().await;
    assert_eq!((stack.pump.failed(), stack.pump.dead()), (0, 0));
}
