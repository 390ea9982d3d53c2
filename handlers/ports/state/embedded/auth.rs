//! Authentication states on the embedded file.

use async_trait::async_trait;

use super::{EmbeddedState, Step, decode, encode};
use crate::error::Result;
use crate::model::conversation::AuthState;
use crate::model::ids::CallId;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Attempt, AuthStates};

/// The one field of the hash.
const STATE: &str = "state";

#[async_trait]
impl AuthStates for EmbeddedState {
    async fn auth(&self, call: &CallId) -> Result<Option<(AuthState, u64)>> {
        let call = call.clone();
        self.read(move |step| step.auth(&call)).await
    }

    async fn attempt_auth(&self, call: &CallId, state: &AuthState, max_attempts: u32) -> Result<Attempt> {
        let (call, state) = (call.clone(), state.clone());
        self.write(move |step| step.attempt_auth(&call, state, max_attempts)).await
    }

    async fn clear_auth(&self, call: &CallId) -> Result<bool> {
        let call = call.clone();
        self.write(move |step| {
            if step.auth(&call)?.is_some_and(|(state, _)| state.locked) {
                return Ok(false);
            }
            step.table.remove(&step.key(&call, CallKey::Auth))?;
            Ok(true)
        })
        .await
    }
}

impl Step<'_> {
    /// The state and the seconds it has left.
    pub(super) fn auth(&self, call: &CallId) -> Result<Option<(AuthState, u64)>> {
        let key = self.key(call, CallKey::Auth);
        match (self.table.field(&key, STATE)?, self.table.seconds_left(&key)?) {
            (Some(text), Some(seconds)) => Ok(Some((decode(&text)?, seconds))),
            _ => Ok(None),
        }
    }

    fn attempt_auth(&self, call: &CallId, mut state: AuthState, max_attempts: u32) -> Result<Attempt> {
        let before = self.auth(call)?;
        let failed = match before {
            Some((locked, seconds)) if locked.locked => return Ok(Attempt::Locked(locked, seconds)),
            Some((before, _)) => before.failed_attempts,
            None => 0,
        };
        state.failed_attempts = if state.authenticated { 0 } else { failed.saturating_add(1) };
        state.locked = !state.authenticated && state.failed_attempts >= max_attempts;
        let id = self.table.open(&self.key(call, CallKey::Auth), self.anew(TtlPolicy::AuthenticationState))?;
        self.table.set(id, STATE, &encode(&state)?)?;
        Ok(Attempt::Taken(state, self.rules.keys.ttl(TtlPolicy::AuthenticationState)))
    }
}
