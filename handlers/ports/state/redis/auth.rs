//! Authentication states on Redis.

use std::collections::BTreeMap;

use async_trait::async_trait;
use redis::{Value, pipe};

use super::calls::exact;
use super::{AsyncAzureRedisManager, fields, parts, read};
use crate::error::{Error, Result};
use crate::model::conversation::AuthState;
use crate::model::ids::CallId;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Attempt, AuthStates};

/// The state in the stored fields; none where there are none.
pub(super) fn state(fields: &BTreeMap<String, String>) -> Result<Option<AuthState>> {
    let Some(json) = fields.get("state") else { return Ok(None) };
    let said: AuthState = serde_json::from_str(json).map_err(|_| Error::internal("a stored authentication state is not readable"))?;
    let failed_attempts = fields.get("failed").and_then(|n| n.parse().ok()).unwrap_or(0);
    let locked = fields.get("locked").is_some_and(|flag| flag == "1");
    Ok(Some(AuthState { failed_attempts, locked, ..said }))
}

/// What a key has left, in seconds; a key that is just gone has none.
fn left(ttl: Value) -> Result<u64> {
    Ok(u64::try_from(read::<i64>(ttl)?).unwrap_or(0))
}

#[async_trait]
impl AuthStates for AsyncAzureRedisManager {
    async fn auth(&self, call: &CallId) -> Result<Option<(AuthState, u64)>> {
        let key = self.key(call, CallKey::Auth);
        let mut look = pipe();
        look.hgetall(&key).ttl(&key);
        let [stored, ttl]: [Value; 2] = exact(self.pipeline(&look).await?)?;
        let left = left(ttl)?;
        Ok(state(&fields(stored)?)?.map(|state| (state, left)))
    }

    async fn attempt_auth(&self, call: &CallId, said: &AuthState, max_attempts: u32) -> Result<Attempt> {
        let kept = AuthState { failed_attempts: 0, locked: false, ..said.clone() };
        let mut invocation = self.scripts.attempt_auth.on([self.key(call, CallKey::Auth)]);
        invocation.arg(if said.authenticated { "1" } else { "0" });
        invocation.arg(serde_json::to_string(&kept).map_err(Error::internal)?).arg(max_attempts).arg(self.ttl(TtlPolicy::AuthenticationState));
        // Not only we send it twice where a connection breaks: a cluster's client does, too.
        invocation.arg(SystemClock.new_id());
        let (word, rest) = parts(self.script(&invocation).await?)?;
        let [stored, ttl]: [Value; 2] = exact(rest)?;
        let after = state(&fields(stored)?)?.ok_or_else(|| Error::internal("an authentication state was lost while it was written"))?;
        Ok(if word == "locked" { Attempt::Locked(after, left(ttl)?) } else { Attempt::Taken(after, left(ttl)?) })
    }

    async fn clear_auth(&self, call: &CallId) -> Result<bool> {
        read(self.script(&self.scripts.clear_auth.on([self.key(call, CallKey::Auth)])).await?)
    }
}
