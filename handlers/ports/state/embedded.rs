//! The state port on one SQLite file, for development, tests and the demo.
//!
//! The same keys and TTLs as in Redis, kept in a few tables by `table`; each write is one transaction, so several
//! processes may share the file. Expiry is judged by the clock on every read and write; what has expired is removed
//! in small batches by whoever writes next. Fails with `Unavailable` where the file cannot be read or written (after
//! 5 s of waiting for another process), and with `Internal` where what it holds cannot be read.

mod archiving;
mod auth;
mod caches;
mod calls;
mod inspect;
mod legacy;
mod outbox;
mod persons;
mod table;
mod turns;
mod upkeep;
mod workers;

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::table::{Life, Table, Watch};
use super::StateHealth;
use super::keys::{CallKey, RedisKeyManager, TtlPolicy};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::call::Session;
use crate::model::conversation::Entry;
use crate::model::ids::CallId;
use crate::ports::audit::{Audit, Note};
use crate::ports::clock::Clock;
use crate::ports::embedded::{Embedded, failure};
use crate::privacy::envelope;

/// What every transaction needs to know.
struct Rules {
    keys: RedisKeyManager,
    look_back: usize,
    tts_max_bytes: u64,
    clock: Arc<dyn Clock>,
}

/// The state port on the embedded file; clones share it.
#[derive(Clone)]
pub struct EmbeddedState {
    file: Embedded,
    audit: Audit,
    rules: Arc<Rules>,
}

impl std::fmt::Debug for EmbeddedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedState")
    }
}

impl EmbeddedState {
    /// Creates the tables where they are missing. `Unavailable` where the file cannot be written.
    pub fn open(embedded: Embedded, config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        embedded.prepare(table::SCHEMA)?;
        let rules = Rules { keys: RedisKeyManager::new(config), look_back: config.look_back(), tts_max_bytes: config.tts_max_bytes, clock };
        Ok(Self { file: embedded, audit: Audit::off(), rules: Arc::new(rules) })
    }

    /// Notes every transaction in this log.
    #[must_use]
    pub fn audited_by(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Notes a transaction under the keys that it touched. Which they are, only the transaction itself can tell: room
    /// is made for something personal.
    async fn audited<T>(&self, action: &'static str, watch: &Watch, work: impl Future<Output = Result<T>>) -> Result<T> {
        let room = self.audit.room(true).await?;
        let began = Instant::now();
        let result = work.await;
        let seen = std::mem::take(&mut *watch.lock().unwrap_or_else(PoisonError::into_inner));
        room.note(Note::new(action).store("embedded").keys(seen.keys).count(seen.looks).result(&result).took(began.elapsed()));
        result
    }

    /// Runs `work` in one transaction that may change anything.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Step<'_>) -> Result<T> + Send + 'static,
    {
        let rules = Arc::clone(&self.rules);
        let seen = Watch::default();
        let watch = Arc::clone(&seen);
        let job = move |tx: &rusqlite::Transaction<'_>| {
            // The time is taken inside: the write may have waited for another one.
            let step = Step { table: Table::new(tx, rules.clock.now(), &watch), rules: &rules };
            step.table.purge()?;
            work(&step)
        };
        self.audited("embedded.write", &seen, self.file.write(job)).await
    }

    /// Runs `work`, which only reads, on one snapshot.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Step<'_>) -> Result<T> + Send + 'static,
    {
        let rules = Arc::clone(&self.rules);
        let seen = Watch::default();
        let watch = Arc::clone(&seen);
        let job = move |tx: &rusqlite::Transaction<'_>| work(&Step { table: Table::new(tx, rules.clock.now(), &watch), rules: &rules });
        self.audited("embedded.read", &seen, self.file.read(job)).await
    }
}

/// One transaction with the rules that it follows.
struct Step<'a> {
    table: Table<'a>,
    rules: &'a Rules,
}

impl Step<'_> {
    fn key(&self, call: &CallId, key: CallKey) -> String {
        self.rules.keys.call(call, key)
    }

    /// A life of this policy that begins now.
    fn anew(&self, policy: TtlPolicy) -> Life {
        Life::Anew(self.millis(policy))
    }

    /// A life of at least this policy.
    fn at_least(&self, policy: TtlPolicy) -> Life {
        Life::AtLeast(self.millis(policy))
    }

    fn millis(&self, policy: TtlPolicy) -> i64 {
        // The longest policy times 100 is far below the limit.
        i64::try_from(self.rules.keys.ttl(policy)).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    fn session(&self, call: &CallId) -> Result<Option<Session>> {
        Ok(Session::from_fields(self.table.fields(&self.key(call, CallKey::Session))?))
    }

    fn is_archived(&self, call: &CallId) -> Result<bool> {
        self.table.exists(&self.key(call, CallKey::Summary))
    }
}

/// A value as it stands in the file.
fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// An entry as it stands in the file: `{rev} {JSON}`, and after a line feed, which JSON does not hold, what is sealed.
fn encode_entry(entry: &Entry) -> Result<String> {
    let sealed = entry.sealed.as_ref().map(|sealed| format!("\n{}", envelope::to_text(sealed))).unwrap_or_default();
    Ok(format!("{} {}{sealed}", entry.rev, encode(entry)?))
}

/// An entry out of the file.
fn decode_entry(text: &str) -> Result<Entry> {
    let (rev, rest) = text.split_once(' ').ok_or_else(|| Error::internal("a stored entry has no revision"))?;
    // What is no envelope is refused by who opens it.
    let bytes = |text: &str| envelope::from_text(text).unwrap_or_else(|| text.as_bytes().to_vec());
    let (json, sealed) = rest.split_once('\n').map_or((rest, None), |(json, sealed)| (json, Some(bytes(sealed))));
    Ok(Entry { rev: rev.parse().map_err(Error::internal)?, sealed, ..decode(json)? })
}

/// A value out of the file.
fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::internal)
}

#[async_trait]
impl StateHealth for EmbeddedState {
    async fn ping(&self) -> Result<()> {
        self.file.read(|tx| tx.query_row("SELECT count(*) FROM (SELECT 1 FROM state_keys LIMIT 1)", [], |_| Ok(())).map_err(failure)).await
    }

    async fn check(&self) -> Result<()> {
        // A file evicts nothing: there is nothing that an operator must know.
        Ok(())
    }
}
