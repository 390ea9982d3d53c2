//! What all instances share of their operation: figures by slots of time, episodes of alerts, and silences.
//!
//! Figures of one slot add up over instances. An episode is opened and closed by exactly one of those who try, who then tells
//! of it. Everything expires by itself. Errors: `Unavailable`, `Deadline` and `Denied` where the store does not serve.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::time::Timestamp;
use crate::telemetry::Figures;

pub mod local;

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// 10 s, kept for 20 minutes.
    Fine,
    /// 5 minutes, kept for 8 hours.
    Coarse,
}

impl Grain {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fine, Self::Coarse];

    /// Milliseconds of a slot.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Fine => 10_000,
            Self::Coarse => 300_000,
        }
    }

    /// As it stands in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "10s",
            Self::Coarse => "5m",
        }
    }
}

/// A slot of time: its grain and its number, counted from 1970.
pub type Slot = (Grain, i64);

/// What the state store's server says of itself: sums over its nodes, but of memory and connections the node with the least left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerLoad {
    /// Bytes in use.
    pub memory_used: u64,
    /// Most bytes; 0 where there is no limit.
    pub memory_most: u64,
    /// Connections.
    pub clients: u64,
    /// Most connections; 0 where the server does not say.
    pub clients_most: u64,
    /// Keys.
    pub keys: u64,
    /// Keys with a TTL.
    pub expiring: u64,
    /// Keys that have expired or were evicted since the server started.
    pub gone: u64,
}

impl ServerLoad {
    /// Share of the memory in use; 0 where there is no limit.
    pub fn memory_share(&self) -> f64 {
        if self.memory_most > 0 { self.memory_used as f64 / self.memory_most as f64 } else { 0.0 }
    }

    /// Keys without a TTL.
    pub fn unexpiring(&self) -> u64 {
        self.keys.saturating_sub(self.expiring)
    }
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// From when on; none: at once.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Timestamp,
    /// Why, for whoever looks at it.
    pub why: String,
}

impl Silence {
    /// Whether it holds at this time.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && at < self.until
    }

    /// Its beginning and end where it is still to come.
    pub fn later(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.from.filter(|from| *from > at).map(|from| (from, self.until))
    }
}

/// The board.
#[async_trait]
pub trait Board: Send + Sync + 'static {
    /// Adds figures to their slots.
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()>;

    /// Figures of slots of one grain, in the order of the numbers; empty where nobody wrote any.
    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>>;

    /// Opens the episode of a rule with this text, which must be the opener's own: true for the one who opened it.
    async fn open(&self, rule: &str, text: &str) -> Result<bool>;

    /// Closes the episode of a rule; `by` must be the closer's own: true for the one who closed it.
    async fn close(&self, rule: &str, by: &str) -> Result<bool>;

    /// The texts of all open episodes by rule.
    async fn episodes(&self) -> Result<BTreeMap<String, String>>;

    /// Silences a rule (`*`: all) until then, or ends its silence with none.
    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()>;

    /// All silences by rule, those included that are over.
    async fn silences(&self) -> Result<BTreeMap<String, Silence>>;

    /// What the server says of itself; none where there is no server.
    async fn server(&self) -> Result<Option<ServerLoad>>;

    /// Whether the store answers, takes a value and gives it back.
    async fn probe(&self) -> Result<()>;
}
