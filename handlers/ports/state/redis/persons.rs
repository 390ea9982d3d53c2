//! Persons on Redis: which calls are whose, and what an erasure removes. A person's keys lie in slots of their own.

use async_trait::async_trait;
use redis::{Value, pipe};

use super::calls::{exact, seconds};
use super::{AsyncAzureRedisManager, read};
use crate::error::Result;
use crate::model::ids::{CallId, UserToken};
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Calls as _, Persons};

/// The keys of a call in the order of the scripts that remove them: the summary first.
pub(super) const REMOVED: [CallKey; 9] =
    [CallKey::Summary, CallKey::Session, CallKey::Events, CallKey::Worker, CallKey::Context, CallKey::History, CallKey::Turns, CallKey::Outbox, CallKey::Auth];

#[async_trait]
impl Persons for AsyncAzureRedisManager {
    async fn note_call(&self, user: &UserToken, call: &CallId) -> Result<()> {
        let key = self.keys.calls_of(user);
        let mut change = pipe();
        change.sadd(&key, call.as_str()).ignore().expire(&key, seconds(self.ttl(TtlPolicy::UserCalls))).ignore();
        self.pipeline(&change).await.map(drop)
    }

    async fn calls_of(&self, user: &UserToken) -> Result<Vec<CallId>> {
        let mut look = pipe();
        look.smembers(self.keys.calls_of(user));
        let [members]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        read::<Vec<String>>(members)?.into_iter().map(CallId::parse).collect()
    }

    async fn rekey(&self, call: &CallId, old: &str, new: &str) -> Result<bool> {
        let mut invocation = self.scripts.rekey.on([self.key(call, CallKey::Session)]);
        invocation.arg(old).arg(new);
        read(self.script(&invocation).await?)
    }

    async fn erase_call(&self, call: &CallId, tombstone: &str) -> Result<bool> {
        let mut invocation = self.scripts.erase.on(REMOVED.map(|key| self.key(call, key)));
        invocation.arg(tombstone).arg(self.ttl(TtlPolicy::CallSummary));
        let there: u64 = read(self.script(&invocation).await?)?;
        self.touch_open(call, None).await?;
        Ok(there > 0)
    }

    async fn erase_user(&self, user: &UserToken) -> Result<()> {
        let keys = [self.keys.calls_of(user), self.keys.profile(user)];
        self.scattered(keys.iter().map(|key| redis::cmd("UNLINK").arg(key).to_owned()).collect()).await.map(drop)
    }
}
