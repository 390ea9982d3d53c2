//! The documents of the container `keys`, and what the root key does for them.
//!
//! A document wrapped by the root key holds `kid`, `wrapped` (base64url) and `created`; one wrapped by an epoch key holds
//! `epoch` in place of `kid`. Creating never replaces: whoever comes second reads the winner.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;
use crate::ports::documents::{Condition, Container, Document, Documents, Put};
use crate::ports::root_key::KeyWrapper;
use crate::privacy::crypto::Key;

/// Partition of the epoch keys.
pub(super) const EPOCHS: &str = "epochs";
/// Partition of the index key.
pub(super) const INDEX: &str = "index";

/// Documents, root key and clock.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) documents: Arc<dyn Documents>,
    pub(super) root: Arc<dyn KeyWrapper>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Stored {
    pub(super) fn new(documents: Arc<dyn Documents>, root: Arc<dyn KeyWrapper>, clock: Arc<dyn Clock>) -> Self {
        Self { documents, root, clock }
    }

    /// A key that the root key wraps; none where it is not there.
    pub(super) async fn rooted(&self, partition: &str, id: &str) -> Result<Option<Key>> {
        let Some(document) = self.documents.get(Container::Keys, partition, id).await? else { return Ok(None) };
        match self.unwrap(&document).await {
            // It may have been wrapped anew, and the old version retired, since it was read.
            Err(e) if matches!(e.kind, Kind::Setting | Kind::Denied) => match self.documents.get(Container::Keys, partition, id).await? {
                Some(newer) if newer.etag != document.etag => self.unwrap(&newer).await.map(Some),
                _ => Err(e),
            },
            unwrapped => unwrapped.map(Some),
        }
    }

    /// The same; made where it is not there.
    pub(super) async fn rooted_or_new(&self, partition: &str, id: &str) -> Result<Key> {
        if let Some(key) = self.rooted(partition, id).await? {
            return Ok(key);
        }
        let key = Key::random()?;
        let wrapped = self.root.wrap(key.bytes()).await?;
        let body = json!({"id": id, "user": partition, "kid": wrapped.kid, "wrapped": encode(&wrapped.bytes), "created": self.clock.now()});
        match self.documents.put(Container::Keys, &body, Condition::Absent).await? {
            Put::Done(_) => Ok(key),
            Put::Conflict => {
                let lost = || Error::unavailable("the record of keys", "a key that another process made is not to be seen yet");
                self.rooted(partition, id).await?.ok_or_else(lost)
            }
        }
    }

    /// The key in a document that the root key wrapped.
    pub(super) async fn unwrap(&self, document: &Document) -> Result<Key> {
        let kid = document.body.get("kid").and_then(Value::as_str).ok_or_else(spoilt)?;
        let key = self.root.unwrap(kid, &wrapped(document)?).await?;
        Key::from_slice(&key).ok_or_else(spoilt)
    }

    /// Every document of a partition of keys, in order of id.
    pub(super) async fn all(&self, partition: &str) -> Result<Vec<Document>> {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let page = self.documents.list(Container::Keys, partition, "", from.as_deref(), 100).await?;
            all.extend(page.documents);
            from = page.next;
            if from.is_none() {
                return Ok(all);
            }
        }
    }
}

/// Bytes as they stand in a document.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The wrapped bytes of a document.
pub(super) fn wrapped(document: &Document) -> Result<Vec<u8>> {
    let text = document.body.get("wrapped").and_then(Value::as_str).ok_or_else(spoilt)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| spoilt())
}

/// A text of a document.
pub(super) fn text<'d>(document: &'d Document, field: &str) -> Result<&'d str> {
    document.body.get(field).and_then(Value::as_str).ok_or_else(spoilt)
}

/// When a document was made; the beginning of time where it does not say.
pub(super) fn created(document: &Document) -> Timestamp {
    document.body.get("created").and_then(Value::as_str).and_then(Timestamp::parse).unwrap_or_default()
}

/// A document of keys that is not what was stored there.
pub(super) fn spoilt() -> Error {
    Error::new(Kind::Tampered, "a stored key is not what was stored there")
}
