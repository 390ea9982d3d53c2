//! The state port on one SQLite file, for development, tests and the demo.
//!
//! The same keys and TTLs as in Redis, kept in a few tables by `table`; each method is one transaction, so several
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
mod table;
mod turns;
mod workers;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::table::{Life, Table};
use super::StateHealth;
use super::keys::{CallKey, RedisKeyManager, TtlPolicy};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::call::Session;
use crate::model::ids::CallId;
use crate::ports::clock::Clock;
use crate::ports::embedded::{Embedded, failure};

/// What every transaction needs to know.
struct Rules {
    keys: RedisKeyManager,
    history_window: usize,
    tts_max_bytes: u64,
    clock: Arc<dyn Clock>,
}

/// The state port on the embedded file; clones share it.
#[derive(Clone)]
pub struct EmbeddedState {
    file: Embedded,
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
        let rules = Rules { keys: RedisKeyManager::new(config), history_window: config.history_window, tts_max_bytes: config.tts_max_bytes, clock };
        Ok(Self { file: embedded, rules: Arc::new(rules) })
    }

    /// Runs `work` in one transaction that may change anything.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Step<'_>) -> Result<T> + Send + 'static,
    {
        let rules = Arc::clone(&self.rules);
        let job = move |tx: &rusqlite::Transaction<'_>| {
            // The time is taken inside: the write may have waited for another one.
            let step = Step { table: Table::new(tx, rules.clock.now()), rules: &rules };
            step.table.purge()?;
            work(&step)
        };
        self.file.write(job).await
    }

    /// Runs `work`, which only reads, on one snapshot.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Step<'_>) -> Result<T> + Send + 'static,
    {
        let rules = Arc::clone(&self.rules);
        self.file.read(move |tx| work(&Step { table: Table::new(tx, rules.clock.now()), rules: &rules })).await
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
