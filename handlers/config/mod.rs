//! The settings: the only reader of the environment, through a lookup function.
//!
//! In: names and values as the Functions host hands them on. Out: one typed [`Config`]. A missing, wrong or
//! contradictory setting is one line that names it, what it needs and an example; the start stops with it. Secrets
//! are [`Secret`]s, which print as `‹secret›`.

pub mod effective;

mod alerts;
mod export;
mod mail;
mod read;

use std::path::PathBuf;
use std::time::Duration;

pub use read::{SETTINGS, SettingError, process_env};

/// Earlier turns that a personal value may reach back over, with the talk between its parts.
pub const REACH: usize = 8;

/// A value that never shows itself in a log or a Debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹secret›")
    }
}

/// Where the app runs; part of every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine.
    Dev,
    /// Automated tests.
    Test,
    /// The rehearsal of production: same rules.
    Staging,
    /// Production.
    Prod,
}

impl Environment {
    /// As it stands in keys and settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }

    /// True where production's rules hold.
    pub const fn is_guarded(self) -> bool {
        matches!(self, Self::Staging | Self::Prod)
    }
}

/// All settings of one process.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`, default dev.
    pub environment: Environment,
    /// `APP_PREFIX`, first part of every Redis key, default `rtvoice`.
    pub app_prefix: String,
    /// `TTL_MULTIPLIER`, scales the TTL policies, default 1.0.
    pub ttl_multiplier: f64,
    /// Redis, when `REDIS_HOST` is set; else state is embedded.
    pub redis: Option<RedisConfig>,
    /// Cosmos DB, when `COSMOS_ENDPOINT` is set; else documents are embedded.
    pub cosmos: Option<CosmosConfig>,
    /// Service Bus, when `SERVICE_BUS_NAMESPACE` is set; else the queue is embedded.
    pub service_bus: Option<ServiceBusConfig>,
    /// `TRANSCRIPT_QUEUE`, name of the queue, default `transcripts`.
    pub transcript_queue: String,
    /// `QUEUE_LANES`, number of Service Bus sessions that calls share, default 256.
    pub queue_lanes: u16,
    /// `CALL_IDLE_LIMIT` in seconds, after which a silent call is ended, default 7200.
    pub call_idle_limit: Duration,
    /// `HISTORY_WINDOW`, entries of history that an agent is told, default 20. What a turn reads is [`Config::look_back`].
    pub history_window: usize,
    /// Azure Speech, when `SPEECH_ENDPOINT` is set; else the offline voice.
    pub speech: Option<EndpointConfig>,
    /// `SPEECH_VOICE`, default voice of spoken phrases.
    pub speech_voice: String,
    /// Azure OpenAI, when `OPENAI_ENDPOINT` is set; else the scripted agent.
    pub openai: Option<OpenAiConfig>,
    /// `EMBEDDED_PATH`, the SQLite file of the embedded backends.
    pub embedded_path: PathBuf,
    /// True when an embedded backend may start where production's rules hold.
    pub allow_embedded: bool,
    /// True in prod, staging and in any function app in Azure (`WEBSITE_SITE_NAME`).
    pub guarded: bool,
    /// Folder that holds `host.json`.
    pub app_root: PathBuf,
    /// `LOG_LEVEL`, a tracing filter, default `info`.
    pub log_level: String,
    /// `AZURE_CLIENT_ID`, chooses the managed identity.
    pub azure_client_id: Option<String>,
    /// True where the platform offers a managed identity (`IDENTITY_ENDPOINT`); else tokens come from the developer's sign-in.
    pub managed_identity: bool,
    /// `SSL_CERT_FILE`, PEM file with certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// `PRIVACY`: masking, sealing and audit; off only for measurements, and refused where production's rules hold.
    pub privacy: bool,
    /// `TELEMETRY`: metrics, traces and alerts; off only for measurements, and refused where production's rules hold.
    pub telemetry: bool,
    /// `STORE_PII`, what is kept of a detected value, default masked.
    pub store_pii: StorePii,
    /// `REPLY_SEES_PII`: whether the agent is told detected values or their kinds alone, default false.
    pub reply_sees_pii: bool,
    /// Where the root key is.
    pub root_key: RootKey,
    /// How long documents are kept.
    pub retention: Retention,
    /// `AUDIT_SAMPLE`, share of the operations that touch nothing personal that are audited, 0 to 1, default 1.
    pub audit_sample: f64,
    /// `BREACH_WEBHOOK_URL`, where reminders of a breach's clock go.
    pub breach_webhook_url: Option<String>,
    /// `AUTH_MAX_ATTEMPTS`, failed authentications before a lock, default 3.
    pub auth_max_attempts: u32,
    /// `TTS_L1_BYTES`, size of the in-process phrase cache, default 32 MiB.
    pub tts_l1_bytes: u64,
    /// `TTS_MAX_BYTES`, upper bound of cached audio in Redis, default 1 GiB.
    pub tts_max_bytes: u64,
    /// `MAX_IN_FLIGHT`, HTTP invocations that run at once, default 256; triggers may be half as many besides.
    pub max_in_flight: usize,
    /// `MAX_WAITING`, HTTP invocations that wait for their turn, default 512; triggers may be half as many besides.
    pub max_waiting: usize,
    /// Where and how alerts are told.
    pub alerts: AlertConfig,
    /// Who collects spans and metrics.
    pub export: ExportConfig,
    /// `FUNCTIONS_CUSTOMHANDLER_PORT`, where `serve` binds 127.0.0.1.
    pub handler_port: Option<u16>,
    /// True in the child of `rtvoice dev`, which delivers the embedded queue itself.
    pub under_dev_host: bool,
    /// True where the process must end when its standard input closes: in the child of `rtvoice dev`.
    pub exit_with_stdin: bool,
    /// False only in tests of the demo: turns are then not deduplicated. Debug builds alone read it.
    pub deduplicate: bool,
    /// Only in tests: the function at which await the process ends, see `host::failpoint`. Debug builds alone read it.
    pub ends_at: Option<(String, u64)>,
}

/// Who collects spans and metrics.
#[derive(Debug, Clone, Default)]
pub struct ExportConfig {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, base URL of an OTLP collector over HTTP.
    pub otlp_endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_HEADERS`, which may hold keys.
    pub otlp_headers: Vec<(String, Secret)>,
    /// `APPLICATIONINSIGHTS_CONNECTION_STRING`.
    pub insights: Option<InsightsConfig>,
}

/// An Application Insights resource.
#[derive(Debug, Clone)]
pub struct InsightsConfig {
    /// Base URL without a trailing slash.
    pub endpoint: String,
    /// The instrumentation key.
    pub key: Secret,
    /// `APPLICATIONINSIGHTS_AUTHENTICATION_STRING` with `Authorization=AAD`: keys are off there, and tokens are sent.
    pub entra: bool,
}

/// The form in which a webhook takes an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookForm {
    /// JSON of our own, signed with HMAC-SHA256 where there is a secret.
    Generic,
    /// Events API v2.
    PagerDuty,
    /// An adaptive card.
    Teams,
    /// Text.
    Slack,
}

/// How a mail server is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    Implicit,
    /// In clear until TLS is asked for, which is required.
    StartTls,
    /// In clear, on this machine alone.
    None,
}

/// Who takes alerts by mail.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `ALERT_MAIL_HOST`.
    pub host: String,
    /// `ALERT_MAIL_PORT`, default 587, with TLS from the first byte 465, without TLS 25.
    pub port: u16,
    /// `ALERT_MAIL_TLS`, default starttls.
    pub tls: MailTls,
    /// `ALERT_MAIL_FROM`.
    pub from: String,
    /// `ALERT_MAIL_TO`, at least one.
    pub to: Vec<String>,
    /// `ALERT_MAIL_USER` and `ALERT_MAIL_PASSWORD`.
    pub login: Option<(String, Secret)>,
}

/// Where and how alerts are told.
#[derive(Debug, Clone)]
pub struct AlertConfig {
    /// `ALERT_WEBHOOK_URL`, whose query may hold a key.
    pub webhook_url: Option<Secret>,
    /// `ALERT_WEBHOOK_FORM`, default generic.
    pub webhook_form: WebhookForm,
    /// `ALERT_WEBHOOK_SECRET`.
    pub webhook_secret: Option<Secret>,
    /// `ALERT_MAIL_*`; none where there is no mail server.
    pub mail: Option<MailConfig>,
    /// `SCALE_OUT_WEBHOOK_URL`, likewise.
    pub scale_out_url: Option<Secret>,
    /// `ALERTS_PACE`, how many times as fast time runs for alerts, default 1; for rehearsals, refused where production's rules hold.
    pub pace: f64,
}

/// What is kept of a value that the detector finds in a caller's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorePii {
    /// Its kind alone.
    Masked,
    /// Its kind, and beside it the words as they were said, sealed, for an audited look.
    Encrypted,
}

/// Where the key that wraps all others is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootKey {
    /// `KEY_VAULT_URL` and `KEY_VAULT_KEY`: an RSA key in Azure Key Vault.
    Vault {
        /// Base URL of the vault without a trailing slash.
        url: String,
        /// Name of the key.
        key: String,
    },
    /// `KEYS_PATH`: a file, for development.
    File(PathBuf),
}

/// `RETENTION_*`: days that documents of a container are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// `RETENTION_TRANSCRIPTS`, after the call, default 90.
    pub transcripts: u32,
    /// `RETENTION_ANALYTICS`, after the call, default 400.
    pub analytics: u32,
    /// `RETENTION_AUDIT`, default 730.
    pub audit: u32,
    /// `RETENTION_PROFILES`, after the last call, default 730.
    pub profiles: u32,
    /// `RETENTION_DEADLETTERS`, default 30.
    pub dead_letters: u32,
    /// `RETENTION_METRICS`, default 400.
    pub metrics: u32,
}

/// Where and how to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_HOST`.
    pub host: String,
    /// `REDIS_PORT`, default 6380 with TLS and 6379 without.
    pub port: u16,
    /// `REDIS_SSL`, default true except on loopback.
    pub ssl: bool,
    /// `REDIS_CLUSTER`, default false.
    pub cluster: bool,
    /// How to authenticate.
    pub auth: RedisAuth,
}

/// How Redis is authenticated to.
#[derive(Debug, Clone)]
pub enum RedisAuth {
    /// Not at all: a server on loopback without a password.
    None,
    /// `REDIS_ACCESS_KEY`, with `REDIS_USERNAME` where given.
    Key {
        /// ACL user; none means the default user.
        username: Option<String>,
        /// The password.
        key: Secret,
    },
    /// An Entra token; the user is `REDIS_USERNAME`, else the object id inside the token.
    Entra {
        /// Object id of the identity.
        username: Option<String>,
    },
}

/// Where and how to reach Cosmos DB.
#[derive(Debug, Clone)]
pub struct CosmosConfig {
    /// `COSMOS_ENDPOINT`.
    pub endpoint: String,
    /// `COSMOS_KEY`; none means Entra.
    pub key: Option<Secret>,
    /// `COSMOS_DATABASE`, default `rtvoice`.
    pub database: String,
}

/// Where and how to reach Service Bus.
#[derive(Debug, Clone)]
pub struct ServiceBusConfig {
    /// Base URL, such as `https://contoso.servicebus.windows.net`.
    pub base_url: String,
    /// `SERVICE_BUS_KEY_NAME` and `SERVICE_BUS_KEY`; none means Entra.
    pub key: Option<(String, Secret)>,
}

/// An HTTPS service with a key, or Entra without one.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Base URL without a trailing slash.
    pub endpoint: String,
    /// The key; none means Entra.
    pub key: Option<Secret>,
}

/// Where and how to reach Azure OpenAI.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// `OPENAI_ENDPOINT` and `OPENAI_KEY`.
    pub service: EndpointConfig,
    /// `OPENAI_DEPLOYMENT`, name of the chat deployment.
    pub deployment: String,
}

/// The app root: `FUNCTIONS_APP_ROOT_PATH`, else the nearest folder, from the current one upward, that holds a `host.json`,
/// else the current folder.
pub fn app_root() -> PathBuf {
    read::app_root(&read::process_env)
}

impl Config {
    /// Reads all settings through `lookup`; `app_root` is the folder of `host.json`.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, app_root: PathBuf) -> Result<Self, SettingError> {
        read::config(&lookup, app_root)
    }

    /// Reads the process environment, with the app root of [`app_root`].
    pub fn from_env() -> Result<Self, SettingError> {
        Self::from_lookup(read::process_env, app_root())
    }

    /// How many of the last entries a turn reads: `HISTORY_WINDOW` where the agent is told of them. The scripted agent asks only
    /// whether there are any. With privacy on, masking looks back as far as a value may reach, however little the agent is told.
    pub fn look_back(&self) -> usize {
        let told = if self.openai.is_some() { self.history_window } else { 1 };
        if self.privacy { told.max(REACH) } else { told }
    }

    /// True when any of state, documents and queue is embedded.
    pub fn uses_embedded(&self) -> bool {
        self.redis.is_none() || self.cosmos.is_none() || self.service_bus.is_none()
    }
}
