//! How each setting is read and checked; one function per rule, one line per error.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Config, CosmosConfig, EndpointConfig, Environment, OpenAiConfig, RedisAuth, RedisConfig, Retention, RootKey, Secret, ServiceBusConfig, StorePii};

/// A setting that stops the start, in one line: name, what it needs, an example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {needs}, for example {name}={example}")]
pub struct SettingError {
    /// The setting.
    pub name: &'static str,
    /// What it needs.
    pub needs: String,
    /// A value that would do.
    pub example: &'static str,
}

/// Every setting with its type, unit and default, as the README's table shows them.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("ENVIRONMENT", "one of dev, test, staging, prod", "dev"),
    ("APP_PREFIX", "1 to 32 characters of a-z, 0-9 and -", "rtvoice"),
    ("TTL_MULTIPLIER", "number above 0, at most 100; scales the TTL policies", "1.0"),
    ("REDIS_HOST", "host name; unset: embedded state", ""),
    ("REDIS_PORT", "port number", "6380 with TLS, else 6379"),
    ("REDIS_SSL", "true or false", "true, on loopback false"),
    ("REDIS_CLUSTER", "true or false", "false"),
    ("REDIS_USERNAME", "ACL user, or object id of the Entra identity", ""),
    ("REDIS_ACCESS_KEY", "secret; unset: Entra, on loopback no authentication", ""),
    ("COSMOS_ENDPOINT", "https URL (http on loopback); unset: embedded documents", ""),
    ("COSMOS_KEY", "secret, base64; unset: Entra", ""),
    ("COSMOS_DATABASE", "database name", "rtvoice"),
    ("SERVICE_BUS_NAMESPACE", "host name (http URL on loopback); unset: embedded queue", ""),
    ("SERVICE_BUS_KEY_NAME", "name of the shared access policy", ""),
    ("SERVICE_BUS_KEY", "secret; unset: Entra", ""),
    ("TRANSCRIPT_QUEUE", "queue name", "transcripts"),
    ("QUEUE_LANES", "whole number, 1 to 4096", "256"),
    ("CALL_IDLE_LIMIT", "seconds, 60 to 86400", "7200"),
    ("HISTORY_WINDOW", "entries, 1 to 200", "20"),
    ("SPEECH_ENDPOINT", "https URL (http on loopback); unset: offline voice", ""),
    ("SPEECH_KEY", "secret; unset: Entra", ""),
    ("SPEECH_VOICE", "voice name", "en-US-AvaMultilingualNeural"),
    ("OPENAI_ENDPOINT", "https URL (http on loopback); unset: scripted agent", ""),
    ("OPENAI_DEPLOYMENT", "deployment name", ""),
    ("OPENAI_KEY", "secret; unset: Entra", ""),
    ("EMBEDDED_PATH", "file path", ".rtvoice/rtvoice.db under the app root"),
    ("ALLOW_EMBEDDED", "true or false", "false"),
    ("PRIVACY", "on or off; off (for measurements) is refused in prod, in staging and in Azure", "on"),
    ("TELEMETRY", "on or off: metrics, traces and alerts; off (for measurements) is refused in prod, in staging and in Azure", "on"),
    ("STORE_PII", "masked or encrypted: what is kept of a detected value", "masked"),
    ("REPLY_SEES_PII", "true or false: whether the agent is told detected values", "false"),
    ("KEY_VAULT_URL", "https URL (http on loopback); unset: the file of KEYS_PATH", ""),
    ("KEY_VAULT_KEY", "name of the RSA key in the vault", "rtvoice"),
    ("KEYS_PATH", "file path; for development, refused in prod, in staging and in Azure", "keys.json beside EMBEDDED_PATH"),
    ("RETENTION_TRANSCRIPTS", "days after the call, 1 to 36500", "90"),
    ("RETENTION_ANALYTICS", "days after the call, 1 to 36500", "400"),
    ("RETENTION_AUDIT", "days, 1 to 36500", "730"),
    ("RETENTION_PROFILES", "days after the last call, 1 to 36500", "730"),
    ("RETENTION_DEADLETTERS", "days, 1 to 36500", "30"),
    ("RETENTION_METRICS", "days, 1 to 36500", "400"),
    ("AUDIT_SAMPLE", "share, 0 to 1, of the operations on nothing personal that are audited", "1"),
    ("BREACH_WEBHOOK_URL", "https URL (http on loopback) for reminders of a breach's clock", ""),
    ("LOG_LEVEL", "tracing filter", "info"),
    ("AZURE_CLIENT_ID", "client id of the managed identity", ""),
    ("SSL_CERT_FILE", "PEM file of certificate authorities to trust besides the system's", ""),
    ("AUTH_MAX_ATTEMPTS", "whole number, 1 to 100", "3"),
    ("TTS_L1_BYTES", "bytes", "33554432"),
    ("TTS_MAX_BYTES", "bytes", "1073741824"),
    ("MAX_IN_FLIGHT", "whole number, 16 to 65536: HTTP invocations that run at once; triggers: half as many besides", "256"),
    ("MAX_WAITING", "whole number, 0 to 65536: HTTP invocations that wait; triggers: half as many besides", "512"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https URL (http on loopback) of an OTLP collector over HTTP", ""),
    ("OTEL_EXPORTER_OTLP_HEADERS", "secret; name=value pairs with commas between", ""),
    ("APPLICATIONINSIGHTS_CONNECTION_STRING", "secret; as the portal shows it", ""),
    ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD where its keys are off", ""),
    ("ALERT_WEBHOOK_URL", "https URL (http on loopback) that alerts are told to", ""),
    ("ALERT_WEBHOOK_FORM", "generic, pagerduty, teams or slack", "generic"),
    ("ALERT_WEBHOOK_SECRET", "secret: generic: signs what is told; pagerduty: the routing key", ""),
    ("ALERT_MAIL_HOST", "host name of the mail server that takes P0 and P1 alerts; unset: no mail", ""),
    ("ALERT_MAIL_PORT", "port number", "587, with ALERT_MAIL_TLS=tls 465, with none 25"),
    ("ALERT_MAIL_TLS", "starttls, tls (from the first byte) or none (on loopback alone)", "starttls"),
    ("ALERT_MAIL_FROM", "mail address that alerts come from", ""),
    ("ALERT_MAIL_TO", "1 to 10 mail addresses with commas between", ""),
    ("ALERT_MAIL_USER", "user name at the mail server; unset: it takes mail without", ""),
    ("ALERT_MAIL_PASSWORD", "secret: password of ALERT_MAIL_USER", ""),
    ("SCALE_OUT_WEBHOOK_URL", "https URL (http on loopback) that is called when Redis is nearly full", ""),
    ("ALERTS_PACE", "number, 1 to 600: how many times as fast time runs for alerts, for rehearsals", "1"),
    ("FUNCTIONS_CUSTOMHANDLER_PORT", "port number, set by the host", ""),
];

pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of the process environment; none where it is unset or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the only reader of the process environment")]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn app_root(lookup: Lookup<'_>) -> PathBuf {
    if let Some(root) = lookup("FUNCTIONS_APP_ROOT_PATH").filter(|r| !r.is_empty()) {
        return PathBuf::from(root);
    }
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    here.ancestors().find(|folder| folder.join("host.json").is_file()).unwrap_or(&here).to_owned()
}

pub(super) fn wrong(name: &'static str, needs: impl Into<String>, example: &'static str) -> SettingError {
    SettingError { name, needs: needs.into(), example }
}

/// The value, or none where it is unset or empty (an empty app setting means unset).
pub(super) fn text(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

fn flag(lookup: Lookup<'_>, name: &'static str, default: bool) -> Result<bool, SettingError> {
    match text(lookup, name).as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(wrong(name, "must be true or false", "true")),
    }
}

pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(
    lookup: Lookup<'_>,
    name: &'static str,
    default: T,
    min: T,
    max: T,
    example: &'static str,
) -> Result<T, SettingError> {
    let Some(value) = text(lookup, name) else { return Ok(default) };
    value.parse::<T>().ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| wrong(name, format!("must be a whole number from {min} to {max}"), example))
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An https URL without a trailing slash; http only where the host is this machine.
pub(super) fn endpoint(lookup: Lookup<'_>, name: &'static str, example: &'static str) -> Result<Option<String>, SettingError> {
    let Some(value) = text(lookup, name) else { return Ok(None) };
    let sound = reqwest::Url::parse(&value).ok().filter(|url| match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => is_loopback(host),
        _ => false,
    });
    match sound {
        Some(url) if url.username().is_empty() && url.password().is_none() && url.query().is_none() => Ok(Some(value.trim_end_matches('/').to_owned())),
        _ => Err(wrong(name, "must be an https URL without credentials or query (http only on loopback)", example)),
    }
}

/// A key that makes no sense without its endpoint.
fn key_of(lookup: Lookup<'_>, name: &'static str, owner: &'static str, owner_set: bool) -> Result<Option<Secret>, SettingError> {
    match text(lookup, name) {
        Some(_) if !owner_set => Err(wrong(owner, format!("must be set when {name} is"), example_of(owner))),
        other => Ok(other.map(Secret::new)),
    }
}

fn example_of(name: &str) -> &'static str {
    match name {
        "REDIS_HOST" => "contoso.redis.cache.windows.net",
        "COSMOS_ENDPOINT" => "https://contoso.documents.azure.com",
        "SERVICE_BUS_NAMESPACE" => "contoso.servicebus.windows.net",
        "SPEECH_ENDPOINT" => "https://westeurope.tts.speech.microsoft.com",
        "OPENAI_ENDPOINT" => "https://contoso.openai.azure.com",
        _ => "value",
    }
}

pub(super) fn config(lookup: Lookup<'_>, app_root: PathBuf) -> Result<Config, SettingError> {
    let environment = environment(lookup)?;
    let guarded = environment.is_guarded() || text(lookup, "WEBSITE_SITE_NAME").is_some();
    let config = Config {
        environment,
        app_prefix: app_prefix(lookup)?,
        ttl_multiplier: ttl_multiplier(lookup)?,
        redis: redis(lookup, guarded)?,
        cosmos: cosmos(lookup)?,
        service_bus: service_bus(lookup)?,
        transcript_queue: queue_name(lookup)?,
        queue_lanes: number(lookup, "QUEUE_LANES", 256, 1, 4096, "256")?,
        call_idle_limit: Duration::from_secs(number(lookup, "CALL_IDLE_LIMIT", 7200, 60, 86_400, "7200")?),
        history_window: number(lookup, "HISTORY_WINDOW", 20, 1, 200, "20")?,
        speech: service(lookup, "SPEECH_ENDPOINT", "SPEECH_KEY")?,
        speech_voice: voice(lookup)?,
        openai: openai(lookup)?,
        embedded_path: embedded_path(lookup, &app_root),
        allow_embedded: flag(lookup, "ALLOW_EMBEDDED", false)?,
        guarded,
        log_level: log_level(lookup)?,
        azure_client_id: client_id(lookup)?,
        managed_identity: text(lookup, "IDENTITY_ENDPOINT").is_some(),
        ca_file: ca_file(lookup)?,
        privacy: switch(lookup, "PRIVACY", guarded)?,
        telemetry: switch(lookup, "TELEMETRY", guarded)?,
        store_pii: store_pii(lookup)?,
        reply_sees_pii: flag(lookup, "REPLY_SEES_PII", false)?,
        root_key: root_key(lookup, guarded, &app_root)?,
        retention: retention(lookup)?,
        audit_sample: audit_sample(lookup)?,
        breach_webhook_url: endpoint(lookup, "BREACH_WEBHOOK_URL", "https://contoso.example/hooks/breach")?,
        auth_max_attempts: number(lookup, "AUTH_MAX_ATTEMPTS", 3, 1, 100, "3")?,
        tts_l1_bytes: number(lookup, "TTS_L1_BYTES", 32 << 20, 0, 1 << 34, "33554432")?,
        tts_max_bytes: number(lookup, "TTS_MAX_BYTES", 1 << 30, 0, 1 << 40, "1073741824")?,
        max_in_flight: number(lookup, "MAX_IN_FLIGHT", 256, 16, 65_536, "256")?,
        max_waiting: number(lookup, "MAX_WAITING", 512, 0, 65_536, "512")?,
        alerts: super::alerts::alerts(lookup, guarded)?,
        export: super::export::export(lookup)?,
        handler_port: handler_port(lookup)?,
        under_dev_host: text(lookup, "RTVOICE_DEV_HOST").is_some(),
        exit_with_stdin: text(lookup, "RTVOICE_EXIT_WITH_STDIN").is_some(),
        app_root,
        deduplicate: !(cfg!(debug_assertions) && text(lookup, "RTVOICE_TEST_DEDUPLICATION").as_deref() == Some("off")),
        ends_at: if cfg!(debug_assertions) { text(lookup, "RTVOICE_TEST_ENDS_AT").and_then(|point| end_point(&point)) } else { None },
    };
    embedded_allowed(&config)?;
    Ok(config)
}

/// `ConversationTurn:7`.
fn end_point(point: &str) -> Option<(String, u64)> {
    let (function, number) = point.split_once(':')?;
    Some((function.to_owned(), number.parse().ok()?))
}

fn environment(lookup: Lookup<'_>) -> Result<Environment, SettingError> {
    match text(lookup, "ENVIRONMENT").as_deref() {
        None | Some("dev") => Ok(Environment::Dev),
        Some("test") => Ok(Environment::Test),
        Some("staging") => Ok(Environment::Staging),
        Some("prod") => Ok(Environment::Prod),
        Some(_) => Err(wrong("ENVIRONMENT", "must be one of dev, test, staging, prod", "prod")),
    }
}

fn app_prefix(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let prefix = text(lookup, "APP_PREFIX").unwrap_or_else(|| "rtvoice".to_owned());
    let sound = prefix.len() <= 32 && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if sound { Ok(prefix) } else { Err(wrong("APP_PREFIX", "must be 1 to 32 characters of a-z, 0-9 and '-'", "rtvoice")) }
}

fn ttl_multiplier(lookup: Lookup<'_>) -> Result<f64, SettingError> {
    let Some(value) = text(lookup, "TTL_MULTIPLIER") else { return Ok(1.0) };
    value
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite() && *n > 0.0 && *n <= 100.0)
        .ok_or_else(|| wrong("TTL_MULTIPLIER", "must be a number above 0 and at most 100", "2.0"))
}

fn redis(lookup: Lookup<'_>, guarded: bool) -> Result<Option<RedisConfig>, SettingError> {
    let Some(host) = text(lookup, "REDIS_HOST") else {
        for name in ["REDIS_PORT", "REDIS_SSL", "REDIS_CLUSTER", "REDIS_USERNAME", "REDIS_ACCESS_KEY"] {
            if text(lookup, name).is_some() {
                return Err(wrong("REDIS_HOST", format!("must be set when {name} is"), example_of("REDIS_HOST")));
            }
        }
        return Ok(None);
    };
    if host.contains(['/', ' ', '@']) || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(wrong("REDIS_HOST", "must be a host name or address without scheme, port or credentials", example_of("REDIS_HOST")));
    }
    let loopback = is_loopback(&host);
    let ssl = flag(lookup, "REDIS_SSL", !loopback)?;
    if guarded && !ssl && !loopback {
        return Err(wrong("REDIS_SSL", "must be true in prod, in staging and in Azure", "true"));
    }
    let username = text(lookup, "REDIS_USERNAME");
    let auth = match text(lookup, "REDIS_ACCESS_KEY") {
        Some(key) => RedisAuth::Key { username, key: Secret::new(key) },
        None if loopback && username.is_none() => RedisAuth::None,
        None if !ssl && !loopback => {
            return Err(wrong("REDIS_ACCESS_KEY", "must be set when REDIS_SSL is false: a token may not travel in clear", "<access key>"));
        }
        None => RedisAuth::Entra { username },
    };
    let port = number(lookup, "REDIS_PORT", if ssl { 6380 } else { 6379 }, 1, u16::MAX, "6380")?;
    Ok(Some(RedisConfig { host, port, ssl, cluster: flag(lookup, "REDIS_CLUSTER", false)?, auth }))
}

fn cosmos(lookup: Lookup<'_>) -> Result<Option<CosmosConfig>, SettingError> {
    let endpoint = endpoint(lookup, "COSMOS_ENDPOINT", "https://contoso.documents.azure.com")?;
    let key = key_of(lookup, "COSMOS_KEY", "COSMOS_ENDPOINT", endpoint.is_some())?;
    if let Some(key) = &key {
        use base64::Engine as _;
        if base64::engine::general_purpose::STANDARD.decode(key.expose()).is_err() {
            return Err(wrong("COSMOS_KEY", "must be base64, as the portal shows it", "<primary key>"));
        }
    }
    let named = text(lookup, "COSMOS_DATABASE");
    if named.is_some() && endpoint.is_none() {
        return Err(wrong("COSMOS_ENDPOINT", "must be set when COSMOS_DATABASE is", example_of("COSMOS_ENDPOINT")));
    }
    let database = named.unwrap_or_else(|| "rtvoice".to_owned());
    if database.len() > 255 || database.contains(['/', '\\', '?', '#']) {
        return Err(wrong("COSMOS_DATABASE", "must be at most 255 characters without / \\ ? #", "rtvoice"));
    }
    Ok(endpoint.map(|endpoint| CosmosConfig { endpoint, key, database }))
}

fn service_bus(lookup: Lookup<'_>) -> Result<Option<ServiceBusConfig>, SettingError> {
    const NAME: &str = "SERVICE_BUS_NAMESPACE";
    let (key_name, key) = (text(lookup, "SERVICE_BUS_KEY_NAME"), text(lookup, "SERVICE_BUS_KEY"));
    let Some(namespace) = text(lookup, NAME) else {
        return match (key_name, key) {
            (None, None) => Ok(None),
            (Some(_), _) => Err(wrong(NAME, "must be set when SERVICE_BUS_KEY_NAME is", example_of(NAME))),
            (None, Some(_)) => Err(wrong(NAME, "must be set when SERVICE_BUS_KEY is", example_of(NAME))),
        };
    };
    let base_url = if namespace.contains("://") {
        endpoint(lookup, NAME, example_of(NAME))?.unwrap_or_default()
    } else {
        let sound = namespace.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        match (sound, namespace.contains('.')) {
            (false, _) => return Err(wrong(NAME, "must be the namespace's host name", example_of(NAME))),
            (true, true) => format!("https://{namespace}"),
            (true, false) => format!("https://{namespace}.servicebus.windows.net"),
        }
    };
    let key = match (key_name, key) {
        (None, None) => None,
        (Some(name), Some(key)) => Some((name, Secret::new(key))),
        (Some(_), None) => return Err(wrong("SERVICE_BUS_KEY", "must be set when SERVICE_BUS_KEY_NAME is", "<policy key>")),
        (None, Some(_)) => return Err(wrong("SERVICE_BUS_KEY_NAME", "must be set when SERVICE_BUS_KEY is", "RootManageSharedAccessKey")),
    };
    Ok(Some(ServiceBusConfig { base_url, key }))
}

fn queue_name(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let name = text(lookup, "TRANSCRIPT_QUEUE").unwrap_or_else(|| "transcripts".to_owned());
    let sound = name.len() <= 260 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if sound { Ok(name) } else { Err(wrong("TRANSCRIPT_QUEUE", "must be at most 260 letters, digits, '-', '_' and '.'", "transcripts")) }
}

fn service(lookup: Lookup<'_>, name: &'static str, key_name: &'static str) -> Result<Option<EndpointConfig>, SettingError> {
    let endpoint = endpoint(lookup, name, example_of(name))?;
    let key = key_of(lookup, key_name, name, endpoint.is_some())?;
    Ok(endpoint.map(|endpoint| EndpointConfig { endpoint, key }))
}

fn openai(lookup: Lookup<'_>) -> Result<Option<OpenAiConfig>, SettingError> {
    let service = service(lookup, "OPENAI_ENDPOINT", "OPENAI_KEY")?;
    match (service, text(lookup, "OPENAI_DEPLOYMENT")) {
        (None, None) => Ok(None),
        (Some(service), Some(deployment)) => {
            let sound = deployment.len() <= 64 && deployment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            if !sound {
                return Err(wrong("OPENAI_DEPLOYMENT", "must be at most 64 letters, digits, '-', '_' and '.'", "gpt-4o-mini"));
            }
            Ok(Some(OpenAiConfig { service, deployment }))
        }
        (Some(_), None) => Err(wrong("OPENAI_DEPLOYMENT", "must be set when OPENAI_ENDPOINT is", "gpt-4o-mini")),
        (None, Some(_)) => Err(wrong("OPENAI_ENDPOINT", "must be set when OPENAI_DEPLOYMENT is", example_of("OPENAI_ENDPOINT"))),
    }
}

fn voice(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let voice = text(lookup, "SPEECH_VOICE").unwrap_or_else(|| "en-US-AvaMultilingualNeural".to_owned());
    let sound = voice.len() <= 100 && voice.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'.'));
    if sound { Ok(voice) } else { Err(wrong("SPEECH_VOICE", "must be a voice name of letters, digits and '-'", "en-US-AvaMultilingualNeural")) }
}

fn embedded_path(lookup: Lookup<'_>, app_root: &Path) -> PathBuf {
    match text(lookup, "EMBEDDED_PATH") {
        Some(path) => app_root.join(path),
        None => app_root.join(".rtvoice").join("rtvoice.db"),
    }
}

/// What is on, and off only for measurements.
fn switch(lookup: Lookup<'_>, name: &'static str, guarded: bool) -> Result<bool, SettingError> {
    match text(lookup, name).as_deref() {
        None | Some("on") => Ok(true),
        Some("off") if !guarded => Ok(false),
        Some("off") => Err(wrong(name, "must be on in prod, in staging and in Azure", "on")),
        Some(_) => Err(wrong(name, "must be on or off", "on")),
    }
}

fn store_pii(lookup: Lookup<'_>) -> Result<StorePii, SettingError> {
    match text(lookup, "STORE_PII").as_deref() {
        None | Some("masked") => Ok(StorePii::Masked),
        Some("encrypted") => Ok(StorePii::Encrypted),
        Some(_) => Err(wrong("STORE_PII", "must be masked or encrypted", "masked")),
    }
}

/// An example of a vault's URL.
const VAULT: &str = "https://contoso.vault.azure.net";

/// A file beside the data protects nothing: it is for development, and where embedded backends are allowed by name.
fn root_key(lookup: Lookup<'_>, guarded: bool, app_root: &Path) -> Result<RootKey, SettingError> {
    let (url, key, path) = (endpoint(lookup, "KEY_VAULT_URL", VAULT)?, text(lookup, "KEY_VAULT_KEY"), text(lookup, "KEYS_PATH"));
    match (url, key, path) {
        (Some(_), _, Some(_)) => Err(wrong("KEYS_PATH", "must be unset where KEY_VAULT_URL is set: there is one root key", "<unset>")),
        (Some(url), key, None) => {
            let key = key.unwrap_or_else(|| "rtvoice".to_owned());
            let sound = key.len() <= 127 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if sound { Ok(RootKey::Vault { url, key }) } else { Err(wrong("KEY_VAULT_KEY", "must be at most 127 letters, digits and '-'", "rtvoice")) }
        }
        (None, Some(_), _) => Err(wrong("KEY_VAULT_URL", "must be set when KEY_VAULT_KEY is", VAULT)),
        (None, None, Some(_)) if guarded => Err(wrong("KEY_VAULT_URL", "must be set in place of KEYS_PATH in prod, in staging and in Azure", VAULT)),
        (None, None, Some(path)) => Ok(RootKey::File(app_root.join(path))),
        (None, None, None) => Ok(RootKey::File(embedded_path(lookup, app_root).with_file_name("keys.json"))),
    }
}

fn retention(lookup: Lookup<'_>) -> Result<Retention, SettingError> {
    let days = |name, default| number(lookup, name, default, 1, 36_500, "90");
    Ok(Retention {
        transcripts: days("RETENTION_TRANSCRIPTS", 90)?,
        analytics: days("RETENTION_ANALYTICS", 400)?,
        audit: days("RETENTION_AUDIT", 730)?,
        profiles: days("RETENTION_PROFILES", 730)?,
        dead_letters: days("RETENTION_DEADLETTERS", 30)?,
        metrics: days("RETENTION_METRICS", 400)?,
    })
}

fn audit_sample(lookup: Lookup<'_>) -> Result<f64, SettingError> {
    let Some(value) = text(lookup, "AUDIT_SAMPLE") else { return Ok(1.0) };
    value.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| wrong("AUDIT_SAMPLE", "must be a number from 0 to 1", "1"))
}

fn log_level(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let level = text(lookup, "LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    // A bare word that is no level would be taken for the name of a module, and everything else would fall silent.
    let known = |part: &str| part.contains('=') || part.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    match level.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) if level.split(',').all(|part| known(part.trim())) => Ok(level),
        _ => Err(wrong("LOG_LEVEL", "must be error, warn, info, debug, trace or off, alone or as target=level, separated by commas", "info,rtvoice=debug")),
    }
}

fn client_id(lookup: Lookup<'_>) -> Result<Option<String>, SettingError> {
    match text(lookup, "AZURE_CLIENT_ID") {
        Some(id) if uuid::Uuid::parse_str(&id).is_err() => {
            Err(wrong("AZURE_CLIENT_ID", "must be a client id (a GUID)", "00000000-0000-0000-0000-000000000000"))
        }
        other => Ok(other),
    }
}

fn ca_file(lookup: Lookup<'_>) -> Result<Option<PathBuf>, SettingError> {
    match text(lookup, "SSL_CERT_FILE").map(PathBuf::from) {
        Some(path) if !path.is_file() => {
            Err(wrong("SSL_CERT_FILE", "must be a readable PEM file with certificate authorities", "/etc/ssl/certs/ca-certificates.crt"))
        }
        other => Ok(other),
    }
}

fn handler_port(lookup: Lookup<'_>) -> Result<Option<u16>, SettingError> {
    const NAME: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
    if text(lookup, NAME).is_none() {
        return Ok(None);
    }
    number(lookup, NAME, 0, 1, u16::MAX, "7072").map(Some)
}

/// An embedded backend where production's rules hold would lose state with the instance's disk.
fn embedded_allowed(config: &Config) -> Result<(), SettingError> {
    if !config.guarded || config.allow_embedded {
        return Ok(());
    }
    const NEEDS: &str = "must be set in prod, in staging and in Azure (or ALLOW_EMBEDDED=true)";
    if config.redis.is_none() {
        Err(wrong("REDIS_HOST", NEEDS, example_of("REDIS_HOST")))
    } else if config.cosmos.is_none() {
        Err(wrong("COSMOS_ENDPOINT", NEEDS, example_of("COSMOS_ENDPOINT")))
    } else if config.service_bus.is_none() {
        Err(wrong("SERVICE_BUS_NAMESPACE", NEEDS, example_of("SERVICE_BUS_NAMESPACE")))
    } else if matches!(config.root_key, RootKey::File(_)) {
        Err(wrong("KEY_VAULT_URL", NEEDS, VAULT))
    } else {
        Ok(())
    }
}
