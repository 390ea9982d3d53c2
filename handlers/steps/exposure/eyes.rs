//! What a scan sees with: the detector, and the keyed fingerprint that names a value without telling it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::error::Result;
use crate::model::phrase::hex;
use crate::privacy::detect::detect;

/// One value that the detector found: where in the text, in bytes, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
    /// What it is.
    pub label: &'static str,
}

/// How a value becomes a keyed fingerprint.
pub type Fingerprint = Arc<dyn Fn(String) -> BoxFuture<'static, Result<String>> + Send + Sync>;

/// What the scan sees with.
#[derive(Clone)]
pub struct Eyes {
    /// Finds personal values.
    pub find: fn(&str) -> Vec<Sighting>,
    /// Names a value without telling it.
    pub fingerprint: Fingerprint,
}

impl Eyes {
    /// The app's own: the detector, and a fingerprint under a key of this scan alone, so that equal values of one scan have
    /// equal fingerprints.
    pub fn of(app: &App) -> Self {
        let key = Sha256::digest(app.clock.new_id());
        Self { find: sightings, fingerprint: Arc::new(move |value| std::future::ready(Ok(keyed(&key, &value))).boxed()) }
    }
}

fn sightings(text: &str) -> Vec<Sighting> {
    detect(text).into_iter().map(|span| Sighting { start: span.start, end: span.end, label: span.label.as_str() }).collect()
}

/// HMAC-SHA-256 (RFC 2104), its first 16 bytes as hexadecimal digits.
fn keyed(key: &[u8], text: &str) -> String {
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    hex(&outer[..16])
}
