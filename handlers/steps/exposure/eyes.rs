//! What a scan sees with: the detector, and the keyed fingerprint that names a value without telling it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::app::App;
use crate::error::Result;
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
    /// The app's own: the detector, and the vault's fingerprints, equal for equal values whichever scan found them.
    pub fn of(app: &App) -> Self {
        let vault = Arc::clone(&app.vault);
        let fingerprint = move |value: String| {
            let vault = Arc::clone(&vault);
            async move { vault.fingerprint(&value).await }.boxed()
        };
        Self { find: sightings, fingerprint: Arc::new(fingerprint) }
    }
}

fn sightings(text: &str) -> Vec<Sighting> {
    detect(text).into_iter().map(|span| Sighting { start: span.start, end: span.end, label: span.label.as_str() }).collect()
}
