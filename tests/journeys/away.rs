//! A dependency is away for a while, or for good: what was answered is archived all the same.

use std::time::Duration;

use rtvoice::model::ids::CallId;
use rtvoice::ports::state::PARTITIONS;
use rtvoice::ports::state::keys::lane;
use serde_json::json;

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::cosmos;
use crate::harness::process::eventually;
use crate::harness::redis::{Options, RedisServer};
use crate::harness::service_bus;
use crate::harness::stack::{REDIS_KEY, Stack};
use crate::harness::stopwatch::Stopwatch;

#[tokio::test(flavor = "multi_thread")]
async fn redis_restarts_with_its_file_between_turns() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    let mut turns = Vec::new();
    for number in 0..6 {
        let turn = format!("turn-{number}");
        let answer = call.say(&turn, "a turn between restarts").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        turns.push((turn, answer.body["seq"].as_u64()));
        if number % 2 == 0 {
            stack.redis.restart();
        }
    }
    assert!(turns.iter().filter(|(_, seq)| seq.is_some()).count() >= 3, "{turns:?}");
    let ready = async || stack.handler.send("GET", "/api/ready", None).await.filter(|a| a.status == 200);
    eventually("Redis is back", || stack.handler.output(), ready).await;
    let last = call.say("last", "with everything there").await;
    assert_eq!(last.body["degraded"], json!(false), "{last:?}");
    call.disconnect().await;
    let archived = call.archived(turns.len() + 1).await;
    assert_eq!(turn_ids(&archived), turns.iter().map(|(t, _)| t.clone()).chain(["last".to_owned()]).collect::<Vec<_>>());
    for (kept, (turn, seq)) in archived.union.in_order().into_iter().zip(&turns) {
        assert!(seq.is_none() || kept.seq == *seq, "{turn}");
    }
    assert!(archived.header.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_hears_within_six_seconds_that_redis_is_silent() {
    let stack = Stack::start().await;
    let ready = async |status: u16| stack.handler.send("GET", "/api/ready", None).await.filter(|answer| answer.status == status);
    eventually("it serves", || stack.handler.output(), async || ready(200).await).await;
    stack.redis.pause();
    let watch = Stopwatch::start();
    eventually("Redis is away for too long", || stack.handler.output(), async || ready(503).await).await;
    // A second and a half is the machine's.
    watch.below(Duration::from_millis(7_500), "until it was told");
    assert!(watch.elapsed() >= Duration::from_millis(4_900), "{:?}", watch.elapsed());
    let health = stack.handler.send("GET", "/api/health", None).await.expect("an answer");
    assert_eq!((health.status, &health.body["status"]), (503, &json!("unhealthy")), "{health:?}");
    assert_eq!(health.body["details"]["memory_usage"]["status"], "degraded", "it is not known: {health:?}");
    stack.redis.resume();
    eventually("Redis is back", || stack.handler.output(), async || ready(200).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_dies_during_a_call_and_forgets_everything() {
    let redis = RedisServer::start(Options { password: Some(REDIS_KEY), ..Options::default() });
    let stack = Stack::with(redis, Vec::new()).await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    for number in 0..3 {
        call.said(&format!("before-{number}"), "with Redis").await;
    }
    stack.delivered().await;
    // What was answered without Redis is put off for as long as Redis is away: those sends must not meet the faults below.
    stack.pump.pause();
    stack.redis.kill();
    for number in 0..4 {
        let answer = call.say(&format!("without-{number}"), "without Redis").await;
        assert_eq!((answer.status, &answer.body["seq"], &answer.body["degraded"]), (200, &json!(null), &json!(true)), "{answer:?}");
    }
    // Neither Redis nor queue: nothing can be promised.
    stack.bus.inject([service_bus::Fault::quota(), service_bus::Fault::quota()]);
    let refused = call.say("neither", "with nothing").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    stack.bus.recover();
    stack.pump.go_on();
    let ended = async || (call.deliver(&[call.event("CallDisconnected", json!({}))]).await == 200).then_some(());
    eventually("the end is taken", || stack.handler.output(), ended).await;
    assert!(stack.bus.accepted().iter().any(|m| m.label == "callEnded"), "the end waits in the queue");
    assert_eq!(stack.handler.archive(&call.id).await, None, "Redis out of reach never means that the call has expired");
    stack.redis.restart();
    let archived = call.archived(7).await;
    let expected: Vec<String> = (0..3).map(|n| format!("before-{n}")).chain((0..4).map(|n| format!("without-{n}"))).collect();
    assert_eq!(turn_ids(&archived), expected, "in the order of time");
    assert_eq!(seqs(&archived), [Some(1), Some(2), Some(3), None, None, None, None]);
    stack.pump.release_scheduled();
    stack.delivered().await;
    assert_eq!(stack.pump.failed(), 0, "an outage burns no delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_away_for_the_whole_call() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    stack.bus.inject(std::iter::repeat_n(service_bus::Fault::status(503), 100_000));
    for number in 0..8 {
        assert_eq!(call.said(&format!("turn-{number}"), "nobody takes it").await, number + 1);
    }
    call.disconnect().await;
    assert!(!stack.handler.relay().await || stack.bus.accepted().is_empty());
    let id = CallId::parse(call.id.clone()).expect("an id");
    let waiting = stack.handler.app().state.survey(std::slice::from_ref(&id)).await.expect("a survey");
    assert_eq!(waiting[0].waiting, 9, "all of it waits: {waiting:?}");
    assert_eq!(stack.bus.accepted(), []);
    // Whoever could not send it is gone: it is the relay's.
    stack.handler.restart().await;
    stack.bus.recover();
    // Once the end of the call is through, the archive takes what still waits from the outbox itself.
    let relayed = async || {
        stack.handler.relay().await;
        stack.bus.accepted().iter().any(|message| message.label == "callEnded").then_some(())
    };
    eventually("the relay sends the end of the call", || stack.handler.output(), relayed).await;
    let archived = call.archived(8).await;
    assert!(archived.header.complete);
    assert_eq!(seqs(&archived), (1..=8).map(Some).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_away_for_longer_than_the_writer_waits() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    stack.pump.pause();
    call.said("one", "first").await;
    call.said("two", "second").await;
    call.disconnect().await;
    let sent = async || (stack.bus.accepted().len() == 3).then_some(());
    eventually("all is sent", || stack.handler.output(), sent).await;
    stack.cosmos.fail_all(cosmos::Fault::Status(503, 0));
    stack.pump.go_on();
    let put_off = async || {
        let copies: Vec<_> = stack.bus.accepted().into_iter().filter(|m| m.scheduled.is_some()).collect();
        (!copies.is_empty()).then_some(copies)
    };
    let copies = eventually("a message is put off", || stack.handler.output(), put_off).await;
    assert!(copies[0].body.contains(r#""deferrals":1"#), "{:?}", copies[0]);
    assert!(stack.bus.accepted()[..3].iter().all(|m| m.message_id != copies[0].message_id), "the broker would drop a copy with the same id");
    stack.cosmos.recover();
    stack.pump.release_scheduled();
    let archived = call.archived(2).await;
    assert!(archived.header.complete);
    assert_eq!(turn_ids(&archived), ["one", "two"]);
    stack.delivered().await;
    assert_eq!(stack.pump.failed(), 0, "an outage burns no delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_the_queue_refuses_holds_up_no_other_call() {
    let stack = Stack::start().await;
    stack.bus.inject(std::iter::repeat_n(service_bus::Fault::status(503), 100_000));
    // All in one part of the open calls.
    let all = std::iter::repeat_with(|| Call::new(&stack.handler));
    let calls: Vec<Call> = all.filter(|call| lane(&CallId::parse(call.id.clone()).expect("an id"), u16::from(PARTITIONS)) == 3).take(4).collect();
    for call in &calls {
        call.said("waits", "nobody takes it").await;
    }
    // A send that is still under way would take the refusal that is meant for the relay.
    let given_up = async || (stack.handler.output().matches("the turn stays in the outbox").count() == calls.len()).then_some(());
    eventually("no send is under way", || stack.handler.output(), given_up).await;
    // Whoever could not send it is gone: it is the relay's.
    stack.handler.restart().await;
    stack.bus.recover();
    let relayed = async || {
        // The first one that is sent in a tick is refused.
        stack.bus.recover();
        stack.bus.inject([service_bus::Fault::status(400)]);
        let whole = stack.handler.relay().await;
        (stack.bus.accepted().len() == calls.len() - 1).then_some(whole)
    };
    let whole = eventually("all the others are sent", || stack.handler.output(), relayed).await;
    assert!(!whole, "the tick says that something is left");
    stack.bus.recover();
    assert!(stack.handler.relay().await);
    assert_eq!(stack.bus.accepted().len(), calls.len());
}
