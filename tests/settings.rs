//! Every setting missing, wrong or contradictory: one line that names it and what would do, from the table of rules and
//! from the real program; and how the program starts, with dependencies away, and ends.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rtvoice::config::{Config, SETTINGS};

use crate::harness::port::{NOBODY, free_port};
use crate::harness::stopwatch::Stopwatch;

/// Longest that a process may take to do what it certainly does, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A secret that no message may hold.
const SECRET: &str = "c2VjcmV0LTQ3MTE=";

/// Settings with what they lead to: the name of the setting that the one line begins with.
struct Case {
    settings: &'static [(&'static str, &'static str)],
    named: &'static str,
}

const MAIL_HOST: (&str, &str) = ("ALERT_MAIL_HOST", "mail.example.com");
const MAIL_FROM: (&str, &str) = ("ALERT_MAIL_FROM", "alerts@contoso.example");
const MAIL_TO: (&str, &str) = ("ALERT_MAIL_TO", "oncall@contoso.example");

/// All that can be wrong with them.
const WRONG: &[Case] = &[
    case(&[("RETENTION_METRICS", "0")], "RETENTION_METRICS"),
    case(&[("ALERT_WEBHOOK_URL", "http://hooks.example.com/alerts?token=c2VjcmV0LTQ3MTE=")], "ALERT_WEBHOOK_URL"),
    case(&[("ALERT_WEBHOOK_FORM", "smoke")], "ALERT_WEBHOOK_FORM"),
    case(&[("ALERT_WEBHOOK_FORM", "pagerduty")], "ALERT_WEBHOOK_SECRET"),
    case(&[("ALERT_WEBHOOK_SECRET", SECRET)], "ALERT_WEBHOOK_URL"),
    case(&[("SCALE_OUT_WEBHOOK_URL", "hooks")], "SCALE_OUT_WEBHOOK_URL"),
    case(&[("ALERT_MAIL_FROM", "alerts@contoso.example")], "ALERT_MAIL_HOST"),
    case(&[("ALERT_MAIL_PASSWORD", SECRET)], "ALERT_MAIL_HOST"),
    case(&[("ALERT_MAIL_HOST", "smtp://mail.example.com")], "ALERT_MAIL_HOST"),
    case(&[("ALERT_MAIL_HOST", "mail.example.com:587")], "ALERT_MAIL_HOST"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_PORT", "0")], "ALERT_MAIL_PORT"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_TLS", "ssl")], "ALERT_MAIL_TLS"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_TLS", "none")], "ALERT_MAIL_TLS"),
    case(&[MAIL_HOST, MAIL_TO], "ALERT_MAIL_FROM"),
    case(&[MAIL_HOST, MAIL_TO, ("ALERT_MAIL_FROM", "Alerts <alerts@contoso.example>")], "ALERT_MAIL_FROM"),
    case(&[MAIL_HOST, MAIL_FROM], "ALERT_MAIL_TO"),
    case(&[MAIL_HOST, MAIL_FROM, ("ALERT_MAIL_TO", "a@contoso.example,,b@contoso.example")], "ALERT_MAIL_TO"),
    case(&[MAIL_HOST, MAIL_FROM, ("ALERT_MAIL_TO", "a@contoso.example>\r\nRCPT TO:<b@contoso.example")], "ALERT_MAIL_TO"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_PASSWORD", SECRET)], "ALERT_MAIL_USER"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_USER", "rtvoice")], "ALERT_MAIL_PASSWORD"),
    case(&[MAIL_HOST, MAIL_FROM, MAIL_TO, ("ALERT_MAIL_USER", "rt\u{1}voice"), ("ALERT_MAIL_PASSWORD", SECRET)], "ALERT_MAIL_USER"),
    case(
        &[("ALERT_MAIL_HOST", "127.0.0.1"), MAIL_FROM, MAIL_TO, ("ALERT_MAIL_TLS", "none"), ("ALERT_MAIL_USER", "rtvoice"), ("ALERT_MAIL_PASSWORD", SECRET)],
        "ALERT_MAIL_TLS",
    ),
    case(&[("ALERTS_PACE", "0.5")], "ALERTS_PACE"),
    case(&[("ALERTS_PACE", "fast")], "ALERTS_PACE"),
    case(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example.com:4318")], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    case(&[("OTEL_EXPORTER_OTLP_HEADERS", "c2VjcmV0LTQ3MTE")], "OTEL_EXPORTER_OTLP_HEADERS"),
    case(&[("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=;IngestionEndpoint=https://in.example.com")], "APPLICATIONINSIGHTS_CONNECTION_STRING"),
    case(&[("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=Basic")], "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"),
    case(&[("ENVIRONMENT", "production")], "ENVIRONMENT"),
    case(&[("ENVIRONMENT", "DEV")], "ENVIRONMENT"),
    case(&[("APP_PREFIX", "Rt:Voice")], "APP_PREFIX"),
    case(&[("APP_PREFIX", "abcdefghijklmnopqrstuvwxyz0123456")], "APP_PREFIX"),
    case(&[("TTL_MULTIPLIER", "0")], "TTL_MULTIPLIER"),
    case(&[("TTL_MULTIPLIER", "-1")], "TTL_MULTIPLIER"),
    case(&[("TTL_MULTIPLIER", "NaN")], "TTL_MULTIPLIER"),
    case(&[("TTL_MULTIPLIER", "inf")], "TTL_MULTIPLIER"),
    case(&[("TTL_MULTIPLIER", "101")], "TTL_MULTIPLIER"),
    case(&[("TTL_MULTIPLIER", "double")], "TTL_MULTIPLIER"),
    case(&[("REDIS_HOST", "redis://127.0.0.1")], "REDIS_HOST"),
    case(&[("REDIS_HOST", "cache.example.com:6380")], "REDIS_HOST"),
    case(&[("REDIS_HOST", "user@cache.example.com")], "REDIS_HOST"),
    case(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", "0")], "REDIS_PORT"),
    case(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", "65536")], "REDIS_PORT"),
    case(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", "tls")], "REDIS_PORT"),
    case(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_SSL", "maybe")], "REDIS_SSL"),
    case(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_CLUSTER", "three")], "REDIS_CLUSTER"),
    case(&[("REDIS_HOST", "cache.example.com"), ("REDIS_SSL", "false")], "REDIS_ACCESS_KEY"),
    case(&[("REDIS_PORT", "6379")], "REDIS_HOST"),
    case(&[("REDIS_SSL", "true")], "REDIS_HOST"),
    case(&[("REDIS_CLUSTER", "true")], "REDIS_HOST"),
    case(&[("REDIS_USERNAME", "me")], "REDIS_HOST"),
    case(&[("REDIS_ACCESS_KEY", SECRET)], "REDIS_HOST"),
    case(&[("COSMOS_ENDPOINT", "contoso.documents.azure.com")], "COSMOS_ENDPOINT"),
    case(&[("COSMOS_ENDPOINT", "http://contoso.documents.azure.com")], "COSMOS_ENDPOINT"),
    case(&[("COSMOS_ENDPOINT", "https://me:c2VjcmV0LTQ3MTE=@contoso.documents.azure.com")], "COSMOS_ENDPOINT"),
    case(&[("COSMOS_ENDPOINT", "https://contoso.documents.azure.com"), ("COSMOS_KEY", "not base64! c2VjcmV0LTQ3MTE=")], "COSMOS_KEY"),
    case(&[("COSMOS_ENDPOINT", "https://contoso.documents.azure.com"), ("COSMOS_DATABASE", "a/b")], "COSMOS_DATABASE"),
    case(&[("COSMOS_KEY", SECRET)], "COSMOS_ENDPOINT"),
    case(&[("COSMOS_DATABASE", "rtvoice")], "COSMOS_ENDPOINT"),
    case(&[("SERVICE_BUS_NAMESPACE", "contoso/queue")], "SERVICE_BUS_NAMESPACE"),
    case(&[("SERVICE_BUS_NAMESPACE", "http://contoso.servicebus.windows.net")], "SERVICE_BUS_NAMESPACE"),
    case(&[("SERVICE_BUS_NAMESPACE", "contoso"), ("SERVICE_BUS_KEY", SECRET)], "SERVICE_BUS_KEY_NAME"),
    case(&[("SERVICE_BUS_NAMESPACE", "contoso"), ("SERVICE_BUS_KEY_NAME", "send")], "SERVICE_BUS_KEY"),
    case(&[("SERVICE_BUS_KEY", SECRET)], "SERVICE_BUS_NAMESPACE"),
    case(&[("SERVICE_BUS_KEY_NAME", "send")], "SERVICE_BUS_NAMESPACE"),
    case(&[("TRANSCRIPT_QUEUE", "a/b")], "TRANSCRIPT_QUEUE"),
    case(&[("TRANSCRIPT_QUEUE", "two words")], "TRANSCRIPT_QUEUE"),
    case(&[("QUEUE_LANES", "0")], "QUEUE_LANES"),
    case(&[("QUEUE_LANES", "4097")], "QUEUE_LANES"),
    case(&[("QUEUE_LANES", "many")], "QUEUE_LANES"),
    case(&[("CALL_IDLE_LIMIT", "59")], "CALL_IDLE_LIMIT"),
    case(&[("CALL_IDLE_LIMIT", "86401")], "CALL_IDLE_LIMIT"),
    case(&[("CALL_IDLE_LIMIT", "2h")], "CALL_IDLE_LIMIT"),
    case(&[("HISTORY_WINDOW", "0")], "HISTORY_WINDOW"),
    case(&[("HISTORY_WINDOW", "201")], "HISTORY_WINDOW"),
    case(&[("SPEECH_ENDPOINT", "ftp://speech.example.com")], "SPEECH_ENDPOINT"),
    case(&[("SPEECH_ENDPOINT", "https://speech.example.com/?key=c2VjcmV0LTQ3MTE=")], "SPEECH_ENDPOINT"),
    case(&[("SPEECH_KEY", SECRET)], "SPEECH_ENDPOINT"),
    case(&[("SPEECH_VOICE", "Ava <b>")], "SPEECH_VOICE"),
    case(&[("OPENAI_ENDPOINT", "openai"), ("OPENAI_DEPLOYMENT", "gpt")], "OPENAI_ENDPOINT"),
    case(&[("OPENAI_ENDPOINT", "https://contoso.openai.azure.com")], "OPENAI_DEPLOYMENT"),
    case(&[("OPENAI_ENDPOINT", "https://contoso.openai.azure.com"), ("OPENAI_DEPLOYMENT", "a/b")], "OPENAI_DEPLOYMENT"),
    case(&[("OPENAI_DEPLOYMENT", "gpt")], "OPENAI_ENDPOINT"),
    case(&[("OPENAI_KEY", SECRET)], "OPENAI_ENDPOINT"),
    case(&[("EMBEDDED_PATH", "/proc/rtvoice/none.db")], "EMBEDDED_PATH"),
    case(&[("ALLOW_EMBEDDED", "please")], "ALLOW_EMBEDDED"),
    case(&[("LOG_LEVEL", "rtvoice=verbose")], "LOG_LEVEL"),
    case(&[("LOG_LEVEL", "verbose")], "LOG_LEVEL"),
    case(&[("LOG_LEVEL", "warning")], "LOG_LEVEL"),
    case(&[("AZURE_CLIENT_ID", "my-identity")], "AZURE_CLIENT_ID"),
    case(&[("SSL_CERT_FILE", "/nonexistent.pem")], "SSL_CERT_FILE"),
    case(&[("AUTH_MAX_ATTEMPTS", "0")], "AUTH_MAX_ATTEMPTS"),
    case(&[("AUTH_MAX_ATTEMPTS", "101")], "AUTH_MAX_ATTEMPTS"),
    case(&[("TTS_L1_BYTES", "32M")], "TTS_L1_BYTES"),
    case(&[("TTS_L1_BYTES", "-1")], "TTS_L1_BYTES"),
    case(&[("TTS_MAX_BYTES", "lots")], "TTS_MAX_BYTES"),
    case(&[("MAX_IN_FLIGHT", "15")], "MAX_IN_FLIGHT"),
    case(&[("MAX_IN_FLIGHT", "no limit")], "MAX_IN_FLIGHT"),
    case(&[("MAX_WAITING", "-1")], "MAX_WAITING"),
    case(&[("MAX_WAITING", "65537")], "MAX_WAITING"),
    case(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "0")], "FUNCTIONS_CUSTOMHANDLER_PORT"),
    case(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "70000")], "FUNCTIONS_CUSTOMHANDLER_PORT"),
    case(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "http")], "FUNCTIONS_CUSTOMHANDLER_PORT"),
    case(&[("ENVIRONMENT", "prod")], "REDIS_HOST"),
    case(&[("ENVIRONMENT", "staging")], "REDIS_HOST"),
    case(&[("WEBSITE_SITE_NAME", "contoso")], "REDIS_HOST"),
    case(&[("ENVIRONMENT", "prod"), ("REDIS_HOST", "127.0.0.1")], "COSMOS_ENDPOINT"),
    case(&[("ENVIRONMENT", "prod"), ("REDIS_HOST", "127.0.0.1"), ("COSMOS_ENDPOINT", "https://c.documents.azure.com")], "SERVICE_BUS_NAMESPACE"),
    case(
        &[("ENVIRONMENT", "prod"), ("REDIS_HOST", "127.0.0.1"), ("COSMOS_ENDPOINT", "https://c.documents.azure.com"), ("SERVICE_BUS_NAMESPACE", "contoso")],
        "KEY_VAULT_URL",
    ),
    case(&[("PRIVACY", "none")], "PRIVACY"),
    case(&[("PRIVACY", "off"), ("ENVIRONMENT", "prod"), ("ALLOW_EMBEDDED", "true")], "PRIVACY"),
    case(&[("PRIVACY", "off"), ("WEBSITE_SITE_NAME", "contoso"), ("ALLOW_EMBEDDED", "true")], "PRIVACY"),
    case(&[("TELEMETRY", "some")], "TELEMETRY"),
    case(&[("TELEMETRY", "off"), ("ENVIRONMENT", "staging"), ("ALLOW_EMBEDDED", "true")], "TELEMETRY"),
    case(&[("STORE_PII", "clear")], "STORE_PII"),
    case(&[("REPLY_SEES_PII", "perhaps")], "REPLY_SEES_PII"),
    case(&[("KEY_VAULT_URL", "http://contoso.vault.azure.net")], "KEY_VAULT_URL"),
    case(&[("KEY_VAULT_KEY", "rtvoice")], "KEY_VAULT_URL"),
    case(&[("KEY_VAULT_URL", "https://contoso.vault.azure.net"), ("KEY_VAULT_KEY", "a/b")], "KEY_VAULT_KEY"),
    case(&[("KEY_VAULT_URL", "https://contoso.vault.azure.net"), ("KEYS_PATH", "keys.json")], "KEYS_PATH"),
    case(&[("KEYS_PATH", "keys.json"), ("ENVIRONMENT", "prod"), ("ALLOW_EMBEDDED", "true")], "KEY_VAULT_URL"),
    case(&[("RETENTION_TRANSCRIPTS", "0")], "RETENTION_TRANSCRIPTS"),
    case(&[("RETENTION_ANALYTICS", "for ever")], "RETENTION_ANALYTICS"),
    case(&[("RETENTION_AUDIT", "36501")], "RETENTION_AUDIT"),
    case(&[("RETENTION_PROFILES", "-1")], "RETENTION_PROFILES"),
    case(&[("RETENTION_DEADLETTERS", "30d")], "RETENTION_DEADLETTERS"),
    case(&[("AUDIT_SAMPLE", "1.5")], "AUDIT_SAMPLE"),
    case(&[("AUDIT_SAMPLE", "all")], "AUDIT_SAMPLE"),
    case(&[("BREACH_WEBHOOK_URL", "http://contoso.example/hook")], "BREACH_WEBHOOK_URL"),
    case(&[("ENVIRONMENT", "prod"), ("REDIS_HOST", "cache.example.com"), ("REDIS_SSL", "false"), ("REDIS_ACCESS_KEY", SECRET)], "REDIS_SSL"),
    case(&[("WEBSITE_SITE_NAME", "contoso"), ("ALLOW_EMBEDDED", "false")], "REDIS_HOST"),
];

const fn case(settings: &'static [(&'static str, &'static str)], named: &'static str) -> Case {
    Case { settings, named }
}

fn config(settings: &[(&str, &str)]) -> Result<Config, String> {
    let lookup = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Config::from_lookup(lookup, PathBuf::from("/tmp/rtvoice-root")).map_err(|e| e.to_string())
}

/// One line: the name, what it needs, `for example NAME=value`.
#[track_caller]
fn names(line: &str, named: &str, settings: &[(&str, &str)]) {
    assert!(!line.contains('\n'), "{settings:?}: {line}");
    assert!(line.starts_with(&format!("{named} must ")), "{settings:?}: {line}");
    assert!(line.contains(&format!("for example {named}=")), "{settings:?}: {line}");
    assert!(!line.contains("c2VjcmV0"), "{settings:?}: a secret in {line}");
}

#[test]
fn each_wrong_setting_is_one_line_that_names_it() {
    for Case { settings, named } in WRONG {
        // Whether a file can be written shows only when it is opened.
        if *named != "EMBEDDED_PATH" {
            let line = config(settings).expect_err(&format!("{settings:?} was taken"));
            names(&line, named, settings);
        }
    }
}

#[test]
fn each_setting_that_can_be_wrong_is_in_the_table() {
    // Free texts: whatever they are, another service judges them.
    let free = ["REDIS_USERNAME", "REDIS_ACCESS_KEY", "SERVICE_BUS_KEY", "SERVICE_BUS_KEY_NAME", "SPEECH_KEY", "OPENAI_KEY"];
    for (name, ..) in SETTINGS {
        let tried = WRONG.iter().any(|case| case.settings.iter().any(|(n, _)| n == name));
        assert!(tried || free.contains(name), "{name} is never tried");
    }
}

#[test]
fn a_turn_reads_what_the_agent_is_told_or_masking_looks_back_on() {
    let look_back = |settings: &[(&str, &str)]| config(settings).unwrap().look_back();
    let openai = [("OPENAI_ENDPOINT", "https://contoso.openai.azure.com"), ("OPENAI_DEPLOYMENT", "gpt")];
    assert_eq!((look_back(&[]), look_back(&[("HISTORY_WINDOW", "3")]), look_back(&[("PRIVACY", "off")])), (8, 8, 1));
    assert_eq!(look_back(&openai), 20);
    for (window, privacy, reads) in [("3", "on", 8), ("3", "off", 3), ("25", "on", 25), ("25", "off", 25)] {
        assert_eq!(look_back(&[openai[0], openai[1], ("HISTORY_WINDOW", window), ("PRIVACY", privacy)]), reads, "{window} {privacy}");
    }
}

#[test]
fn without_any_setting_all_is_embedded_and_the_defaults_hold() {
    let config = config(&[]).unwrap();
    assert!(config.redis.is_none() && config.cosmos.is_none() && config.service_bus.is_none() && config.speech.is_none() && config.openai.is_none());
    assert_eq!((config.app_prefix.as_str(), config.environment.as_str(), config.transcript_queue.as_str()), ("rtvoice", "dev", "transcripts"));
    assert_eq!((config.queue_lanes, config.history_window, config.auth_max_attempts), (256, 20, 3));
    assert_eq!((config.max_in_flight, config.max_waiting), (256, 512));
    assert_eq!((config.tts_l1_bytes, config.tts_max_bytes), (33_554_432, 1_073_741_824));
    assert_eq!(config.call_idle_limit, Duration::from_secs(7200));
    assert_eq!(config.embedded_path, Path::new("/tmp/rtvoice-root/.rtvoice/rtvoice.db"));
    assert_eq!(format!("{:?}", config.ttl_multiplier), "1.0");
}

#[test]
fn an_empty_setting_is_an_unset_one() {
    let empty: Vec<(&str, &str)> = SETTINGS.iter().map(|(name, ..)| (*name, " ")).collect();
    assert_eq!(format!("{:?}", config(&empty).unwrap()), format!("{:?}", config(&[]).unwrap()));
}

#[test]
fn a_full_set_is_taken_and_shows_no_secret() {
    let settings = [
        ("ENVIRONMENT", "prod"),
        ("REDIS_HOST", "cache.example.com"),
        ("REDIS_ACCESS_KEY", SECRET),
        ("COSMOS_ENDPOINT", "https://c.documents.azure.com:443/"),
        ("COSMOS_KEY", SECRET),
        ("SERVICE_BUS_NAMESPACE", "contoso"),
        ("SERVICE_BUS_KEY_NAME", "send"),
        ("SERVICE_BUS_KEY", SECRET),
        ("SPEECH_ENDPOINT", "https://westeurope.tts.speech.microsoft.com"),
        ("SPEECH_KEY", SECRET),
        ("OPENAI_ENDPOINT", "https://contoso.openai.azure.com"),
        ("OPENAI_DEPLOYMENT", "gpt-4o-mini"),
        ("OPENAI_KEY", SECRET),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net"),
        MAIL_HOST,
        MAIL_FROM,
        ("ALERT_MAIL_TO", "oncall@contoso.example, second.line+alerts@contoso.example"),
        ("ALERT_MAIL_USER", "rtvoice"),
        ("ALERT_MAIL_PASSWORD", SECRET),
    ];
    let config = config(&settings).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
    assert_eq!(config.redis.unwrap().port, 6380);
    let mail = config.alerts.mail.unwrap();
    assert_eq!((mail.port, mail.tls, mail.to.len()), (587, rtvoice::config::MailTls::StartTls, 2));
    assert_eq!(config.service_bus.unwrap().base_url, "https://contoso.servicebus.windows.net");
}

#[test]
fn every_setting_stands_in_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let is_name = |name: &str| name.len() > 3 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let documented: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")).map(|(name, _)| name).filter(|n| is_name(n)).collect();
    for (name, ..) in SETTINGS {
        assert_eq!(documented.iter().filter(|d| *d == name).count(), 1, "README.md needs one row | `{name}` | ... |");
    }
    for name in &documented {
        assert!(SETTINGS.iter().any(|(known, ..)| known == name), "README.md tells of {name}, which nobody reads");
    }
}

/// The real program with nothing in its environment but these settings.
struct Serve {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Serve {
    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = folder.path().join("rtvoice.db").display().to_string();
        let mut environment = BTreeMap::from([("EMBEDDED_PATH", embedded.as_str()), ("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))]);
        environment.extend(settings.iter().copied());
        let child = Command::new(env!("CARGO_BIN_EXE_rtvoice"))
            .arg("serve")
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, _folder: folder }
    }

    /// Exit code and standard error, once it has ended.
    fn ended(mut self) -> (Option<i32>, String) {
        let watch = Stopwatch::start();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            watch.below(PATIENCE, "it runs on");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status.code(), stderr)
    }

    /// Waits until it answers on this port.
    fn answers(&mut self, port: u16) {
        let watch = Stopwatch::start();
        loop {
            if let Ok(status) = self.child.try_wait()
                && let Some(status) = status
            {
                let mut stderr = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("it ended with {status}: {stderr}");
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return;
            }
            watch.below(PATIENCE, "it does not bind");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, by its id.
    fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Ended already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_program_stops_at_each_with_one_line_and_exit_code_2() {
    let port = free_port().to_string();
    for Case { settings, named } in WRONG {
        let mut all = vec![("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str())];
        all.extend_from_slice(settings);
        let (code, stderr) = Serve::start(&all).ended();
        assert_eq!(code, Some(2), "{settings:?}: {stderr}");
        let line = stderr.strip_prefix("rtvoice: ").and_then(|rest| rest.strip_suffix('\n')).unwrap_or_else(|| panic!("{settings:?}: {stderr:?}"));
        names(line, named, settings);
    }
}

#[test]
fn without_a_port_it_says_who_sets_it() {
    let (code, stderr) = Serve::start(&[]).ended();
    assert_eq!(code, Some(2), "{stderr}");
    names(stderr.trim_start_matches("rtvoice: ").trim_end(), "FUNCTIONS_CUSTOMHANDLER_PORT", &[]);
}

#[test]
fn a_port_that_is_taken_is_a_wrong_setting() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stderr) = Serve::start(&[("FUNCTIONS_CUSTOMHANDLER_PORT", &port)]).ended();
    assert_eq!(code, Some(2), "{stderr}");
    names(stderr.trim_start_matches("rtvoice: ").trim_end(), "FUNCTIONS_CUSTOMHANDLER_PORT", &[]);
}

#[test]
fn embedded_backends_start_in_production_where_that_is_allowed() {
    for guard in [("ENVIRONMENT", "prod"), ("ENVIRONMENT", "staging"), ("WEBSITE_SITE_NAME", "contoso")] {
        let port = free_port();
        let text = port.to_string();
        let mut serve = Serve::start(&[guard, ("ALLOW_EMBEDDED", "true"), ("FUNCTIONS_CUSTOMHANDLER_PORT", &text)]);
        serve.answers(port);
        serve.terminate();
        assert_eq!(serve.ended().0, Some(0), "{guard:?}");
    }
}

#[test]
fn it_binds_loopback_alone_and_sigterm_ends_it_with_0() {
    let port = free_port();
    let text = port.to_string();
    let mut serve = Serve::start(&[("FUNCTIONS_CUSTOMHANDLER_PORT", &text)]);
    serve.answers(port);
    // Another address of this machine: a server on all addresses would answer there.
    let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
    assert!(TcpStream::connect_timeout(&other, Duration::from_secs(2)).is_err(), "it listens on more than 127.0.0.1");
    let watch = Stopwatch::start();
    serve.terminate();
    let (code, stderr) = serve.ended();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    watch.below(Duration::from_secs(12), "it had nothing to finish");
}

#[test]
fn with_everything_away_it_starts_degraded_within_six_seconds() {
    let (redis, endpoint) = (NOBODY.to_string(), format!("http://127.0.0.1:{NOBODY}"));
    let port = free_port();
    let text = port.to_string();
    let watch = Stopwatch::start();
    let mut serve = Serve::start(&[
        ("FUNCTIONS_CUSTOMHANDLER_PORT", &text),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &redis),
        ("COSMOS_ENDPOINT", &endpoint),
        ("COSMOS_KEY", SECRET),
        ("SERVICE_BUS_NAMESPACE", &endpoint),
        ("SERVICE_BUS_KEY_NAME", "send"),
        ("SERVICE_BUS_KEY", SECRET),
    ]);
    serve.answers(port);
    watch.below(Duration::from_secs(7), "until it answered");
    let answer = get(port, "/api/health");
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(!answer.contains("\"status\":\"healthy\",\"details\""), "{answer}");
    let turn = post(port, "/api/calls/call-1/turns", "{\"turnId\":\"t1\",\"text\":\"hello\"}");
    assert!(turn.starts_with("HTTP/1.1 503"), "{turn}");
    assert!(turn.to_ascii_lowercase().contains("\r\nretry-after: "), "{turn}");
    serve.terminate();
    let mut stdout = String::new();
    serve.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(stdout.contains("starting degraded"), "{stdout}");
    assert!(!stdout.contains("c2VjcmV0"), "a secret in the log: {stdout}");
    assert_eq!(serve.ended().0, Some(0));
}

fn get(port: u16, path: &str) -> String {
    exchange(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

fn post(port: u16, path: &str, body: &str) -> String {
    let length = body.len();
    exchange(
        port,
        &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"),
    )
}

fn exchange(port: u16, request: &str) -> String {
    use std::io::Write as _;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
