//! Whether Redis serves, and whether it is set up to keep what it is given.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::AsyncAzureRedisManager;
use super::auditing::Operation;
use crate::error::{Error, Kind, Result};
use crate::ports::state::StateHealth;

/// Time for a first connection with its handshake and token.
const START: Duration = Duration::from_secs(4);
/// Time for a sign of life.
pub(super) const PING: Duration = Duration::from_millis(500);

impl AsyncAzureRedisManager {
    async fn sign_of_life(&self, limit: Duration) -> Result<()> {
        let ping = cmd("PING");
        let command = &ping;
        let work = self.link.probe(limit, |mut connection| async move { command.exec_async(&mut connection).await });
        self.audited(|| Operation::of(std::iter::once(command)), work).await
    }
}

#[async_trait]
impl StateHealth for AsyncAzureRedisManager {
    async fn ping(&self) -> Result<()> {
        self.sign_of_life(PING).await
    }

    async fn check(&self) -> Result<()> {
        self.sign_of_life(START).await?;
        let policies = self.info("memory").await?;
        let evicting = policies.iter().filter_map(|info| info.get::<String>("maxmemory_policy")).find(|policy| policy != "noeviction");
        match evicting {
            None => Ok(()),
            Some(policy) => Err(Error::new(
                Kind::Setting,
                format!(
                    "REDIS_HOST must be a Redis with maxmemory-policy noeviction (it has {policy}: eviction would take live calls), for example CONFIG SET maxmemory-policy noeviction"
                ),
            )),
        }
    }
}
