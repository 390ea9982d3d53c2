//! A Redis that hangs holds no call, and what it did meanwhile is not done twice.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::harness::call::{Call, turn_ids};
use crate::harness::process::eventually;
use crate::harness::proxy::Proxy;
use crate::harness::redis::RedisServer;
use crate::harness::stack::Stack;
use crate::harness::stopwatch::Stopwatch;

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_got_over() {
    let stack = Stack::with(RedisServer::single(), Vec::new()).await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    call.said("before", "all is well").await;
    stack.redis.pause();
    let watch = Stopwatch::start();
    let frozen = call.say("frozen", "nobody listens").await;
    assert_eq!((frozen.status, &frozen.body["degraded"]), (200, &json!(true)), "{frozen:?}");
    // The invocation's own deadline is 25 s; each step has a shorter one.
    watch.below(Duration::from_secs(10), "a turn without Redis");
    for number in 0..5 {
        let answer = call.say(&format!("open-{number}"), "the circuit opens").await;
        assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(true)), "{answer:?}");
    }
    assert!(stack.handler.output().contains("circuit opened"));
    // One in each second may look whether it is back; all others are answered without waiting for it.
    let mut fastest = Duration::MAX;
    for number in 0..5 {
        let began = Instant::now();
        assert_eq!(call.say(&format!("fast-{number}"), "fails fast").await.status, 200);
        fastest = fastest.min(began.elapsed());
    }
    assert!(fastest < Duration::from_millis(450), "no turn was answered without a wait for Redis: {fastest:?}");
    stack.redis.resume();
    let mut tries = 0;
    let recovered = async || {
        tries += 1;
        let answer = call.say(&format!("after-{tries}"), "is it back?").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.body["degraded"] == json!(false)).then_some(())
    };
    eventually("turns are whole again", || stack.handler.output(), recovered).await;
    call.disconnect().await;
    let archived = call.archived(1 + 1 + 5 + 5 + tries).await;
    let mut ids = turn_ids(&archived);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), archived.union.len(), "no turn is doubled");
    assert!(archived.header.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_ran_without_an_answer_is_one_turn() {
    let redis = RedisServer::single();
    let proxy = Proxy::start(redis.port()).await;
    let stack = Stack::with(redis, vec![("REDIS_PORT", proxy.port().to_string())]).await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    assert_eq!(call.said("first", "the script is known now").await, 1);
    stack.delivered().await;
    // The load ends before it; the commit is sent with the entry in it.
    proxy.lose_answers_from("\"turnId\":\"lost\"");
    let lost = call.say("lost", "words of the lost one").await;
    assert!(proxy.is_losing());
    assert_eq!((lost.status, &lost.body["seq"], &lost.body["degraded"]), (200, &json!(null), &json!(true)), "{lost:?}");
    proxy.heal();
    let again = async || {
        let again = call.say("lost", "words of the lost one").await;
        assert_eq!((again.status, &again.body["reply"]), (200, &lost.body["reply"]), "{again:?}");
        (again.body["degraded"] == json!(false)).then_some(again)
    };
    let again = eventually("Redis is back", || stack.handler.output(), again).await;
    assert_eq!((&again.body["seq"], &again.body["replayed"]), (&json!(2), &json!(true)), "it had run");
    assert_eq!(call.said("third", "and on").await, 3);
    call.disconnect().await;
    let archived = call.archived(3).await;
    assert_eq!(turn_ids(&archived), ["first", "lost", "third"]);
    assert!(archived.header.complete && archived.union.in_order()[1].seq == Some(2));
}

#[test]
fn a_turn_has_time_for_all_its_steps_at_their_slowest() {
    let turn = rtvoice::functions::ALL.iter().find(|function| function.name == "ConversationTurn").expect("it is registered");
    // The first turn of a legacy call, by the deadlines of the design: ten steps on Redis (500 ms each),
    // the reply (8 s), the phrase (3.5 s of waiting, 3 s of speech), the queue (2 s), and a little between them.
    assert!(turn.deadline >= Duration::from_millis(10 * 500 + 8_000 + 3_500 + 3_000 + 2_000 + 1_500));
}
