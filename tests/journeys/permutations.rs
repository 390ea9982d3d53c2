//! Deliveries in every order, each one to three times: the archive holds every turn that was answered, once and in
//! order, and nothing else; whatever arrives late changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use rtvoice::ports::documents::Container;
use serde_json::{Value, json};

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::process::{Handler, eventually};
use crate::harness::redis::RedisServer;

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Connected,
    First,
    Second,
    Disconnected,
}

const PARTS: [Part; 4] = [Part::Connected, Part::First, Part::Second, Part::Disconnected];
/// Ways of repeating that are tried on each order.
const WAYS: u64 = 9;
/// Calls at once.
const AT_ONCE: usize = 8;

/// All orders of the parts.
fn orders() -> Vec<[Part; 4]> {
    let mut orders = Vec::new();
    for n in 0..24 {
        let (mut left, mut number) = (PARTS.to_vec(), n);
        orders.push([4, 3, 2, 1].map(|size| {
            let part = left.remove(number % size);
            number /= size;
            part
        }));
    }
    orders
}

/// An order with each part one to three times; the repetitions stand anywhere after the first.
fn deliveries(order: [Part; 4], way: u64) -> Vec<Part> {
    // A small generator of our own, so that every run tries the same.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(way + 1) ^ order.iter().fold(7, |h, p| h * 31 + *p as u64);
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).expect("small")
    };
    let mut all = order.to_vec();
    for part in order {
        for _ in 0..if way == 0 { 0 } else { random(3) } {
            let first = all.iter().position(|p| *p == part).expect("it is there");
            let place = first + 1 + random(all.len() - first);
            all.insert(place, part);
        }
    }
    all
}

#[test]
fn every_order_is_tried_and_every_number_of_copies() {
    let distinct: std::collections::BTreeSet<_> = orders().into_iter().collect();
    assert_eq!(distinct.len(), 24);
    for part in PARTS {
        let all: Vec<_> = orders().into_iter().flat_map(|order| (0..WAYS).map(move |way| deliveries(order, way))).collect();
        let mut counts: Vec<_> = all.iter().map(|d| d.iter().filter(|p| **p == part).count()).collect();
        counts.sort_unstable();
        counts.dedup();
        assert_eq!(counts, [1, 2, 3]);
    }
}

/// Delivers one part; the number and reply of a turn that was answered 200.
async fn deliver(call: &Call, part: Part) -> Option<(u64, Value)> {
    let turn = match part {
        Part::First => "first",
        Part::Second => "second",
        Part::Connected | Part::Disconnected => {
            if part == Part::Connected {
                call.connect().await
            } else {
                call.disconnect().await
            }
            return None;
        }
    };
    let answer = call.say(turn, &format!("the {turn} of {}", call.id)).await;
    match answer.status {
        200 => {
            assert_eq!(answer.body["degraded"], json!(false));
            Some((answer.body["seq"].as_u64().expect("a number"), answer.body["reply"].clone()))
        }
        409 => None,
        other => panic!("{other}: {answer:?}"),
    }
}

async fn play(handler: Arc<Handler>, order: [Part; 4], way: u64) {
    let call = Call::new(&handler);
    let plan = deliveries(order, way);
    let mut answered: BTreeMap<u64, (&str, Value)> = BTreeMap::new();
    for part in &plan {
        if let Some((seq, reply)) = deliver(&call, *part).await {
            let turn = if *part == Part::First { "first" } else { "second" };
            let same = answered.entry(seq).or_insert_with(|| (turn, reply.clone()));
            assert_eq!(same, &(turn, reply), "{plan:?}: one number, one turn, one reply");
        }
    }
    let before_end = order.iter().take_while(|p| **p != Part::Disconnected).filter(|p| matches!(p, Part::First | Part::Second)).count();
    assert_eq!(answered.len(), before_end, "{plan:?}: answered are the turns before the end, and no other");
    let archived = call.archived(answered.len()).await;
    let expected: Vec<String> = answered.values().map(|(turn, _)| (*turn).to_owned()).collect();
    assert_eq!(turn_ids(&archived), expected, "{plan:?}");
    assert_eq!(seqs(&archived), answered.keys().map(|seq| Some(*seq)).collect::<Vec<_>>(), "{plan:?}");
    assert!(archived.header.complete, "{plan:?}");
    for (turn, (_, reply)) in archived.union.in_order().into_iter().zip(answered.values()) {
        assert_eq!(json!(turn.entry.words.assistant), reply["text"], "{plan:?}");
    }
    for late in PARTS {
        assert_eq!(deliver(&call, late).await, None, "{plan:?}: {late:?} came late");
    }
    let app = handler.app().clone();
    let loose = async || app.documents.list(Container::Transcripts, &call.id, "turn-", None, 10).await.ok().filter(|l| l.documents.is_empty());
    eventually("no turn is loose", || handler.output(), loose).await;
    let after = handler.archive(&call.id).await.expect("an archive");
    assert_eq!((after.etag, after.union), (archived.etag, archived.union), "{plan:?}: the archive stays as it is");
}

async fn play_all(handler: &Arc<Handler>) {
    let plays = orders().into_iter().flat_map(|order| (0..WAYS).map(move |way| (order, way)));
    let plays = plays.map(|(order, way)| play(Arc::clone(handler), order, way));
    futures::stream::iter(plays).for_each_concurrent(AT_ONCE, |play| play).await;
    let queue = handler.app().embedded_queue.clone().expect("an embedded queue");
    let empty = async || queue.stats().await.ok().filter(|s| s.pending() == 0);
    assert_eq!(eventually("the queue is empty", || handler.output(), empty).await.dead, 0);
}

fn quiet() -> (&'static str, String) {
    ("LOG_LEVEL", "warn".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_embedded_state() {
    let handler = Handler::start(vec![quiet()]).await;
    play_all(&handler).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    let redis = RedisServer::single();
    let mut settings = redis.settings();
    settings.push(quiet());
    let handler = Handler::start(settings).await;
    play_all(&handler).await;
    let left = redis.wire().keys("*");
    let stray: Vec<_> = left.iter().filter(|(key, ttl)| *ttl <= 0 || key.contains("call-") && !key.ends_with(":summary")).collect();
    assert!(stray.is_empty(), "{stray:?}");
    let open: Vec<_> = left.iter().filter(|(key, _)| key.contains(":system:") && !key.ends_with(":figures") && !key.ends_with(":probe")).collect();
    assert!(open.is_empty(), "no archived call stays in an open set: {open:?}");
}
