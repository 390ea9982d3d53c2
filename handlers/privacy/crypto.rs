//! The primitives: AES-256-GCM, HKDF-SHA256, HMAC-SHA256 and random bytes, all of `aws-lc-rs`, which only this file knows.
//!
//! Keys are zeroised when they are dropped and never print themselves. A tag that does not fit is `None`, without a reason;
//! a generator that gives no random bytes is `Internal`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac, rand};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// A nonce for a key that seals one value alone.
pub const ONLY: [u8; NONCE] = [0; NONCE];

/// 256 bits of key.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹key›")
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

impl Key {
    /// A fresh random key.
    pub fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        fill(&mut key[..])?;
        Ok(Self(key))
    }

    /// A key of these bytes; none where they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes, to be wrapped.
    pub fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// Another key by HKDF-SHA256: whoever knows it learns nothing of this one, or of one with other salt or `info`.
    pub fn derive(&self, salt: &[u8], info: &[u8]) -> Result<Self> {
        let mut derived = Zeroizing::new([0; KEY]);
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.bytes());
        let info = [info];
        let okm = prk.expand(&info, Length).map_err(Error::internal)?;
        okm.fill(&mut derived[..]).map_err(Error::internal)?;
        Ok(Self(derived))
    }

    /// HMAC-SHA256 of these parts, one after the other.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.bytes()));
        parts.iter().for_each(|part| context.update(part));
        let tag = context.sign();
        let mut mac = [0; 32];
        mac.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        mac
    }

    /// AES-256-GCM with this key.
    pub fn gcm(&self) -> Result<Gcm> {
        UnboundKey::new(&AES_256_GCM, self.bytes()).map(|key| Gcm(LessSafeKey::new(key))).map_err(Error::internal)
    }

    /// Seals one short secret under this key with a nonce of its own: nonce, ciphertext, tag.
    pub fn wrap(&self, associated: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        let nonce = random::<NONCE>()?;
        let mut out = nonce.to_vec();
        self.gcm()?.seal(nonce, associated, secret, &mut out)?;
        Ok(out)
    }

    /// Opens what [`Key::wrap`] sealed; none where anything differs.
    pub fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>()?;
        self.gcm().ok()?.open(*nonce, associated, sealed).map(Zeroizing::new)
    }
}

/// AES-256-GCM with its key expanded; the expansion is wiped when it is dropped.
pub struct Gcm(LessSafeKey);

impl std::fmt::Debug for Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹cipher›")
    }
}

impl Gcm {
    /// Appends ciphertext and tag of `plain` to `out`. The caller sees to it that a nonce is never used twice.
    pub fn seal(&self, nonce: [u8; NONCE], associated: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.reserve(plain.len() + TAG);
        let from = out.len();
        out.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(associated), &mut out[from..]).map_err(Error::internal)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// The plain bytes of ciphertext and tag; none where anything differs.
    pub fn open(&self, nonce: [u8; NONCE], associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG>()?;
        let mut plain = vec![0; ciphertext.len()];
        self.0.open_separate_gather(Nonce::assume_unique_for_key(nonce), Aad::from(associated), ciphertext, tag, &mut plain).ok()?;
        Some(plain)
    }
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    rand::fill(bytes).map_err(Error::internal)
}
