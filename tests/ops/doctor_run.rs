//! Ten seeded faults as a new operator meets them: the command itself, `rtvoice doctor --json`, run with the settings of the app, ends
//! with 1 and names the check, the cause and the fix; and where health or the dashboard can see the fault, they show it.
//!
//! A clock that is wrong by itself cannot be given to a process: here that of a service is (the other one is in [`super::doctor`]).
//! The dashboard shows nothing of a clock, nor of how a queue is set up: it has the right to send alone.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::host::router::router;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::documents::cosmos::CosmosDocuments;
use rtvoice::ports::documents::{Container, Documents as _};
use serde_json::Value;

use tower::ServiceExt as _;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::app::{Rtvoice, START};
use crate::harness::cosmos::CosmosEmulator;
use crate::harness::faults::Fault;
use crate::harness::port::NOBODY;
use crate::harness::redis::{Options, RedisServer, Reply};
use crate::harness::service_bus::{self, ServiceBus, Shape};

type Settings = Vec<(&'static str, String)>;

/// The settings of an app whose stores lie in a folder of their own.
struct Place {
    folder: tempfile::TempDir,
    settings: Settings,
}

impl Place {
    fn new(settings: impl Into<Settings>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: settings.into() }
    }

    fn file(&self) -> String {
        self.folder.path().join("rtvoice.db").display().to_string()
    }

    async fn examined(&self) -> Report {
        examined(&self.settings, &self.file()).await
    }

    /// The app of these settings, here.
    fn app(&self) -> App {
        let lookup = |name: &str| match name {
            "EMBEDDED_PATH" => Some(self.file()),
            name => self.settings.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone()),
        };
        App::new(Config::from_lookup(lookup, env!("CARGO_MANIFEST_DIR").into()).unwrap()).unwrap()
    }

    /// What health and the dashboard of that app show.
    async fn shown(&self) -> Shown {
        shown(&self.app()).await
    }
}

/// Runs the command; what it says, and its exit code.
async fn examined(settings: &Settings, file: &str) -> Report {
    let (settings, file) = (settings.clone(), file.to_owned());
    let output = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        command.args(["doctor", "--json"]).env_clear().env("EMBEDDED_PATH", file).env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"));
        command.env("COSMOS_DISABLE_IMDS", "1").envs(settings).output().unwrap()
    });
    let output = output.await.unwrap();
    let body = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    Report { body, code: output.status.code() }
}

struct Report {
    body: Value,
    code: Option<i32>,
}

impl Report {
    /// It names the fault under this check, with a cause and this in its fix; the exit code says that something is wrong.
    #[track_caller]
    fn names(&self, check: &str, words: &str, cause: &str, fix: &str) {
        let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
        let mut all = self.body["findings"].as_array().unwrap().iter();
        let found = all.find(|finding| finding["check"] == check && finding["status"] == "fault" && text(finding, "found").contains(words));
        let found = found.unwrap_or_else(|| panic!("no fault {check} with {words:?}: {:#}", self.body));
        assert!(!cause.is_empty() && text(found, "cause").contains(cause), "{cause:?} is no part of {found}");
        assert!(text(found, "fix").contains(fix), "{fix:?} is no part of {found}");
        assert_eq!((self.code, &self.body["status"]), (Some(1), &"fault".into()), "{:#}", self.body);
    }

    /// Nothing else is blamed.
    #[track_caller]
    fn alone(&self, checks: &[&str]) {
        for finding in self.body["findings"].as_array().unwrap().iter().filter(|finding| finding["status"] == "fault") {
            assert!(checks.contains(&finding["check"].as_str().unwrap()), "{finding}");
        }
    }
}

struct Shown {
    health: Value,
    page: String,
}

async fn shown(app: &App) -> Shown {
    let get = async |path: &str| {
        let response = router(app.clone()).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    let health = get("/api/health").await;
    Shown { health: serde_json::from_str(&health).unwrap(), page: get("/api/dashboard").await }
}

impl Shown {
    /// The check is not well, with this in its reason or value, and stands among what is amiss on the dashboard.
    #[track_caller]
    fn check(&self, name: &str, status: &str, words: &str) {
        let check = &self.health["details"][name];
        assert_eq!(check["status"], status, "{:#}", self.health);
        assert!(check.to_string().contains(words), "{check}");
        assert!(check["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{check}");
        assert!(self.page.contains("Health is not as it should be"), "{name}");
        let amiss = self.page.split("Health is not as it should be").nth(1).unwrap_or_default();
        let (amiss, spelt) = (amiss.split("</ul>").next().unwrap_or_default(), name.replace('_', " "));
        assert!(amiss.to_lowercase().contains(&spelt), "{spelt} is no part of {amiss}");
    }
}

fn bus_settings(bus: &ServiceBus) -> Settings {
    vec![
        ("SERVICE_BUS_NAMESPACE", bus.base_url().to_owned()),
        ("SERVICE_BUS_KEY_NAME", service_bus::POLICY.to_owned()),
        ("SERVICE_BUS_KEY", service_bus::KEY.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn well_it_ends_with_0() {
    let report = Place::new([]).examined().await;
    report.alone(&[]);
    assert_eq!(report.code, Some(0), "{:#}", report.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_1_a_wrong_key() {
    let server = RedisServer::start(Options { password: Some("right"), ..Options::default() });
    let mut settings = server.settings();
    settings.push(("REDIS_ACCESS_KEY", "n0t-the-key".to_owned()));
    let place = Place::new(settings);
    let report = place.examined().await;
    report.names("state", "Redis refused the identity", "Password authentication failed", "set REDIS_ACCESS_KEY to the key");
    report.alone(&["state"]);
    assert!(!report.body.to_string().contains("n0t-the-key"), "the key is not told");
    place.shown().await.check("redis_connectivity", "unhealthy", "refused the identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_clock_skew() {
    let service = MockServer::start().await;
    let date = SystemClock.now().plus_millis(-600_000).utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    Mock::given(any()).respond_with(ResponseTemplate::new(200).insert_header("Date", &date)).mount(&service).await;
    let report = Place::new([("SPEECH_ENDPOINT", service.uri()), ("SPEECH_KEY", "k".to_owned())]).examined().await;
    report.names("clock", "s ahead of that of SPEECH_ENDPOINT", "one of the two clocks is wrong", "timedatectl set-ntp true");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_3_a_full_redis() {
    let server = RedisServer::start(Options { extra: vec!["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"], ..Options::default() });
    let (mut wire, block) = (server.wire(), "x".repeat(256 << 10));
    for n in 0..64 {
        if !matches!(wire.command(&["SET", &format!("filler:{n}"), &block, "EX", "3600"]), Reply::Simple(_)) {
            break;
        }
    }
    let place = Place::new(server.settings());
    let report = place.examined().await;
    report.names("state.memory", "in use (", "Redis is full", "rtvoice tts purge");
    place.shown().await.check("memory_usage", "unhealthy", "share");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_4_a_key_without_a_life() {
    let server = RedisServer::single();
    server.wire().command(&["SET", "rtvoice:dev:call:call-7:summary", "{}"]).expect_ok();
    let place = Place::new(server.settings());
    let report = place.examined().await;
    report.names("state.ttl", "1 keys without a life: 1 of rtvoice:dev:call:*:summary", "PERSIST", "rtvoice ttl audit --fix");
    report.alone(&["state.ttl"]);
    place.shown().await.check("key_expiration_compliance", "degraded", "\"withoutTtl\":1");
}

/// An app that lives ten minutes ago, so that what it leaves has waited when the command looks; its file, and its settings.
fn before() -> (Rtvoice, String) {
    let app = Rtvoice::start();
    app.clock.advance_millis(SystemClock.now().since(START) - 600_000);
    let file = app.app.config.embedded_path.display().to_string();
    (app, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_5_a_stuck_outbox() {
    let (app, file) = before();
    app.queue.fail_in("send", Fault::Away);
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    app.clock.advance_millis(600_000);
    let report = examined(&Vec::new(), &file).await;
    report.names("outbox", "1 messages of 1 calls wait for the queue, the oldest for 10 min", "OutboxRelay does not run", "rtvoice outbox flush");
    report.alone(&["outbox"]);
    let page = shown(&app.app).await.page;
    assert!(page.contains("<dt>In outboxes</dt><dd>1</dd>"));
    let oldest = page.split("<dt>The oldest waits for</dt><dd>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
    // The blank before the unit does not break.
    assert_eq!(oldest.replace(|c: char| !c.is_ascii(), " "), "10 min");
    app.queue.heal();
    app.relay().await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_6_a_poison_message() {
    let (app, file) = before();
    app.enqueue("no JSON").await;
    for _ in 0..rtvoice::ports::queue::embedded::MAX_DELIVERIES {
        for delivery in app.embedded_queue().receive(1, Duration::from_secs(60)).await.unwrap() {
            app.embedded_queue().abandon(&delivery).await.unwrap();
        }
    }
    examined(&Vec::new(), &file).await.names("queue.settings", "1 dead letters lie in transcripts", "TranscriptDeadLetter", "TranscriptDeadLetter");
    assert_eq!(app.deliver_dead().await, 1);
    let parked = app.parked().await.remove(0);
    let (day, id) = (parked["day"].as_str().unwrap(), parked["id"].as_str().unwrap());
    let report = examined(&Vec::new(), &file).await;
    report.names("deadletters", "1 messages or events are parked", "a poison message: MaxDeliveryCountExceeded", &format!("rtvoice dlq drop {day} {id}"));
    rtvoice::steps::watch::round(&app.app).await;
    let page = shown(&app.app).await.page;
    assert!(page.contains("<dt>Dead letters in 6 h</dt><dd>1</dd>"));
    app.finish_with(0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_7_an_expired_certificate() {
    let server = RedisServer::start(Options { tls: Some("TLSv1.3"), expired: true, ..Options::default() });
    let place = Place::new(server.settings());
    let report = place.examined().await;
    report.names("network.redis", "the certificate of 127.0.0.1 has expired", "its end has passed", "renew the certificate of 127.0.0.1");
    place.shown().await.check("redis_connectivity", "unhealthy", "Redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_8_wrong_queue_settings() {
    let bus = ServiceBus::start().await;
    bus.shows(Shape { sessions: false, duplicates: None, lock: "PT5S", deliveries: 3, dead: 2 });
    let report = Place::new(bus_settings(&bus)).examined().await;
    for (words, fix) in [
        ("transcripts has no sessions", "--enable-session true"),
        ("does not drop duplicates", "--duplicate-detection-history-time-window PT10M"),
        ("gives up after 3 deliveries", "--max-delivery-count 10"),
        ("for 5 s alone", "--lock-duration PT1M"),
        ("2 dead letters", "rtvoice dlq list"),
    ] {
        report.names("queue.settings", words, " ", fix);
    }
    report.alone(&["queue.settings"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_9_a_missing_container() {
    let cosmos = CosmosEmulator::start().await;
    let made = CosmosDocuments::connect(&cosmos.config("rtvoice"), None, true).unwrap();
    for container in Container::ALL.into_iter().filter(|c| *c != Container::Analytics) {
        made.get(container, "p", "id").await.unwrap();
    }
    let place = Place::new([
        ("ENVIRONMENT", "staging".to_owned()),
        ("ALLOW_EMBEDDED", "true".to_owned()),
        ("COSMOS_ENDPOINT", cosmos.endpoint()),
        ("COSMOS_KEY", cosmos.key()),
    ]);
    let report = place.examined().await;
    let fix = "--name analytics --partition-key-path /day --ttl -1";
    report.names("documents", "the container analytics is missing in database rtvoice", "analytics", fix);
    report.alone(&["documents"]);
    place.shown().await.check("documents", "unhealthy", "analytics");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_10_a_blocked_speech_endpoint() {
    let place = Place::new([("SPEECH_ENDPOINT", format!("http://127.0.0.1:{NOBODY}")), ("SPEECH_KEY", "k".to_owned())]);
    let report = place.examined().await;
    report.names("network.speech", "refuses connections", "nothing listens there", &format!("allow outbound TCP to 127.0.0.1:{NOBODY}"));
    report.names("speech", "Azure Speech is out of reach", "Azure Speech", "see the finding network.speech");
    report.alone(&["network.speech", "speech"]);
    // Once calls have tried it.
    let app = place.app();
    for n in 0..12 {
        let body = serde_json::json!({ "text": format!("phrase {n}") }).to_string();
        let request = Request::post("/api/tts").header("content-type", "application/json").body(Body::from(body)).unwrap();
        let answer = router(app.clone()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 503);
    }
    shown(&app).await.check("speech", "degraded", "open");
}
