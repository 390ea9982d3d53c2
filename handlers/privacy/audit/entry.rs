//! One entry and its place in the chain.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::model::time::Timestamp;

/// A SHA-256 hash; as text base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the first entry of a stream names as its predecessor: an entry cannot move to another stream.
    pub fn origin(stream: &str) -> Self {
        let mut bytes = Vec::with_capacity(stream.len() + 32);
        put(&mut bytes, b"rtvoice/audit/1");
        put(&mut bytes, stream.as_bytes());
        Self(Sha256::digest(&bytes).into())
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| de::Error::custom("must be base64url"))?;
        bytes.try_into().map(Self).map_err(|_| de::Error::custom("must have 32 bytes"))
    }
}

/// One thing that happened. Nothing in it is personal: people are tokens, calls are ids, keys are kinds with a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Number in its stream, from 1.
    pub seq: u64,
    /// When it happened.
    pub ts: Timestamp,
    /// Who did it: `system`, `cli`, `operator:<name>` or `function:<name>`.
    pub actor: String,
    /// What was done, such as `redis.commit` or `profile.read`.
    pub action: String,
    /// Token of the person it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Ids of the calls that it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// The store that it touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// What it touched there: data type, component and, of a key, its keyed hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where it touched keys of several kinds: data type and component of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Cow<'static, str>>,
    /// Bytes that went either way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Commands, documents or whatever the action counts.
    pub count: u64,
    /// `ok`, or the kind of the failure.
    pub result: String,
    /// The trace or the invocation that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Microseconds that it took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub us: u64,
    /// Hash of the entry before it.
    pub prev: Hash,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// SHA-256 over the predecessor's hash and the length-prefixed fields.
    pub fn hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(self.prev.bytes());
        put(&mut bytes, &self.seq.to_be_bytes());
        put(&mut bytes, &self.ts.millis().to_be_bytes());
        put(&mut bytes, self.actor.as_bytes());
        put(&mut bytes, self.action.as_bytes());
        for optional in [&self.subject, &self.store, &self.key, &self.correlation_id] {
            match optional {
                Some(text) => {
                    bytes.push(1);
                    put(&mut bytes, text.as_bytes());
                }
                None => bytes.push(0),
            }
        }
        for number in [self.bytes, self.count, self.us] {
            put(&mut bytes, &number.to_be_bytes());
        }
        put(&mut bytes, self.result.as_bytes());
        bytes.extend_from_slice(&(self.calls.len() as u64).to_be_bytes());
        self.calls.iter().for_each(|text| put(&mut bytes, text.as_bytes()));
        bytes.extend_from_slice(&(self.places.len() as u64).to_be_bytes());
        self.places.iter().for_each(|text| put(&mut bytes, text.as_bytes()));
        Hash(Sha256::digest(&bytes).into())
    }
}

/// Appends a length and the bytes: no two lists of fields have the same bytes.
pub(super) fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
    bytes.extend_from_slice(field);
}
