//! What is sent to Service Bus at once goes together, and nobody fails or waits for a neighbour.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rtvoice::error::{Error, Kind};
use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::queue::service_bus::ServiceBusQueue;
use rtvoice::ports::queue::{Message, Queue as _};

use super::message;
use super::service_bus::with_key;
use crate::harness::service_bus::{Fault, ServiceBus};

async fn queue(bus: &ServiceBus) -> ServiceBusQueue {
    with_key(bus, Arc::new(SystemClock))
}

fn crowd(count: usize) -> Vec<Message> {
    (0..count).map(|n| message(&format!("m{n}"), &format!("lane-{}", n % 7))).collect()
}

async fn send_all(queue: &ServiceBusQueue, messages: &[Message]) -> Vec<Result<(), Error>> {
    join_all(messages.iter().map(|message| queue.send(message))).await
}

fn ids(bus: &ServiceBus) -> BTreeSet<String> {
    bus.accepted().into_iter().map(|message| message.message_id).collect()
}

#[tokio::test]
async fn one_after_another_they_go_alone() {
    let bus = ServiceBus::start().await;
    let queue = queue(&bus).await;
    for message in crowd(10) {
        queue.send(&message).await.expect("taken");
    }
    assert_eq!((bus.accepted().len(), bus.batches()), (10, Vec::new()));
}

#[tokio::test]
async fn a_crowd_goes_in_batches_and_arrives_as_it_was_sent() {
    let bus = ServiceBus::start().await;
    let mut messages = crowd(300);
    messages[200].body = serde_json::json!({ "said": "\"quotes\" \\ and türn 👋\n" }).to_string();
    messages[201].traceparent = None;
    for result in send_all(&queue(&bus).await, &messages).await {
        result.expect("taken");
    }
    assert!(bus.batches().iter().sum::<usize>() > 200 && bus.batches().iter().all(|many| *many <= 100), "{:?}", bus.batches());
    let accepted = bus.accepted();
    assert_eq!((accepted.len(), bus.refused()), (300, Vec::new()));
    for sent in messages {
        let found = accepted.iter().find(|found| found.message_id == sent.message_id).expect("arrived");
        assert_eq!((&found.session_id, &found.label, &found.body, &found.traceparent), (&sent.session_id, &sent.label, &sent.body, &sent.traceparent));
    }
}

#[tokio::test]
async fn a_batch_stays_below_what_the_broker_takes() {
    let bus = ServiceBus::start().await;
    let mut messages = crowd(40);
    messages.iter_mut().for_each(|message| message.body = format!("\"{}\"", "x".repeat(50_000)));
    for result in send_all(&queue(&bus).await, &messages).await {
        result.expect("taken");
    }
    assert_eq!(ids(&bus).len(), 40);
    assert!(!bus.batches().is_empty() && bus.refused().is_empty(), "{:?} {:?}", bus.batches(), bus.refused());
}

#[tokio::test]
async fn who_spoils_a_batch_fails_alone() {
    let bus = ServiceBus::start().await;
    let mut messages = crowd(60);
    messages[40].body = "no JSON".to_owned();
    let results = send_all(&queue(&bus).await, &messages).await;
    for (at, result) in results.iter().enumerate() {
        assert_eq!(result.as_ref().err().map(|e| e.kind), (at == 40).then_some(Kind::BadInput), "message {at}: {result:?}");
    }
    assert_eq!(ids(&bus).len(), 59);
}

#[tokio::test]
async fn a_partitioned_queue_gets_them_one_by_one_from_then_on() {
    let bus = ServiceBus::partitioned().await;
    let queue = queue(&bus).await;
    for _ in 0..2 {
        for result in send_all(&queue, &crowd(60)).await {
            result.expect("taken");
        }
    }
    assert_eq!((ids(&bus).len(), bus.batches()), (60, Vec::new()));
    let refused = bus.refused().len();
    assert!((1..=4).contains(&refused), "as many as were under way at once, then never again: {refused}");
}

#[tokio::test]
async fn a_failure_is_everybodys_in_the_batch_and_nobody_elses() {
    let bus = ServiceBus::start().await;
    let queue = queue(&bus).await;
    bus.inject(vec![Fault::Answer(429, Some(30), ""); 4]);
    let results = send_all(&queue, &crowd(4)).await;
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|e| e.kind == Kind::Throttled)), "{results:?}");
    bus.recover();
    // As many as may be under way, and more: those who wait may go in the very moment in which their own time is up.
    bus.inject(vec![Fault::Hang; 8]);
    let results = send_all(&queue, &crowd(20)).await;
    bus.recover();
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|e| e.kind == Kind::Deadline)), "those who wait have the same deadline: {results:?}");
    for result in send_all(&queue, &crowd(20)).await {
        result.expect("whoever comes later finds the places free");
    }
    assert_eq!(ids(&bus).len(), 20);
}

#[tokio::test]
async fn whoever_gives_up_holds_up_nobody() {
    let bus = ServiceBus::start().await;
    let queue = Arc::new(queue(&bus).await);
    bus.inject([Fault::Hang, Fault::Hang, Fault::Hang, Fault::Hang]);
    let mut given_up = Vec::new();
    for (taken, message) in crowd(4).into_iter().enumerate() {
        given_up.push(tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.send(&message).await }
        }));
        // The next one goes beside a request that takes its time.
        let under_way = async {
            while bus.faulted() <= taken {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), under_way).await.expect("a place is taken");
    }
    let waits = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.send(&message("waits", "lane-1")).await }
    });
    tokio::task::yield_now().await;
    given_up.iter().for_each(tokio::task::JoinHandle::abort);
    waits.await.expect("no panic").expect("a place came free");
}
