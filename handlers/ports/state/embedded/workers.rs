//! Which worker holds which call, on the embedded file.

use async_trait::async_trait;

use super::{EmbeddedState, Step};
use crate::error::Result;
use crate::model::ids::{CallId, WorkerId};
use crate::model::time::Timestamp;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Lease, Workers};

const OWNER: &str = "owner";
const TOKEN: &str = "token";
const UNTIL: &str = "until";

#[async_trait]
impl Workers for EmbeddedState {
    async fn claim(
        &self,
        call: &CallId,
        worker: &WorkerId,
        token: Option<&str>,
        fresh_token: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<Lease, Lease>> {
        let (call, worker, token, fresh) = (call.clone(), worker.clone(), token.map(str::to_owned), fresh_token.to_owned());
        self.write(move |step| step.claim(&call, &worker, token.as_deref(), fresh, now)).await
    }

    async fn release(&self, call: &CallId, worker: &WorkerId, token: Option<&str>, now: Timestamp) -> Result<std::result::Result<bool, Lease>> {
        let (call, worker, token) = (call.clone(), worker.clone(), token.map(str::to_owned));
        self.write(move |step| {
            let Some(lease) = step.holder(&call, now)? else { return Ok(Ok(false)) };
            if lease.worker != worker || token.is_some_and(|token| token != lease.token) {
                return Ok(Err(lease));
            }
            step.table.remove(&step.key(&call, CallKey::Worker))?;
            step.table.take_out(&step.rules.keys.worker_affinity(&worker), call.as_str())?;
            Ok(Ok(true))
        })
        .await
    }

    async fn holder(&self, call: &CallId, now: Timestamp) -> Result<Option<Lease>> {
        let call = call.clone();
        self.read(move |step| step.holder(&call, now)).await
    }

    async fn heartbeat(&self, worker: &WorkerId, now: Timestamp) -> Result<u64> {
        let worker = worker.clone();
        self.write(move |step| {
            step.sign_of_life(&worker, now)?;
            let affinity = step.rules.keys.worker_affinity(&worker);
            step.table.touch(&affinity, step.anew(TtlPolicy::WorkerAffinity))?;
            let mut held = 0;
            for (member, _) in step.table.members(&affinity, 0, u64::MAX)? {
                // A claim may have expired, or its call may be archived, since it was made.
                if step.holder(&CallId::parse(member.as_str())?, now)?.is_some_and(|lease| lease.worker == worker) {
                    held += 1;
                } else {
                    step.table.take_out(&affinity, &member)?;
                }
            }
            Ok(held)
        })
        .await
    }
}

impl Step<'_> {
    /// The claim as it stands, live or not.
    fn lease(&self, call: &CallId) -> Result<Option<Lease>> {
        let mut fields = self.table.fields(&self.key(call, CallKey::Worker))?;
        let (Some(owner), Some(token), Some(until)) = (fields.remove(OWNER), fields.remove(TOKEN), fields.remove(UNTIL)) else {
            return Ok(None);
        };
        let until = until.parse().map(Timestamp::from_millis).map_err(crate::error::Error::internal)?;
        Ok(Some(Lease { worker: WorkerId::parse(owner)?, token, until }))
    }

    /// The claim, where it has not expired and its owner lives.
    fn holder(&self, call: &CallId, now: Timestamp) -> Result<Option<Lease>> {
        let Some(lease) = self.lease(call)? else { return Ok(None) };
        let alive = lease.until > now && self.table.exists(&self.rules.keys.worker_heartbeat(&lease.worker))?;
        Ok(alive.then_some(lease))
    }

    fn claim(&self, call: &CallId, worker: &WorkerId, token: Option<&str>, fresh: String, now: Timestamp) -> Result<std::result::Result<Lease, Lease>> {
        let token = match self.holder(call, now)? {
            Some(lease) if lease.worker != *worker || token.is_some_and(|token| token != lease.token) => return Ok(Err(lease)),
            Some(lease) => lease.token,
            None => fresh,
        };
        if let Some(former) = self.lease(call)?
            && former.worker != *worker
        {
            self.table.take_out(&self.rules.keys.worker_affinity(&former.worker), call.as_str())?;
        }
        let life = self.anew(TtlPolicy::WorkerAffinity);
        let lease = Lease { worker: worker.clone(), token, until: now.plus_millis(self.millis(TtlPolicy::WorkerAffinity)) };
        let claim = self.table.open(&self.key(call, CallKey::Worker), life)?;
        self.table.set(claim, OWNER, worker.as_str())?;
        self.table.set(claim, TOKEN, &lease.token)?;
        self.table.set(claim, UNTIL, &lease.until.millis().to_string())?;
        let affinity = self.table.open(&self.rules.keys.worker_affinity(worker), life)?;
        self.table.add(affinity, call.as_str(), 0)?;
        self.sign_of_life(worker, now)?;
        Ok(Ok(lease))
    }

    fn sign_of_life(&self, worker: &WorkerId, now: Timestamp) -> Result<()> {
        let key = self.rules.keys.worker_heartbeat(worker);
        self.table.set_value(&key, now.millis().to_string().as_bytes(), self.anew(TtlPolicy::WorkerHeartbeat))
    }
}
