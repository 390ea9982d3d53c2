//! `rtvoice doctor` against ten seeded faults: each is named with its cause and its fix, and nothing else is blamed for it.

use std::sync::Arc;
use std::time::Duration;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::ops::doctor::{self, DoctorArgs, Finding, Report, Status};
use rtvoice::ports::clock::{Clock as _, ManualClock, SystemClock};
use rtvoice::ports::documents::cosmos::CosmosDocuments;
use rtvoice::ports::documents::{Container, Documents as _};
use serde_json::Value;

use super::args;
use crate::harness::app::Rtvoice;
use crate::harness::cosmos::CosmosEmulator;
use crate::harness::faults::Fault;
use crate::harness::identity::IdentityEndpoint;
use crate::harness::mail::{self, MailServer};
use crate::harness::port::NOBODY;
use crate::harness::redis::{Options, RedisServer};
use crate::harness::service_bus::{self, ServiceBus, Shape};

/// Settings with stores in a folder of their own.
struct Place {
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Place {
    fn new(settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: settings.into_iter().collect() }
    }

    fn config(&self) -> Config {
        let file = self.folder.path().join("rtvoice.db").display().to_string();
        let lookup = |name: &str| match name {
            "EMBEDDED_PATH" => Some(file.clone()),
            name => self.settings.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone()),
        };
        Config::from_lookup(lookup, env!("CARGO_MANIFEST_DIR").into()).unwrap()
    }

    async fn examine(&self) -> Report {
        doctor::examine(self.config(), &args::<DoctorArgs>(&[])).await
    }
}

fn setting(name: &'static str, value: impl ToString) -> (&'static str, String) {
    (name, value.to_string())
}

/// The fault of this name, which must say why and how it is mended.
#[track_caller]
fn fault(report: &Report, check: &str, words: &str, fix: &str) -> Finding {
    let matching = |finding: &&Finding| finding.check == check && finding.status == Status::Fault && finding.found.contains(words);
    let found = report.findings.iter().find(matching).unwrap_or_else(|| panic!("no fault {check} with {words:?}: {report:#?}"));
    assert!(found.cause.as_ref().is_some_and(|cause| !cause.is_empty()), "{found:?}");
    assert!(found.fix.as_ref().is_some_and(|told| told.contains(fix)), "{fix:?} is no part of {found:?}");
    found.clone()
}

/// Nothing is wrong but this.
#[track_caller]
fn alone(report: &Report, checks: &[&str]) {
    for finding in report.findings.iter().filter(|finding| finding.status == Status::Fault) {
        assert!(checks.contains(&finding.check), "{finding:?}");
    }
}

#[tokio::test]
async fn a_sound_stack_has_no_faults() {
    let (server, bus, cosmos) = (RedisServer::start(Options { aof: true, ..Options::default() }), ServiceBus::start().await, CosmosEmulator::start().await);
    bus.shows(Shape::sound());
    CosmosDocuments::connect(&cosmos.config("rtvoice"), None, true).unwrap().check().await.unwrap();
    let mut settings = server.settings();
    settings.extend([
        setting("SERVICE_BUS_NAMESPACE", bus.base_url()),
        setting("SERVICE_BUS_KEY_NAME", service_bus::POLICY),
        setting("SERVICE_BUS_KEY", service_bus::KEY),
    ]);
    settings.extend([setting("COSMOS_ENDPOINT", cosmos.endpoint()), setting("COSMOS_KEY", cosmos.key())]);
    let report = Place::new(settings).examine().await;
    alone(&report, &[]);
    for check in [
        "settings",
        "files",
        "network.redis",
        "network.cosmos",
        "network.service-bus",
        "state",
        "state.rights",
        "state.clock",
        "state.ttl",
        "outbox",
        "documents",
        "deadletters",
        "queue",
        "queue.settings",
        "speech",
        "keys",
    ] {
        assert!(report.findings.iter().any(|f| f.check == check && f.status == Status::Ok), "{check}: {report:#?}");
    }
    assert_eq!(bus.accepted(), [], "nothing is sent");
    assert_eq!(server.wire().keys("*:canary"), [], "nothing is left behind");
}

#[tokio::test]
async fn fault_1_a_wrong_key() {
    let server = RedisServer::start(Options { password: Some("right"), ..Options::default() });
    let mut settings = server.settings();
    settings.push(setting("REDIS_ACCESS_KEY", "n0t-the-key"));
    let report = Place::new(settings).examine().await;
    fault(&report, "state", "Redis refused the identity", "set REDIS_ACCESS_KEY to the key");
    assert!(report.trouble("network.redis").is_none(), "it is reached all the same: {report:#?}");
    assert!(!format!("{report:?}").contains("n0t-the-key"), "the key is not told");

    let bus = ServiceBus::start().await;
    let settings =
        [setting("SERVICE_BUS_NAMESPACE", bus.base_url()), setting("SERVICE_BUS_KEY_NAME", service_bus::POLICY), setting("SERVICE_BUS_KEY", "wrong")];
    let report = Place::new(settings).examine().await;
    fault(&report, "queue", "Service Bus refused our identity or its right to send", "SERVICE_BUS_KEY_NAME and SERVICE_BUS_KEY");
}

#[tokio::test]
async fn fault_2_clock_skew() {
    let (server, bus) = (RedisServer::single(), ServiceBus::start().await);
    let mut settings = server.settings();
    settings.extend([
        setting("SERVICE_BUS_NAMESPACE", bus.base_url()),
        setting("SERVICE_BUS_KEY_NAME", service_bus::POLICY),
        setting("SERVICE_BUS_KEY", service_bus::KEY),
    ]);
    let place = Place::new(settings);
    let clock = Arc::new(ManualClock::at(SystemClock.now().plus_millis(600_000)));
    let app = App::with_clock(place.config(), clock).unwrap();
    let report = doctor::look(&app, &args::<DoctorArgs>(&[])).await;
    let found = fault(&report, "state.clock", "ahead of that of Redis", "timedatectl set-ntp true");
    assert!(found.found.contains("the clock here is 600") || found.found.contains("the clock here is 599"), "{found:?}");
    fault(&report, "clock", "ahead of that of SERVICE_BUS_NAMESPACE", "NTP");
}

#[tokio::test]
async fn fault_3_a_full_redis() {
    let server = RedisServer::start(Options { extra: vec!["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"], ..Options::default() });
    let mut wire = server.wire();
    let block = "x".repeat(256 << 10);
    for n in 0..64 {
        if !matches!(wire.command(&["SET", &format!("filler:{n}"), &block, "EX", "3600"]), crate::harness::redis::Reply::Simple(_)) {
            break;
        }
    }
    let report = Place::new(server.settings()).examine().await;
    fault(&report, "state.memory", "in use (", "rtvoice tts purge");
}

#[tokio::test]
async fn fault_4_a_key_without_a_life() {
    let server = RedisServer::single();
    server.wire().command(&["SET", "rtvoice:dev:call:call-7:summary", "{}"]).expect_ok();
    let report = Place::new(server.settings()).examine().await;
    let found = fault(&report, "state.ttl", "1 keys without a life: 1 of rtvoice:dev:call:*:summary", "rtvoice ttl audit --fix");
    assert!(!found.found.contains("call-7"));
    alone(&report, &["state.ttl"]);
}

#[tokio::test]
async fn fault_5_a_stuck_outbox() {
    let app = Rtvoice::start();
    app.queue.fail_in("send", Fault::Away);
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    app.clock.advance_millis(600_000);
    let report = doctor::look(&app.app, &args::<DoctorArgs>(&[])).await;
    let found = fault(&report, "outbox", "1 messages of 1 calls wait for the queue, the oldest for 10 min", "rtvoice outbox flush");
    assert!(found.cause.unwrap().contains("OutboxRelay"));
    app.queue.heal();
    app.relay().await.ok();
    app.finish().await;
}

#[tokio::test]
async fn fault_6_a_poison_message() {
    let app = Rtvoice::start();
    app.enqueue("no JSON").await;
    for _ in 0..rtvoice::ports::queue::embedded::MAX_DELIVERIES {
        for delivery in app.embedded_queue().receive(1, Duration::from_secs(60)).await.unwrap() {
            app.embedded_queue().abandon(&delivery).await.unwrap();
        }
    }
    let report = doctor::look(&app.app, &args::<DoctorArgs>(&[])).await;
    fault(&report, "queue.settings", "1 dead letters lie in transcripts", "TranscriptDeadLetter");
    assert_eq!(app.deliver_dead().await, 1);
    let report = doctor::look(&app.app, &args::<DoctorArgs>(&[])).await;
    let id = app.parked().await[0]["id"].as_str().unwrap().to_owned();
    let day = app.parked().await[0]["day"].as_str().unwrap().to_owned();
    let found = fault(&report, "deadletters", "1 messages or events are parked", &format!("rtvoice dlq drop {day} {id}"));
    assert!(found.cause.unwrap().starts_with("a poison message: MaxDeliveryCountExceeded"));
    app.finish_with(0, 1).await;
}

#[tokio::test]
async fn fault_7_an_expired_certificate() {
    let server = RedisServer::start(Options { tls: Some("TLSv1.3"), expired: true, ..Options::default() });
    let report = Place::new(server.settings()).examine().await;
    fault(&report, "network.redis", "the certificate of 127.0.0.1 has expired", "renew the certificate of 127.0.0.1");
}

#[tokio::test]
async fn the_tls_that_is_spoken_is_told() {
    let server = RedisServer::tls("TLSv1.3");
    let report = Place::new(server.settings()).examine().await;
    let found = report.findings.iter().find(|f| f.check == "network.redis").unwrap();
    assert!(found.status == Status::Ok && found.found.contains("speaks TLSv1.3, its certificate is good for"), "{found:?}");
    let old = RedisServer::tls("TLSv1.2");
    let report = Place::new(old.settings()).examine().await;
    fault(&report, "network.redis", "speaks no TLS that is allowed", "TLS 1.3");
}

#[tokio::test]
async fn fault_8_wrong_queue_settings() {
    let bus = ServiceBus::start().await;
    let settings =
        [setting("SERVICE_BUS_NAMESPACE", bus.base_url()), setting("SERVICE_BUS_KEY_NAME", service_bus::POLICY), setting("SERVICE_BUS_KEY", service_bus::KEY)];
    let place = Place::new(settings);
    bus.shows(Shape { sessions: false, duplicates: None, lock: "PT5S", deliveries: 3, dead: 2 });
    let report = place.examine().await;
    fault(&report, "queue.settings", "transcripts has no sessions", "--enable-session true");
    fault(&report, "queue.settings", "does not drop duplicates", "--duplicate-detection-history-time-window PT10M");
    fault(&report, "queue.settings", "gives up after 3 deliveries", "--max-delivery-count 10");
    fault(&report, "queue.settings", "for 5 s alone", "--lock-duration PT1M");
    fault(&report, "queue.settings", "2 dead letters", "rtvoice dlq list");
    alone(&report, &["queue.settings"]);
    bus.shows(Shape { duplicates: Some("PT30S"), ..Shape::sound() });
    fault(&place.examine().await, "queue.settings", "remembers message ids for 30 s", "PT10M");

    // The right to send is all that a sender needs.
    let bus = ServiceBus::start().await;
    let settings =
        [setting("SERVICE_BUS_NAMESPACE", bus.base_url()), setting("SERVICE_BUS_KEY_NAME", service_bus::POLICY), setting("SERVICE_BUS_KEY", service_bus::KEY)];
    let report = Place::new(settings).examine().await;
    let found = report.findings.iter().find(|f| f.check == "queue.settings").unwrap();
    assert!(found.status == Status::Skipped && found.found.contains("cannot be seen with the right to send alone"), "{found:?}");
}

#[tokio::test]
async fn fault_9_a_missing_container() {
    let cosmos = CosmosEmulator::start().await;
    // Everything is there but analytics and breaches.
    let made = CosmosDocuments::connect(&cosmos.config("rtvoice"), None, true).unwrap();
    for container in Container::ALL.into_iter().filter(|c| ![Container::Analytics, Container::Breaches].contains(c)) {
        made.get(container, "p", "id").await.unwrap();
    }
    let settings = [
        setting("ENVIRONMENT", "staging"),
        setting("ALLOW_EMBEDDED", "true"),
        setting("COSMOS_ENDPOINT", cosmos.endpoint()),
        setting("COSMOS_KEY", cosmos.key()),
    ];
    let report = Place::new(settings).examine().await;
    fault(&report, "documents", "the container analytics is missing in database rtvoice", "--name analytics --partition-key-path /day --ttl -1");
    let breaches = fault(&report, "documents", "the container breaches is missing", "--name breaches --partition-key-path /id");
    assert!(!breaches.fix.unwrap().contains("--ttl"), "its documents are kept");
    alone(&report, &["documents"]);
}

#[tokio::test]
async fn fault_10_a_blocked_speech_endpoint() {
    let settings = [setting("SPEECH_ENDPOINT", format!("http://127.0.0.1:{NOBODY}")), setting("SPEECH_KEY", "k")];
    let report = Place::new(settings).examine().await;
    fault(&report, "network.speech", "refuses connections", &format!("allow outbound TCP to 127.0.0.1:{NOBODY}"));
    fault(&report, "speech", "Azure Speech is out of reach", "see the finding network.speech");
    alone(&report, &["network.speech", "speech"]);

    // A firewall that drops: it takes the connection, and never says a word of TLS.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = [setting("SPEECH_ENDPOINT", format!("https://127.0.0.1:{}", silent.local_addr().unwrap().port())), setting("SPEECH_KEY", "k")];
    let report = Place::new(settings).examine().await;
    fault(&report, "network.speech", "does not answer", "allow outbound TCP");
}

#[tokio::test]
async fn who_is_told_of_alerts_and_gets_telemetry_is_looked_at() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}?code=n0t-told");
    let place = Place::new([
        setting("ALERT_WEBHOOK_URL", &url),
        setting("SCALE_OUT_WEBHOOK_URL", &url),
        setting("BREACH_WEBHOOK_URL", format!("http://127.0.0.1:{port}/hook")),
        setting("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        setting(
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            format!("InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=http://127.0.0.1:{port}/"),
        ),
    ]);
    let report = place.examine().await;
    let all = ["network.alert-webhook", "network.scale-out-webhook", "network.breach-webhook", "network.otlp", "network.application-insights"];
    for check in all {
        fault(&report, check, &format!("127.0.0.1:{port} refuses connections"), "allow outbound TCP");
    }
    alone(&report, &all);
    assert!(!format!("{report:?}").contains("n0t-told"), "a query may hold a key");
}

#[tokio::test]
async fn an_eviction_policy_is_a_fault_where_it_would_take_calls() {
    let server = RedisServer::start(Options { extra: vec!["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"], ..Options::default() });
    let report = Place::new(server.settings()).examine().await;
    let found = report.trouble("state.policy").expect("a word");
    assert!(found.status == Status::Warning && found.fix.as_ref().unwrap().contains("maxmemory-policy noeviction"), "{found:?}");
    let mut settings = server.settings();
    settings.extend([setting("ENVIRONMENT", "staging"), setting("ALLOW_EMBEDDED", "true")]);
    fault(&Place::new(settings).examine().await, "state.policy", "noeviction", "noeviction");
}

#[tokio::test]
async fn files_that_differ_from_the_code_are_named() {
    let place = Place::new([]);
    let root = place.folder.path();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let host = std::fs::read_to_string(source.join("host.json")).unwrap();
    std::fs::write(root.join("host.json"), host.replace("\"00:05:00\",\n  \"customHandler\"", "\"00:01:00\",\n  \"customHandler\"")).unwrap();
    for function in rtvoice::functions::ALL.iter().filter(|f| f.name != "OutboxRelay") {
        std::fs::create_dir(root.join(function.name)).unwrap();
        let file = std::fs::read_to_string(source.join(function.name).join("function.json")).unwrap();
        std::fs::write(root.join(function.name).join("function.json"), changed(function.name, &file)).unwrap();
    }
    let mut config = place.config();
    config.app_root = root.to_owned();
    let report = doctor::examine(config, &args::<DoctorArgs>(&[])).await;
    fault(&report, "files", "functionTimeout is shorter", "00:05:00");
    fault(&report, "files", "OutboxRelay/function.json is missing", "put back OutboxRelay/function.json");
    fault(&report, "files", "TtsCache/function.json differs from the code: route must be tts/{hash?}", "put back TtsCache");
    // What the code cannot tell is held to what is shipped.
    fault(&report, "files", "EraseUser/function.json: authLevel is \"anonymous\", not ", "put back EraseUser");
    fault(&report, "files", "TranscriptDeadLetter/function.json: queueName is \"others/$DeadLetterQueue\"", "put back TranscriptDeadLetter");
    fault(&report, "files", "TranscriptWriter/function.json: connection is \"Other\", not \"ServiceBusConnection\"", "put back TranscriptWriter");
    let found = report.findings.iter().find(|f| f.status == Status::Warning && f.found.contains("BreachClock")).expect("a word on the timer");
    assert!(found.found.contains("schedule is \"0 0 0 1 1 *\", not "), "{found:?}");
    assert!(
        !report.findings.iter().any(|f| f.found.contains("TranscriptWriter/function.json: queueName")),
        "the queue of the settings by its name: {report:#?}"
    );
}

/// A `function.json` as somebody has changed it.
fn changed(function: &str, file: &str) -> String {
    let (from, to) = match function {
        "TtsCache" => ("\"route\": \"tts/", "\"route\": \"speech/"),
        "EraseUser" => ("\"authLevel\": \"", "\"authLevel\": \"anonymous\", \"x\": \""),
        "TranscriptDeadLetter" => ("%TRANSCRIPT_QUEUE%", "others"),
        "TranscriptWriter" => ("%TRANSCRIPT_QUEUE%\",\n      \"connection\": \"ServiceBusConnection", "transcripts\",\n      \"connection\": \"Other"),
        "BreachClock" => ("\"schedule\": \"", "\"schedule\": \"0 0 0 1 1 *\", \"x\": \""),
        _ => return file.to_owned(),
    };
    assert!(file.contains(from), "{function}: {file}");
    let mut json: Value = serde_json::from_str(&file.replace(from, to)).unwrap();
    json["bindings"][0].as_object_mut().unwrap().remove("x");
    serde_json::to_string(&json).unwrap()
}

#[test]
fn every_function_json_is_shipped_with_the_doctor() {
    let shipped: Vec<&str> = doctor::SHIPPED.iter().map(|(name, _)| *name).collect();
    let mut functions: Vec<&str> = rtvoice::functions::ALL.iter().map(|function| function.name).collect();
    functions.sort_unstable();
    assert_eq!(shipped, functions);
}

#[tokio::test]
async fn a_backend_of_local_settings_that_is_not_looked_at_is_named() {
    let place = Place::new([]);
    let root = place.folder.path();
    let file = r#"{"IsEncrypted": false, "Values": {"FUNCTIONS_WORKER_RUNTIME": "custom", "REDIS_HOST": "localhost", "REDIS_PORT": "6399"}}"#;
    std::fs::write(root.join("local.settings.json"), file).unwrap();
    let mut config = place.config();
    config.app_root = root.to_owned();
    let report = doctor::examine(config, &args::<DoctorArgs>(&[])).await;
    let found = report.trouble("settings.local").expect("a word");
    assert!(found.status == Status::Warning && found.found.starts_with("state: Redis server localhost:6399"), "{found:?}");
    assert!(found.found.contains("embedded, ") && found.fix.as_ref().unwrap().contains("rtvoice config --dev"), "{found:?}");
    // The same in both, or nothing named: nothing to say.
    let same = Place::new([setting("REDIS_HOST", "localhost"), setting("REDIS_PORT", 6399)]);
    let mut config = same.config();
    config.app_root = root.to_owned();
    assert_eq!(doctor::examine(config, &args::<DoctorArgs>(&[])).await.trouble("settings.local"), None);
    assert_eq!(place.examine().await.trouble("settings.local"), None);
}

#[tokio::test]
async fn a_diagnosis_makes_nothing() {
    let cosmos = CosmosEmulator::start().await;
    let place = Place::new([setting("COSMOS_ENDPOINT", cosmos.endpoint()), setting("COSMOS_KEY", cosmos.key())]);
    for _ in 0..2 {
        let report = place.examine().await;
        fault(&report, "documents", "the container transcripts is missing", "start the app, which makes it here; or az cosmosdb sql container create");
    }
    let app = App::new(place.config()).unwrap();
    app.documents.check().await.unwrap();
    alone(&place.examine().await, &[]);
}

/// What the command itself finds of the identity, in this environment.
async fn identity(environment: Vec<(&'static str, String)>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        command.args(["doctor", "--json", "--free"]).env_clear().env("EMBEDDED_PATH", folder.path().join("rtvoice.db")).envs(environment);
        command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).env("SPEECH_ENDPOINT", "http://127.0.0.1:9").output().unwrap()
    });
    let output = output.await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "identity").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_is_asked_for_a_token_where_no_key_is_set() {
    let endpoint = IdentityEndpoint::start().await;
    let found = identity(endpoint.env().to_vec()).await;
    assert_eq!((&found["status"], &found["found"]), (&"ok".into(), &"gets a token for Azure Speech".into()));
    assert_eq!(endpoint.asked(), ["https://cognitiveservices.azure.com"]);
    let found = identity(Vec::new()).await;
    assert_eq!((&found["status"], &found["found"]), (&"fault".into(), &"gets no token for Azure Speech".into()), "{found}");
    assert!(found["fix"].as_str().unwrap().contains("az login"), "{found}");
}

#[tokio::test]
async fn a_mail_server_is_asked_and_sent_nothing() {
    let server = MailServer::start(mail::Options::default());
    let report = Place::new(server.settings("starttls")).examine().await;
    assert!(report.findings.iter().any(|f| f.check == "mail" && f.status == Status::Ok && f.found.contains("for 2 recipients")), "{report:#?}");
    let mut settings = server.settings("starttls");
    settings.push(setting("ALERT_MAIL_PASSWORD", "n0t-the-password"));
    let report = Place::new(settings).examine().await;
    fault(&report, "mail", "AUTH with 535", "set ALERT_MAIL_USER and ALERT_MAIL_PASSWORD");
    assert!(!format!("{report:?}").contains("n0t-the-password"));
    let mut settings = server.settings("starttls");
    settings.push(setting("ALERT_MAIL_PORT", "1"));
    fault(&Place::new(settings).examine().await, "mail", "the mail server is out of reach", "ALERT_MAIL_PORT");
    assert_eq!((server.letters(), server.complaints()), (Vec::new(), Vec::new()));
}
