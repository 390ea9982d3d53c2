//! An erasure as it is kept: how far it is, what it removed, and its certificate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::ids::{CallId, UserToken};
use crate::model::time::Timestamp;

/// Why data is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The person asked for it.
    Requested,
    /// It came back from behind the fence, out of a backup.
    Fence,
}

/// Whether it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Not yet.
    Open,
    /// Verified.
    Done,
}

/// The steps, in their order; the one that is kept is the next to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The fence: what is older is erased, also when it comes back.
    Fence,
    /// The calls of the person, from every index.
    Collect,
    /// The keys: everything sealed is unreadable from here on.
    Shred,
    /// Redis: calls, profile, index; a tombstone per call.
    State,
    /// Transcripts, analytics, profile; a tombstone per call.
    Record,
    /// Dead letters and what waits in the queue.
    Queue,
    /// Nothing can be read any more, anywhere.
    Verify,
    /// Nothing is left to do.
    End,
}

impl Step {
    /// The step after this one.
    pub const fn next(self) -> Self {
        match self {
            Self::Fence => Self::Collect,
            Self::Collect => Self::Shred,
            Self::Shred => Self::State,
            Self::State => Self::Record,
            Self::Record => Self::Queue,
            Self::Queue => Self::Verify,
            Self::Verify | Self::End => Self::End,
        }
    }
}

/// One call of the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The call.
    pub call_connection_id: CallId,
    /// Day of its analytics, where it is known.
    pub day: Option<String>,
}

/// One erasure; a document of the container `erasures` in the person's partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// `{token}.{number}`.
    pub id: String,
    /// Whose data.
    pub user: UserToken,
    /// Always `erasure`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why.
    pub reason: Reason,
    /// When it was asked for. Everything until then is erased, and the call in progress.
    pub requested_at: Timestamp,
    /// Until when it must be done.
    pub due_at: Timestamp,
    /// Whether it is done.
    pub state: State,
    /// The next step.
    pub step: Step,
    /// The calls, once they are collected.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// How much was removed, by store.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// A value that was sealed under the person's key before it was destroyed: it must not open any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// When it was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// What can be shown to the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Value>,
}

impl Erasure {
    /// An erasure that nothing was done of yet.
    pub fn new(user: UserToken, reason: Reason, number: String, now: Timestamp, due_at: Timestamp) -> Self {
        Self {
            id: format!("{user}.{number}"),
            user,
            kind: "erasure".to_owned(),
            reason,
            requested_at: now,
            due_at,
            state: State::Open,
            step: Step::Fence,
            calls: Vec::new(),
            counts: BTreeMap::new(),
            probe: None,
            done_at: None,
            certificate: None,
        }
    }

    /// Counts what a step removed.
    pub fn count(&mut self, store: &str, removed: u64) {
        *self.counts.entry(store.to_owned()).or_default() += removed;
    }

    /// Two runners' views of one erasure: nothing that either did is forgotten.
    pub fn joined(&self, other: &Self) -> Self {
        let (ahead, behind) = if other.step >= self.step { (other, self) } else { (self, other) };
        let mut joined = ahead.clone();
        joined.calls.extend(behind.calls.iter().filter(|call| !ahead.calls.contains(call)).cloned());
        for (store, removed) in &behind.counts {
            let count = joined.counts.entry(store.clone()).or_default();
            *count = (*count).max(*removed);
        }
        joined.probe = ahead.probe.clone().or_else(|| behind.probe.clone());
        joined
    }

    /// What may be shown of it.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "user": self.user,
            "reason": self.reason,
            "state": self.state,
            "step": self.step,
            "requestedAt": self.requested_at,
            "dueAt": self.due_at,
            "doneAt": self.done_at,
            "calls": self.calls.len(),
            "counts": self.counts,
            "certificate": self.certificate,
        })
    }
}
