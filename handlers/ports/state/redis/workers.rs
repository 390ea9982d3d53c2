//! Claims of workers on calls, on Redis. A worker's heartbeat is in another slot than the claim: it is looked at
//! first, and the script is told which lease was found dead, so that the decision stays one compare and set. A worker's
//! set of calls is in a slot of its own, too: it follows the claims, and each heartbeat drops from it what was lost.

use async_trait::async_trait;
use redis::{Value, cmd, pipe};

use super::calls::{exact, seconds, time};
use super::{AsyncAzureRedisManager, parts, read};
use crate::error::{Error, Result};
use crate::model::ids::{CallId, WorkerId};
use crate::model::time::Timestamp;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Lease, Workers};

/// Calls of a worker that are looked at together, about.
const PAGE: u64 = 100;

impl AsyncAzureRedisManager {
    /// The token of a claim that the worker itself has and lost by its silence; empty where there is none.
    async fn lost_token(&self, call: &CallId, worker: &WorkerId) -> Result<String> {
        let mut claim = cmd("HMGET");
        claim.arg(self.key(call, CallKey::Worker)).arg("owner").arg("token");
        let mut alive = cmd("EXISTS");
        alive.arg(self.keys.worker_heartbeat(worker));
        let [claim, alive]: [Value; 2] = exact(self.scattered(vec![claim, alive]).await?)?;
        let (owner, token): (Option<String>, Option<String>) = read(claim)?;
        let lost = owner.as_deref() == Some(worker.as_str()) && !read::<bool>(alive)?;
        Ok(token.filter(|_| lost).unwrap_or_default())
    }

    /// Those of the calls that the worker does not hold.
    async fn not_held(&self, calls: Vec<String>, worker: &WorkerId, now: Timestamp) -> Result<Vec<String>> {
        let mut looks = Vec::with_capacity(calls.len());
        for call in &calls {
            let mut look = cmd("HMGET");
            look.arg(self.key(&CallId::parse(call.as_str())?, CallKey::Worker)).arg("owner").arg("until");
            looks.push(look);
        }
        let mut lost = Vec::new();
        for (call, claim) in calls.into_iter().zip(self.scattered(looks).await?) {
            let (owner, until): (Option<String>, Option<String>) = read(claim)?;
            let held = owner.as_deref() == Some(worker.as_str()) && until.is_some_and(|until| time(&until) > now);
            if !held {
                lost.push(call);
            }
        }
        Ok(lost)
    }

    /// Drops from a worker's set the calls that it does not hold any more: their claims expired, or went with their
    /// calls. One that is claimed again just now comes back with its renewal.
    async fn drop_lost(&self, worker: &WorkerId, now: Timestamp) -> Result<()> {
        let set = self.keys.worker_affinity(worker);
        let mut cursor = 0;
        loop {
            let mut look = pipe();
            look.cmd("SSCAN").arg(&set).arg(cursor).arg("COUNT").arg(PAGE);
            let [page]: [Value; 1] = exact(self.pipeline(&look).await?)?;
            let (next, calls): (u64, Vec<String>) = read(page)?;
            let lost = self.not_held(calls, worker, now).await?;
            if !lost.is_empty() {
                let mut leave = pipe();
                leave.srem(&set, lost).ignore();
                self.pipeline(&leave).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn alive(&self, worker: &WorkerId) -> Result<bool> {
        let mut look = pipe();
        look.exists(self.keys.worker_heartbeat(worker));
        let [alive]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        read(alive)
    }

    async fn try_claim(
        &self,
        call: &CallId,
        worker: &WorkerId,
        token: &str,
        fresh: &str,
        now: Timestamp,
        dead: &str,
    ) -> Result<(bool, Lease, Option<WorkerId>)> {
        let ttl = self.ttl(TtlPolicy::WorkerAffinity);
        let until = now.plus_millis(seconds(ttl).saturating_mul(1000));
        let mut invocation = self.scripts.claim.on([self.key(call, CallKey::Worker)]);
        invocation.arg(worker.as_str()).arg(token).arg(fresh);
        invocation.arg(now.millis()).arg(until.millis()).arg(ttl).arg(dead);
        let (word, rest) = parts(self.script(&invocation).await?)?;
        let [owner, token, until, former]: [Value; 4] = exact(rest)?;
        let former = read::<String>(former)?;
        let former = if former.is_empty() { None } else { Some(WorkerId::parse(former)?) };
        Ok((word == "ok", lease(owner, token, until)?, former))
    }

    async fn try_release(&self, call: &CallId, worker: &WorkerId, token: &str, now: Timestamp, dead: &str) -> Result<(String, Option<Lease>)> {
        let mut invocation = self.scripts.release.on([self.key(call, CallKey::Worker)]);
        invocation.arg(worker.as_str()).arg(token).arg(now.millis()).arg(dead);
        let (word, rest) = parts(self.script(&invocation).await?)?;
        if word == "free" {
            return Ok((word, None));
        }
        let [owner, token, until]: [Value; 3] = exact(rest)?;
        Ok((word, Some(lease(owner, token, until)?)))
    }
}

fn lease(owner: Value, token: Value, until: Value) -> Result<Lease> {
    Ok(Lease { worker: WorkerId::parse(read::<String>(owner)?)?, token: read(token)?, until: time(&read::<String>(until)?) })
}

#[async_trait]
impl Workers for AsyncAzureRedisManager {
    async fn claim(
        &self,
        call: &CallId,
        worker: &WorkerId,
        token: Option<&str>,
        fresh_token: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<Lease, Lease>> {
        let token = token.unwrap_or("");
        let lost = self.lost_token(call, worker).await?;
        let (mut done, mut lease, mut former) = self.try_claim(call, worker, token, fresh_token, now, &lost).await?;
        if !done && lease.worker != *worker && !self.alive(&lease.worker).await? {
            (done, lease, former) = self.try_claim(call, worker, token, fresh_token, now, &lease.token).await?;
        }
        if !done {
            return Ok(Err(lease));
        }
        let calls = self.keys.worker_affinity(worker);
        let (mut join, mut beat) = (pipe(), pipe());
        join.sadd(&calls, call.as_str()).ignore().expire(&calls, seconds(self.ttl(TtlPolicy::WorkerAffinity))).ignore();
        beat.set_ex(self.keys.worker_heartbeat(worker), now.millis(), self.ttl(TtlPolicy::WorkerHeartbeat)).ignore();
        let mut changes = vec![join, beat];
        if let Some(former) = former {
            let mut leave = pipe();
            leave.srem(self.keys.worker_affinity(&former), call.as_str()).ignore();
            changes.push(leave);
        }
        self.together(&changes).await?;
        Ok(Ok(lease))
    }

    async fn release(&self, call: &CallId, worker: &WorkerId, token: Option<&str>, now: Timestamp) -> Result<std::result::Result<bool, Lease>> {
        let token = token.unwrap_or("");
        let lost = self.lost_token(call, worker).await?;
        let (mut word, mut lease) = self.try_release(call, worker, token, now, &lost).await?;
        if let (true, Some(held)) = (word == "held", &lease)
            && held.worker != *worker
            && !self.alive(&held.worker).await?
        {
            let dead = held.token.clone();
            (word, lease) = self.try_release(call, worker, token, now, &dead).await?;
        }
        match (word.as_str(), lease) {
            ("held", Some(lease)) => Ok(Err(lease)),
            ("released", _) => {
                let mut leave = pipe();
                leave.srem(self.keys.worker_affinity(worker), call.as_str()).ignore();
                self.pipeline(&leave).await?;
                Ok(Ok(true))
            }
            ("free", _) => Ok(Ok(false)),
            _ => Err(Error::internal("the release script answered something unknown")),
        }
    }

    async fn holder(&self, call: &CallId, now: Timestamp) -> Result<Option<Lease>> {
        let mut look = pipe();
        look.cmd("HMGET").arg(self.key(call, CallKey::Worker)).arg("owner").arg("token").arg("until");
        let [stored]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let (Some(owner), Some(token), Some(until)) = read::<(Option<String>, Option<String>, Option<String>)>(stored)? else { return Ok(None) };
        let lease = Lease { worker: WorkerId::parse(owner)?, token, until: time(&until) };
        if lease.until <= now || !self.alive(&lease.worker).await? {
            return Ok(None);
        }
        Ok(Some(lease))
    }

    async fn heartbeat(&self, worker: &WorkerId, now: Timestamp) -> Result<u64> {
        let calls = self.keys.worker_affinity(worker);
        let (mut beat, mut keep) = (pipe(), pipe());
        beat.set_ex(self.keys.worker_heartbeat(worker), now.millis(), self.ttl(TtlPolicy::WorkerHeartbeat)).ignore();
        keep.expire(&calls, seconds(self.ttl(TtlPolicy::WorkerAffinity))).ignore();
        self.together(&[beat, keep]).await?;
        self.drop_lost(worker, now).await?;
        let mut count = pipe();
        count.scard(&calls);
        let [held]: [Value; 1] = exact(self.pipeline(&count).await?)?;
        read(held)
    }
}
