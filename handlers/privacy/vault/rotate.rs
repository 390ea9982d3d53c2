//! Rotation of the root key and of epochs: surviving keys are wrapped anew while calls go on, then what nothing needs is
//! destroyed. A rotation that is stopped anywhere is made again from the beginning and does what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;

use super::epochs;
use super::stored::{EPOCHS, INDEX, Stored, encode, text};
use super::users::{self, Rewrap};
use super::{Keys, Vault};
use crate::error::{Error, Kind, Result};
use crate::ports::documents::{Condition, Container, Document, Put};

/// Longest life of anything that a call's wrap travels with: 8 days in the state, 14 in the queue, and a day.
pub(super) const CALL_SCOPED_MS: i64 = 15 * 86_400_000;
/// Keys that are wrapped anew at a time.
const AT_ONCE: usize = 8;
/// Documents of a page of the walk over all keys.
const PAGE: usize = 200;
/// Most times that one key is wrapped anew because somebody else changed it meanwhile.
const TRIES: usize = 5;
/// Pause before the root key is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of rotating the root key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RootRotation {
    /// The version that wraps from now on.
    pub kid: String,
    /// Epoch and index keys that were wrapped anew.
    pub rewrapped: u64,
    /// Versions that were put out of use.
    pub retired: Vec<String>,
}

/// What came of rotating the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochRotation {
    /// The epoch that wraps from now on.
    pub epoch: String,
    /// User keys that were wrapped anew.
    pub rewrapped: u64,
    /// User keys that cannot be unwrapped any more: their epoch is gone, or they are not what was stored. Their epochs stay.
    pub lost: u64,
    /// Epochs whose keys were destroyed.
    pub destroyed: Vec<String>,
    /// Former epochs that stay: still referred to, or younger than the longest life of a call's wrap.
    pub kept: Vec<String>,
}

impl Vault {
    /// Makes a new version of the root key and wraps the epoch keys and the index key under it. With `retire`, the versions
    /// that wrapped them before are put out of use, once no process can be about to store what they wrapped.
    pub async fn rotate_root(&self, retire: bool) -> Result<RootRotation> {
        let keys = self.on()?;
        let kid = keys.stored.root.rotate().await?;
        self.rewrap_root(kid, retire).await
    }

    /// The same without a new version: for a root key that was rotated elsewhere, or a rotation that was stopped.
    pub async fn rewrap_root_current(&self, retire: bool) -> Result<RootRotation> {
        let kid = self.on()?.stored.root.current().await?;
        self.rewrap_root(kid, retire).await
    }

    async fn rewrap_root(&self, kid: String, retire: bool) -> Result<RootRotation> {
        let keys = self.on()?;
        let mut done = RootRotation { kid, ..RootRotation::default() };
        let mut before = BTreeSet::new();
        done.rewrapped += rewrap_rooted(&keys.stored, &done.kid, &mut before).await?;
        if !retire || before.is_empty() {
            return Ok(done);
        }
        tokio::time::sleep(keys.lives.settle).await;
        done.rewrapped += rewrap_rooted(&keys.stored, &done.kid, &mut before).await?;
        for kid in before {
            if keys.stored.root.retire(&kid).await? {
                done.retired.push(kid);
            }
        }
        forget_former(&keys.stored).await?;
        Ok(done)
    }

    /// Wraps every user key under this week's epoch, then destroys the epochs that nothing refers to and whose week ended more
    /// than 15 days ago: with them every older copy of those user keys is dead.
    pub async fn rotate_epoch(&self) -> Result<EpochRotation> {
        let keys = self.on()?;
        let current = keys.epochs.current().await?;
        let mut done = EpochRotation { epoch: current.id.clone(), ..EpochRotation::default() };
        let mut from = None;
        loop {
            let page = keys.stored.documents.scan(Container::Keys, from.as_deref(), PAGE).await?;
            let mut results = stream::iter(page.documents).map(|document| keys.users.rewrap(document, &current)).buffer_unordered(AT_ONCE);
            while let Some(result) = results.try_next().await? {
                match result {
                    Rewrap::Done => done.rewrapped += 1,
                    Rewrap::Lost => done.lost += 1,
                    Rewrap::Unneeded => {}
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        self.destroy_epochs(keys, &mut done).await?;
        Ok(done)
    }

    async fn destroy_epochs(&self, keys: &Keys, done: &mut EpochRotation) -> Result<()> {
        let needed = references(&keys.stored).await?.epochs;
        let now = keys.stored.clock.now();
        for document in keys.stored.all(EPOCHS).await? {
            let id = text(&document, "id")?;
            if id == done.epoch {
                continue;
            }
            let over = epochs::end(id).is_some_and(|end| now.since(end) > CALL_SCOPED_MS);
            if over && !needed.contains_key(id) {
                keys.stored.documents.delete(Container::Keys, EPOCHS, id, Some(&document.etag)).await?;
                keys.epochs.forget(id).await;
                done.destroyed.push(id.to_owned());
            } else {
                done.kept.push(id.to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn on(&self) -> Result<&Keys> {
        self.keys.as_ref().ok_or_else(|| Error::new(Kind::Setting, "PRIVACY must be on for there to be keys"))
    }
}

/// What the user keys of the record refer to.
#[derive(Debug, Default)]
pub(super) struct References {
    /// User keys by the epoch that wraps them.
    pub(super) epochs: BTreeMap<String, u64>,
    /// User keys.
    pub(super) keys: u64,
    /// Subjects that have one.
    pub(super) subjects: u64,
    /// The oldest version.
    pub(super) oldest: Option<u32>,
}

/// Walks over all keys of users.
pub(super) async fn references(stored: &Stored) -> Result<References> {
    let (mut found, mut subjects, mut from) = (References::default(), BTreeSet::new(), None);
    loop {
        let page = stored.documents.scan(Container::Keys, from.as_deref(), PAGE).await?;
        for document in &page.documents {
            let Some(version) = users::version(document) else { continue };
            // A key without an epoch is spoilt; it must not stop the others from being looked after.
            if let Ok(epoch) = text(document, "epoch") {
                *found.epochs.entry(epoch.to_owned()).or_default() += 1;
            }
            if let Ok(subject) = text(document, "user") {
                subjects.insert(subject.to_owned());
            }
            found.keys += 1;
            found.oldest = Some(found.oldest.map_or(version, |oldest| oldest.min(version)));
        }
        from = page.next;
        if from.is_none() {
            found.subjects = subjects.len() as u64;
            return Ok(found);
        }
    }
}

/// Wraps every key that the root key wraps under its version `kid`; the versions before go into `before`. How many.
async fn rewrap_rooted(stored: &Stored, kid: &str, before: &mut BTreeSet<String>) -> Result<u64> {
    let mut rewrapped = 0;
    for partition in [EPOCHS, INDEX] {
        for document in stored.all(partition).await? {
            // Versions that an earlier rotation has left in use.
            before.extend(former(&document).filter(|former| *former != kid).map(str::to_owned));
            let old = text(&document, "kid")?.to_owned();
            if old == kid {
                continue;
            }
            rewrapped += u64::from(rewrap_one(stored, partition, document, kid).await?);
            before.insert(old);
        }
    }
    Ok(rewrapped)
}

/// Field of the versions that wrapped a key before and are not retired yet.
const FORMER: &str = "former";

fn former(document: &Document) -> impl Iterator<Item = &str> {
    document.body[FORMER].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Once they are retired nobody needs to know of them.
async fn forget_former(stored: &Stored) -> Result<()> {
    for partition in [EPOCHS, INDEX] {
        for document in stored.all(partition).await?.into_iter().filter(|document| former(document).next().is_some()) {
            let mut body = document.body.clone();
            if let Some(fields) = body.as_object_mut() {
                fields.remove(FORMER);
            }
            // Where it was changed meanwhile, the next retirement finds them retired.
            stored.documents.put(Container::Keys, &body, Condition::Matches(&document.etag)).await?;
        }
    }
    Ok(())
}

async fn rewrap_one(stored: &Stored, partition: &str, mut document: Document, kid: &str) -> Result<bool> {
    for _ in 0..TRIES {
        if text(&document, "kid")? == kid {
            return Ok(false);
        }
        let key = stored.unwrap(&document).await?;
        let wrapped = stored.root.wrap(key.bytes()).await?;
        if wrapped.kid != kid {
            // The keeper does not show its new version everywhere yet, or somebody else has made another one.
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let mut body = document.body.clone();
        body[FORMER] = former(&document).chain([text(&document, "kid")?]).collect();
        set(&mut body, "kid", wrapped.kid);
        set(&mut body, "wrapped", encode(&wrapped.bytes));
        if let Put::Done(_) = stored.documents.put(Container::Keys, &body, Condition::Matches(&document.etag)).await? {
            return Ok(true);
        }
        match stored.documents.get(Container::Keys, partition, text(&document, "id")?).await? {
            Some(newer) => document = newer,
            None => return Ok(false),
        }
    }
    Err(Error::new(Kind::Conflict, "the root key or what it wraps was changed by somebody else meanwhile; rotate once more"))
}

/// Sets a text of a document.
pub(super) fn set(body: &mut Value, field: &str, text: String) {
    if let Some(body) = body.as_object_mut() {
        body.insert(field.to_owned(), Value::String(text));
    }
}
