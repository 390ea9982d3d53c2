//! The documents of the container `audit`.
//!
//! In the partition of a stream: batches under the number of their first entry, and one `head`. In the partition
//! `streams`: one registration per stream, chained by number and hash, and a `head` that holds the last one whole.
//! In the partition `settings`: what the settings were at the last start of each environment. Every document says when it
//! goes, under its signature: a store that shortened that would let it vanish in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Hash, put};
use super::seal::Key;
use crate::model::time::Timestamp;
use crate::privacy::retention::{DAY_MS, seconds_until};

/// Id of a stream's head, and of the register's.
pub const HEAD: &str = "head";
/// Partition of the register.
pub const REGISTER: &str = "streams";
/// Partition of what the settings were at the last start.
pub const SETTINGS: &str = "settings";

/// Id of the batch that begins with this entry; ids are in the order of the numbers.
pub fn batch_id(first: u64) -> String {
    format!("{first:020}")
}

/// Entries that were written together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// [`batch_id`] of the first entry.
    pub id: String,
    /// The stream.
    pub stream: String,
    /// The entries, without a gap.
    pub entries: Vec<Entry>,
    /// Hash of the last entry.
    pub hash: Hash,
    /// When the document must be gone.
    pub expires_at: Timestamp,
    /// Seconds from the write to then.
    pub ttl: i64,
    /// Whose signature it is.
    pub key_id: String,
    /// Over stream, id, hash and expiry.
    pub signature: String,
}

impl Batch {
    /// Signs entries, of which there must be one at least, and which are kept for `period` milliseconds from the last one.
    pub fn sealed(stream: &str, entries: Vec<Entry>, period: i64, now: Timestamp, key: &Key) -> Self {
        let hash = entries.last().map_or_else(|| Hash::origin(stream), Entry::hash);
        let id = batch_id(entries.first().map_or(0, |e| e.seq));
        let expires_at = entries.last().map_or(now, |e| e.ts).plus_millis(period);
        let ttl = seconds_until(expires_at, now);
        let mut batch = Self { id, stream: stream.to_owned(), entries, hash, expires_at, ttl, key_id: key.id().to_owned(), signature: String::new() };
        batch.signature = key.sign(&[b"batch", &batch.bytes()]);
        batch
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&[b"batch", &self.bytes()], &self.signature)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        put(&mut bytes, self.stream.as_bytes());
        put(&mut bytes, self.id.as_bytes());
        put(&mut bytes, self.hash.bytes());
        put_expiry(&mut bytes, self.expires_at, self.ttl);
        bytes
    }
}

/// How far a stream has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// `head`.
    pub id: String,
    /// The stream.
    pub stream: String,
    /// Number of this head, from 0.
    pub number: u64,
    /// Last entry that was written, 0 before the first.
    pub seq: u64,
    /// Its hash; before the first the stream's origin.
    pub hash: Hash,
    /// When.
    pub at: Timestamp,
    /// True where nothing follows.
    pub closed: bool,
    /// Signature of the head before it; empty at first.
    pub previous: String,
    /// When the document must be gone.
    pub expires_at: Timestamp,
    /// Seconds from the write to then.
    pub ttl: i64,
    /// Whose signature it is.
    pub key_id: String,
    /// Over all of the above.
    pub signature: String,
}

impl Head {
    /// The head of a stream that is being opened, whose documents are kept for `days`.
    pub fn first(stream: &str, at: Timestamp, days: u32, key: &Key) -> Self {
        let expires_at = at.plus_millis(period(days));
        let head = Self {
            id: HEAD.to_owned(),
            stream: stream.to_owned(),
            number: 0,
            seq: 0,
            hash: Hash::origin(stream),
            at,
            closed: false,
            previous: String::new(),
            expires_at,
            ttl: seconds_until(expires_at, at),
            key_id: String::new(),
            signature: String::new(),
        };
        head.signed_by(key)
    }

    /// The head that follows this one.
    #[must_use]
    pub fn next(&self, seq: u64, hash: Hash, at: Timestamp, closed: bool, key: &Key) -> Self {
        let expires_at = at.plus_millis(self.period());
        let ttl = seconds_until(expires_at, at);
        Self { number: self.number + 1, seq, hash, at, closed, expires_at, ttl, previous: self.signature.clone(), ..self.clone() }.signed_by(key)
    }

    /// For how many milliseconds the documents of the stream are kept.
    pub fn period(&self) -> i64 {
        self.expires_at.since(self.at)
    }

    fn signed_by(mut self, key: &Key) -> Self {
        key.id().clone_into(&mut self.key_id);
        self.signature = key.sign(&[b"head", &self.bytes()]);
        self
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&[b"head", &self.bytes()], &self.signature)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        for text in [&self.id, &self.stream, &self.previous, &self.key_id] {
            put(&mut bytes, text.as_bytes());
        }
        put(&mut bytes, &self.number.to_be_bytes());
        put(&mut bytes, &self.seq.to_be_bytes());
        put(&mut bytes, self.hash.bytes());
        put(&mut bytes, &self.at.millis().to_be_bytes());
        put(&mut bytes, &[u8::from(self.closed)]);
        put_expiry(&mut bytes, self.expires_at, self.ttl);
        bytes
    }
}

/// One stream in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// Name of the stream.
    pub id: String,
    /// `streams`.
    pub stream: String,
    /// Number in the register, from 1.
    pub seq: u64,
    /// When the stream was opened.
    pub at: Timestamp,
    /// Hash of the registration before it.
    pub prev: Hash,
    /// When that one was opened: whether it may have expired since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_at: Option<Timestamp>,
    /// When the document must be gone.
    pub expires_at: Timestamp,
    /// Seconds from the write to then.
    pub ttl: i64,
    /// Whose signature it is.
    pub key_id: String,
    /// Over all of the above.
    pub signature: String,
}

impl Registration {
    /// The registration of a stream after `last`, kept for `days`.
    pub fn after(last: Option<&Self>, stream: &str, at: Timestamp, days: u32, key: &Key) -> Self {
        let expires_at = at.plus_millis(period(days));
        let mut this = Self {
            id: stream.to_owned(),
            stream: REGISTER.to_owned(),
            seq: last.map_or(1, |l| l.seq + 1),
            at,
            prev: last.map_or_else(|| Hash::origin(REGISTER), Self::hash),
            prev_at: last.map(|l| l.at),
            expires_at,
            ttl: seconds_until(expires_at, at),
            key_id: key.id().to_owned(),
            signature: String::new(),
        };
        this.signature = key.sign(&[b"registration", &this.bytes()]);
        this
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&[b"registration", &self.bytes()], &self.signature)
    }

    /// What the next one names.
    pub fn hash(&self) -> Hash {
        use sha2::Digest as _;
        Hash::from_bytes(sha2::Sha256::digest(self.bytes()).into())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        for text in [&self.id, &self.stream, &self.key_id] {
            put(&mut bytes, text.as_bytes());
        }
        put(&mut bytes, &self.seq.to_be_bytes());
        put(&mut bytes, &self.at.millis().to_be_bytes());
        put(&mut bytes, self.prev.bytes());
        put(&mut bytes, &self.prev_at.map_or(i64::MIN, Timestamp::millis).to_be_bytes());
        put_expiry(&mut bytes, self.expires_at, self.ttl);
        bytes
    }
}

/// Where the register ends: the last registration whole, so that it can be written again by whoever comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Register {
    /// `head`.
    pub id: String,
    /// `streams`.
    pub stream: String,
    /// The last registration.
    pub last: Registration,
    /// When the document must be gone: with the last registration.
    pub expires_at: Timestamp,
    /// Seconds from the write to then.
    pub ttl: i64,
    /// By the key of the last registration, over all of the above.
    pub signature: String,
}

impl Register {
    /// The head after this registration.
    pub fn ending_with(last: Registration, key: &Key) -> Self {
        let (expires_at, ttl) = (last.expires_at, last.ttl);
        let mut this = Self { id: HEAD.to_owned(), stream: REGISTER.to_owned(), last, expires_at, ttl, signature: String::new() };
        this.signature = key.sign(&[b"register", &this.bytes()]);
        this
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&[b"register", &self.bytes()], &self.signature)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        put(&mut bytes, self.last.hash().bytes());
        put(&mut bytes, self.last.signature.as_bytes());
        put_expiry(&mut bytes, self.expires_at, self.ttl);
        bytes
    }
}

/// What the settings were at the last start of an environment that found them changed. An entry of the log names each one
/// by number and hash, so that it can neither vanish nor go back to an older one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsRecord {
    /// The environment.
    pub id: String,
    /// `settings`.
    pub stream: String,
    /// Number, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// A keyless hash of each setting by its name.
    pub settings: BTreeMap<String, String>,
    /// When the document must be gone.
    pub expires_at: Timestamp,
    /// Seconds from the write to then.
    pub ttl: i64,
    /// Whose signature it is.
    pub key_id: String,
    /// Over all of the above.
    pub signature: String,
}

impl SettingsRecord {
    /// A record that is kept for `days`.
    pub fn new(environment: &str, seq: u64, at: Timestamp, settings: BTreeMap<String, String>, days: u32, key: &Key) -> Self {
        let expires_at = at.plus_millis(period(days));
        let mut this = Self {
            id: environment.to_owned(),
            stream: SETTINGS.to_owned(),
            seq,
            at,
            settings,
            expires_at,
            ttl: seconds_until(expires_at, at),
            key_id: key.id().to_owned(),
            signature: String::new(),
        };
        this.signature = key.sign(&[b"settings", &this.bytes()]);
        this
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&[b"settings", &self.bytes()], &self.signature)
    }

    /// What the entry of the log names.
    pub fn hash(&self) -> Hash {
        use sha2::Digest as _;
        Hash::from_bytes(sha2::Sha256::digest(self.bytes()).into())
    }

    /// What the entry of the log that tells of it has touched.
    pub fn named(&self) -> String {
        format!("settings:{}:{}:{}", self.id, self.seq, self.hash())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4096);
        for text in [&self.id, &self.stream, &self.key_id] {
            put(&mut bytes, text.as_bytes());
        }
        put(&mut bytes, &self.seq.to_be_bytes());
        put(&mut bytes, &self.at.millis().to_be_bytes());
        put(&mut bytes, &(self.settings.len() as u64).to_be_bytes());
        for (name, hash) in &self.settings {
            put(&mut bytes, name.as_bytes());
            put(&mut bytes, hash.as_bytes());
        }
        put_expiry(&mut bytes, self.expires_at, self.ttl);
        bytes
    }
}

const fn period(days: u32) -> i64 {
    days as i64 * DAY_MS
}

fn put_expiry(bytes: &mut Vec<u8>, expires_at: Timestamp, ttl: i64) {
    put(bytes, &expires_at.millis().to_be_bytes());
    put(bytes, &ttl.to_be_bytes());
}
