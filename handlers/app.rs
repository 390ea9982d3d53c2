//! The app: its ports, clock and limits, put together from the settings. The only file that names backends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use tokio_util::task::TaskTracker;

use crate::config::{Config, RootKey};
use crate::error::{Error, Kind, Result};
use crate::host::admission::Admission;
use crate::model::phrase::Phrase;
use crate::ports::audit::{self, Audit};
use crate::ports::board::{Board, local::LocalBoard};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::documents::{Documents, cosmos::CosmosDocuments, embedded::EmbeddedDocuments, retained::Retained};
use crate::ports::embedded::Embedded;
use crate::ports::export::Export;
use crate::ports::guarded::Guarded;
use crate::ports::http;
use crate::ports::identity::Identity;
use crate::ports::notices::Notices;
use crate::ports::queue::{Queue, embedded::EmbeddedQueue, service_bus::ServiceBusQueue};
use crate::ports::replies::{Replies, azure::AzureReplies, scripted::ScriptedAgent};
use crate::ports::root_key::{KeyWrapper, file::FileKeys, key_vault::KeyVault};
use crate::ports::running;
use crate::ports::speech::{Speech, azure::AzureSpeech, offline::OfflineSpeech};
use crate::ports::state::redis::AsyncAzureRedisManager;
use crate::ports::state::{State, embedded::EmbeddedState, sealed::SealedState};
use crate::ports::webhook::Webhook;
use crate::privacy::ciphers::Ciphers;
use crate::privacy::vault::Vault;
use crate::steps::watch::Windows;
use crate::telemetry::Metrics;
use crate::telemetry::label::Dependency;

/// How long a phrase stays in the first-level cache.
const L1_LIFE: Duration = Duration::from_secs(600);

/// Everything that a function may use; clones share it.
#[derive(Clone)]
pub struct App {
    inner: Arc<Parts>,
}

/// What an [`App`] consists of.
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// State across invocations.
    pub state: Arc<dyn State>,
    /// The permanent record.
    pub documents: Arc<dyn Documents>,
    /// The audit log.
    pub audit: Audit,
    /// Where reminders of a breach's clock go.
    pub breach_webhook: Option<Webhook>,
    /// What is remembered of security events.
    pub security: crate::steps::breach::Watch,
    /// The queue between call and archive.
    pub queue: Arc<dyn Queue>,
    /// The embedded queue, where it is the one in use: somebody must deliver it.
    pub embedded_queue: Option<EmbeddedQueue>,
    /// The voice.
    pub speech: Arc<dyn Speech>,
    /// The agent.
    pub replies: Arc<dyn Replies>,
    /// The keys of everything personal.
    pub vault: Arc<Vault>,
    /// What the values of calls are sealed with.
    pub ciphers: Ciphers,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// First-level cache of spoken phrases, by phrase hash; bounded by bytes.
    pub audio: Cache<String, Bytes>,
    /// Whether the shared cache took the last phrase; false while it is full or away.
    pub cache_takes: std::sync::atomic::AtomicBool,
    /// Texts that are known to matter to no later turn.
    pub talk: crate::steps::masking::Talk,
    /// Work off the callers' paths.
    pub tasks: TaskTracker,
    /// Who may run now, and who waits.
    pub admission: Admission,
    /// What health remembers between its looks at the dependencies.
    pub health: crate::steps::health::Watch,
    /// What this process could not hand to the queue.
    pub owed: crate::steps::outbox::owed::Owed,
    /// What the dashboard remembers between its looks.
    pub dashboard: crate::steps::dashboard::Watch,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What all instances share of their operation.
    pub board: Arc<dyn Board>,
    /// Windows of time over the figures.
    pub windows: Windows,
    /// What watching over the app remembers.
    pub watch: crate::steps::watch::Watch,
    /// What the alerts remember.
    pub alerts: crate::steps::alerts::Alerts,
    /// Where alerts are told.
    pub notices: Arc<Notices>,
    /// Who collects spans and metrics.
    pub export: Arc<Export>,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner
    }
}

impl App {
    /// Puts the app together. Nothing is sent yet. Errors: `Setting`.
    pub fn new(config: Config) -> Result<Self> {
        Self::with_clock(config, Arc::new(SystemClock))
    }

    /// The same with another clock.
    pub fn with_clock(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::observed(config, clock, |documents| documents)
    }

    /// An app that makes nothing that is missing, for whoever looks what is.
    pub fn looking(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::assembled(config, clock, false, |documents| documents)
    }

    /// The same with something between it and its documents, for measurements.
    pub fn observed(config: Config, clock: Arc<dyn Clock>, between: impl FnOnce(Arc<dyn Documents>) -> Arc<dyn Documents>) -> Result<Self> {
        let make_missing = !config.guarded;
        Self::assembled(config, clock, make_missing, between)
    }

    fn assembled(config: Config, clock: Arc<dyn Clock>, make_missing: bool, between: impl FnOnce(Arc<dyn Documents>) -> Arc<dyn Documents>) -> Result<Self> {
        let http = config.ca_file.as_deref().map_or_else(http::client, http::client_trusting)?;
        let identity = || Identity::new(http.clone(), config.guarded || config.managed_identity, config.azure_client_id.clone());
        let embedded = if config.uses_embedded() { Some(Embedded::open(&config.embedded_path)?) } else { None };
        let embedded = || embedded.clone().ok_or_else(|| Error::internal("no embedded file was opened"));

        let metrics = Arc::new(if config.telemetry { Metrics::default() } else { Metrics::off() });
        let documents: Arc<dyn Documents> = match &config.cosmos {
            Some(cosmos) => {
                let identity = if cosmos.key.is_none() { Some(identity()?) } else { None };
                let store = CosmosDocuments::connect(cosmos, identity, make_missing)?;
                Arc::new(Guarded::new("Cosmos DB", store).measured(&metrics, Dependency::Documents))
            }
            None => Arc::new(EmbeddedDocuments::open(embedded()?, Arc::clone(&clock))?),
        };
        let documents: Arc<dyn Documents> = Arc::new(Retained::new(between(documents), config.retention, Arc::clone(&clock)));
        let vault = Arc::new(if config.privacy {
            let root: Arc<dyn KeyWrapper> = match &config.root_key {
                RootKey::Vault { url, key } => {
                    let vault = KeyVault::new(url, key, http.clone(), identity()?);
                    Arc::new(Guarded::new("Key Vault", vault).measured(&metrics, Dependency::RootKey))
                }
                RootKey::File(path) => Arc::new(FileKeys::new(path.clone(), Arc::clone(&clock))),
            };
            Vault::new(Arc::clone(&documents), root, Arc::clone(&clock), config.environment)
        } else {
            Vault::off(config.guarded)?
        });
        let audit = audit_log(&config, (&documents, &vault, &clock), &metrics);
        let (state, board): (Arc<dyn State>, Arc<dyn Board>) = match &config.redis {
            Some(redis) => {
                let entra = matches!(redis.auth, crate::config::RedisAuth::Entra { .. });
                let manager = AsyncAzureRedisManager::new(&config, if entra { Some(identity()?) } else { None })?.audited_by(audit.clone());
                let manager = Arc::new(manager.measured(Arc::clone(&metrics)));
                (Arc::clone(&manager) as _, manager)
            }
            None => {
                let state = EmbeddedState::open(embedded()?, &config, Arc::clone(&clock))?.audited_by(audit.clone());
                (Arc::new(state), Arc::new(LocalBoard::default()))
            }
        };
        let ciphers = Ciphers::new(Arc::clone(&vault));
        let state: Arc<dyn State> = Arc::new(SealedState::new(state, ciphers.clone(), &config).audited_by(audit.clone()));
        let (queue, embedded_queue): (Arc<dyn Queue>, _) = match &config.service_bus {
            Some(bus) => {
                let identity = if bus.key.is_none() { Some(identity()?) } else { None };
                let queue = ServiceBusQueue::connect(bus, &config.transcript_queue, http.clone(), identity, Arc::clone(&clock))?;
                (Arc::new(Guarded::new("Service Bus", queue).measured(&metrics, Dependency::Queue)), None)
            }
            None => {
                let queue = EmbeddedQueue::open(embedded()?, Arc::clone(&clock))?;
                (Arc::new(queue.clone()), Some(queue))
            }
        };
        let speech: Arc<dyn Speech> = match &config.speech {
            Some(speech) => {
                let identity = if speech.key.is_none() { Some(identity()?) } else { None };
                let speech = AzureSpeech::new(speech, http.clone(), identity);
                Arc::new(Guarded::new("Azure Speech", speech).measured(&metrics, Dependency::Speech))
            }
            None => Arc::new(OfflineSpeech::detect()),
        };
        let replies: Arc<dyn Replies> = match &config.openai {
            Some(openai) => {
                let identity = if openai.service.key.is_none() { Some(identity()?) } else { None };
                let replies = AzureReplies::new(openai, http.clone(), identity, system_prompt(&config)?);
                Arc::new(Guarded::new("Azure OpenAI", replies).measured(&metrics, Dependency::Replies))
            }
            None => Arc::new(scripted(&config)?),
        };
        let breach_webhook = config.breach_webhook_url.as_deref().map(|url| Webhook::new(http.clone(), url));
        let audio = Cache::builder()
            .max_capacity(config.tts_l1_bytes)
            .weigher(|_: &String, audio: &Bytes| u32::try_from(audio.len()).unwrap_or(u32::MAX))
            .time_to_live(L1_LIFE)
            .build();
        let health = crate::steps::health::Watch::default();
        let admission = Admission::new(config.max_in_flight, config.max_waiting);
        let notices = Arc::new(Notices::new(&http, &config.alerts, config.ca_file.as_deref()));
        let wants_tokens = config.export.insights.as_ref().is_some_and(|insights| insights.entra);
        let source = format!("{}/{}", config.app_prefix, config.environment.as_str());
        let export = Arc::new(Export::new(&config.export, &http, if wants_tokens { Some(identity()?) } else { None }, source, clock.now()));
        let windows = Windows::new(config.alerts.pace);
        let parts = Parts {
            config,
            state,
            documents,
            audit,
            breach_webhook,
            security: crate::steps::breach::Watch::default(),
            queue,
            embedded_queue,
            speech,
            replies,
            vault,
            ciphers,
            clock,
            audio,
            cache_takes: true.into(),
            talk: crate::steps::masking::Talk::default(),
            tasks: TaskTracker::new(),
            admission,
            health,
            owed: crate::steps::outbox::owed::Owed::default(),
            dashboard: crate::steps::dashboard::Watch::default(),
            metrics,
            board,
            windows,
            watch: crate::steps::watch::Watch::default(),
            alerts: crate::steps::alerts::Alerts::default(),
            notices,
            export,
        };
        Ok(Self { inner: Arc::new(parts) })
    }

    /// An app of these parts, for tests that need parts of their own.
    pub fn from_parts(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }

    /// Runs work off the caller's path; `serve` waits for it when it ends.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Boxed first: each layer below would otherwise copy the whole future once more.
        self.tasks.spawn(running::inherit(Box::pin(work)));
    }

    /// The phrase in the voice of the settings where none is named.
    pub fn phrase(&self, text: &str, voice: Option<&str>, language: Option<&str>, format: crate::model::phrase::AudioFormat) -> Result<Phrase> {
        Phrase::new(text, voice.unwrap_or(&self.config.speech_voice), language.unwrap_or("en-US"), format)
    }
}

/// The audit log in these documents, signed with a key of the vault.
fn audit_log(config: &Config, (documents, vault, clock): (&Arc<dyn Documents>, &Arc<Vault>, &Arc<dyn Clock>), metrics: &Arc<Metrics>) -> Audit {
    if !config.privacy {
        return Audit::off();
    }
    Audit::new(audit::Parts {
        documents: Arc::clone(documents),
        keys: Arc::clone(vault) as _,
        clock: Arc::clone(clock),
        sample: config.audit_sample,
        days: config.retention.audit,
        queue: None,
        metrics: Arc::clone(metrics),
    })
}

/// `prompts/system.md` under the app root.
fn system_prompt(config: &Config) -> Result<String> {
    let path = config.app_root.join("prompts").join("system.md");
    std::fs::read_to_string(&path)
        .map_err(|e| Error::new(Kind::Setting, "OPENAI_ENDPOINT needs prompts/system.md under the app root, for example the one that the app ships").because(e))
}

/// `prompts/agent.json` under the app root, else the agent that is built in.
fn scripted(config: &Config) -> Result<ScriptedAgent> {
    let path = config.app_root.join("prompts").join("agent.json");
    if path.is_file() { ScriptedAgent::load(&path) } else { ScriptedAgent::builtin() }
}
