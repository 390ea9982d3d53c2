//! Calls on the embedded file: registering, applying events, the open sets. Turns are in `turns`.

use async_trait::async_trait;

use super::table::KeyId;
use super::{EmbeddedState, Step};
use crate::error::Result;
use crate::model::call::{Applied, CallChange, CallStatus, Effect, Outcome, Session, field};
use crate::model::conversation::{Committed, Loaded, PROFILE_KEY, REBUILT_KEY, TurnCommit};
use crate::model::ids::{CallId, TurnId, UserId};
use crate::model::time::Timestamp;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Calls, Known, StageTimes, Survey};

/// When the context was created, milliseconds since 1970.
const CREATED_KEY: &str = "_createdAt";

#[async_trait]
impl Calls for EmbeddedState {
    async fn register(&self, call: &CallId, now: Timestamp) -> Result<Known> {
        let call = call.clone();
        self.write(move |step| step.register(&call, now)).await
    }

    async fn apply(&self, change: &CallChange) -> Result<Applied> {
        let change = change.clone();
        self.write(move |step| step.apply(&change)).await
    }

    async fn load(&self, call: &CallId, turn: &TurnId) -> Result<Loaded> {
        let (call, turn) = (call.clone(), turn.clone());
        self.read(move |step| step.load(&call, &turn)).await
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed> {
        let turn = turn.clone();
        self.write(move |step| step.commit(&turn)).await
    }

    async fn settle(&self, call: &CallId, field: &str, rev: u32, stages: Option<(&TurnId, StageTimes)>) -> Result<()> {
        let (call, field) = (call.clone(), field.to_owned());
        let stages = stages.map(|(turn, times)| (turn.clone(), times));
        self.write(move |step| {
            step.confirm(&call, &field, rev)?;
            stages.map_or(Ok(()), |(turn, times)| step.keep_stages(&call, &turn, times))
        })
        .await
    }

    async fn attach_profile(&self, call: &CallId, facts: &str) -> Result<()> {
        let (call, facts) = (call.clone(), facts.to_owned());
        self.write(move |step| match step.session(&call)? {
            Some(session) if session.status() != CallStatus::Ended => {
                let context = step.open_context(&call, session.last_seq(), step.table.now())?;
                step.table.set(context, PROFILE_KEY, &facts)
            }
            _ => Ok(()),
        })
        .await
    }

    async fn open_calls(&self, partition: u8, skip: u64, limit: u64) -> Result<Vec<(CallId, Timestamp)>> {
        self.read(move |step| {
            let members = step.table.members(&step.rules.keys.open_calls(partition), skip, limit)?;
            members.into_iter().map(|(call, score)| Ok((CallId::parse(call)?, Timestamp::from_millis(score)))).collect()
        })
        .await
    }

    async fn survey(&self, calls: &[CallId]) -> Result<Vec<Survey>> {
        let calls = calls.to_vec();
        self.read(move |step| {
            let survey = |call: CallId| Ok(Survey { session: step.session(&call)?, archived: step.is_archived(&call)?, waiting: step.waiting(&call)?, call });
            calls.into_iter().map(survey).collect()
        })
        .await
    }

    async fn touch_open(&self, call: &CallId, activity: Option<Timestamp>) -> Result<()> {
        let call = call.clone();
        self.write(move |step| {
            let key = step.rules.keys.open_calls_of(&call);
            match activity {
                None => step.table.take_out(&key, call.as_str()),
                Some(at) => step.note_open(&call, at),
            }
        })
        .await
    }
}

impl Step<'_> {
    pub(super) fn note_open(&self, call: &CallId, activity: Timestamp) -> Result<()> {
        let set = self.table.open(&self.rules.keys.open_calls_of(call), self.at_least(TtlPolicy::OpenCalls))?;
        self.table.add(set, call.as_str(), activity.millis())
    }

    fn register(&self, call: &CallId, now: Timestamp) -> Result<Known> {
        if self.is_archived(call)? {
            self.table.take_out(&self.rules.keys.open_calls_of(call), call.as_str())?;
            return Ok(Known::Archived);
        }
        self.note_open(call, now)?;
        Ok(self.session(call)?.map_or(Known::Nothing, Known::Open))
    }

    fn apply(&self, change: &CallChange) -> Result<Applied> {
        let call = &change.call;
        if self.is_archived(call)? {
            return Ok(Applied { outcome: Outcome::Archived, session: None });
        }
        let before = self.session(call)?;
        if let Some(event) = &change.event_id
            && self.table.has(&self.key(call, CallKey::Events), event)?
        {
            return Ok(Applied { outcome: Outcome::Duplicate, session: before });
        }
        if super::turns::foreign(before.as_ref(), change.key.as_deref()) {
            return Ok(Applied { outcome: Outcome::Rekey, session: None });
        }
        let ended = before.as_ref().is_some_and(|session| session.status() == CallStatus::Ended);
        let policy = if ended || matches!(change.effect, Effect::End { .. }) { TtlPolicy::Ended } else { TtlPolicy::SessionHistory };
        if let Some(event) = &change.event_id {
            let events = self.table.open(&self.key(call, CallKey::Events), self.anew(policy))?;
            self.table.add(events, event, 0)?;
        }
        let session = self.open_session(call, policy, change.now)?;
        if let Some(key) = &change.key {
            self.table.set_new(session, field::KEY, key)?;
        }
        self.table.touch(&self.key(call, CallKey::Context), self.anew(TtlPolicy::ConversationContext))?;
        self.table.touch(&self.key(call, CallKey::Outbox), self.at_least(TtlPolicy::Outbox))?;
        if ended {
            self.note_late(session, before.as_ref(), change)?
        } else {
            self.take_effect(session, before.as_ref(), change)?
        }
        let outcome = if ended { Outcome::AlreadyEnded } else { Outcome::Applied };
        Ok(Applied { outcome, session: self.session(call)? })
    }

    /// Opens the session where it is unknown, notes the activity, and gives all that must live as long its life.
    pub(super) fn open_session(&self, call: &CallId, policy: TtlPolicy, now: Timestamp) -> Result<KeyId> {
        let life = self.anew(policy);
        let session = self.table.open(&self.key(call, CallKey::Session), life)?;
        for key in [CallKey::Events, CallKey::History, CallKey::Turns] {
            self.table.touch(&self.key(call, key), life)?;
        }
        let now = now.millis().to_string();
        self.table.set_new(session, field::OPENED_AT, &now)?;
        // Whoever opens a call has looked for a legacy one before.
        if self.table.set_new(session, field::STATUS, CallStatus::Provisional.as_str())? {
            self.table.set_new(session, field::LEGACY, "none")?;
        }
        self.table.set(session, field::LAST_ACTIVITY, &now)?;
        Ok(session)
    }

    /// An event on a call that has ended: what it knows is kept, and nothing is revived.
    fn note_late(&self, session: KeyId, before: Option<&Session>, change: &CallChange) -> Result<()> {
        for (name, value) in &change.fields {
            match change.effect {
                Effect::Note => self.table.set(session, name, value)?,
                _ => drop(self.table.set_new(session, name, value)?),
            }
        }
        match &change.effect {
            Effect::Connect => self.table.set_new(session, field::CONNECTED_AT, &change.at.millis().to_string()).map(drop),
            Effect::Participants { sequence, participants, phone_user } => self.set_participants(session, before, *sequence, participants, phone_user.as_ref()),
            Effect::End { .. } | Effect::Note => Ok(()),
        }
    }

    fn take_effect(&self, session: KeyId, before: Option<&Session>, change: &CallChange) -> Result<()> {
        for (name, value) in &change.fields {
            self.table.set(session, name, value)?;
        }
        let at = change.at.millis().to_string();
        match &change.effect {
            Effect::Note => Ok(()),
            Effect::Connect => {
                self.table.set(session, field::STATUS, CallStatus::Connected.as_str())?;
                self.table.set_new(session, field::CONNECTED_AT, &at)?;
                self.open_context(&change.call, before.map_or(0, Session::last_seq), change.now).map(drop)
            }
            Effect::End { reason } => {
                self.table.set(session, field::STATUS, CallStatus::Ended.as_str())?;
                self.table.set(session, field::ENDED_AT, &at)?;
                self.table.set_new(session, field::END_REASON, reason)?;
                self.push_end(&change.call, change.now)
            }
            Effect::Participants { sequence, participants, phone_user } => self.set_participants(session, before, *sequence, participants, phone_user.as_ref()),
        }
    }

    /// Replaces the participants, unless a later report was already taken.
    fn set_participants(&self, session: KeyId, before: Option<&Session>, sequence: i64, participants: &str, phone_user: Option<&UserId>) -> Result<()> {
        let taken: Option<i64> = before.and_then(|s| s.get(field::PARTICIPANTS_SEQ)).and_then(|n| n.parse().ok());
        if taken.is_some_and(|taken| sequence <= taken) {
            return Ok(());
        }
        self.table.set(session, field::PARTICIPANTS, participants)?;
        self.table.set(session, field::PARTICIPANTS_SEQ, &sequence.to_string())?;
        phone_user.map_or(Ok(()), |user| self.table.set(session, field::PHONE_USER, user.as_str()))
    }

    /// Opens the context; one that had expired while turns live on says that it was rebuilt.
    pub(super) fn open_context(&self, call: &CallId, last_seq: u64, now: Timestamp) -> Result<KeyId> {
        let key = self.key(call, CallKey::Context);
        let missing = !self.table.exists(&key)?;
        let context = self.table.open(&key, self.anew(TtlPolicy::ConversationContext))?;
        if missing {
            let name = if last_seq > 0 { REBUILT_KEY } else { CREATED_KEY };
            self.table.set(context, name, &now.millis().to_string())?;
        }
        Ok(context)
    }
}
