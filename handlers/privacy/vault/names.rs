//! What the log and the dashboard call a call: its token, made without waiting.
//!
//! In: a `callConnectionId`. Out: the token of [`Vault::call_token`], once this process has had the index key for whatever reason; before
//! that a name that holds for this process alone (`p0-`), so that its lines can still be told together. Never fails.

use std::sync::OnceLock;

use super::{Vault, index};
use crate::privacy::crypto::Key;

/// Where no name can be made.
const NAMELESS: &str = "p0-unknown";

/// The keys of names.
#[derive(Default)]
pub(super) struct Names {
    index: OnceLock<Key>,
    passing: OnceLock<Option<Key>>,
}

impl Names {
    /// Remembers the index key. It does not change while a process lives.
    pub(super) fn learn(&self, key: &Key) {
        if self.index.get().is_none() {
            // Somebody else was first, with the same key.
            let _ = self.index.set(key.clone());
        }
    }
}

impl Vault {
    /// The name of a call.
    pub fn call_name(&self, call: &str) -> String {
        let made = |prefix: String, key: &Key| format!("{prefix}-{}", index::token(key, "call", call));
        if let Some(key) = self.names.index.get() {
            return made(format!("c{}", self.version()), key);
        }
        let passing = self.names.passing.get_or_init(|| Key::random().ok());
        passing.as_ref().map_or_else(|| NAMELESS.to_owned(), |key| made("p0".to_owned(), key))
    }
}
