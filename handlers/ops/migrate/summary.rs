//! What a migration came to, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::Error;

/// What became of one call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Taken over, or would be.
    Taken {
        /// Its turns.
        entries: u64,
        /// Fields that are kept as raw text.
        unreadable: u64,
        /// Whether it was marked disconnected.
        ended: bool,
    },
    /// Taken over before.
    Already,
    /// The session of a browser that another call is mapped to.
    PartOfAnother,
    /// Its keys are gone meanwhile.
    Gone,
    /// Left alone, for this reason.
    Skipped(String),
    /// It failed.
    Failed(Error),
}

/// A call that was not taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untaken {
    /// The id in its keys.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What a migration came to. In JSON the names are in camel case, and `ok` says whether nothing failed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// True where nothing was written; `imported` then counts what would be.
    pub dry_run: bool,
    /// Keys looked at, of whatever kind.
    pub keys_scanned: u64,
    /// Calls with legacy keys.
    pub calls: u64,
    /// Calls taken over.
    pub imported: u64,
    /// Those of them that were marked disconnected.
    pub ended: u64,
    /// Calls taken over before.
    pub already: u64,
    /// Turns taken over.
    pub entries: u64,
    /// Fields that could not be understood; kept as they were.
    pub unreadable: u64,
    /// Calls left alone.
    pub skipped: Vec<Untaken>,
    /// Calls that failed; another run tries them again.
    pub failed: Vec<Untaken>,
    /// Why the run stopped early; none where it did not.
    pub stopped: Option<String>,
}

impl Summary {
    /// Counts one call.
    pub(super) fn count(&mut self, id: &str, outcome: Outcome) {
        let untaken = |reason: String| Untaken { id: id.escape_debug().to_string(), reason };
        self.calls += u64::from(!matches!(outcome, Outcome::PartOfAnother | Outcome::Gone));
        match outcome {
            Outcome::Taken { entries, unreadable, ended } => {
                self.imported += 1;
                self.entries += entries;
                self.unreadable += unreadable;
                self.ended += u64::from(ended);
            }
            Outcome::Already => self.already += 1,
            Outcome::PartOfAnother | Outcome::Gone => {}
            Outcome::Skipped(reason) => self.skipped.push(untaken(reason)),
            Outcome::Failed(e) => {
                tracing::error!(call_id = id, error = e.chain(), "a legacy call could not be taken over");
                if e.is_transient() {
                    self.stopped = Some(e.detail.clone());
                }
                self.failed.push(untaken(e.detail));
            }
        }
    }

    /// True where nothing failed.
    pub fn ok(&self) -> bool {
        self.failed.is_empty() && self.stopped.is_none()
    }

    /// 0 where nothing failed, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.ok())
    }

    /// As standard output shows it: one JSON object, or lines for people.
    pub fn render(&self, json: bool) -> String {
        if json {
            let mut value = serde_json::to_value(self).unwrap_or_default();
            value["ok"] = self.ok().into();
            return value.to_string();
        }
        let verb = if self.dry_run { "to take over" } else { "taken over" };
        let mut text = format!(
            "{} keys looked at, {} calls in legacy layouts\n{:>8} {verb} ({} turns; {} already disconnected; {} unreadable fields kept as text)\n{:>8} taken over before\n",
            self.keys_scanned, self.calls, self.imported, self.entries, self.ended, self.unreadable, self.already
        );
        for (word, calls) in [("skipped", &self.skipped), ("failed", &self.failed)] {
            if !calls.is_empty() {
                let _ = writeln!(text, "{:>8} {word}:", calls.len());
            }
            for call in calls {
                let _ = writeln!(text, "         {}: {}", call.id, call.reason);
            }
        }
        if let Some(reason) = &self.stopped {
            let _ = writeln!(text, "stopped early: {reason}. Nothing is lost: run it again.");
        }
        text
    }
}
