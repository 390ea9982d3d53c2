//! The shapes of `host.json` and `function.json`, as far as this app uses them. Unknown fields are refused, so a
//! misspelt option is an error at start and not a default that nobody noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::span;

/// How long an invocation may take where host.json sets no `functionTimeout` (every plan but Consumption).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// `host.json`, version 2.0.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostFile {
    /// Always `2.0`.
    pub version: String,
    /// Which extensions the host loads.
    pub extension_bundle: ExtensionBundle,
    /// `hh:mm:ss`, or `-1` for no limit.
    pub function_timeout: Option<String>,
    /// How the handler is started and spoken to.
    pub custom_handler: CustomHandler,
    /// Options of the triggers.
    #[serde(default)]
    pub extensions: Extensions,
    /// What the host logs.
    pub logging: Option<Logging>,
    /// `OpenTelemetry`, where the host shall export so.
    pub telemetry_mode: Option<TelemetryMode>,
}

/// The set of extensions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionBundle {
    /// Name of the bundle.
    pub id: String,
    /// Range of versions, such as `[4.*, 5.0.0)`.
    pub version: String,
}

/// The handler's part of host.json.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomHandler {
    /// What to start.
    pub description: HandlerDescription,
    /// Pure HTTP functions get a copy of the request instead of an envelope.
    #[serde(default)]
    pub enable_forwarding_http_request: bool,
    /// Pure HTTP functions get the request itself, streamed; wins over forwarding.
    #[serde(default)]
    pub enable_proxying_http_request: bool,
    /// A fixed port instead of a free one (newer hosts).
    pub port: Option<u16>,
}

/// What the host starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandlerDescription {
    /// Executable, relative to the app root.
    pub default_executable_path: String,
    /// Folder to run in, relative to the app root; empty means the app root.
    #[serde(default)]
    pub working_directory: String,
    /// Its arguments; `%NAME%` stands for a setting.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// Options of the extensions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extensions {
    /// HTTP triggers.
    #[serde(default)]
    pub http: HttpExtension,
    /// Service Bus triggers.
    #[serde(default)]
    pub service_bus: ServiceBusExtension,
}

/// Options of HTTP triggers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpExtension {
    /// First segment of every route; may be empty.
    #[serde(default = "api")]
    pub route_prefix: String,
    /// Requests that run at once.
    pub max_concurrent_requests: Option<i32>,
    /// Requests that run or wait; more are answered 429.
    pub max_outstanding_requests: Option<i32>,
    /// Refuse requests when the machine is busy.
    pub dynamic_throttles_enabled: Option<bool>,
}

impl Default for HttpExtension {
    fn default() -> Self {
        Self { route_prefix: api(), max_concurrent_requests: None, max_outstanding_requests: None, dynamic_throttles_enabled: None }
    }
}

fn api() -> String {
    "api".to_owned()
}

/// Options of Service Bus triggers (extension 5.x).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceBusExtension {
    /// The host settles messages; a custom handler cannot.
    pub auto_complete_messages: Option<bool>,
    /// Messages fetched ahead; 0 keeps locks fresh.
    pub prefetch_count: Option<u32>,
    /// `hh:mm:ss`: how long a lock is renewed while the function runs.
    pub max_auto_lock_renewal_duration: Option<String>,
    /// Messages at once per instance, for queues without sessions.
    pub max_concurrent_calls: Option<u32>,
    /// Sessions at once per instance.
    pub max_concurrent_sessions: Option<u32>,
    /// `hh:mm:ss`: how long a session is held that has no more messages.
    pub session_idle_timeout: Option<String>,
    /// How the link to Service Bus is retried; nothing to do with retries of a function.
    pub client_retry_options: Option<ClientRetryOptions>,
}

/// Retries of the link to Service Bus.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientRetryOptions {
    /// `exponential` or `fixed`.
    pub mode: Option<String>,
    /// Time of one attempt.
    pub try_timeout: Option<String>,
    /// First pause.
    pub delay: Option<String>,
    /// Longest pause.
    pub max_delay: Option<String>,
    /// Number of retries.
    pub max_retries: Option<u32>,
}

/// What the host logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// Level per category; `default` for the rest.
    #[serde(default)]
    pub log_level: BTreeMap<String, LogLevel>,
    /// Options of Application Insights.
    pub application_insights: Option<ApplicationInsights>,
}

/// A level of the host's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum LogLevel {
    /// Everything, bodies included.
    Trace,
    /// For development.
    Debug,
    /// What happens.
    Information,
    /// What is odd.
    Warning,
    /// What failed.
    Error,
    /// What stops the app.
    Critical,
    /// Nothing.
    None,
}

/// Options of Application Insights.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationInsights {
    /// How much is sent.
    pub sampling_settings: Option<Sampling>,
}

/// How much telemetry is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sampling {
    /// Whether to sample at all.
    pub is_enabled: Option<bool>,
    /// Types that are always sent, separated by `;`.
    pub excluded_types: Option<String>,
    /// Items per second and instance to aim at.
    pub max_telemetry_items_per_second: Option<u32>,
}

/// The host's own export of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TelemetryMode {
    /// By OpenTelemetry.
    OpenTelemetry,
}

impl HostFile {
    /// How long an invocation may take; none means without limit.
    pub fn function_timeout(&self) -> Option<Duration> {
        match self.function_timeout.as_deref() {
            None => Some(DEFAULT_TIMEOUT),
            Some("-1") => None,
            Some(text) => span(text),
        }
    }

    /// True where pure HTTP functions get plain requests instead of envelopes.
    pub const fn forwards_http(&self) -> bool {
        self.custom_handler.enable_forwarding_http_request || self.custom_handler.enable_proxying_http_request
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let bus = &self.extensions.service_bus;
        if self.version != "2.0" {
            return Err(format!("version: must be 2.0, not {}", self.version));
        }
        if self.custom_handler.description.default_executable_path.is_empty() {
            return Err("customHandler.description.defaultExecutablePath: must name the executable".to_owned());
        }
        let spans = [
            ("functionTimeout", self.function_timeout.as_deref().filter(|t| *t != "-1")),
            ("extensions.serviceBus.maxAutoLockRenewalDuration", bus.max_auto_lock_renewal_duration.as_deref()),
            ("extensions.serviceBus.sessionIdleTimeout", bus.session_idle_timeout.as_deref()),
        ];
        for (field, text) in spans {
            if text.is_some_and(|t| span(t).is_none_or(|s| s.is_zero())) {
                return Err(format!("{field}: must be a time span above zero, such as 00:05:00"));
            }
        }
        if bus.auto_complete_messages == Some(false) {
            return Err("extensions.serviceBus.autoCompleteMessages: must be true, for a custom handler cannot settle messages".to_owned());
        }
        Ok(())
    }
}

/// A `function.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionFile {
    /// Its trigger and its outputs.
    pub bindings: Vec<Binding>,
    /// Retries by the host; for timers alone.
    pub retry: Option<Retry>,
}

/// One binding; `type` tells which.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Binding {
    /// A request.
    HttpTrigger(HttpTrigger),
    /// The answer to it.
    Http(HttpOutput),
    /// An event.
    EventGridTrigger(EventGridTrigger),
    /// A queue message.
    ServiceBusTrigger(ServiceBusTrigger),
    /// A schedule.
    TimerTrigger(TimerTrigger),
}

/// The direction of a trigger: always `in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the function.
    In,
}

/// The direction of an output: always `out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutDirection {
    /// Out of the function.
    Out,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthLevel {
    /// Everyone.
    Anonymous,
    /// Whoever holds a key of the function or of the host.
    Function,
    /// Whoever holds the master key.
    Admin,
}

impl AuthLevel {
    /// As it stands in function.json.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Function => "function",
            Self::Admin => "admin",
        }
    }
}

/// How the host hands the value over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// As text: decoded twice, and its fields spill into the Metadata.
    String,
    /// As bytes: base64, one level, nothing spilt.
    Binary,
}

/// One value or a batch per invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cardinality {
    /// One.
    One,
    /// A batch.
    Many,
}

/// `httpTrigger`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpTrigger {
    /// Name of the binding.
    pub name: String,
    /// `in`.
    pub direction: Direction,
    /// Who may call.
    pub auth_level: Option<AuthLevel>,
    /// Methods in lower case; none means all.
    pub methods: Option<Vec<String>>,
    /// Route template without the prefix; none means the function's name.
    pub route: Option<String>,
}

/// `http`, the answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpOutput {
    /// Name of the binding.
    pub name: String,
    /// `out`.
    pub direction: OutDirection,
}

/// `eventGridTrigger`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventGridTrigger {
    /// Name of the binding.
    pub name: String,
    /// `in`.
    pub direction: Direction,
    /// One event or a batch.
    pub cardinality: Option<Cardinality>,
}

/// `serviceBusTrigger` on a queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceBusTrigger {
    /// Name of the binding.
    pub name: String,
    /// `in`.
    pub direction: Direction,
    /// The queue; `%NAME%` stands for a setting.
    pub queue_name: String,
    /// Prefix of the settings that say where the namespace is.
    pub connection: String,
    /// Whether messages come by session, one at a time in each.
    #[serde(default)]
    pub is_sessions_enabled: bool,
    /// How the body is handed over.
    pub data_type: Option<DataType>,
    /// One message or a batch.
    pub cardinality: Option<Cardinality>,
}

/// `timerTrigger`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimerTrigger {
    /// Name of the binding.
    pub name: String,
    /// `in`.
    pub direction: Direction,
    /// Six fields: second, minute, hour, day, month, weekday; UTC.
    pub schedule: String,
    /// Run once at start, too.
    #[serde(default)]
    pub run_on_startup: bool,
    /// Keep the schedule's status; the host's default is yes.
    #[serde(default = "yes")]
    pub use_monitor: bool,
}

const fn yes() -> bool {
    true
}

/// Retries by the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// How the pauses grow.
    pub strategy: RetryStrategy,
    /// Number of retries; -1 for no end.
    pub max_retry_count: i32,
    /// The pause, for `fixedDelay`.
    pub delay_interval: Option<String>,
    /// The first pause, for `exponentialBackoff`.
    pub minimum_interval: Option<String>,
    /// The longest pause, for `exponentialBackoff`.
    pub maximum_interval: Option<String>,
}

/// How the pauses between retries grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryStrategy {
    /// Not at all.
    FixedDelay,
    /// Each is longer than the last.
    ExponentialBackoff,
}
