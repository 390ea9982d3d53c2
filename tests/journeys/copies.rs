//! Many copies of one turn at once are one turn.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::process::Handler;
use crate::harness::redis::RedisServer;

/// Sends this many copies of a turn over these instances at once; the one number and reply that all were given.
pub async fn one_turn(calls: &[Call], turn: &str, copies: usize) -> (u64, Value) {
    let answers = join_all((0..copies).map(|n| calls[n % calls.len()].say(turn, "the same words"))).await;
    let first = answers[0].body.clone();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.body["seq"], &answer.body["reply"], &answer.body["degraded"]), (&first["seq"], &first["reply"], &json!(false)));
    }
    assert_eq!(answers.iter().filter(|a| a.body["replayed"] == json!(false)).count(), 1, "one of them did it");
    (first["seq"].as_u64().expect("a number"), first["reply"].clone())
}

async fn fifty_copies(handler: &Arc<Handler>) {
    let call = Call::new(handler);
    call.connect().await;
    let (seq, reply) = one_turn(std::slice::from_ref(&call), "many", 50).await;
    assert_eq!(seq, 1);
    let (left, right) = tokio::join!(call.say("left", "two at once"), call.say("right", "two at once"));
    let mut numbers = [left.body["seq"].as_u64(), right.body["seq"].as_u64()];
    numbers.sort_unstable();
    assert_eq!(numbers, [Some(2), Some(3)]);
    // A whole call is not needed for it: many copies may also be the first thing that is heard of one.
    let unheard = Call::new(handler);
    assert_eq!(one_turn(std::slice::from_ref(&unheard), "many", 20).await.0, 1);
    call.disconnect().await;
    unheard.disconnect().await;
    let archived = call.archived(3).await;
    assert_eq!(turn_ids(&archived)[0], "many");
    assert_eq!(seqs(&archived), [Some(1), Some(2), Some(3)]);
    assert_eq!(json!(archived.union.in_order()[0].entry.words.assistant), reply["text"]);
    assert!(archived.header.complete && unheard.archived(1).await.header.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_copies_on_the_embedded_state() {
    fifty_copies(&Handler::start(Vec::new()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_copies_on_redis() {
    let redis = RedisServer::single();
    fifty_copies(&Handler::start(redis.settings()).await).await;
}
