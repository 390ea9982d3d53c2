//! The keys of subjects: documents of the container `keys` in the subject's partition, `uk-{version}`, each wrapped by the key
//! of an epoch.
//!
//! A version is the minute since 1970 in which it was made (the next one where that is taken): it tells its age in every
//! envelope, and a subject who was erased and comes again gets a version that no older envelope names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::epochs::{Epoch, Epochs};
use super::kept::Kept;
use super::rotate::set;
use super::stored::{Stored, encode, spoilt, text, wrapped};
use super::{ENTRIES, Lives};
use crate::error::{Error, Kind, Result};
use crate::model::ids::UserToken;
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container, Document, Put};
use crate::privacy::crypto::Key;
use crate::privacy::envelope::associated_key;

const PREFIX: &str = "uk-";
/// How long a key that another process has just made may take to be seen by every replica of the record.
const SETTLING: Duration = Duration::from_millis(50);
/// Most looks for a key that another process has just made.
const LOOKS: usize = 5;

/// All versions of a subject's key; empty where it has none.
pub(super) type Versions = Arc<BTreeMap<u32, Key>>;

/// What came of wrapping a key anew.
pub(super) enum Rewrap {
    /// It is under the current epoch now.
    Done,
    /// It was, or is none.
    Unneeded,
    /// It cannot be unwrapped.
    Lost,
}

/// The keys of all subjects.
pub(super) struct Users {
    stored: Stored,
    epochs: Epochs,
    environment: Arc<str>,
    kept: Kept<UserToken, Versions>,
}

impl Users {
    pub(super) fn new(stored: Stored, epochs: Epochs, environment: Arc<str>, lives: Lives) -> Self {
        Self { stored, epochs, environment, kept: Kept::new(ENTRIES, lives.user, lives.stale) }
    }

    /// The key that seals from now on, made on first use.
    pub(super) async fn current(&self, subject: &UserToken) -> Result<(u32, Key)> {
        let make = || async {
            let versions = self.read(subject).await?;
            if versions.is_empty() { self.create(subject, &versions).await } else { Ok(versions) }
        };
        let versions = self.kept.make(subject, |versions| !versions.is_empty(), make).await?;
        versions.last_key_value().map(|(version, key)| (*version, key.clone())).ok_or_else(|| Error::internal("a subject without a key"))
    }

    /// The key of one version. `Erased` where the subject has no keys, or only later ones; `Tampered` for a version that never was.
    pub(super) async fn version(&self, subject: &UserToken, version: u32) -> Result<Key> {
        let load = || self.read(subject);
        let mut versions = self.kept.get(subject, load).await?;
        if let Some(key) = versions.get(&version) {
            return Ok(key.clone());
        }
        // Another process may have made it since, or just now. Whether it did, only the record can tell.
        for pause in [Duration::ZERO, SETTLING] {
            tokio::time::sleep(pause).await;
            versions = self.kept.renew(subject, load).await?;
            if let Some(key) = versions.get(&version) {
                return Ok(key.clone());
            }
        }
        match versions.last_key_value() {
            Some((newest, _)) if version > *newest => Err(spoilt()),
            _ => Err(Error::new(Kind::Erased, "the key of this value was destroyed")),
        }
    }

    /// These versions and a new one, or what is there where somebody else made that one.
    async fn create(&self, subject: &UserToken, versions: &BTreeMap<u32, Key>) -> Result<Versions> {
        let epoch = self.epochs.current().await?;
        let (key, now) = (Key::random()?, self.stored.clock.now());
        let after = versions.last_key_value().map_or(0, |(newest, _)| *newest);
        let version = u32::try_from(now.millis() / 60_000).unwrap_or(u32::MAX).max(after.saturating_add(1));
        let wrapped = encode(&epoch.users.wrap(&self.associated(subject, version, &epoch.id), key.bytes())?);
        let body = json!({"id": id(version), "user": subject, "epoch": epoch.id, "wrapped": wrapped, "created": now});
        if let Put::Done(_) = self.stored.documents.put(Container::Keys, &body, Condition::Absent).await? {
            let mut versions = versions.clone();
            versions.insert(version, key);
            return Ok(Arc::new(versions));
        }
        for _ in 0..LOOKS {
            let versions = self.read(subject).await?;
            if versions.contains_key(&version) {
                return Ok(versions);
            }
            tokio::time::sleep(SETTLING).await;
        }
        Err(Error::unavailable("the record of keys", "a key that another process made is not to be seen yet"))
    }

    /// Makes a new version, which seals from now on: here at once, elsewhere within [`Lives::user`]. Its number. `NotFound` for a
    /// subject without any key.
    pub(super) async fn rotate(&self, subject: &UserToken) -> Result<u32> {
        let before = self.read(subject).await?;
        if before.is_empty() {
            // A key for nobody would rest among the others, and count as somebody's.
            return Err(Error::new(Kind::NotFound, "nobody with this token has a key"));
        }
        let versions = self.create(subject, &before).await?;
        self.kept.put(subject.clone(), Arc::clone(&versions)).await;
        versions.last_key_value().map(|(version, _)| *version).ok_or_else(|| Error::internal("a subject without a key"))
    }

    /// All versions that can be unwrapped. One whose epoch is gone may have been wrapped anew between the look at it and the look
    /// at the epoch: it counts as gone once two looks saw the same.
    async fn read(&self, subject: &UserToken) -> Result<Versions> {
        let mut before = Vec::new();
        for _ in 0..LOOKS {
            let documents = self.stored.all(subject.as_str()).await?;
            let (versions, complete) = self.unwrap_all(subject, &documents).await?;
            if complete || documents == before {
                return Ok(Arc::new(versions));
            }
            before = documents;
        }
        Err(Error::new(Kind::Conflict, "a subject's keys were changed over and over meanwhile"))
    }

    /// The versions in these documents, and whether that is all of them: one whose epoch is gone is left out.
    async fn unwrap_all(&self, subject: &UserToken, documents: &[Document]) -> Result<(BTreeMap<u32, Key>, bool)> {
        let (mut versions, mut complete) = (BTreeMap::new(), true);
        for document in documents {
            let Some(version) = version(document) else { continue };
            match self.unwrap(subject, version, document).await {
                Err(e) if e.kind == Kind::Erased => complete = false,
                key => drop(versions.insert(version, key?)),
            }
        }
        Ok((versions, complete))
    }

    async fn unwrap(&self, subject: &UserToken, version: u32, document: &Document) -> Result<Key> {
        let epoch = self.epochs.get(text(document, "epoch")?).await?;
        let associated = self.associated(subject, version, &epoch.id);
        let key = epoch.users.unwrap(&associated, &wrapped(document)?).ok_or_else(spoilt)?;
        Key::from_slice(&key).ok_or_else(spoilt)
    }

    fn associated(&self, subject: &UserToken, version: u32, epoch: &str) -> Vec<u8> {
        associated_key(&self.environment, "uk", &["v1", subject.as_str(), &version.to_string(), epoch])
    }

    /// Removes every key of a subject; how many there were.
    pub(super) async fn destroy(&self, subject: &UserToken) -> Result<u64> {
        let mut destroyed = 0;
        loop {
            let documents = self.stored.all(subject.as_str()).await?;
            if documents.is_empty() {
                return Ok(destroyed);
            }
            for document in documents {
                let id = text(&document, "id")?;
                destroyed += u64::from(self.stored.documents.delete(Container::Keys, subject.as_str(), id, None).await?);
            }
        }
    }

    /// True where this is the newest of its versions.
    pub(super) async fn newest(&self, subject: &UserToken, version: u32) -> Result<bool> {
        let versions = self.kept.get(subject, || self.read(subject)).await?;
        Ok(versions.last_key_value().is_some_and(|(newest, _)| *newest == version))
    }

    /// When a version was replaced by the next one; none where it is the newest.
    pub(super) async fn replaced(&self, subject: &UserToken, version: u32) -> Result<Option<Timestamp>> {
        let versions = self.kept.get(subject, || self.read(subject)).await?;
        let next = versions.range(version.saturating_add(1)..).next();
        Ok(next.map(|(minute, _)| Timestamp::from_millis(i64::from(*minute) * 60_000)))
    }

    /// Removes one version, unless it was changed meanwhile.
    pub(super) async fn remove(&self, subject: &UserToken, document: &Document) -> Result<bool> {
        let removed = self.stored.documents.delete(Container::Keys, subject.as_str(), text(document, "id")?, Some(&document.etag)).await?;
        self.forget(subject).await;
        Ok(removed)
    }

    /// Wraps a key under the current epoch where another one wraps it.
    pub(super) async fn rewrap(&self, mut document: Document, current: &Epoch) -> Result<Rewrap> {
        for _ in 0..LOOKS {
            let Some((subject, version)) = named(&document) else { return Ok(Rewrap::Unneeded) };
            if text(&document, "epoch").is_ok_and(|epoch| epoch == current.id) {
                return Ok(Rewrap::Unneeded);
            }
            let key = match self.unwrap(&subject, version, &document).await {
                Err(e) if matches!(e.kind, Kind::Erased | Kind::Tampered) => return Ok(Rewrap::Lost),
                key => key?,
            };
            let wrapped = encode(&current.users.wrap(&self.associated(&subject, version, &current.id), key.bytes())?);
            let mut body = document.body.clone();
            set(&mut body, "epoch", current.id.clone());
            set(&mut body, "wrapped", wrapped);
            if let Put::Done(_) = self.stored.documents.put(Container::Keys, &body, Condition::Matches(&document.etag)).await? {
                return Ok(Rewrap::Done);
            }
            match self.stored.documents.get(Container::Keys, subject.as_str(), text(&document, "id")?).await? {
                Some(newer) => document = newer,
                // Shredded meanwhile.
                None => return Ok(Rewrap::Unneeded),
            }
        }
        Err(Error::new(Kind::Conflict, "a key was changed over and over meanwhile; rotate once more"))
    }

    pub(super) async fn forget(&self, subject: &UserToken) {
        self.kept.forget(subject).await;
    }
}

fn id(version: u32) -> String {
    // In order of id is in order of version.
    format!("{PREFIX}{version:010}")
}

/// The version of a key's document; none for another document of the partition.
pub(super) fn version(document: &Document) -> Option<u32> {
    text(document, "id").ok()?.strip_prefix(PREFIX)?.parse().ok()
}

/// Subject and version of a key's document; none for another document.
pub(super) fn named(document: &Document) -> Option<(UserToken, u32)> {
    Some((UserToken::parse(text(document, "user").ok()?).ok()?, version(document)?))
}
