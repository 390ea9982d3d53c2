//! Looking into the store from outside of any call: keys that would stay for ever, and values as they rest.
//!
//! For the compliance report and the exposure scan. Walks are pages by cursor, each bounded; a key that stands all the
//! while comes up at least once. What comes back names the kind of a key, never its identifier. A canary is a value of
//! our own making, planted to see whether a walk over values would find it.

use async_trait::async_trait;

use super::legacy::ScanCursor;
use crate::error::Result;

/// What kind of key: `call` and `session`, never whose. `legacy` where an earlier generation wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPlace {
    /// `call`, `conversation`, `worker`, `cache`, `system` or `legacy`.
    pub data_type: &'static str,
    /// What of it, such as `history`; `other` where no such component is known.
    pub component: &'static str,
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.data_type, self.component)
    }
}

/// One page of a walk over keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unexpiring {
    /// Keys of this app, and legacy ones, that were looked at.
    pub looked: u64,
    /// The kind of each of them that has no TTL (in the embedded file: none within the longest policy).
    pub found: Vec<KeyPlace>,
    /// Where the next page begins; none after the last.
    pub next: Option<ScanCursor>,
}

/// What one key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The kind of the key.
    pub place: KeyPlace,
    /// Texts with the name of their hash field (empty elsewhere), the first 200 of at most 64 KiB each. What is no UTF-8
    /// is left out: it is sealed, or sound.
    pub texts: Vec<(String, String)>,
}

/// One page of a walk over values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// Keys with what they hold; cached audio is left out.
    pub held: Vec<Held>,
    /// Where the next page begins; none after the last.
    pub next: Option<ScanCursor>,
}

/// Texts of one key that are read, at most.
pub(super) const TEXTS: usize = 200;
/// Bytes of one text that are read, at most.
pub(super) const TEXT_BYTES: usize = 64 * 1024;

/// A stored value as text, cut to its limit; none where it is no UTF-8.
pub(super) fn clear(bytes: Vec<u8>) -> Option<String> {
    let mut text = String::from_utf8(bytes).ok()?;
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
    Some(text)
}

/// Looks from outside.
#[async_trait]
pub trait Inspection: Send + Sync + 'static {
    /// One page of a walk over all keys of this app and all legacy ones, of every master in a cluster.
    async fn unexpiring(&self, cursor: ScanCursor) -> Result<Unexpiring>;

    /// One page of a walk over what these keys hold.
    async fn values(&self, cursor: ScanCursor) -> Result<Values>;

    /// Plants a canary under a key of its own, for 300 s at most. `id` is hexadecimal.
    async fn plant(&self, id: &str, text: &str) -> Result<()>;

    /// Reads a canary the way that values are read; none where it is gone.
    async fn planted(&self, id: &str) -> Result<Option<Held>>;

    /// Removes a canary.
    async fn uproot(&self, id: &str) -> Result<()>;
}
