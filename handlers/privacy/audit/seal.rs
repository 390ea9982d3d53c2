//! The key of the audit log: signs batches, heads and the register, and names keys of a store without telling them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::entry::put;
use crate::model::phrase::hex;

/// A key with the sub-keys derived from it. It does not print.
#[derive(Clone)]
pub struct Key {
    id: String,
    signing: Hmac<Sha256>,
    naming: Hmac<Sha256>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// Derives from secret bytes, which should be 32 random ones.
    pub fn new(secret: &[u8]) -> Self {
        let derive = |purpose: &[u8]| -> [u8; 32] { keyed(secret).chain_update(purpose).finalize().into_bytes().into() };
        Self { id: hex(&derive(b"rtvoice/audit/id")[..4]), signing: keyed(&derive(b"rtvoice/audit/signing")), naming: keyed(&derive(b"rtvoice/audit/naming")) }
    }

    /// Which key it is: 8 hexadecimal characters that tell nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// HMAC-SHA256 over the length-prefixed parts, as base64url.
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(parts).finalize().into_bytes())
    }

    /// Whether a signature is this key's, compared in constant time.
    pub fn signed(&self, parts: &[&[u8]], signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|given| self.mac(parts).verify_slice(&given).is_ok())
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut bytes = Vec::with_capacity(256);
        parts.iter().for_each(|part| put(&mut bytes, part));
        self.signing.clone().chain_update(bytes)
    }

    /// A name for an identifier: 16 hexadecimal characters, the same for the same identifier and key.
    pub fn name(&self, identifier: &str) -> String {
        hex(&self.naming.clone().chain_update(identifier).finalize().into_bytes()[..8])
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of every length: one of a block's length that is hashed beforehand cannot be refused.
    let mut block = [0u8; 64];
    match secret.len() {
        0..=64 => block[..secret.len()].copy_from_slice(secret),
        _ => {
            use sha2::Digest as _;
            block[..32].copy_from_slice(&Sha256::digest(secret));
        }
    }
    Hmac::<Sha256>::new(&block.into())
}
