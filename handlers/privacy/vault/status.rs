//! What keys there are, how old they are, and what still needs the older ones.

use serde::Serialize;

use super::stored::{EPOCHS, INDEX, created, text};
use super::{Vault, rotate};
use crate::error::Result;
use crate::model::time::Timestamp;

/// All keys of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// The version of the root key that wraps now.
    pub root: String,
    /// Epochs, oldest first.
    pub epochs: Vec<EpochStatus>,
    /// The index key's versions.
    pub index: Vec<RootedStatus>,
    /// Subjects with a key: users, callers, and calls without one.
    pub subjects: u64,
    /// Their keys, all versions counted.
    pub user_keys: u64,
    /// Age of the oldest of them.
    pub oldest_user_key_days: Option<i64>,
    /// Keys that an older version of the root key wraps: rotating the root key ends that.
    pub under_older_root: u64,
}

/// A key that the root key wraps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RootedStatus {
    /// Its id: `2026-W47`, or `v1`.
    pub id: String,
    /// The version of the root key that wraps it.
    pub kid: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whole days since then.
    pub age_days: i64,
}

/// An epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochStatus {
    /// Its key.
    #[serde(flatten)]
    pub key: RootedStatus,
    /// User keys that it wraps.
    pub user_keys: u64,
}

impl Vault {
    /// Counts the keys of the record: a walk over all of them. `Setting` while privacy is off.
    pub async fn status(&self) -> Result<KeyStatus> {
        let keys = self.on()?;
        let root = keys.stored.root.current().await?;
        let needed = rotate::references(&keys.stored).await?;
        let now = keys.stored.clock.now();
        let mut rooted = [Vec::new(), Vec::new()];
        for (partition, found) in [EPOCHS, INDEX].into_iter().zip(&mut rooted) {
            for document in keys.stored.all(partition).await? {
                let created = created(&document);
                let (id, kid) = (text(&document, "id")?.to_owned(), text(&document, "kid")?.to_owned());
                found.push(RootedStatus { id, kid, created, age_days: days(now, created) });
            }
        }
        let [epochs, index] = rooted;
        let under_older_root = epochs.iter().chain(&index).filter(|key| key.kid != root).count() as u64;
        let epochs = epochs.into_iter().map(|key| EpochStatus { user_keys: needed.epochs.get(&key.id).copied().unwrap_or_default(), key }).collect();
        let oldest_user_key_days = needed.oldest.map(|minute| days(now, Timestamp::from_millis(i64::from(minute) * 60_000)));
        Ok(KeyStatus { root, epochs, index, subjects: needed.subjects, user_keys: needed.keys, oldest_user_key_days, under_older_root })
    }
}

fn days(now: Timestamp, then: Timestamp) -> i64 {
    now.since(then) / 86_400_000
}
