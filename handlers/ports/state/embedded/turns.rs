//! Turns on the embedded file: loading a conversation, committing a turn, its stage times.

use std::collections::BTreeMap;

use super::{Step, decode, decode_entry, encode, encode_entry};
use crate::error::{Error, Result};
use crate::model::call::{CallStatus, Session, field};
use crate::model::conversation::{CONTEXT_BYTES, CONTEXT_KEYS, Committed, ContextPatch, Entry, Loaded, TurnCommit, UserChange, Window};
use crate::model::ids::{CallId, TurnId};
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Slice, StageTimes};
use crate::privacy::envelope;

/// Stage times stand beside the turn ids, behind a character that no turn id has.
const STAGES: char = ':';

/// Load, reply, commit and speech in milliseconds, and whether the phrase was cached.
type Stages = (f64, f64, f64, Option<f64>, Option<bool>);

impl Step<'_> {
    pub(super) fn load(&self, call: &CallId, turn: &TurnId) -> Result<Loaded> {
        let window = u64::try_from(self.rules.look_back).unwrap_or(u64::MAX);
        let from = self.table.length(&self.key(call, CallKey::History))?.saturating_sub(window);
        let (seqs, entries) = self.history(call, from, window)?.entries.into_iter().unzip();
        let session = self.session(call)?;
        Ok(Loaded {
            status: session.as_ref().map(Session::status),
            key: session.as_ref().and_then(|session| session.get(field::KEY)).map(str::to_owned),
            archived: self.is_archived(call)?,
            context: self.table.fields(&self.key(call, CallKey::Context))?,
            window: Window { seqs, entries },
            saved: self.saved(call, turn.as_str())?,
            auth: self.auth(call)?.map(|(state, _)| state),
        })
    }

    /// The number and entry that a turn id already has.
    fn saved(&self, call: &CallId, turn: &str) -> Result<Option<(u64, Entry)>> {
        let Some(text) = self.table.field(&self.key(call, CallKey::Turns), turn)? else { return Ok(None) };
        let seq: u64 = text.parse().map_err(Error::internal)?;
        let found = self.history(call, seq.saturating_sub(1), 1)?.entries.pop();
        // History and turns live and go together, so a number without its entry is a defect.
        found.map(Some).ok_or_else(|| Error::internal("a turn id without its entry"))
    }

    /// Entries `from..from + count`; numbers count from 1.
    pub(super) fn history(&self, call: &CallId, from: u64, count: u64) -> Result<Slice> {
        let key = self.key(call, CallKey::History);
        let items = self.table.items(&key, from, count)?;
        let entries = items.iter().map(|(position, text)| Ok((position + 1, decode_entry(text)?))).collect::<Result<_>>()?;
        Ok(Slice { entries, total: self.table.length(&key)? })
    }

    pub(super) fn commit(&self, turn: &TurnCommit) -> Result<Committed> {
        let call = &turn.call;
        let before = self.session(call)?;
        if foreign(before.as_ref(), turn.key.as_deref()) {
            return Ok(Committed::Rekey);
        }
        if let Some((seq, entry)) = self.saved(call, &turn.entry.turn_id)? {
            return Ok(Committed::Known(seq, entry));
        }
        if self.is_archived(call)? || before.as_ref().is_some_and(|session| session.status() == CallStatus::Ended) {
            return Ok(Committed::Ended);
        }
        for (seq, entry) in &turn.revisions {
            if self.saved(call, &entry.turn_id)?.is_none_or(|(stands, before)| stands != *seq || before.rev + 1 != entry.rev) {
                return Ok(Committed::Stale);
            }
        }
        if !fits(self.table.fields(&self.key(call, CallKey::Context))?, &turn.patch) {
            return Ok(Committed::ContextFull);
        }
        let last = before.as_ref().map_or(0, Session::last_seq);
        let seq = last + 1;
        self.append(turn, seq)?;
        self.patch_context(turn, last)?;
        self.push_turn(call, seq, &turn.entry, turn.key.as_deref(), turn.now)?;
        for (seq, entry) in &turn.revisions {
            self.table.replace(&self.key(call, CallKey::History), seq - 1, &encode_entry(entry)?)?;
            self.push_turn(call, *seq, entry, turn.key.as_deref(), turn.now)?;
        }
        Ok(Committed::New(seq))
    }

    fn append(&self, turn: &TurnCommit, seq: u64) -> Result<()> {
        let life = self.anew(TtlPolicy::SessionHistory);
        let session = self.open_session(&turn.call, TtlPolicy::SessionHistory, turn.now)?;
        self.table.set(session, field::LAST_SEQ, &seq.to_string())?;
        if let Some(key) = &turn.key {
            self.table.set_new(session, field::KEY, key)?;
        }
        match &turn.user {
            UserChange::Keep => {}
            UserChange::Set(user) => self.table.set(session, field::USER, user)?,
            UserChange::Remove => self.table.unset(&self.key(&turn.call, CallKey::Session), field::USER)?,
        }
        let history = self.table.open(&self.key(&turn.call, CallKey::History), life)?;
        self.table.append(history, &encode_entry(&turn.entry)?)?;
        let turns = self.table.open(&self.key(&turn.call, CallKey::Turns), life)?;
        self.table.set(turns, &turn.entry.turn_id, &seq.to_string())
    }

    fn patch_context(&self, turn: &TurnCommit, last_seq: u64) -> Result<()> {
        let context = self.open_context(&turn.call, last_seq, turn.now)?;
        for (name, value) in &turn.patch.set {
            self.table.set(context, name, value)?;
        }
        let key = self.key(&turn.call, CallKey::Context);
        turn.patch.delete.iter().try_for_each(|name| self.table.unset(&key, name))
    }

    /// Keeps a turn's stage times while its call has turns.
    pub(super) fn keep_stages(&self, call: &CallId, turn: &TurnId, times: StageTimes) -> Result<()> {
        let key = self.key(call, CallKey::Turns);
        if !self.table.exists(&key)? {
            return Ok(());
        }
        let StageTimes { load_ms, reply_ms, commit_ms, speech_ms, speech_hit } = times;
        let stages: Stages = (load_ms, reply_ms, commit_ms, speech_ms, speech_hit);
        // A life of at least 0 ms leaves the key's life as it is.
        let turns = self.table.open(&key, super::Life::AtLeast(0))?;
        self.table.set(turns, &format!("{STAGES}{turn}"), &encode(&stages)?)
    }

    /// Stage times by turn id.
    pub(super) fn stages(&self, call: &CallId) -> Result<Vec<(String, StageTimes)>> {
        let mut found = Vec::new();
        for (name, text) in self.table.fields(&self.key(call, CallKey::Turns))? {
            if let Some(turn) = name.strip_prefix(STAGES) {
                let (load_ms, reply_ms, commit_ms, speech_ms, speech_hit) = decode::<Stages>(&text)?;
                found.push((turn.to_owned(), StageTimes { load_ms, reply_ms, commit_ms, speech_ms, speech_hit }));
            }
        }
        Ok(found)
    }
}

/// Whether the call's values are sealed under another key than this one.
pub(super) fn foreign(session: Option<&Session>, key: Option<&str>) -> bool {
    let stands = session.and_then(|session| session.get(field::KEY));
    key.is_some() && stands.is_some() && stands != key
}

/// Bytes of a value; what sealing adds to it does not count.
fn size(value: &str) -> usize {
    envelope::from_text(value).map_or(value.len(), |bytes| bytes.len().saturating_sub(envelope::OVERHEAD))
}

/// Whether the context stays within its limits; our own keys do not count.
fn fits(mut context: BTreeMap<String, String>, patch: &ContextPatch) -> bool {
    context.extend(patch.set.iter().cloned());
    for name in &patch.delete {
        context.remove(name);
    }
    context.retain(|name, _| !name.starts_with('_'));
    let bytes: usize = context.iter().map(|(name, value)| name.len() + size(value)).sum();
    context.len() <= CONTEXT_KEYS && bytes <= CONTEXT_BYTES
}
