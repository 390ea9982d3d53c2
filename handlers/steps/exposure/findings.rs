//! What a scan found, counted by place, label and fingerprint, and bounded.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Findings that differ and are told one by one, at most; the others are counted.
const TOLD: usize = 200;

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Values that were found, each time.
    pub found: u64,
    /// Whether everything was looked at.
    pub complete: bool,
    /// Documents that were looked at.
    pub documents: u64,
    /// Keys of the state store whose values were looked at.
    pub keys: u64,
    /// Log lines that were looked at.
    pub lines: u64,
    told: BTreeMap<(&'static str, String, &'static str, String), u64>,
}

impl Findings {
    /// Counts one value.
    pub fn add(&mut self, store: &'static str, place: &str, label: &'static str, fingerprint: String) {
        self.found += 1;
        let key = (store, place.to_owned(), label, fingerprint);
        if self.told.len() < TOLD || self.told.contains_key(&key) {
            *self.told.entry(key).or_default() += 1;
        }
    }

    /// As it is kept and shown.
    pub fn view(&self) -> Value {
        let told: Vec<Value> = self
            .told
            .iter()
            .map(|((store, place, label, fingerprint), count)| json!({ "store": store, "place": place, "label": label, "fingerprint": fingerprint, "count": count }))
            .collect();
        json!({
            "complete": self.complete,
            "looked": { "documents": self.documents, "keys": self.keys, "lines": self.lines },
            "found": self.found,
            "findings": told,
            "untold": self.found - self.told.values().sum::<u64>(),
        })
    }
}
