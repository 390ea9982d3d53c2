//! The contract of the queue port: the sentences that hold on both backends; what only one has is in its own file.

mod batches;
mod embedded;
mod holders;
mod service_bus;

use std::sync::Arc;

use rtvoice::error::Kind;
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::{Clock, ManualClock, SystemClock};
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::queue::embedded::EmbeddedQueue;
use rtvoice::ports::queue::{MAX_BODY_BYTES, Message, Queue};

use crate::harness::service_bus::ServiceBus;

const START: Timestamp = Timestamp::from_millis(1_768_471_200_000);

/// A message with this id in this lane.
fn message(id: &str, lane: &str) -> Message {
    Message {
        message_id: id.to_owned(),
        session_id: lane.to_owned(),
        correlation_id: "call-1".to_owned(),
        label: "turn".to_owned(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        not_before: None,
        body: format!(r#"{{"id":"{id}","said":"Grüße 👋"}}"#),
    }
}

/// An embedded queue on a file of its own, with the clock that it goes by.
struct OnFile {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    queue: EmbeddedQueue,
}

impl OnFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(START));
        let queue = open(&folder, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { folder, clock, queue }
    }

    /// A second handle with a connection of its own, as another process has it.
    fn another(&self) -> EmbeddedQueue {
        open(&self.folder, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }
}

fn open(folder: &tempfile::TempDir, clock: Arc<dyn Clock>) -> EmbeddedQueue {
    EmbeddedQueue::open(Embedded::open(&folder.path().join("queue.db")).expect("the file"), clock).expect("the queue")
}

/// Both backends, one test each: `$queue` is the backend, `$held` counts the messages that it holds.
macro_rules! on_both {
    ($name:ident, |$queue:ident, $held:ident| $body:block) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn embedded() {
                let file = OnFile::new();
                let $queue: &dyn Queue = &file.queue;
                let $held = async || file.queue.stats().await.expect("stats").pending();
                $body
            }

            #[tokio::test]
            async fn service_bus() {
                let bus = ServiceBus::start().await;
                let sas = super::service_bus::with_key(&bus, Arc::new(SystemClock));
                let $queue: &dyn Queue = &sas;
                let $held = async || bus.accepted().len() as u64;
                $body
                assert_eq!(bus.refused(), Vec::<String>::new());
            }
        }
    };
}

on_both!(takes_messages, |queue, held| {
    queue.check().await.expect("within reach");
    assert_eq!(held().await, 0, "a check leaves nothing behind");
    queue.send(&message("a", "lane-1")).await.expect("taken");
    queue.send(&message("b", "lane-1")).await.expect("taken");
    assert_eq!(held().await, 2);
});

on_both!(drops_a_second_message_with_the_same_id, |queue, held| {
    queue.send(&message("a", "lane-1")).await.expect("taken");
    queue.send(&message("a", "lane-1")).await.expect("a duplicate is no error");
    assert_eq!(held().await, 1);
});

on_both!(takes_messages_at_their_limits, |queue, held| {
    let mut largest = message(&"i".repeat(128), &"l".repeat(128));
    largest.correlation_id = "c".repeat(128);
    largest.label = "ß".repeat(128);
    largest.body = format!("\"{}\"", "x".repeat(MAX_BODY_BYTES - 2));
    queue.send(&largest).await.expect("taken");
    assert_eq!(held().await, 1);
});

/// The field at fault and how it comes to be.
type Spoilt = (&'static str, fn(&mut Message));

on_both!(refuses_messages_over_their_limits, |queue, held| {
    let over: [Spoilt; 7] = [
        ("messageId", |m| m.message_id.clear()),
        ("messageId", |m| m.message_id = "i".repeat(129)),
        ("sessionId", |m| m.session_id.clear()),
        ("sessionId", |m| m.session_id = "l".repeat(129)),
        ("correlationId", |m| m.correlation_id = "c".repeat(129)),
        ("label", |m| m.label = "l".repeat(129)),
        ("body", |m| m.body = "x".repeat(MAX_BODY_BYTES + 1)),
    ];
    for (field, spoil) in over {
        let mut spoilt = message("a", "lane-1");
        spoil(&mut spoilt);
        let e = queue.send(&spoilt).await.expect_err(field);
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some(field)));
    }
    assert_eq!(held().await, 0);
});
