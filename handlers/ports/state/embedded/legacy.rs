//! Legacy layouts on the embedded file: they only ever lived in Redis, so nothing is found here. Taking a call over
//! works all the same, with one transaction in the place of the script.

use async_trait::async_trait;

use super::{EmbeddedState, Step, encode, encode_entry};
use crate::error::{Error, Kind, Result};
use crate::model::call::{CallStatus, Session, field};
use crate::model::ids::CallId;
use crate::model::legacy::{LegacyCall, LegacyRaw};
use crate::model::time::Timestamp;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::legacy::{EXTRA, IMPORTED, Imported, Legacy, NONE, ScanCursor, Scanned};

#[async_trait]
impl Legacy for EmbeddedState {
    async fn find(&self, _call: &CallId) -> Result<Option<LegacyRaw>> {
        Ok(None)
    }

    async fn import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Result<Imported> {
        let (call, legacy) = (call.clone(), legacy.clone());
        self.write(move |step| step.import(&call, &legacy, now)).await
    }

    async fn mark_checked(&self, call: &CallId) -> Result<()> {
        let call = call.clone();
        self.write(move |step| match step.session(&call)? {
            Some(_) => {
                let session = step.table.open(&step.key(&call, CallKey::Session), super::Life::AtLeast(0))?;
                step.table.set_new(session, field::LEGACY, NONE).map(drop)
            }
            None => Ok(()),
        })
        .await
    }

    async fn retire(&self, _keys: &[String]) -> Result<()> {
        Ok(())
    }

    async fn scan(&self, _cursor: ScanCursor) -> Result<Scanned> {
        Ok(Scanned::default())
    }
}

impl Step<'_> {
    fn import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Result<Imported> {
        if self.is_archived(call)? {
            return Ok(Imported::Archived);
        }
        let before = self.session(call)?;
        if let Some(session) = before.as_ref().filter(|session| session.legacy_checked()) {
            return Ok(Imported::Before(session.clone()));
        }
        if super::turns::foreign(before.as_ref(), legacy.key.as_deref()) {
            return Ok(Imported::Rekey);
        }
        let last = before.as_ref().map_or(0, Session::last_seq);
        let was_ended = before.as_ref().is_some_and(|session| session.status() == CallStatus::Ended);
        let policy = if was_ended || legacy.ended { TtlPolicy::Ended } else { TtlPolicy::SessionHistory };
        self.note_session(call, legacy, last, policy, now)?;
        self.note_turns(call, legacy, last, policy)?;
        let context = self.open_context(call, 0, now)?;
        for (name, value) in &legacy.context {
            self.table.set_new(context, name, value)?;
        }
        if was_ended || legacy.ended {
            self.push_end(call, now)?;
        }
        self.note_open(call, now)?;
        self.session(call)?.map(Imported::Done).ok_or_else(|| Error::internal("a session that was just written is gone"))
    }

    fn note_session(&self, call: &CallId, legacy: &LegacyCall, last: u64, policy: TtlPolicy, now: Timestamp) -> Result<()> {
        let began = legacy.entries.first().map_or(now, |entry| entry.at.min(now));
        let session = self.table.open(&self.key(call, CallKey::Session), self.anew(policy))?;
        self.table.set_new(session, field::OPENED_AT, &began.millis().to_string())?;
        self.table.set_new(session, field::LEGACY, IMPORTED)?;
        self.table.set(session, field::LAST_SEQ, &(last + legacy.entries.len() as u64).to_string())?;
        let facts = [
            (field::KEY, legacy.key.as_deref()),
            (field::DIRECTION, legacy.direction.as_deref()),
            (field::USER, legacy.user.as_ref().map(|user| user.as_str())),
            (field::PHONE_USER, legacy.phone_user.as_ref().map(|user| user.as_str())),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                self.table.set_new(session, name, value)?;
            }
        }
        if legacy.ended {
            self.table.set(session, field::STATUS, CallStatus::Ended.as_str())?;
            self.table.set_new(session, field::ENDED_AT, &now.millis().to_string())?;
            self.table.set_new(session, field::END_REASON, "CallDisconnected")?;
        }
        self.open_session(call, policy, now).map(drop)
    }

    fn note_turns(&self, call: &CallId, legacy: &LegacyCall, last: u64, policy: TtlPolicy) -> Result<()> {
        let mut extra = legacy.extra.clone();
        extra.insert("firstSeq".to_owned(), (last + 1).into());
        let turns = self.table.open(&self.key(call, CallKey::Turns), self.anew(policy))?;
        self.table.set(turns, EXTRA, &encode(&extra)?)?;
        for (seq, entry) in (last + 1..).zip(&legacy.entries) {
            let history = self.table.open(&self.key(call, CallKey::History), self.anew(policy))?;
            self.table.append(history, &encode_entry(entry)?)?;
            if !self.table.set_new(turns, &entry.turn_id, &seq.to_string())? {
                return Err(Error::new(Kind::Conflict, "the turn ids of the legacy call are taken"));
            }
        }
        Ok(())
    }
}
