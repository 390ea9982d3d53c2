//! What keys there are, how old they are, and what still needs the older ones.

use serde::Serialize;

use super::stored::{EPOCHS, INDEX, created, text};
use super::{Vault, epochs, rotate};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::privacy::crypto;

/// All keys of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// The version of the root key that wraps now.
    pub root: String,
    /// Whole days since that version was made; none where its keeper does not say.
    pub root_days: Option<i64>,
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

/// What a probe of the keys found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProbe {
    /// The epoch whose key sealed it.
    pub epoch: String,
    /// Whether that is the epoch of this week.
    pub is_current: bool,
}

/// What a probe is sealed for.
const PROBE: &[u8] = b"rtvoice/1 probe";

impl Vault {
    /// Seals a random probe with the key of the epoch, opens it, and sees to it that it does not open elsewhere. `Internal` where
    /// that is not so, else the errors of the record and of the root key. `Setting` while privacy is off.
    pub async fn probe(&self) -> Result<KeyProbe> {
        let keys = self.on()?;
        let epoch = keys.epochs.current().await?;
        let plain = crypto::random::<32>()?;
        let sealed = epoch.users.wrap(PROBE, &plain)?;
        let opened = epoch.users.unwrap(PROBE, &sealed).is_some_and(|opened| opened[..] == plain);
        if !opened || epoch.users.unwrap(b"elsewhere", &sealed).is_some() {
            return Err(Error::new(Kind::Internal, "what was sealed does not open, or opens elsewhere"));
        }
        Ok(KeyProbe { is_current: epoch.id == epochs::id(keys.stored.clock.now()), epoch: epoch.id.clone() })
    }

    /// Counts the keys of the record: a walk over all of them. `Setting` while privacy is off.
    pub async fn status(&self) -> Result<KeyStatus> {
        let keys = self.on()?;
        let root = keys.stored.root.current().await?;
        let needed = rotate::references(&keys.stored).await?;
        let now = keys.stored.clock.now();
        let root_days = keys.stored.root.made_at().await?.map(|made| days(now, made).max(0));
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
        Ok(KeyStatus { root, root_days, epochs, index, subjects: needed.subjects, user_keys: needed.keys, oldest_user_key_days, under_older_root })
    }
}

fn days(now: Timestamp, then: Timestamp) -> i64 {
    now.since(then) / 86_400_000
}
