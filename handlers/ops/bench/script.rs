//! The commit script against the commands that it would take without a script, in one transaction that decides nothing.

use std::sync::Arc;

use super::RowName;
use super::report::Row;
use super::stage::{BLOCKS, CONCURRENT, Stage};
use super::turns::Caller;
use super::wire::{Taken, closed};
use crate::error::Result;
use crate::model::ids::{CallId, TurnId};
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::state::redis::{BareRedis, Template};

/// A call that is committed to.
struct Committing {
    redis: Arc<BareRedis>,
    like: Arc<Template>,
    call: CallId,
    taken: u64,
}

impl Committing {
    fn next(&mut self) -> Result<TurnId> {
        self.taken += 1;
        TurnId::parse(format!("t{}", self.taken))
    }

    async fn script(mut self) -> Result<Self> {
        let turn = self.next()?;
        self.redis.commit(&self.call, &turn, &self.like).await?;
        Ok(self)
    }

    async fn transaction(mut self) -> Result<Self> {
        let turn = self.next()?;
        self.redis.transaction(&self.call, &turn, &self.like).await?;
        Ok(self)
    }
}

/// The row.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("script", true);
    let handler = stage.serve(&arm, &[]).await?;
    let call = Caller::many(&handler, 1, 4).await?.remove(0).call;
    handler.stop().await?;
    let redis = Arc::new(BareRedis::connect(&arm).await?);
    let like = Arc::new(redis.template(&call).await?);
    let fresh = |kind: &str| {
        let one = |number| {
            let call = CallId::parse(format!("{kind}-{number}-{}", SystemClock.new_id()))?;
            Ok(Committing { redis: Arc::clone(&redis), like: Arc::clone(&like), call, taken: 0 })
        };
        (0..CONCURRENT).map(one).collect::<Result<Vec<_>>>()
    };
    let (mut scripts, mut transactions) = (fresh("script")?, fresh("multi")?);
    let (mut of_scripts, mut of_transactions) = (Taken::default(), Taken::default());
    for block in 0..BLOCKS * 2 {
        if (block + block / 2) % 2 == 0 {
            let (taken, back) = closed(scripts, stage.block(), Committing::script).await?;
            of_scripts.add(taken);
            scripts = back;
        } else {
            let (taken, back) = closed(transactions, stage.block(), Committing::transaction).await?;
            of_transactions.add(taken);
            transactions = back;
        }
    }
    let limit = "the same commands in MULTI, which decide nothing";
    Ok(vec![
        Row::new(RowName::Script, "commit scripts at 64 concurrent", of_scripts.rate(), "per second").limit(of_transactions.rate(), limit),
        Row::new(RowName::Script, "the same, p50", of_scripts.millis(50.0), "ms").limit(of_transactions.millis(50.0), limit),
    ])
}
