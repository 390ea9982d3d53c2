//! Persons on the embedded file: which calls are whose, and what an erasure removes.

use async_trait::async_trait;

use super::{EmbeddedState, Step};
use crate::error::Result;
use crate::model::call::field;
use crate::model::ids::{CallId, UserToken};
use crate::ports::state::Persons;
use crate::ports::state::keys::{CallKey, TtlPolicy};

#[async_trait]
impl Persons for EmbeddedState {
    async fn note_call(&self, user: &UserToken, call: &CallId) -> Result<()> {
        let (user, call) = (user.clone(), call.clone());
        self.write(move |step| {
            let set = step.table.open(&step.rules.keys.calls_of(&user), step.at_least(TtlPolicy::UserCalls))?;
            step.table.add(set, call.as_str(), 0)
        })
        .await
    }

    async fn calls_of(&self, user: &UserToken) -> Result<Vec<CallId>> {
        let user = user.clone();
        self.read(move |step| {
            let members = step.table.members(&step.rules.keys.calls_of(&user), 0, u64::MAX)?;
            members.into_iter().map(|(call, _)| CallId::parse(call)).collect()
        })
        .await
    }

    async fn rekey(&self, call: &CallId, old: &str, new: &str) -> Result<bool> {
        let (call, old, new) = (call.clone(), old.to_owned(), new.to_owned());
        self.write(move |step| {
            let stands = step.session(&call)?.and_then(|session| session.get(field::KEY).map(str::to_owned));
            if stands.as_deref() != Some(old.as_str()) {
                return Ok(stands.as_deref() == Some(new.as_str()));
            }
            let session = step.table.open(&step.key(&call, CallKey::Session), super::Life::AtLeast(0))?;
            step.table.set(session, field::KEY, &new)?;
            Ok(true)
        })
        .await
    }

    async fn erase_call(&self, call: &CallId, tombstone: &str) -> Result<bool> {
        let (call, tombstone) = (call.clone(), tombstone.to_owned());
        self.write(move |step| step.erase_call(&call, &tombstone)).await
    }

    async fn erase_user(&self, user: &UserToken) -> Result<()> {
        let user = user.clone();
        self.write(move |step| {
            step.table.remove(&step.rules.keys.calls_of(&user))?;
            step.table.remove(&step.rules.keys.profile(&user))
        })
        .await
    }
}

impl Step<'_> {
    fn erase_call(&self, call: &CallId, tombstone: &str) -> Result<bool> {
        let mut there = false;
        for key in CallKey::ALL {
            let key = self.key(call, key);
            there |= self.table.exists(&key)?;
            self.table.remove(&key)?;
        }
        self.table.set_value(&self.key(call, CallKey::Summary), tombstone.as_bytes(), self.anew(TtlPolicy::CallSummary))?;
        self.table.take_out(&self.rules.keys.open_calls_of(call), call.as_str())?;
        Ok(there)
    }
}
