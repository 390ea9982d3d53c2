//! The queue between a call and its archive: send only. The Functions host delivers (or, for the embedded queue,
//! the local host or `serve` itself).
//!
//! At least once, in order within a lane, duplicates by message id dropped within ten minutes.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::model::time::Timestamp;

pub mod embedded;
pub mod service_bus;

/// A message on its way to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identity for duplicate detection: 1 to 128 characters.
    pub message_id: String,
    /// The lane: messages of one lane are delivered one at a time, in order.
    pub session_id: String,
    /// The call, for tracing.
    pub correlation_id: String,
    /// What the message is: `turn`, `callStarted` or `callEnded`.
    pub label: String,
    /// W3C trace context of the sender, where there is one.
    pub traceparent: Option<String>,
    /// Not to be delivered before this time, where given.
    pub not_before: Option<Timestamp>,
    /// JSON text, at most 192 KiB.
    pub body: String,
}

/// Longest message id, lane, correlation id or label, in characters; the broker's own limit for the first two.
pub const MAX_ID_CHARS: usize = 128;

/// Largest body, in bytes. Leaves room for properties below the 256 KiB that the broker's standard tier takes.
pub const MAX_BODY_BYTES: usize = 192 * 1024;

impl Message {
    /// Checks the limits that every backend keeps: `BadInput` names the field, before anything is sent or written.
    pub fn check(&self) -> Result<()> {
        let ids =
            [("messageId", &self.message_id, 1), ("sessionId", &self.session_id, 1), ("correlationId", &self.correlation_id, 0), ("label", &self.label, 0)];
        for (field, text, least) in ids {
            if !(least..=MAX_ID_CHARS).contains(&text.chars().count()) {
                return Err(Error::input(field, format!("must be {least} to {MAX_ID_CHARS} characters")));
            }
        }
        if self.body.len() > MAX_BODY_BYTES {
            return Err(Error::input("body", format!("must be at most {MAX_BODY_BYTES} bytes")));
        }
        Ok(())
    }
}

/// How the queue is set up, and what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Whether messages of one lane are held together and in order.
    pub sessions: bool,
    /// For how long a message id is remembered; none where duplicates are not dropped.
    pub duplicate_window: Option<Duration>,
    /// How long a receiver holds a message before it is delivered again.
    pub lock: Duration,
    /// Deliveries of one message before it is a dead letter.
    pub max_deliveries: u32,
    /// How long a message waits before it is given up; none: for ever.
    pub life: Option<Duration>,
    /// Messages that wait to be delivered.
    pub active: u64,
    /// Messages that are not due yet.
    pub scheduled: u64,
    /// Dead letters.
    pub dead: u64,
}

/// A queue that takes messages.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Hands over one message. `Ok` means that the queue has it durably. Errors: `BadInput` for a message over its
    /// limits, `Throttled` (429, with `retry_after`), `Denied` (401, 403), `Setting` (410 or 404: the queue is not
    /// there), `Unavailable` (5xx, connection), `Deadline` after 2 s (it may have been accepted).
    async fn send(&self, message: &Message) -> Result<()>;

    /// Checks that the queue can be reached; at start.
    async fn check(&self) -> Result<()>;

    /// How the queue is set up. `Denied` where the right to read that is missing: a sender need not have it. Else as `send`.
    async fn describe(&self) -> Result<Description>;
}
