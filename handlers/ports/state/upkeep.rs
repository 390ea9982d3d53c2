//! What an operator asks of the store: how long keys live and what they take, what waits in an outbox, what the servers
//! say of themselves, and the removal of cached audio.
//!
//! Walks are pages by cursor, each bounded; a key that stands all the while comes up at least once. No value is read that
//! holds anything of a caller: names of kinds, lives, sizes and times come back. Nothing is changed but what a call names.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use super::Slice;
use super::inspect::KeyPlace;
use super::legacy::ScanCursor;
use crate::error::Result;
use crate::model::conversation::Words;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::privacy::envelope;

/// Entries of a history that are looked at in one step.
pub(super) const ENTRIES: u64 = 200;

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
    /// Operations in the last second; none where it does not say.
    pub ops_per_second: Option<u64>,
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

/// How what belongs to one call rests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtRest {
    /// The keys that it has, by kind, with how long they have to live.
    pub lives: Vec<(KeyPlace, Left)>,
    /// Values of its history and its context that are sealed.
    pub sealed: u64,
    /// Those that rest in clear.
    pub clear: u64,
}

impl AtRest {
    /// Counts the entries of a slice of the history.
    pub(super) fn count_entries(&mut self, slice: &Slice) {
        for (_, entry) in &slice.entries {
            match &entry.sealed {
                // The first byte of an envelope is its version; 0 stands before what passed through in clear.
                Some(bytes) => self.count(bytes.first().is_some_and(|version| *version != 0)),
                None if entry.words == Words::default() => {}
                None => self.count(false),
            }
        }
    }

    /// Counts the entries of the context that are not our own.
    pub(super) fn count_context(&mut self, fields: &BTreeMap<String, String>) {
        fields.iter().filter(|(name, _)| !name.starts_with('_')).for_each(|(_, value)| self.count(value.starts_with(envelope::PREFIX)));
    }

    const fn count(&mut self, sealed: bool) {
        if sealed { self.sealed += 1 } else { self.clear += 1 }
    }
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

    /// How what belongs to a call rests: its keys, and whether its values are sealed. No value comes back.
    async fn at_rest(&self, call: &CallId) -> Result<AtRest>;

    /// What cached audio takes.
    async fn audio_facts(&self, now: Timestamp) -> Result<AudioFacts>;

    /// One page of a walk that removes all cached audio; how many phrases went, and where the next page begins. The last
    /// page removes the index.
    async fn purge_audio(&self, cursor: ScanCursor) -> Result<(u64, Option<ScanCursor>)>;
}
