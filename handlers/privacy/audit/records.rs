//! The documents of the container `audit`.
//!
//! In the partition of a stream: batches under the number of their first entry, and one `head`. In the partition
//! `streams`: one registration per stream, chained by number and hash, and a `head` that holds the last one whole.
//! Stores may add `expiresAt` and `ttl`; nothing else may stand beside the fields that are here.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Hash, put};
use super::seal::Key;
use crate::model::time::Timestamp;

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
    /// Whose signature it is.
    pub key_id: String,
    /// Over stream, id and hash.
    pub signature: String,
}

impl Batch {
    /// Signs entries, of which there must be one at least.
    pub fn sealed(stream: &str, entries: Vec<Entry>, key: &Key) -> Self {
        let hash = entries.last().map_or_else(|| Hash::origin(stream), Entry::hash);
        let id = batch_id(entries.first().map_or(0, |e| e.seq));
        let mut batch = Self { id, stream: stream.to_owned(), entries, hash, key_id: key.id().to_owned(), signature: String::new() };
        batch.signature = key.sign(&batch.parts());
        batch
    }

    /// Whether this key signed it.
    pub fn is_signed(&self, key: &Key) -> bool {
        key.signed(&self.parts(), &self.signature)
    }

    fn parts(&self) -> [&[u8]; 4] {
        [b"batch", self.stream.as_bytes(), self.id.as_bytes(), self.hash.bytes()]
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
    /// Whose signature it is.
    pub key_id: String,
    /// Over all of the above.
    pub signature: String,
}

impl Head {
    /// The head of a stream that is being opened.
    pub fn first(stream: &str, at: Timestamp, key: &Key) -> Self {
        let head = Self {
            id: HEAD.to_owned(),
            stream: stream.to_owned(),
            number: 0,
            seq: 0,
            hash: Hash::origin(stream),
            at,
            closed: false,
            previous: String::new(),
            key_id: String::new(),
            signature: String::new(),
        };
        head.signed_by(key)
    }

    /// The head that follows this one.
    #[must_use]
    pub fn next(&self, seq: u64, hash: Hash, at: Timestamp, closed: bool, key: &Key) -> Self {
        Self { number: self.number + 1, seq, hash, at, closed, previous: self.signature.clone(), ..self.clone() }.signed_by(key)
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
    /// Whose signature it is.
    pub key_id: String,
    /// Over all of the above.
    pub signature: String,
}

impl Registration {
    /// The registration of a stream after `last`.
    pub fn after(last: Option<&Self>, stream: &str, at: Timestamp, key: &Key) -> Self {
        let mut this = Self {
            id: stream.to_owned(),
            stream: REGISTER.to_owned(),
            seq: last.map_or(1, |l| l.seq + 1),
            at,
            prev: last.map_or_else(|| Hash::origin(REGISTER), Self::hash),
            prev_at: last.map(|l| l.at),
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
}

impl Register {
    /// The head after this registration.
    pub fn ending_with(last: Registration) -> Self {
        Self { id: HEAD.to_owned(), stream: REGISTER.to_owned(), last }
    }
}
