//! What the report says of erasures, keys and the audit log, out of their documents. Unknown documents beside them count as
//! documents of their container and as nothing here.

use std::collections::BTreeMap;

use chrono::Months;
use serde::Serialize;
use serde_json::{Value, json};

use crate::model::time::Timestamp;

/// Partitions of the keys that are no user's.
const EPOCHS: &str = "epochs";
const INDEX: &str = "index";
/// Heads that the report shows, at most.
const HEADS: usize = 200;

fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str()
}

fn time(body: &Value, field: &str) -> Option<Timestamp> {
    Timestamp::parse(text(body, field)?)
}

/// How erasures stand.
#[derive(Debug, Default, Serialize)]
pub(super) struct Erasures {
    open: u64,
    closed: u64,
    /// Open past the month within which the law wants them done (Art. 12(3) GDPR).
    pub late: u64,
}

impl Erasures {
    /// Counts one document of the container.
    pub fn add(&mut self, body: &Value, now: Timestamp) {
        let Some(requested) = time(body, "requestedAt") else { return };
        if text(body, "state") == Some("done") {
            self.closed += 1;
            return;
        }
        self.open += 1;
        let month = || requested.utc().checked_add_months(Months::new(1)).map(|due| Timestamp::from_millis(due.timestamp_millis()));
        if time(body, "dueAt").or_else(month).is_some_and(|due| due < now) {
            self.late += 1;
        }
    }
}

/// Which keys there are.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Keys {
    epochs: u64,
    index: u64,
    subjects: u64,
    /// Keys of epochs and tokens by the version of the root key that wraps them.
    by_root_version: BTreeMap<String, u64>,
    /// Subjects' keys by the epoch that wraps them.
    by_epoch: BTreeMap<String, u64>,
    /// When the oldest of the subjects' keys was made: a key's version is the minute of its making.
    oldest_subject: Option<Timestamp>,
}

impl Keys {
    /// Counts one document of the container.
    pub fn add(&mut self, body: &Value) {
        let user = text(body, "user");
        if let Some(EPOCHS | INDEX) = user {
            let count = if user == Some(EPOCHS) { &mut self.epochs } else { &mut self.index };
            *count += 1;
            *self.by_root_version.entry(text(body, "kid").unwrap_or("unknown").to_owned()).or_default() += 1;
        } else if text(body, "id").is_some_and(|id| id.starts_with("uk-")) {
            self.subjects += 1;
            *self.by_epoch.entry(text(body, "epoch").unwrap_or("unknown").to_owned()).or_default() += 1;
            self.oldest_subject = [self.oldest_subject, time(body, "created")].into_iter().flatten().min();
        }
    }
}

/// The newest head of each stream of the audit log.
#[derive(Debug, Default)]
pub(super) struct Heads {
    newest: BTreeMap<String, (u64, Value)>,
}

impl Heads {
    /// Looks at one document of the container.
    pub fn add(&mut self, body: &Value) {
        let (Some(stream), Some(seq)) = (text(body, "stream"), body.get("seq").and_then(Value::as_u64)) else { return };
        let known = self.newest.get(stream).map(|(known, _)| *known);
        if text(body, "id") != Some("head") || known.is_some_and(|known| known >= seq) || (known.is_none() && self.newest.len() >= HEADS) {
            return;
        }
        let head = json!({ "stream": stream, "seq": seq, "hash": body.get("hash"), "at": body.get("at") });
        self.newest.insert(stream.to_owned(), (seq, head));
    }

    /// As the report shows them.
    pub fn view(&self) -> Vec<&Value> {
        self.newest.values().map(|(_, head)| head).collect()
    }
}
