//! The envelope: the bytes of one sealed value, their text form, and what binds them to their place.
//!
//! Bytes: version (1), algorithm, key version (4, big-endian), salt (16), ciphertext, tag (16): 38 more than the value.
//! Text: `e1.` and base64url without padding. The associated data names store, container or key, id, field, subject,
//! environment and the header itself, each with its length before it, so that a value opens where it was sealed and nowhere
//! else. Whatever does not parse is `None`: it says nothing of what it holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::crypto::TAG;

/// What the text of an envelope begins with.
pub const PREFIX: &str = "e1.";
/// Bytes before the ciphertext.
pub const HEADER: usize = 22;
/// Bytes that an envelope has more than the value in it.
pub const OVERHEAD: usize = HEADER + TAG;
/// Bytes of the salt.
pub const SALT: usize = 16;

const VERSION: u8 = 1;
/// First item of all associated data.
const PROTOCOL: &str = "rtvoice/1";

/// Which store a value lies in, as the associated data names it; an embedded backend is named as what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Store {
    /// The state of calls.
    Redis,
    /// The record.
    Cosmos,
    /// A message on its way.
    Queue,
}

impl Store {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Cosmos => "cosmos",
            Self::Queue => "queue",
        }
    }
}

/// Where one value lies: a sealed value opens at its place alone. The subject is added by whoever seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The store.
    pub store: Store,
    /// The container's name, the whole Redis key, or the queue's name.
    pub container: &'a str,
    /// The document's id, the hash field or turn id, or the message's id.
    pub id: &'a str,
    /// Which value of it: a JSON pointer, or a kind such as `reply`.
    pub field: &'a str,
}

impl<'a> Place<'a> {
    /// A value below a Redis key: of the hash field or turn `id`, the kind `field`.
    pub const fn redis(key: &'a str, id: &'a str, field: &'a str) -> Self {
        Self { store: Store::Redis, container: key, id, field }
    }

    /// A value of a document, by its JSON pointer.
    pub const fn document(container: &'a str, id: &'a str, pointer: &'a str) -> Self {
        Self { store: Store::Cosmos, container, id, field: pointer }
    }

    /// A value of a message.
    pub const fn message(queue: &'a str, id: &'a str, field: &'a str) -> Self {
        Self { store: Store::Queue, container: queue, id, field }
    }
}

/// How a value was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// 1: AES-256-GCM under a key of its own, derived from the subject's key by HKDF-SHA256 with the salt; nonce 0.
    PerValue,
    /// 2: AES-256-GCM under the call's key; the nonce is the first 12 bytes of the salt, the others are zero.
    Call,
}

/// What stands before the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How the value was sealed.
    pub algorithm: Algorithm,
    /// Version of the subject's key; 1 for a call's key.
    pub key_version: u32,
    /// What makes this value's key or nonce its own.
    pub salt: [u8; SALT],
}

impl Header {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; HEADER] {
        let algorithm = match self.algorithm {
            Algorithm::PerValue => 1,
            Algorithm::Call => 2,
        };
        let mut bytes = [0; HEADER];
        bytes[0] = VERSION;
        bytes[1] = algorithm;
        bytes[2..6].copy_from_slice(&self.key_version.to_be_bytes());
        bytes[6..].copy_from_slice(&self.salt);
        bytes
    }

    /// Header and sealed bytes (ciphertext and tag) of an envelope; none where these bytes are not one.
    pub fn parse(envelope: &[u8]) -> Option<(Self, &[u8])> {
        let (&[version, algorithm], rest) = envelope.split_first_chunk::<2>()?;
        let (key_version, rest) = rest.split_first_chunk::<4>()?;
        let (salt, sealed) = rest.split_first_chunk::<SALT>()?;
        let algorithm = match algorithm {
            1 => Algorithm::PerValue,
            2 => Algorithm::Call,
            _ => return None,
        };
        let sound = version == VERSION && sealed.len() >= TAG;
        sound.then_some((Self { algorithm, key_version: u32::from_be_bytes(*key_version), salt: *salt }, sealed))
    }
}

/// The associated data of a value.
pub fn associated(environment: &str, place: &Place<'_>, subject: &str, header: &[u8; HEADER]) -> Vec<u8> {
    let items = [environment, place.store.name(), place.container, place.id, place.field, subject];
    let mut data = bound(&items, 4 + HEADER);
    item(&mut data, header);
    data
}

/// The associated data of a wrapped key: its kind and whatever it is bound to.
pub fn associated_key(environment: &str, kind: &str, items: &[&str]) -> Vec<u8> {
    let mut data = bound(&[environment, kind], items.iter().map(|item| 4 + item.len()).sum());
    items.iter().for_each(|text| item(&mut data, text.as_bytes()));
    data
}

/// Protocol and items, with room for `more` bytes.
fn bound(items: &[&str], more: usize) -> Vec<u8> {
    let bytes = items.iter().map(|item| 4 + item.len()).sum::<usize>();
    let mut data = Vec::with_capacity(4 + PROTOCOL.len() + bytes + more);
    item(&mut data, PROTOCOL.as_bytes());
    items.iter().for_each(|text| item(&mut data, text.as_bytes()));
    data
}

fn item(data: &mut Vec<u8>, bytes: &[u8]) {
    // No value of ours comes near 4 GiB; saturated lengths would still differ from every other item.
    data.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    data.extend_from_slice(bytes);
}

/// The text form of an envelope.
pub fn to_text(envelope: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + envelope.len().div_ceil(3) * 4);
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(envelope, &mut text);
    text
}

/// The bytes of an envelope's text; none where it is not one, in exactly the form that [`to_text`] writes.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()
}

/// The key version in an envelope's text; none where it is not one.
pub fn key_version(text: &str) -> Option<u32> {
    Header::parse(&from_text(text)?).map(|(header, _)| header.key_version)
}
