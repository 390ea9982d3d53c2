//! Everything that one invocation leaves for the next: calls, turns, authentication, workers, cached audio.
//!
//! Four small contracts, each method one atomic unit. Every key has a TTL from [`keys::RedisKeyManager`]; expiry is
//! judged on read and on write. Errors: `Unavailable` and `Deadline` (500 ms in all, one retry included where the
//! operation is idempotent) where the store does not serve; after `Deadline` the operation may have happened.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::call::{Applied, CallChange, Session};
use crate::model::conversation::{AuthState, Committed, Entry, Loaded, TurnCommit};
use crate::model::ids::{CallId, TurnId, UserToken, WorkerId};
use crate::model::time::Timestamp;

pub use crate::model::stages::StageTimes;

pub mod embedded;
pub mod inspect;
pub mod keys;
pub mod legacy;
pub mod redis;
pub mod sealed;
pub mod upkeep;

/// Number of partitions of the open set.
pub const PARTITIONS: u8 = 16;

/// Messages of an outbox that are read at once, at most: each may hold 32 KiB, and all must fit into one deadline.
pub const MESSAGES: usize = 50;

/// The field of a call's end in its outbox.
const ENDED: &str = "ended";

/// What is known of a call before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it may be in a legacy layout.
    Nothing,
    /// It has a session.
    Open(Session),
    /// It is archived.
    Archived,
}

/// What waits in the outbox.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all that waits are turns")]
pub enum Pending {
    /// A turn with its number and revision.
    Turn {
        /// Its number.
        seq: u64,
        /// Its revision, 0 at first.
        rev: u32,
        /// The turn.
        entry: Entry,
    },
    /// The end of the call.
    Ended,
}

/// One unconfirmed message.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// Its name in the outbox: `t:{turnId}` or `ended`.
    pub field: String,
    /// The wrapped key of what is sealed in it.
    pub key: Option<String>,
    /// Since when it waits.
    pub since: Timestamp,
    /// What it says.
    pub pending: Pending,
}

/// One open call as the relay sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The call.
    pub call: CallId,
    /// Its session; none where it has expired or never was.
    pub session: Option<Session>,
    /// True where it is archived.
    pub archived: bool,
    /// Messages in its outbox.
    pub waiting: u64,
}

/// A slice of the history for the archive.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slice {
    /// Entries with their numbers, in order.
    pub entries: Vec<(u64, Entry)>,
    /// Entries in the whole history.
    pub total: u64,
}

/// What the archive confirms when it closes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The call.
    pub call: CallId,
    /// The summary, JSON; it stays for 7 days and is the tombstone.
    pub summary: String,
    /// Outbox fields whose content is in the archive.
    pub archived_fields: Vec<String>,
    /// Entries of the history that are in the archive.
    pub archived_entries: u64,
}

/// Calls and turns.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// Registers the call in its open set, and says what is known of it. First step of everything that may open one.
    async fn register(&self, call: &CallId, now: Timestamp) -> Result<Known>;

    /// Applies one event in one atomic step: nothing where the call is archived or the event id is known; never
    /// revives an ended call; opens an unknown call (provisionally, or ended, as the effect says). Ending raises the
    /// life of session, events, history and turns to 7 days and puts the end into the outbox, once.
    async fn apply(&self, change: &CallChange) -> Result<Applied>;

    /// Reads what a turn needs in one round trip; the last entries that something looks back on, at most
    /// `HISTORY_WINDOW` ([`Config::look_back`](crate::config::Config::look_back)), however long the call is.
    async fn load(&self, call: &CallId, turn: &TurnId) -> Result<Loaded>;

    /// Commits one turn in one atomic step and one round trip: the known answer where the turn id is known, else
    /// refused where the call has ended, else numbered, appended, remembered, put into the outbox; an unknown call
    /// is opened provisionally. Idempotent by turn id.
    async fn commit(&self, turn: &TurnCommit) -> Result<Committed>;

    /// Takes a confirmed message from the outbox, unless a later revision waits there, and keeps the turn's stage
    /// times. Nothing happens where the call is gone.
    async fn settle(&self, call: &CallId, field: &str, rev: u32, stages: Option<(&TurnId, StageTimes)>) -> Result<()>;

    /// Keeps the facts of the user's profile in the context of an open call (JSON).
    async fn attach_profile(&self, call: &CallId, facts: &str) -> Result<()>;

    /// Open calls of one partition (below [`PARTITIONS`]) with their last registered activity, the idlest first,
    /// `skip` left out, at most `limit`.
    async fn open_calls(&self, partition: u8, skip: u64, limit: u64) -> Result<Vec<(CallId, Timestamp)>>;

    /// Sessions of these calls (at most 200) and how much their outboxes hold, in the order of the calls.
    async fn survey(&self, calls: &[CallId]) -> Result<Vec<Survey>>;

    /// Moves the call's last activity in the open set, or removes it from there with `None`.
    async fn touch_open(&self, call: &CallId, activity: Option<Timestamp>) -> Result<()>;
}

/// What the relay and the archive read of a call, and what the archive removes.
#[async_trait]
pub trait Archiving: Send + Sync + 'static {
    /// Names of all messages in the call's outbox: turns in the order of their numbers (those whose number is
    /// forgotten first, by name), the end last.
    async fn outbox(&self, call: &CallId) -> Result<Vec<String>>;

    /// The messages of these names (at most [`MESSAGES`]), in their order, without those that are gone.
    async fn messages(&self, call: &CallId, fields: &[String]) -> Result<Vec<OutboxEntry>>;

    /// Entries `from..from + count` of the history, counted from 0.
    async fn history(&self, call: &CallId, from: u64, count: u64) -> Result<Slice>;

    /// Stage times of the call's turns by turn id.
    async fn stages(&self, call: &CallId) -> Result<Vec<(String, StageTimes)>>;

    /// What a legacy layout held besides turns, JSON; none where the call did not come from one.
    async fn legacy_extra(&self, call: &CallId) -> Result<Option<String>>;

    /// In one atomic step: where the outbox holds nothing but `archived_fields` and the history has no more than
    /// `archived_entries`, writes the summary and removes the call's state: true. Else changes nothing: false.
    async fn close(&self, closing: &Closing) -> Result<bool>;

    /// The session with all its fields, also those that are sealed.
    async fn facts(&self, call: &CallId) -> Result<Option<Session>>;

    /// The summary of an archived call.
    async fn summary(&self, call: &CallId) -> Result<Option<String>>;
}

/// What is known of one person, and what an erasure removes.
#[async_trait]
pub trait Persons: Send + Sync + 'static {
    /// Notes that a call is this user's, before anything of them is kept for it.
    async fn note_call(&self, user: &UserToken, call: &CallId) -> Result<()>;

    /// The calls that were noted of this user in the last eight days.
    async fn calls_of(&self, user: &UserToken) -> Result<Vec<CallId>>;

    /// Replaces the wrap of a call's key, where it still is `old`: true. False where another wrap stands there.
    async fn rekey(&self, call: &CallId, old: &str, new: &str) -> Result<bool>;

    /// Removes everything of a call but a tombstone without content (the JSON `tombstone`), whatever its state; true
    /// where there was something. Its place in the open set goes too.
    async fn erase_call(&self, call: &CallId, tombstone: &str) -> Result<bool>;

    /// Removes the user's cached profile and the list of their calls.
    async fn erase_user(&self, user: &UserToken) -> Result<()>;
}

/// What became of an authentication attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Taken; the state after it and the seconds it has left.
    Taken(AuthState, u64),
    /// The state is locked; nothing changed. Seconds until it expires.
    Locked(AuthState, u64),
}

/// Authentication states; they expire after 900 s.
#[async_trait]
pub trait AuthStates: Send + Sync + 'static {
    /// The state and the seconds it has left.
    async fn auth(&self, call: &CallId) -> Result<Option<(AuthState, u64)>>;

    /// Replaces the state in one atomic step. An unauthenticated one counts as a failed attempt; the
    /// `max_attempts`th locks the state until it expires (its life then runs on unchanged). `failed_attempts` and
    /// `locked` of the input are ignored. A success clears the count.
    async fn attempt_auth(&self, call: &CallId, state: &AuthState, max_attempts: u32) -> Result<Attempt>;

    /// Removes the state; false where it is locked, true otherwise.
    async fn clear_auth(&self, call: &CallId) -> Result<bool>;
}

/// A worker's hold on a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub worker: WorkerId,
    /// Proof of holding it.
    pub token: String,
    /// Until when.
    pub until: Timestamp,
}

/// Which worker holds which call.
#[async_trait]
pub trait Workers: Send + Sync + 'static {
    /// Claims a call or renews a claim, by compare and set. `token` renews; without one a free call is claimed with
    /// `fresh_token`, and the owner's own claim is confirmed with its token. `Err(lease)` where another live worker
    /// holds it, or the token is wrong. A claim is free once it has expired or its owner's heartbeat is gone. A
    /// claim is a sign of life of the claimer.
    async fn claim(
        &self,
        call: &CallId,
        worker: &WorkerId,
        token: Option<&str>,
        fresh_token: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<Lease, Lease>>;

    /// Gives a claim up. `Ok(true)` when it was held by this worker (with this token, where one is given);
    /// `Err(lease)` where another live worker holds it; `Ok(false)` where nobody does.
    async fn release(&self, call: &CallId, worker: &WorkerId, token: Option<&str>, now: Timestamp) -> Result<std::result::Result<bool, Lease>>;

    /// The live claim on a call.
    async fn holder(&self, call: &CallId, now: Timestamp) -> Result<Option<Lease>>;

    /// A sign of life, good for 60 s (before the multiplier). The number of calls that the worker holds.
    async fn heartbeat(&self, worker: &WorkerId, now: Timestamp) -> Result<u64>;
}

/// What the cache of spoken phrases knows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// It is there.
    Cached,
    /// Nobody has it, and the caller now holds the right to synthesise it.
    Yours,
    /// Another synthesises it right now.
    Awaited,
}

/// Cached audio and profile copies.
#[async_trait]
pub trait Caches: Send + Sync + 'static {
    /// Asks for a phrase by hash, and claims it for 4 s with `token` where it is missing; one round trip.
    async fn phrase(&self, hash: &str, token: &str) -> Result<Spoken>;

    /// The audio of a phrase, where it is cached.
    async fn audio(&self, hash: &str) -> Result<Option<Bytes>>;

    /// Caches audio (at most 4 MiB); false where the cache is full (above 60 % of the store's memory, or
    /// `TTS_MAX_BYTES`), and then any claim is given up.
    async fn keep_audio(&self, hash: &str, audio: Bytes, now: Timestamp) -> Result<bool>;

    /// Keeps audio of one call alone for 300 s (before the multiplier): it is no part of the shared cache, and no claim is
    /// made on it.
    async fn keep_private(&self, call: &CallId, hash: &str, audio: Bytes) -> Result<()>;

    /// Gives a claim up, so that waiters need not wait for its expiry. Nothing happens where the token is not the
    /// claim's.
    async fn drop_claim(&self, hash: &str, token: &str) -> Result<()>;

    /// The cached copy of a user's profile, JSON.
    async fn profile(&self, user: &UserToken) -> Result<Option<String>>;

    /// Replaces the cached copy, or removes it with `None`.
    async fn keep_profile(&self, user: &UserToken, profile: Option<&str>) -> Result<()>;
}

/// Whether the store serves.
#[async_trait]
pub trait StateHealth: Send + Sync + 'static {
    /// One cheap round trip past the circuit breaker.
    async fn ping(&self) -> Result<()>;

    /// What an operator must know at start: an eviction policy other than `noeviction`.
    async fn check(&self) -> Result<()>;
}

/// Everything the state port does, for the one place that chooses a backend.
pub trait State: Calls + Archiving + Persons + AuthStates + Workers + Caches + StateHealth + inspect::Inspection + upkeep::Upkeep + legacy::Legacy {}

impl<T: Calls + Archiving + Persons + AuthStates + Workers + Caches + StateHealth + inspect::Inspection + upkeep::Upkeep + legacy::Legacy> State for T {}

/// The turn that a message in an outbox is about; none for the end of the call.
fn turn_of(field: &str) -> Option<&str> {
    field.strip_prefix("t:")
}

/// Brings names of messages, with the numbers of their turns as far as they are known, into the order of the contract.
fn in_order(mut named: Vec<(String, Option<u64>)>) -> Vec<String> {
    named.sort_by(|(a, m), (b, n)| (a == ENDED, m, a).cmp(&(b == ENDED, n, b)));
    named.into_iter().map(|(name, _)| name).collect()
}
