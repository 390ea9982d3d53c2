//! Which operator touched a call last, by the audit log.
//!
//! In: calls and a window. Out: of each the last entry of somebody at a command line or with a name, and the last one by which
//! they read what was said. The log of a day is read once, whatever the number of calls. Fails as the record does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::documents::Container;
use crate::privacy::audit::{Batch, Entry, HEAD};
use crate::steps::audit;

/// Documents that are read at once, each of at most 500 entries.
const READ: usize = 20;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// What operators do to read what was said.
const READING: [&str; 5] = ["call.read", "call.reveal", "transcript.read", "transcript.reveal", "deadletter.read"];

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// When.
    pub at: Timestamp,
    /// Who: `cli` or `operator:<name>`.
    pub actor: String,
    /// What was done.
    pub action: String,
}

/// What operators did to one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reads {
    /// The last thing that touched it, such as a list of calls.
    pub last_access: Option<Access>,
    /// The last time that what was said was read.
    pub last_read: Option<Access>,
}

impl Reads {
    fn add(&mut self, entry: &Entry) {
        let later = |before: &Option<Access>| before.as_ref().is_none_or(|before| before.at <= entry.ts);
        let access = || Access { at: entry.ts, actor: entry.actor.clone(), action: entry.action.clone() };
        if later(&self.last_access) {
            self.last_access = Some(access());
        }
        if READING.contains(&entry.action.as_str()) && later(&self.last_read) {
            self.last_read = Some(access());
        }
    }
}

/// What operators did to these calls in a window, by call; false where time was up before all was read.
pub(super) async fn find(app: &App, calls: &BTreeSet<String>, (from, to): (Timestamp, Timestamp), until: Instant) -> Result<(BTreeMap<String, Reads>, bool)> {
    let mut found: BTreeMap<String, Reads> = BTreeMap::new();
    if calls.is_empty() || !app.audit.is_on() {
        return Ok((found, true));
    }
    // What happens at midnight may stand in the stream of the day before or after.
    for stream in audit::streams(app, from.plus_millis(-DAY), to.plus_millis(DAY)).await? {
        let mut next: Option<String> = None;
        loop {
            if Instant::now() >= until {
                return Ok((found, false));
            }
            let page = app.documents.list(Container::Audit, &stream, "", next.as_deref(), READ).await?;
            for document in page.documents.into_iter().filter(|d| d.body["id"] != HEAD) {
                let batch: Batch = serde_json::from_value(document.body).map_err(|e| Error::internal(format!("the audit log is not readable: {e}")))?;
                // From `to` on it is this very look.
                let theirs = batch.entries.iter().filter(|entry| from <= entry.ts && entry.ts < to && is_operator(&entry.actor));
                for entry in theirs {
                    for call in entry.calls.iter().filter(|call| calls.contains(*call)) {
                        found.entry(call.clone()).or_default().add(entry);
                    }
                }
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok((found, true))
}

fn is_operator(actor: &str) -> bool {
    actor == "cli" || actor.starts_with("operator:")
}
