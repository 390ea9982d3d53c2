//! The index key: what makes tokens and fingerprints, which nobody can make, or guess the names behind, without it.

use super::Lives;
use super::kept::Kept;
use super::stored::{INDEX, Stored};
use crate::error::Result;
use crate::privacy::crypto::Key;

/// Version of the index key, which stands in every token.
pub(super) const VERSION: u32 = 1;

/// The index key, kept like an epoch key.
pub(super) struct Index {
    stored: Stored,
    kept: Kept<u32, Key>,
}

impl Index {
    pub(super) fn new(stored: Stored, lives: Lives) -> Self {
        Self { stored, kept: Kept::new(4, lives.epoch, lives.epoch_stale) }
    }

    /// The key of the current version, made on first use.
    pub(super) async fn key(&self) -> Result<Key> {
        let id = format!("v{VERSION}");
        self.kept.make(&VERSION, |_| true, || self.stored.rooted_or_new(INDEX, &id)).await
    }
}

/// 32 hexadecimal digits: HMAC-SHA256 of domain and name, cut to 128 bits.
pub(super) fn token(key: &Key, domain: &str, name: &str) -> String {
    let mac = key.mac(&[domain.as_bytes(), b"|", name.as_bytes()]);
    mac.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
