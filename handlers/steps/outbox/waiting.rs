//! Sending what waits in the outbox of one call, in slices: it may be large.
//!
//! In: a survey of the call, and since when a message must be unconfirmed. Out: what was sent, and what could not be. A message
//! that the queue refuses for good holds up no other; where the queue or the state store is away it fails with theirs.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::{ENDED, relay};
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::state::{MESSAGES, Survey};

/// What is sent, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'a> {
    /// Since when a message must be unconfirmed, in milliseconds: those that are younger may still be on their way.
    pub least_ms: i64,
    /// When to stop.
    pub until: Instant,
    /// Raised to how long the oldest message has waited, in milliseconds.
    pub oldest_ms: &'a AtomicU64,
}

/// What the outbox of a call held.
#[derive(Debug, Default)]
pub struct Sent {
    /// Whether the end of the call was among it.
    pub ended: bool,
    /// A message that the queue refuses for good.
    pub refused: Option<Error>,
    /// Whether everything was old enough, and there was time for it.
    pub whole: bool,
}

/// Sends what has been unconfirmed for long enough.
pub async fn send(app: &App, survey: &Survey, now: Timestamp, sending: Sending<'_>) -> Result<Sent> {
    let fields = app.state.outbox(&survey.call).await?;
    let mut sent = Sent { ended: fields.iter().any(|field| field == ENDED), refused: None, whole: true };
    for slice in fields.chunks(MESSAGES) {
        for waiting in app.state.messages(&survey.call, slice).await? {
            if Instant::now() >= sending.until {
                sent.whole = false;
                return Ok(sent);
            }
            sending.oldest_ms.fetch_max(u64::try_from(now.since(waiting.since)).unwrap_or_default(), Ordering::Relaxed);
            // What was noted far in the future was noted before the clock was set back: it must not wait until then.
            if now.since(waiting.since).abs() < sending.least_ms {
                sent.whole = false;
                continue;
            }
            match relay(app, &survey.call, survey.session.as_ref(), waiting).await {
                Ok(()) => {}
                Err(e) if e.is_transient() => return Err(e),
                // The end of the call must not wait for a message that the queue refuses: the archive takes that from here.
                Err(e) => drop(sent.refused.get_or_insert(e)),
            }
        }
    }
    Ok(sent)
}
