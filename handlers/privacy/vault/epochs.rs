//! Epoch keys: one for each ISO week, wrapped by the root key; they wrap the keys of users, and of calls without one.

use std::sync::Arc;

use super::Lives;
use super::kept::{Kept, is_away};
use super::stored::{EPOCHS, Stored};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::privacy::crypto::Key;

/// Most epoch keys in memory; the record has at most a few while rotation is kept up.
const ENTRIES: u64 = 64;
const WEEK_MS: i64 = 7 * 86_400_000;

/// An epoch's keys: one for each use of it.
#[derive(Debug)]
pub(super) struct Epoch {
    /// `2026-W47`.
    pub(super) id: String,
    /// Wraps the keys of users.
    pub(super) users: Key,
    /// From which the wraps of calls without a user are derived.
    pub(super) calls: Key,
}

impl Epoch {
    pub(super) fn new(id: &str, key: &Key) -> Result<Self> {
        Ok(Self { id: id.to_owned(), users: key.derive(&[], b"rtvoice/1 users")?, calls: key.derive(&[], b"rtvoice/1 calls")? })
    }
}

/// The epochs of the record.
#[derive(Clone)]
pub(super) struct Epochs {
    stored: Stored,
    kept: Kept<String, Arc<Epoch>>,
}

impl Epochs {
    pub(super) fn new(stored: Stored, lives: Lives) -> Self {
        Self { stored, kept: Kept::new(ENTRIES, lives.epoch, lives.epoch_stale) }
    }

    /// The epoch of this week, made on demand. Where it cannot be had, the one of last week goes on serving if it is in memory.
    pub(super) async fn current(&self) -> Result<Arc<Epoch>> {
        let now = self.stored.clock.now();
        let id = id(now);
        let made = self.kept.make(
            &id,
            |_| true,
            || async {
                let key = self.stored.rooted_or_new(EPOCHS, &id).await?;
                Epoch::new(&id, &key).map(Arc::new)
            },
        );
        match made.await {
            Err(e) if is_away(&e) => self.kept.last(&self::id(now.plus_millis(-WEEK_MS))).await.ok_or(e),
            made => made,
        }
    }

    /// An epoch by its id. `Erased` where its key was destroyed.
    pub(super) async fn get(&self, id: &str) -> Result<Arc<Epoch>> {
        let load = || async {
            let key = self.stored.rooted(EPOCHS, id).await?;
            let key = key.ok_or_else(|| Error::new(Kind::Erased, "the key of this value was destroyed"))?;
            Epoch::new(id, &key).map(Arc::new)
        };
        self.kept.get(&id.to_owned(), load).await
    }

    /// Forgets an epoch's key.
    pub(super) async fn forget(&self, id: &str) {
        self.kept.forget(&id.to_owned()).await;
    }
}

/// The id of the epoch at a time: its ISO week.
pub(super) fn id(at: Timestamp) -> String {
    at.utc().format("%G-W%V").to_string()
}

/// When an epoch's week is over; none where the id is none.
pub(super) fn end(id: &str) -> Option<Timestamp> {
    let monday = chrono::NaiveDate::parse_from_str(&format!("{id}-1"), "%G-W%V-%u").ok()?;
    Some(Timestamp::from_millis(monday.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()).plus_millis(WEEK_MS))
}
