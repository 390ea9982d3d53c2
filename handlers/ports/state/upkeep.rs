//! What an operator asks of the store: how long keys live and what they take, what waits in an outbox, what the servers
//! say of themselves, and the removal of cached audio.
//!
//! Walks are pages by cursor, each bounded; a key that stands all the while comes up at least once. No value is read that
//! holds anything of a caller: names of kinds, lives, sizes and times come back. Nothing is changed but what a call names.

use async_trait::async_trait;
use serde::Serialize;

use super::inspect::KeyPlace;
use super::legacy::ScanCursor;
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;

/// What a walk over keys asks of each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Keys of a page whose size is asked for, at most; 0: none.
    pub sizes: usize,
    /// Give keys of ours that have no life the one that belongs to their kind.
    pub give_lives: bool,
}

/// How long a key has yet to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// This many milliseconds.
    Millis(u64),
    /// For ever (in the embedded file: longer than the longest policy).
    Forever,
}

/// One key, without its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// What kind of key; none where another app wrote it.
    pub place: Option<KeyPlace>,
    /// How long it had to live when it was looked at.
    pub left: Left,
    /// What it takes, in bytes, where that was asked for.
    pub bytes: Option<u64>,
    /// Seconds that it was given to live, where it had none and was given one.
    pub given: Option<u64>,
}

/// One page of a walk over all keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<KeyFacts>,
    /// Where the next page begins; none after the last.
    pub next: Option<ScanCursor>,
}

/// What one server says of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerFacts {
    /// `host:port` of a cluster's master, else `only`; `embedded` for the file.
    pub node: String,
    /// Version of the server.
    pub version: String,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Most bytes that it may use; 0 where there is no limit.
    pub max_bytes: u64,
    /// What it does when that is reached, such as `noeviction`; none where it does not say.
    pub policy: Option<String>,
    /// Memory that it holds over memory that it uses.
    pub fragmentation: f64,
    /// Keys, of whichever app.
    pub keys: u64,
    /// Keys with a life.
    pub expiring: u64,
    /// Keys that it has evicted since its start.
    pub evicted: u64,
    /// Connections that it has.
    pub connections: u64,
    /// Most connections that it takes; none where it does not say.
    pub max_connections: Option<u64>,
    /// Whether it logs every write.
    pub append_only: bool,
    /// Whether its last write to that log, and its last snapshot, went well.
    pub persisting: bool,
    /// Its clock, and what the round trip to ask for it took, in milliseconds; none for the file, whose clock is ours.
    pub clock: Option<(Timestamp, u64)>,
}

impl ServerFacts {
    /// Share of its memory in use; 0 where there is no limit.
    pub fn share(&self) -> f64 {
        if self.max_bytes == 0 { 0.0 } else { self.used_bytes as f64 / self.max_bytes as f64 }
    }
}

/// What is known of cached audio from its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioFacts {
    /// Phrases.
    pub phrases: u64,
    /// Bytes of their audio.
    pub bytes: u64,
    /// Most bytes that are cached.
    pub max_bytes: u64,
}

/// Looks after the store.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// One page of a walk over all keys of the store, those of other apps included, of every master in a cluster.
    async fn key_page(&self, cursor: ScanCursor, look: Look) -> Result<KeyPage>;

    /// What each server says of itself, masters alone.
    async fn servers(&self) -> Result<Vec<ServerFacts>>;

    /// The messages that wait in a call's outbox, in their order, the first of at most [`super::MESSAGES`], with the time
    /// since when.
    async fn waiting(&self, call: &CallId) -> Result<Vec<(String, Timestamp)>>;

    /// What cached audio takes.
    async fn audio_facts(&self, now: Timestamp) -> Result<AudioFacts>;

    /// One page of a walk that removes all cached audio; how many phrases went, and where the next page begins. The last
    /// page removes the index.
    async fn purge_audio(&self, cursor: ScanCursor) -> Result<(u64, Option<ScanCursor>)>;
}
