//! The state port with everything personal sealed: what every backend is wrapped in.
//!
//! In: values in clear, and raw user ids. Out: envelopes and tokens to the backend, and back. All values of a call are
//! sealed under the call's key, bound to their Redis key, field and turn; the wrapped key lies in the session. Whatever was
//! moved, cut or replaced is refused: an entry comes back without its words (`source` is then `refused`), a value of the
//! context is left out. `Unavailable` where the call's key cannot be had, `Erased` where it is gone.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use serde_json::{Map, Value, json};

use super::keys::{CallKey, RedisKeyManager};
use super::{Archiving, Attempt, AuthStates, Calls, Closing, Known, Lease, OutboxEntry, Persons, Slice, StageTimes, State, StateHealth, Survey, Workers};
use crate::config::{Config, StorePii};
use crate::error::{Error, Kind, Result};
use crate::model::call::{Applied, CallChange, Effect, Outcome, Session, field};
use crate::model::conversation::{AuthState, Committed, Loaded, TurnCommit, UserChange};
use crate::model::ids::{CallId, TurnId, UserId, UserToken, WorkerId};
use crate::model::time::Timestamp;
use crate::ports::audit::{Audit, Note};
use crate::privacy::ciphers::Ciphers;

mod audio;
mod inspection;
mod legacy;
mod upkeep;
mod values;

/// Calls whose users are remembered at once, and for how long: far less than the list of a user's calls lives.
const NOTED: u64 = 20_000;
const NOTED_LIFE: Duration = Duration::from_secs(3600);
/// How often a write is made again because the call turned out to have another key.
const TRIES: u32 = 3;

/// A backend behind the seals.
pub struct SealedState {
    inner: Arc<dyn State>,
    ciphers: Ciphers,
    keys: RedisKeyManager,
    store_pii: StorePii,
    audit: Audit,
    /// Whose calls were noted as theirs already: a client may name the user with every turn.
    noted: Cache<(UserToken, CallId), ()>,
}

impl SealedState {
    /// Wraps a backend.
    pub fn new(inner: Arc<dyn State>, ciphers: Ciphers, config: &Config) -> Self {
        Self {
            inner,
            ciphers,
            keys: RedisKeyManager::new(config),
            store_pii: config.store_pii,
            audit: Audit::off(),
            noted: Cache::builder().max_capacity(NOTED).time_to_live(NOTED_LIFE).build(),
        }
    }

    /// Notes here what no backend can tell: whose call is whose, and to which call a private phrase belongs.
    #[must_use]
    pub fn audited_by(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }
}

fn overtaken() -> Error {
    Error::new(Kind::Unavailable, "the key of the call keeps changing")
}

#[async_trait]
impl Calls for SealedState {
    async fn register(&self, call: &CallId, now: Timestamp) -> Result<Known> {
        let known = self.inner.register(call, now).await?;
        if let Known::Open(session) = &known
            && let Some(wrap) = session.get(field::KEY)
        {
            self.ciphers.note(call, wrap).await;
        }
        Ok(known)
    }

    async fn apply(&self, change: &CallChange) -> Result<Applied> {
        let mut change = change.clone();
        if let Effect::Participants { phone_user: Some(user), .. } = &mut change.effect {
            *user = self.noted(user, &change.call).await?;
        }
        if self.ciphers.is_off() {
            return self.inner.apply(&change).await;
        }
        for _ in 0..TRIES {
            let cipher = self.ciphers.current(&change.call).await?;
            let applied = self.inner.apply(&self.seal_change(&cipher, &change).await?).await?;
            if applied.outcome != Outcome::Rekey {
                return Ok(applied);
            }
            self.take_key(&change.call).await?;
        }
        Err(overtaken())
    }

    async fn load(&self, call: &CallId, turn: &TurnId) -> Result<Loaded> {
        self.open_loaded(call, self.inner.load(call, turn).await?).await
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed> {
        let mut turn = Cow::Borrowed(turn);
        if let UserChange::Set(user) = &turn.user {
            let token = self.noted(&UserId::parse(user.as_str())?, &turn.call).await?;
            turn.to_mut().user = UserChange::Set(token.to_string());
        }
        if self.ciphers.is_off() {
            return self.inner.commit(&turn).await;
        }
        for _ in 0..TRIES {
            let cipher = self.ciphers.current(&turn.call).await?;
            match self.inner.commit(&self.seal_turn(&cipher, &turn)?).await? {
                Committed::Rekey => self.take_key(&turn.call).await?,
                Committed::Known(seq, entry) => return Ok(Committed::Known(seq, self.open_entry(&cipher, entry)?)),
                committed => return Ok(committed),
            }
        }
        Err(overtaken())
    }

    async fn settle(&self, call: &CallId, field: &str, rev: u32, stages: Option<(&TurnId, StageTimes)>) -> Result<()> {
        self.inner.settle(call, field, rev, stages).await
    }

    async fn attach_profile(&self, call: &CallId, facts: &str) -> Result<()> {
        if self.ciphers.is_off() {
            return self.inner.attach_profile(call, facts).await;
        }
        // By the wrap that is stored: what this process remembers may be a key of its own making that lost the race.
        let wrap = self.inner.facts(call).await?.and_then(|session| session.get(field::KEY).map(str::to_owned));
        let Some(wrap) = wrap else { return Ok(()) };
        let cipher = self.cipher_of(call, &wrap).await?;
        let facts = self.seal_value(&cipher, CallKey::Context, crate::model::conversation::PROFILE_KEY, facts)?;
        self.inner.attach_profile(call, &facts).await
    }

    async fn open_calls(&self, partition: u8, skip: u64, limit: u64) -> Result<Vec<(CallId, Timestamp)>> {
        self.inner.open_calls(partition, skip, limit).await
    }

    async fn survey(&self, calls: &[CallId]) -> Result<Vec<Survey>> {
        self.inner.survey(calls).await
    }

    async fn touch_open(&self, call: &CallId, activity: Option<Timestamp>) -> Result<()> {
        self.inner.touch_open(call, activity).await
    }
}

#[async_trait]
impl Archiving for SealedState {
    async fn outbox(&self, call: &CallId) -> Result<Vec<String>> {
        self.inner.outbox(call).await
    }

    async fn messages(&self, call: &CallId, fields: &[String]) -> Result<Vec<OutboxEntry>> {
        let mut messages = self.inner.messages(call, fields).await?;
        for message in &mut messages {
            self.open_message(call, message).await?;
        }
        Ok(messages)
    }

    async fn history(&self, call: &CallId, from: u64, count: u64) -> Result<Slice> {
        let mut slice = self.inner.history(call, from, count).await?;
        if slice.entries.iter().any(|(_, entry)| entry.sealed.is_some()) {
            let cipher = self.existing(call).await?.ok_or_else(|| Error::internal("a history without the key of its call"))?;
            self.open_entries(&cipher, slice.entries.iter_mut().map(|(_, entry)| entry))?;
        }
        Ok(slice)
    }

    async fn stages(&self, call: &CallId) -> Result<Vec<(String, StageTimes)>> {
        self.inner.stages(call).await
    }

    async fn legacy_extra(&self, call: &CallId) -> Result<Option<String>> {
        let Some(text) = self.inner.legacy_extra(call).await? else { return Ok(None) };
        let mut outer: Map<String, Value> = serde_json::from_str(&text).map_err(|_| Error::internal("a legacy section is not readable"))?;
        let Some(Value::String(sealed)) = outer.remove(values::SEALED) else { return Ok(Some(text)) };
        let cipher = self.existing(call).await?.ok_or_else(|| Error::internal("a legacy section without the key of its call"))?;
        let Some(inner) = self.open_value(&cipher, CallKey::Turns, super::legacy::EXTRA, sealed)? else {
            return Ok(Some(json!({ "refused": true }).to_string()));
        };
        let mut inner: Map<String, Value> = serde_json::from_str(&inner).map_err(|_| Error::internal("a legacy section is not readable"))?;
        inner.extend(outer);
        Ok(Some(Value::Object(inner).to_string()))
    }

    async fn close(&self, closing: &Closing) -> Result<bool> {
        if self.ciphers.is_off() {
            return self.inner.close(closing).await;
        }
        let cipher = match self.existing(&closing.call).await? {
            Some(cipher) => cipher,
            None => self.ciphers.current(&closing.call).await?,
        };
        let summary = self.seal_alone(&cipher, CallKey::Summary, "summary", &closing.summary)?;
        self.inner.close(&Closing { summary, ..closing.clone() }).await
    }

    async fn facts(&self, call: &CallId) -> Result<Option<Session>> {
        let Some(mut session) = self.inner.facts(call).await? else { return Ok(None) };
        let Some(wrap) = session.get(field::KEY).map(str::to_owned) else { return Ok(Some(session)) };
        let cipher = self.cipher_of(call, &wrap).await?;
        for (name, value) in std::mem::take(&mut session.fields) {
            if let Some(value) = self.open_value(&cipher, CallKey::Session, &name, value)? {
                session.fields.insert(name, value);
            }
        }
        Ok(Some(session))
    }

    async fn summary(&self, call: &CallId) -> Result<Option<String>> {
        match self.inner.summary(call).await? {
            Some(summary) => self.open_alone(call, CallKey::Summary, "summary", summary).await,
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Persons for SealedState {
    async fn note_call(&self, user: &UserToken, call: &CallId) -> Result<()> {
        let pair = (user.clone(), call.clone());
        if self.noted.get(&pair).await.is_none() {
            self.audit.note(Note::new("call.user").store("state").subject(user.as_str()).call(call).named("calls of a user")).await?;
            self.inner.note_call(user, call).await?;
            self.noted.insert(pair, ()).await;
        }
        Ok(())
    }

    async fn calls_of(&self, user: &UserToken) -> Result<Vec<CallId>> {
        self.inner.calls_of(user).await
    }

    async fn rekey(&self, call: &CallId, old: &str, new: &str) -> Result<bool> {
        let done = self.inner.rekey(call, old, new).await?;
        if done {
            // Never forgotten in between: a turn of this moment would make a key of its own.
            self.ciphers.with(call, new).await?;
        } else {
            self.ciphers.forget(call).await;
        }
        Ok(done)
    }

    async fn erase_call(&self, call: &CallId, tombstone: &str) -> Result<bool> {
        self.ciphers.forget(call).await;
        self.inner.erase_call(call, tombstone).await
    }

    async fn erase_user(&self, user: &UserToken) -> Result<()> {
        // Whatever is noted from here on is noted anew.
        self.noted.invalidate_all();
        self.inner.erase_user(user).await
    }
}

#[async_trait]
impl AuthStates for SealedState {
    async fn auth(&self, call: &CallId) -> Result<Option<(AuthState, u64)>> {
        match self.inner.auth(call).await? {
            Some((state, left)) => Ok(Some((self.open_auth(call, state).await?, left))),
            None => Ok(None),
        }
    }

    async fn attempt_auth(&self, call: &CallId, state: &AuthState, max_attempts: u32) -> Result<Attempt> {
        let mut state = state.clone();
        if let (Some(subject), false) = (&mut state.subject, self.ciphers.is_off()) {
            let cipher = match self.existing(call).await? {
                Some(cipher) => cipher,
                None => self.ciphers.current(call).await?,
            };
            *subject = self.seal_alone(&cipher, CallKey::Auth, "subject", subject)?;
        }
        Ok(match self.inner.attempt_auth(call, &state, max_attempts).await? {
            Attempt::Taken(state, left) => Attempt::Taken(self.open_auth(call, state).await?, left),
            Attempt::Locked(state, left) => Attempt::Locked(self.open_auth(call, state).await?, left),
        })
    }

    async fn clear_auth(&self, call: &CallId) -> Result<bool> {
        self.inner.clear_auth(call).await
    }
}

#[async_trait]
impl Workers for SealedState {
    async fn claim(
        &self,
        call: &CallId,
        worker: &WorkerId,
        token: Option<&str>,
        fresh_token: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<Lease, Lease>> {
        self.inner.claim(call, worker, token, fresh_token, now).await
    }

    async fn release(&self, call: &CallId, worker: &WorkerId, token: Option<&str>, now: Timestamp) -> Result<std::result::Result<bool, Lease>> {
        self.inner.release(call, worker, token, now).await
    }

    async fn holder(&self, call: &CallId, now: Timestamp) -> Result<Option<Lease>> {
        self.inner.holder(call, now).await
    }

    async fn heartbeat(&self, worker: &WorkerId, now: Timestamp) -> Result<u64> {
        self.inner.heartbeat(worker, now).await
    }
}

#[async_trait]
impl StateHealth for SealedState {
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}
