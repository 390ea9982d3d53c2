//! What the rows share: the settings of each arm, its prefix, its files, the queue, and the clean-up.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::handler::Handler;
use super::sink::Sink;
use super::{own_folder, refuse_production};
use crate::config::{Config, RootKey, Secret, ServiceBusConfig};
use crate::error::{Error, Kind, Result};
use crate::ports::state::redis::BareRedis;

/// Blocks into which the time of an arm is cut; arms take turns, so that whatever else the machine does meets all alike.
pub(super) const BLOCKS: u32 = 4;
/// Callers at once in the rows that say nothing else.
pub(super) const CONCURRENT: usize = 64;

/// The stage of a run.
pub(super) struct Stage {
    config: Config,
    folder: PathBuf,
    /// Time of each measured arm.
    pub(super) seconds: Duration,
    /// The queue of all arms.
    pub(super) sink: Sink,
    arms: Mutex<Vec<Config>>,
}

impl Stage {
    /// Makes a folder and a queue. Errors: `Setting` in production and without Redis.
    pub(super) async fn open(config: &Config, seconds: Duration) -> Result<Self> {
        refuse_production(config)?;
        match &config.redis {
            None => return Err(Error::new(Kind::Setting, "REDIS_HOST must be set: the limits are Redis's, for example REDIS_HOST=localhost")),
            Some(redis) if redis.cluster => {
                return Err(Error::new(Kind::Setting, "REDIS_CLUSTER must be false for measurements, for example REDIS_CLUSTER=false"));
            }
            Some(_) => {}
        }
        // A handler reads relative paths from its app root.
        let (folder, sink) = (std::path::absolute(own_folder(config)?).map_err(Error::internal)?, Sink::start().await?);
        Ok(Self { config: config.clone(), folder, seconds, sink, arms: Mutex::default() })
    }

    /// Time of one block of an arm.
    pub(super) fn block(&self) -> Duration {
        self.seconds / BLOCKS
    }

    /// The settings of an arm: everything but Redis is its own.
    pub(super) fn arm(&self, name: &str, privacy: bool) -> Config {
        let own = Config {
            privacy,
            app_prefix: format!("bench-{}-{name}", std::process::id()),
            cosmos: None,
            service_bus: Some(ServiceBusConfig { base_url: self.sink.base_url(), key: Some(("sender".to_owned(), Secret::new("a2V5"))) }),
            speech: None,
            openai: None,
            breach_webhook_url: None,
            embedded_path: self.folder.join(format!("{name}.db")),
            root_key: RootKey::File(self.folder.join(format!("{name}-keys.json"))),
            ..self.config.clone()
        };
        self.arms.lock().unwrap_or_else(PoisonError::into_inner).push(own.clone());
        own
    }

    /// A handler with the settings of an arm, and `more` over them.
    pub(super) async fn serve(&self, arm: &Config, more: &[(&'static str, String)]) -> Result<Handler> {
        self.serve_from(&std::env::current_exe().map_err(Error::internal)?, arm, more).await
    }

    /// The same from a copy of the executable: what it shares with this process would count half.
    pub(super) async fn serve_alone(&self, arm: &Config, more: &[(&'static str, String)]) -> Result<Handler> {
        let copy = self.folder.join("rtvoice");
        tokio::fs::copy(std::env::current_exe().map_err(Error::internal)?, &copy).await.map_err(Error::internal)?;
        self.serve_from(&copy, arm, more).await
    }

    async fn serve_from(&self, executable: &Path, arm: &Config, more: &[(&'static str, String)]) -> Result<Handler> {
        let RootKey::File(keys) = &arm.root_key else { return Err(Error::internal("an arm without a key file")) };
        let path = |path: &Path| path.display().to_string();
        let mut settings = vec![
            ("PRIVACY", if arm.privacy { "on" } else { "off" }.to_owned()),
            ("APP_PREFIX", arm.app_prefix.clone()),
            ("EMBEDDED_PATH", path(&arm.embedded_path)),
            ("KEYS_PATH", path(keys)),
            ("SERVICE_BUS_NAMESPACE", self.sink.base_url()),
            ("SERVICE_BUS_KEY_NAME", "sender".to_owned()),
            ("SERVICE_BUS_KEY", "a2V5".to_owned()),
            ("FUNCTIONS_APP_ROOT_PATH", path(&arm.app_root)),
            // As `infra/settings.prod.sample.json` has it.
            ("MIMALLOC_PURGE_DELAY", "10".to_owned()),
        ];
        for unset in UNSET {
            settings.push((unset, String::new()));
        }
        settings.extend_from_slice(more);
        Handler::start(executable, &settings, &self.folder.join(format!("{}.log", arm.app_prefix))).await
    }

    /// Removes the keys and files of every arm. What can be removed is, also where something else cannot.
    pub(super) async fn close(self) -> Result<()> {
        let arms = std::mem::take(&mut *self.arms.lock().unwrap_or_else(PoisonError::into_inner));
        let mut removed = Ok(());
        for arm in arms {
            removed = removed.and(clear(&arm).await);
        }
        removed.and(std::fs::remove_dir_all(&self.folder).map_err(Error::internal))
    }
}

async fn clear(arm: &Config) -> Result<()> {
    BareRedis::connect(arm).await?.clear().await.map(drop)
}

/// Settings that lead to what is not measured: an empty one counts as unset.
const UNSET: [&str; 11] = [
    "COSMOS_ENDPOINT",
    "COSMOS_KEY",
    "COSMOS_DATABASE",
    "SPEECH_ENDPOINT",
    "SPEECH_KEY",
    "OPENAI_ENDPOINT",
    "OPENAI_DEPLOYMENT",
    "OPENAI_KEY",
    "KEY_VAULT_URL",
    "KEY_VAULT_KEY",
    "BREACH_WEBHOOK_URL",
];
