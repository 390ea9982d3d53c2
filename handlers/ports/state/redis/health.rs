//! Whether Redis serves, and whether it is set up to keep what it is given.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::AsyncAzureRedisManager;
use crate::error::{Error, Kind, Result};
use crate::ports::state::StateHealth;

/// Time for a first connection with its handshake and token.
const START: Duration = Duration::from_secs(4);
/// Time for a sign of life.
const PING: Duration = Duration::from_millis(500);

#[async_trait]
impl StateHealth for AsyncAzureRedisManager {
    async fn ping(&self) -> Result<()> {
        self.link.probe(PING, |mut connection| async move { cmd("PING").exec_async(&mut connection).await }).await
    }

    async fn check(&self) -> Result<()> {
        self.link.probe(START, |mut connection| async move { cmd("PING").exec_async(&mut connection).await }).await?;
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
