//! The outbox on the embedded file: one field per unconfirmed message.

use serde::{Deserialize, Serialize};

use super::{Step, decode, decode_entry, encode, encode_entry};
use crate::error::Result;
use crate::model::conversation::Entry;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{ENDED, OutboxEntry, Pending, in_order, turn_of};

/// A turn's field.
pub(super) fn turn_field(turn: &str) -> String {
    format!("t:{turn}")
}

/// A message as it stands in the file; without an entry it is the call's end.
#[derive(Serialize, Deserialize)]
struct Waiting {
    since: i64,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    rev: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// As [`encode_entry`] writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
}

impl Step<'_> {
    /// Puts a turn into the outbox.
    pub(super) fn push_turn(&self, call: &CallId, seq: u64, entry: &Entry, key: Option<&str>, since: Timestamp) -> Result<()> {
        let waiting = Waiting { since: since.millis(), seq, rev: entry.rev, key: key.map(str::to_owned), entry: Some(encode_entry(entry)?) };
        self.push(call, &turn_field(&entry.turn_id), &waiting)
    }

    /// Puts the call's end into the outbox.
    pub(super) fn push_end(&self, call: &CallId, since: Timestamp) -> Result<()> {
        self.push(call, ENDED, &Waiting { since: since.millis(), seq: 0, rev: 0, key: None, entry: None })
    }

    fn push(&self, call: &CallId, field: &str, waiting: &Waiting) -> Result<()> {
        let id = self.table.open(&self.key(call, CallKey::Outbox), self.at_least(TtlPolicy::Outbox))?;
        self.table.set(id, field, &encode(waiting)?)
    }

    /// Takes a message out, unless a later revision waits there.
    pub(super) fn confirm(&self, call: &CallId, field: &str, rev: u32) -> Result<()> {
        let key = self.key(call, CallKey::Outbox);
        match self.table.field(&key, field)? {
            Some(text) if decode::<Waiting>(&text)?.rev <= rev => self.table.unset(&key, field),
            _ => Ok(()),
        }
    }

    /// How many messages wait.
    pub(super) fn waiting(&self, call: &CallId) -> Result<u64> {
        self.table.field_names(&self.key(call, CallKey::Outbox)).map(|names| names.len() as u64)
    }

    /// Names of all messages, in their order.
    pub(super) fn outbox_names(&self, call: &CallId) -> Result<Vec<String>> {
        let turns = self.key(call, CallKey::Turns);
        let numbered = |name: String| {
            let seq = turn_of(&name).map(|turn| self.table.field(&turns, turn)).transpose()?.flatten();
            Ok((name, seq.and_then(|seq| seq.parse().ok())))
        };
        let named = self.table.field_names(&self.key(call, CallKey::Outbox))?.into_iter().map(numbered).collect::<Result<_>>()?;
        Ok(in_order(named))
    }

    /// The messages of these names that are there.
    pub(super) fn messages(&self, call: &CallId, names: Vec<String>) -> Result<Vec<OutboxEntry>> {
        let key = self.key(call, CallKey::Outbox);
        let mut entries = Vec::new();
        for field in names {
            let Some(text) = self.table.field(&key, &field)? else { continue };
            let Waiting { since, seq, rev, key, entry } = decode(&text)?;
            let entry = entry.map(|entry| decode_entry(&entry)).transpose()?;
            let pending = entry.map_or(Pending::Ended, |entry| Pending::Turn { seq, rev, entry });
            entries.push(OutboxEntry { field, key, since: Timestamp::from_millis(since), pending });
        }
        Ok(entries)
    }
}
