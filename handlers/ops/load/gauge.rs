//! What was measured: a histogram for each stage, counts, and a figure for each second of the run.
//!
//! Times are microseconds in histograms with three significant digits up to ten minutes. Memory does not grow with the number
//! of turns.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// Longest time that is told apart, in microseconds.
const LONGEST: u64 = 600_000_000;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// From the moment when a call was due to the acknowledgement of its CallConnected.
    Setup,
    /// A turn as the media worker sees it, all its tries included; in the open loop from the moment when it was due.
    Turn,
    /// The same from the moment when it was sent, in the open loop.
    Sent,
    /// Of a turn, as the handler tells in `Server-Timing`: loading.
    Load,
    /// Of a turn: the agent.
    Reply,
    /// Of a turn: the commit.
    Commit,
    /// Of a turn: the cache of spoken phrases.
    Speech,
    /// The audio of a reply.
    Audio,
    /// A phrase that nobody has asked for before.
    Phrase,
    /// The acknowledgement of CallDisconnected.
    End,
    /// From the end of a call to its archive, as far as the look at it is fine enough.
    Archive,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 11] =
        [Self::Setup, Self::Turn, Self::Sent, Self::Load, Self::Reply, Self::Commit, Self::Speech, Self::Audio, Self::Phrase, Self::End, Self::Archive];

    /// Its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Turn => "turn",
            Self::Sent => "sent",
            Self::Load => "load",
            Self::Reply => "reply",
            Self::Commit => "commit",
            Self::Speech => "speech",
            Self::Audio => "audio",
            Self::Phrase => "phrase",
            Self::End => "end",
            Self::Archive => "archive",
        }
    }

    /// The stage of this name among those that the handler tells.
    pub fn of_handler(name: &str) -> Option<Self> {
        [Self::Load, Self::Reply, Self::Commit, Self::Speech].into_iter().find(|stage| stage.name() == name)
    }
}

/// Times of one stage, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many were measured.
    pub count: u64,
    /// Half took at most this.
    pub p50: f64,
    /// 95 % took at most this.
    pub p95: f64,
    /// 99 % took at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Self { count: histogram.len(), p50: at(0.50), p95: at(0.95), p99: at(0.99), max: histogram.max() as f64 / 1000.0 }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls that were begun.
    pub calls: u64,
    /// Calls whose end was acknowledged.
    pub ended: u64,
    /// Turns that were sent, each once.
    pub turns: u64,
    /// Turns that were answered with 200.
    pub answered: u64,
    /// Of these, without the state store.
    pub degraded: u64,
    /// Answered turns with the fallback line in place of the agent's reply.
    pub fallbacks: u64,
    /// Answered turns without audio.
    pub silent: u64,
    /// Answers other than 200, and requests without an answer; each try counts.
    pub errors: u64,
    /// Of these, answers that told the caller to come back: 503 and 429.
    pub refused: u64,
    /// Calls that could not begin in time because too many were open.
    pub late: u64,
}

/// How long requests waited for their answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// The longest wait of one request, each try by itself, in milliseconds.
    pub longest_wait_ms: f64,
    /// Requests that waited longer than they may.
    pub overdue: u64,
}

/// One second of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Second {
    /// Calls that were begun in it.
    pub calls: u64,
    /// Turns that were answered in it.
    pub turns: u64,
    /// Failures in it.
    pub errors: u64,
    /// Degraded turns in it.
    pub degraded: u64,
    /// Times of its turns.
    pub turn: Times,
}

/// The measure of one run.
pub struct Gauge {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    stages: BTreeMap<Stage, Histogram<u64>>,
    counts: Counts,
    waits: Waits,
    second: Histogram<u64>,
    before: Counts,
    seconds: Vec<Second>,
}

impl Gauge {
    /// Nothing yet.
    pub fn new() -> Result<Self> {
        let empty = || Histogram::new_with_bounds(1, LONGEST, 3).map_err(Error::internal);
        let stages = Stage::ALL.into_iter().map(|stage| Ok((stage, empty()?))).collect::<Result<_>>()?;
        let inner = Inner { stages, counts: Counts::default(), waits: Waits::default(), second: empty()?, before: Counts::default(), seconds: Vec::new() };
        Ok(Self { began: Instant::now(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes a time.
    pub fn took(&self, stage: Stage, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
        let mut inner = self.inner();
        if let Some(histogram) = inner.stages.get_mut(&stage) {
            histogram.saturating_record(micros);
        }
        if stage == Stage::Turn {
            inner.second.saturating_record(micros);
        }
    }

    /// Counts something.
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.inner().counts);
    }

    /// Notes how long one request waited for its answer, or for nothing, and how long it may.
    pub fn waited(&self, time: Duration, most: Duration) {
        let mut inner = self.inner();
        inner.waits.longest_wait_ms = inner.waits.longest_wait_ms.max(time.as_secs_f64() * 1000.0);
        inner.waits.overdue += u64::from(time > most);
    }

    /// How long requests have waited so far.
    pub fn waits(&self) -> Waits {
        self.inner().waits
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.inner().counts
    }

    /// Times of a stage so far.
    pub fn times(&self, stage: Stage) -> Times {
        self.inner().stages.get(&stage).map(Times::of).unwrap_or_default()
    }

    /// Ends a second; its figures.
    pub fn tick(&self) -> Second {
        let mut inner = self.inner();
        let (now, before) = (inner.counts, inner.before);
        let second = Second {
            calls: now.calls - before.calls,
            turns: now.answered - before.answered,
            errors: now.errors - before.errors,
            degraded: now.degraded - before.degraded,
            turn: Times::of(&inner.second),
        };
        inner.second.reset();
        inner.before = now;
        inner.seconds.push(second);
        second
    }

    /// All seconds so far.
    pub fn seconds(&self) -> Vec<Second> {
        self.inner().seconds.clone()
    }
}
