//! What this process could not hand to the queue, and sending it as soon as the queue answers again: the relay's minute is for
//! what nobody remembers.
//!
//! In: each send that failed, as its call. Out: the outboxes of these calls are sent within seconds of the queue's return. Each
//! process sends for its own calls alone, at moments that are drawn, so that many instances neither come together nor do each
//! other's work. Off every caller's path. It fails on nothing: what cannot be sent stays in the outbox, and is tried again.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::waiting::{self, Sending};
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::steps::open_calls::{self, Place};

/// Most calls that are remembered, about 2 MB; beyond them all open calls are gone through.
const MOST: usize = 10_000;
/// Before each look whether the queue answers, in milliseconds; drawn anew each time.
const PAUSE_MS: RangeInclusive<u64> = 500..=1_500;
/// Since when a message must be unconfirmed, in milliseconds: longer than a send and its acknowledgement take.
const UNDER_WAY_MS: i64 = 3_000;
/// Calls whose outboxes are sent at once.
const AT_ONCE: usize = 8;
/// Failures after which a round asks no further: whatever is away is asked for each call in vain.
const ENOUGH: usize = 8;
/// The longest pause that a queue which is busy is given by its own word: what waits is sent within ten seconds of its return.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long one round may take; the next one goes on with what is left.
const ROUND: Duration = Duration::from_secs(45);
/// Calls of one page.
const PAGE: u64 = 200;

/// What this process could not hand to the queue.
#[derive(Debug, Default)]
pub struct Owed {
    calls: Mutex<Calls>,
    /// Whether there is anything: all that a send which goes through has to look at.
    some: AtomicBool,
    /// Whether a send went through since the last look.
    answered: AtomicBool,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Calls {
    known: HashSet<CallId>,
    /// Whether there were more than are remembered.
    more: bool,
}

impl Owed {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of this call was not taken.
    pub fn note(&self, call: &CallId) {
        let mut calls = self.calls();
        if calls.known.len() >= MOST && !calls.known.contains(call) {
            calls.more = true;
        } else {
            calls.known.insert(call.clone());
        }
        self.some.store(true, Ordering::Relaxed);
        drop(calls);
        self.wake.notify_one();
    }

    /// A message was taken.
    pub fn answered(&self) {
        if self.some.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether anything is owed.
    pub fn is_some(&self) -> bool {
        self.some.load(Ordering::Relaxed)
    }

    fn take(&self) -> Calls {
        let mut calls = self.calls();
        self.some.store(false, Ordering::Relaxed);
        std::mem::take(&mut calls)
    }
}

/// Waits until something is owed, then until the queue answers, and sends it; until `stop`.
pub async fn keep_up(app: &App, stop: &CancellationToken) {
    loop {
        tokio::select! { () = stop.cancelled() => return, () = app.owed.wake.notified() => {} }
        let mut wait = Duration::ZERO;
        while app.owed.is_some() {
            let pause = Duration::from_millis(fastrand::u64(PAUSE_MS)).max(wait);
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(pause) => {} }
            wait = match away(app).await {
                None => round(app).await,
                Some(wait) => wait.min(LONGEST_WAIT),
            };
        }
    }
}

/// How long to leave the queue alone where it takes no messages; none where it does: somebody's went through, or it says so.
async fn away(app: &App) -> Option<Duration> {
    if app.owed.answered.swap(false, Ordering::Relaxed) {
        return None;
    }
    let e = app.queue.check().await.err()?;
    tracing::debug!(error = e.chain(), "the queue is still away");
    Some(e.retry_after.unwrap_or_default())
}

/// How a round goes.
#[derive(Debug)]
struct Round {
    until: Instant,
    /// Calls of which something could not be sent.
    failed: AtomicUsize,
    /// Calls of which something is left, for whatever reason.
    left: AtomicUsize,
    /// When to come back by the word of whoever failed, in milliseconds.
    wait_ms: AtomicU64,
}

impl Round {
    /// Whether it asks no further.
    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) >= ENOUGH || Instant::now() >= self.until
    }
}

/// Sends what is owed; what still cannot be sent is owed afterwards. How long to leave the queue alone.
pub async fn round(app: &App) -> Duration {
    let Calls { known, more } = app.owed.take();
    let calls = known.len();
    let round = Round { until: Instant::now() + ROUND, failed: AtomicUsize::new(0), left: AtomicUsize::new(0), wait_ms: AtomicU64::new(0) };
    stream::iter(known).for_each_concurrent(AT_ONCE, |call| settle(app, call, &round)).await;
    let whole = !more
        || go_through(app, &round).await.unwrap_or_else(|e| {
            tracing::debug!(error = e.chain(), "the open calls could not be gone through");
            false
        });
    if !whole {
        app.owed.calls().more = true;
        app.owed.some.store(true, Ordering::Relaxed);
    }
    let left = round.left.into_inner();
    if left < calls || more {
        tracing::info!(calls, left, "the queue answers again: what waited for it was sent");
    } else {
        tracing::debug!(calls, "the queue answers again, and nothing could be sent yet");
    }
    Duration::from_millis(round.wait_ms.into_inner()).min(LONGEST_WAIT)
}

/// Sends what one call has waiting; it is owed again where something is left.
async fn settle(app: &App, call: CallId, round: &Round) {
    let done = match if round.is_over() { Ok(false) } else { send(app, &call, round.until).await } {
        Ok(done) => done,
        Err(e) if e.is_transient() => {
            tracing::debug!(error = e.chain(), "what a call has waiting could not be sent yet");
            round.failed.fetch_add(1, Ordering::Relaxed);
            let wait = e.retry_after.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            round.wait_ms.fetch_max(wait, Ordering::Relaxed);
            false
        }
        Err(e) => {
            // Trying again cannot help: the relay's tick says so each time, and somebody must look.
            tracing::warn!(call_id = call.as_str(), error = e.chain(), "what a call has waiting cannot be sent");
            true
        }
    };
    if !done {
        round.left.fetch_add(1, Ordering::Relaxed);
        app.owed.note(&call);
    }
}

async fn send(app: &App, call: &CallId, until: Instant) -> Result<bool> {
    let surveys = app.state.survey(std::slice::from_ref(call)).await?;
    let survey = surveys.into_iter().next().ok_or_else(|| Error::internal("a survey of one call was empty"))?;
    if survey.waiting == 0 {
        return Ok(true);
    }
    let sending = Sending { least_ms: UNDER_WAY_MS, until, oldest_ms: &AtomicU64::new(0) };
    let sent = waiting::send(app, &survey, app.clock.now(), sending).await?;
    sent.refused.map_or(Ok(sent.whole), Err)
}

/// Sends what waits in any open call: more failed than was remembered. Whether it came to the last of them.
async fn go_through(app: &App, round: &Round) -> Result<bool> {
    let mut place = Some(Place::default());
    while let Some(from) = place {
        if round.is_over() {
            return Ok(false);
        }
        let page = open_calls::page(app, from, PAGE).await?;
        let waiting = page.calls.into_iter().filter(|open| open.survey.waiting > 0);
        stream::iter(waiting).for_each_concurrent(AT_ONCE, |open| settle(app, open.survey.call, round)).await;
        place = page.next;
    }
    Ok(true)
}
