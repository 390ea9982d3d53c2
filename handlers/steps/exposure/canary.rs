//! Canaries: synthetic values of our own making, planted in each store to measure what a scan finds there.
//!
//! The documents that should hold words, the state store and the log have one each. They live for ten minutes at most, and
//! are removed after the scan whatever became of it; a removal that fails is logged, and their expiry does it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::error::Result;
use crate::ports::documents::{Condition, Container};

/// What ids of canaries begin with.
const PREFIX: &str = "canary-";
/// Life of a canary document in milliseconds.
const LIFE_MS: i64 = 600_000;
/// Containers that hold words, and get a canary.
const CONTAINERS: [Container; 4] = [Container::Transcripts, Container::Profiles, Container::Analytics, Container::DeadLetters];
/// What a canary says: numbers that are reserved for examples, written and spoken.
const SAYS: [(&str, &str); 6] = [
    ("phone", "please call me back on +1 415 555 0142"),
    ("spokenPhone", "my phone number is four one five five five five oh one four two"),
    ("card", "my card number is 4111 1111 1111 1111"),
    ("spokenCard", "the card number is four one one one one one one one one one one one one one one one"),
    ("mail", "write to canary.bird@example.com"),
    ("ssn", "my social security number is 219-09-9999"),
];

/// Whose canary a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// None at all.
    Nobody,
    /// Of this scan.
    Us,
    /// Of another scan.
    Another,
}

impl Owner {
    /// True for a canary, whosever.
    pub fn is_ours(self) -> bool {
        self != Self::Nobody
    }
}

/// The canaries of one scan.
pub(super) struct Canaries {
    id: String,
    planted: BTreeSet<&'static str>,
    /// Texts that were found, by store.
    seen: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Canaries {
    /// Canaries of a fresh id; nothing is planted yet.
    pub fn new(app: &App) -> Self {
        Self { id: app.clock.new_id(), planted: BTreeSet::new(), seen: BTreeMap::new() }
    }

    /// Their id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn document_id(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// Plants one in each store.
    pub async fn plant(&mut self, app: &App) -> Result<()> {
        let id = self.document_id();
        let says: Map<String, Value> = SAYS.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        for container in CONTAINERS {
            let mut body = says.clone();
            let own = [
                ("id".to_owned(), json!(id)),
                (container.partition_field().to_owned(), json!(id)),
                ("type".to_owned(), json!("canary")),
                ("expiresAt".to_owned(), json!(app.clock.now().plus_millis(LIFE_MS))),
            ];
            body.extend(own);
            // Before the write, whose answer may be lost.
            self.planted.insert(container.name());
            app.documents.put(container, &Value::Object(body), Condition::Always).await?;
        }
        self.planted.insert("state");
        app.state.plant(&self.id, &Value::Object(says).to_string()).await
    }

    /// A line of a log as a canary would leave it.
    pub fn log_line(&mut self) -> String {
        self.planted.insert("log");
        let says: Map<String, Value> = SAYS.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        json!({ "level": "INFO", "fields": says }).to_string()
    }

    /// Removes them all; what fails is logged.
    pub async fn remove(&self, app: &App) {
        let id = self.document_id();
        for container in CONTAINERS.iter().filter(|container| self.planted.contains(container.name())) {
            if let Err(e) = app.documents.delete(*container, &id, &id, None).await {
                tracing::warn!(container = container.name(), error = e.chain(), "a canary stays until it expires");
            }
        }
        if self.planted.contains("state")
            && let Err(e) = app.state.uproot(&self.id).await
        {
            tracing::warn!(error = e.chain(), "a canary stays until it expires");
        }
    }

    /// Whose canary the document of this id is.
    pub fn owner(&self, id: &str) -> Owner {
        match id.strip_prefix(PREFIX) {
            Some(rest) if rest == self.id => Owner::Us,
            Some(rest) if rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()) => Owner::Another,
            _ => Owner::Nobody,
        }
    }

    /// Notes that a text of theirs was found.
    pub fn saw(&mut self, store: &'static str, place: &str) {
        self.seen.entry(store).or_default().insert(place.to_owned());
    }

    /// Planted and found texts by store, and their ratio.
    pub fn recall(&self) -> Value {
        let stores = self.planted.iter().map(|store| {
            let found = self.seen.get(store).map_or(0, BTreeSet::len);
            ((*store).to_owned(), json!({ "planted": SAYS.len(), "found": found, "recall": found as f64 / SAYS.len() as f64 }))
        });
        Value::Object(stores.collect())
    }
}
