//! Sealing single values: under the key of a call, made once and kept, or under a key derived for one value alone.
//!
//! In: a place and plain bytes. Out: an envelope, and back. A value that was moved, cut, flipped or foreign is `Tampered`,
//! counted and logged as a security event without anything of it.

use std::sync::Arc;

use super::crypto::{self, Gcm, Key, NONCE};
use super::envelope::{self, Algorithm, HEADER, Header, OVERHEAD, Place, SALT};
use super::refused::Refusals;
use crate::error::{Error, Kind, Result};
use crate::model::ids::{CallId, UserToken};

/// Key version in the envelopes of a call: its key is never changed.
const CALL_KEY: u32 = 1;
/// First byte of a value that was not sealed because privacy is off; no envelope begins with it.
pub(super) const CLEAR: u8 = 0;
/// The wrap of a call whose values are not sealed.
pub(super) const CLEAR_WRAP: &str = "off";

/// What a call's values are sealed with: its key, and the wrap that travels with them. Clones are not needed: share it.
#[derive(Debug)]
pub struct CallCipher {
    call: CallId,
    wrap: String,
    subject: Option<UserToken>,
    sealing: Option<Sealing>,
}

#[derive(Debug)]
struct Sealing {
    key: Key,
    gcm: Gcm,
    environment: Arc<str>,
    refused: Arc<Refusals>,
}

impl CallCipher {
    pub(super) fn new(call: CallId, key: Key, wrap: String, subject: Option<UserToken>, environment: Arc<str>, refused: Arc<Refusals>) -> Result<Self> {
        let gcm = key.gcm()?;
        Ok(Self { call, wrap, subject, sealing: Some(Sealing { key, gcm, environment, refused }) })
    }

    /// A cipher that seals nothing.
    pub(super) fn off(call: CallId, subject: Option<UserToken>) -> Self {
        Self { call, wrap: CLEAR_WRAP.to_owned(), subject, sealing: None }
    }

    /// The call.
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// The wrapped key, to be stored beside what it seals: 1 to 300 characters of `[A-Za-z0-9_.:-]`.
    pub fn wrap(&self) -> &str {
        &self.wrap
    }

    /// Whose key wraps the call's; none while it is wrapped for the call alone and should be re-wrapped once the user is known.
    pub fn subject(&self) -> Option<&UserToken> {
        self.subject.as_ref()
    }

    /// The call's key, to wrap it again; none where nothing is sealed.
    pub(super) fn key(&self) -> Option<&Key> {
        self.sealing.as_ref().map(|sealing| &sealing.key)
    }

    /// Seals a value for its place: 38 bytes more than it. The subject in the associated data is the call id, so a wrap may
    /// be replaced without touching what was sealed.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let Some(sealing) = &self.sealing else { return Ok(clear(plain)) };
        let nonce = crypto::random::<NONCE>()?;
        let mut salt = [0; SALT];
        salt[..NONCE].copy_from_slice(&nonce);
        let header = Header { algorithm: Algorithm::Call, key_version: CALL_KEY, salt }.bytes();
        let associated = envelope::associated(&sealing.environment, place, self.call.as_str(), &header);
        sealed(&sealing.gcm, nonce, &header, &associated, plain)
    }

    /// Opens a value at its place. `Tampered` where it is not what was sealed there.
    pub fn open(&self, place: &Place<'_>, envelope: &[u8]) -> Result<Vec<u8>> {
        let Some(sealing) = &self.sealing else { return unclear(envelope) };
        self.look(sealing, place, envelope).ok_or_else(|| sealing.refused.refuse(place.store.name(), place.field, self.call.as_str()))
    }

    /// The value at its place; none where it is not what was sealed there.
    fn look(&self, sealing: &Sealing, place: &Place<'_>, envelope: &[u8]) -> Option<Vec<u8>> {
        let (header, sealed) = Header::parse(envelope)?;
        let (nonce, rest) = header.salt.split_first_chunk::<NONCE>()?;
        let sound = header.algorithm == Algorithm::Call && header.key_version == CALL_KEY && rest.iter().all(|b| *b == 0);
        let associated = envelope::associated(&sealing.environment, place, self.call.as_str(), &header.bytes());
        if sound { sealing.gcm.open(*nonce, &associated, sealed) } else { None }
    }

    /// [`CallCipher::seal`] as text.
    pub fn seal_text(&self, place: &Place<'_>, plain: &[u8]) -> Result<String> {
        self.seal(place, plain).map(|bytes| text(&bytes))
    }

    /// [`CallCipher::open`] of revision `rev` of a value; `place` is that of this revision, and `field` names the field of
    /// each older one. What was sealed there for an older revision is refused as a replay: revision and envelope are written together, so that an honest copy
    /// of the older one says so itself.
    pub fn open_revision(&self, place: &Place<'_>, rev: u32, field: impl Fn(u32) -> String, envelope: &[u8]) -> Result<Vec<u8>> {
        let Some(sealing) = &self.sealing else { return unclear(envelope) };
        if let Some(value) = self.look(sealing, place, envelope) {
            return Ok(value);
        }
        let at = |rev: u32| self.look(sealing, &Place { field: &field(rev), ..*place }, envelope);
        let (store, field, call) = (place.store.name(), place.field, self.call.as_str());
        let replayed = (0..rev).rev().take(OLDER).chain(0..rev.min(OLDER as u32)).any(|older| at(older).is_some());
        Err(if replayed { sealing.refused.refuse_replay(store, field, call) } else { sealing.refused.refuse(store, field, call) })
    }

    /// [`CallCipher::open_revision`] of text.
    pub fn open_revision_text(&self, place: &Place<'_>, rev: u32, field: impl Fn(u32) -> String, text: &str) -> Result<Vec<u8>> {
        self.open_revision(place, rev, field, &untext(text).unwrap_or_default())
    }

    /// [`CallCipher::open`] of text.
    pub fn open_text(&self, place: &Place<'_>, text: &str) -> Result<Vec<u8>> {
        // Bytes that are no text of ours are refused like any others.
        self.open(place, &untext(text).unwrap_or_default())
    }
}

/// Seals one value under a key of its own, derived from this version of its subject's key.
pub(super) fn seal_value(key: &Key, key_version: u32, environment: &str, subject: &str, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
    let salt = crypto::random::<SALT>()?;
    let header = Header { algorithm: Algorithm::PerValue, key_version, salt }.bytes();
    let associated = envelope::associated(environment, place, subject, &header);
    sealed(&key.derive(&salt, &associated)?.gcm()?, crypto::ONLY, &header, &associated, plain)
}

/// Opens what [`seal_value`] sealed; none where anything differs.
pub(super) fn open_value(key: &Key, header: &Header, environment: &str, subject: &str, place: &Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
    let associated = envelope::associated(environment, place, subject, &header.bytes());
    key.derive(&header.salt, &associated).ok()?.gcm().ok()?.open(crypto::ONLY, &associated, sealed)
}

fn sealed(gcm: &Gcm, nonce: [u8; NONCE], header: &[u8; HEADER], associated: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let mut envelope = Vec::with_capacity(OVERHEAD + plain.len());
    envelope.extend_from_slice(header);
    gcm.seal(nonce, associated, plain, &mut envelope)?;
    Ok(envelope)
}

/// What stands in for an envelope while privacy is off: a zero byte, then the value.
pub(super) fn clear(plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + plain.len());
    bytes.push(CLEAR);
    bytes.extend_from_slice(plain);
    bytes
}

/// The value behind the zero byte.
pub(super) fn unclear(bytes: &[u8]) -> Result<Vec<u8>> {
    match bytes.split_first() {
        Some((&CLEAR, plain)) => Ok(plain.to_vec()),
        _ => Err(Error::new(Kind::Setting, "PRIVACY must be on to read what was sealed while it was on")),
    }
}

/// The text of an envelope, or of a value in clear (`e0.`).
pub(super) fn text(bytes: &[u8]) -> String {
    let text = envelope::to_text(bytes);
    if bytes.first() == Some(&CLEAR) { text.replacen(envelope::PREFIX, CLEAR_PREFIX, 1) } else { text }
}

/// The bytes of such a text.
pub(super) fn untext(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix(CLEAR_PREFIX) {
        Some(clear) => envelope::from_text(&format!("{}{clear}", envelope::PREFIX)).filter(|bytes| bytes.first() == Some(&CLEAR)),
        None => envelope::from_text(text).filter(|bytes| bytes.first() != Some(&CLEAR)),
    }
}

/// Older revisions that a refused value is tried as: the last ones, and the first ones.
const OLDER: usize = 16;
/// What the text of a value in clear begins with.
const CLEAR_PREFIX: &str = "e0.";
