//! Health: the status with each check, and nothing that an outsider could use.

use std::time::Duration;

use rtvoice::app::App;
use rtvoice::ports::board::ServerLoad;
use rtvoice::telemetry::label::{Dependency, Only, RedisOp};
use rtvoice::telemetry::metric::{AUDIT_BREAKS, CIRCUIT_OPEN, REDIS_OPS, ROOT_KEY_AGE};
use serde_json::{Value, json};

use super::compliance_report::parts;
use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;
use crate::harness::port::NOBODY;
use crate::harness::redis::RedisServer;
use crate::harness::stopwatch::Stopwatch;
use crate::ops::app_on;

/// The checks that there are.
const CHECKS: [&str; 11] = [
    "redis_connectivity",
    "memory_usage",
    "key_expiration_compliance",
    "encryption_validation",
    "performance_baseline",
    "security_posture",
    "documents",
    "queue",
    "speech",
    "replies",
    "admission",
];

/// A look that is not the last one again.
async fn look(app: &Rtvoice) -> Value {
    tokio::time::advance(Duration::from_secs(6)).await;
    app.get("/api/health").await.json()
}

#[tokio::test]
async fn each_check_says_what_it_measured_and_what_it_is_held_to() {
    let app = Rtvoice::start();
    let report = app.get("/api/health").await.ok();
    assert_eq!(report["status"], "healthy", "{report}");
    let details = report["details"].as_object().unwrap();
    let named: Vec<&String> = details.keys().collect();
    let mut expected: Vec<&str> = CHECKS.to_vec();
    expected.sort_unstable();
    assert_eq!(named, expected);
    for name in CHECKS {
        let check = &details[name];
        assert!(["healthy", "degraded"].contains(&check["status"].as_str().unwrap()), "{name}: {check}");
        assert_eq!(check["since"], json!(START), "{name}");
        assert!(check.get("value").is_some() && check.get("limit").is_some_and(|limit| !limit.is_null()), "{name}: {check}");
        assert_eq!(check["hint"].is_null(), check["status"] == "healthy", "{name}: {check}");
    }
    assert_eq!(details["security_posture"]["informsOnly"], true, "an embedded store is no fault on a developer's machine");
    assert_eq!(details["encryption_validation"]["value"], json!({"opened": true, "epoch": "2026-W11", "current": true}));
    assert_eq!(
        details["admission"]["value"],
        json!({
            "interactive": {"inFlight": 0, "waiting": 0, "refused": 0, "maxInFlight": 256, "maxWaiting": 512},
            "background": {"inFlight": 0, "waiting": 0, "refused": 0, "maxInFlight": 128, "maxWaiting": 256},
        })
    );
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_is_away_and_why_in_safe_words() {
    for (switch, name) in [(0, "redis_connectivity"), (1, "documents"), (2, "queue")] {
        for (fault, reason) in [(Fault::Away, "the backend is out of reach"), (Fault::Hang, "the backend did not answer within 500 ms")] {
            let app = Rtvoice::start();
            [&app.state, &app.documents, &app.queue][switch].fail(fault);
            let report = app.get("/api/health").await.ok();
            assert_eq!(report["status"], "degraded");
            let check = &report["details"][name];
            assert_eq!((&check["status"], &check["backend"], &check["reason"]), (&json!("unhealthy"), &json!("embedded"), &json!(reason)), "{name}");
            assert!(check["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{name}");
            app.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_in_time_whatever_hangs() {
    // Takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let redis = RedisServer::single();
    let mut settings = redis.settings();
    settings.extend([("SERVICE_BUS_NAMESPACE", format!("http://{address}")), ("SERVICE_BUS_KEY_NAME", "sender".to_owned())]);
    settings.extend([("SERVICE_BUS_KEY", "a2V5".to_owned()), ("SPEECH_ENDPOINT", format!("https://{address}")), ("SPEECH_KEY", "k".to_owned())]);
    let app = app_on(&settings);
    redis.pause();
    let watch = Stopwatch::start();
    let report = app.get("/api/health").await;
    watch.below(Duration::from_secs(5), format!("{report:?}"));
    assert_eq!(report.status, 503, "neither Redis nor the queue: {report:?}");
    redis.resume();
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn since_is_when_it_became_so() {
    let app = Rtvoice::start();
    app.get("/api/health").await.ok();
    app.clock.advance_millis(60_000);
    assert_eq!(look(&app).await["details"]["documents"]["since"], json!(START));
    app.says(load(75, 0));
    let report = look(&app).await;
    let check = &report["details"]["memory_usage"];
    assert_eq!((&check["status"], &check["since"], &report["status"]), (&json!("degraded"), &json!(START.plus_millis(60_000)), &json!("degraded")));
    app.says(load(90, 0));
    let report = look(&app).await;
    assert_eq!((&report["details"]["memory_usage"]["status"], &report["status"]), (&json!("unhealthy"), &json!("degraded")), "calls go on");
    app.says(load(20, 0));
    assert_eq!(look(&app).await["status"], "healthy");
    app.finish().await;
}

impl Rtvoice {
    fn says(&self, load: ServerLoad) {
        self.server.says(Some(load));
    }
}

/// A server with so many bytes of a hundred in use, and so many keys without a TTL.
fn load(memory_used: u64, unexpiring: u64) -> ServerLoad {
    ServerLoad { memory_used, memory_most: 100, keys: unexpiring + 7, expiring: 7, ..ServerLoad::default() }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_measured_now_is_not_said_to_be_well() {
    let app = Rtvoice::start();
    app.says(load(20, 0));
    let report = look(&app).await;
    assert_eq!(report["status"], "healthy");
    assert_eq!(report["details"]["memory_usage"]["value"], json!({"share": 0.2, "usedBytes": 20, "mostBytes": 100}));
    assert_eq!(report["details"]["key_expiration_compliance"]["value"], json!({"withoutTtl": 0, "keys": 7}));
    app.server.says(None);
    let report = look(&app).await;
    for name in ["memory_usage", "key_expiration_compliance"] {
        let check = &report["details"][name];
        assert_eq!((&check["status"], &check["value"], check["hint"].is_string()), (&json!("degraded"), &json!(null), true), "{name}: {check}");
        assert_eq!(check["reason"], "not measured: the backend is out of reach", "{name}");
    }
    assert_eq!(report["status"], "degraded");
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn keys_without_a_life_and_open_circuits_degrade() {
    let app = Rtvoice::start();
    app.says(load(20, 1));
    let report = look(&app).await;
    assert_eq!((&report["status"], &report["details"]["key_expiration_compliance"]["status"]), (&json!("degraded"), &json!("degraded")));
    app.says(load(20, 101));
    assert_eq!(look(&app).await["details"]["key_expiration_compliance"]["status"], "unhealthy");
    app.says(load(20, 0));
    assert_eq!(look(&app).await["status"], "healthy");
    app.app.metrics.set(CIRCUIT_OPEN, Dependency::Speech, 1.0);
    let report = look(&app).await;
    assert_eq!((&report["status"], &report["details"]["speech"]["value"]), (&json!("degraded"), &json!({"circuit": "open"})));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_baseline_needs_two_hundred_samples() {
    let app = Rtvoice::start();
    for (count, status) in [(199_u64, "healthy"), (1, "degraded")] {
        (0..count).for_each(|_| app.app.metrics.record(REDIS_OPS, RedisOp::Script, 7_000));
        app.app.windows.take(&app.app.metrics, app.clock_now()).await;
        let report = look(&app).await;
        assert_eq!(report["details"]["performance_baseline"]["status"], status, "{report}");
    }
    let value = look(&app).await["details"]["performance_baseline"]["value"].clone();
    assert_eq!(value["samples"], 200);
    assert!(value["p95Ms"].as_f64().is_some_and(|p95| (6.5..8.0).contains(&p95)), "{value}");
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_posture_counts_in_production() {
    for (environment, counts) in [("prod", true), ("staging", true), ("dev", false)] {
        let app = Rtvoice::with(&[("ENVIRONMENT", environment), ("ALLOW_EMBEDDED", "true")]);
        let report = app.get("/api/health").await.ok();
        let check = &report["details"]["security_posture"];
        assert_eq!((&check["status"], check["informsOnly"] == true), (&json!("degraded"), !counts), "{environment}");
        assert_eq!(report["status"], if counts { "degraded" } else { "healthy" }, "{environment}");
        app.app.metrics.count(AUDIT_BREAKS, Only);
        assert_eq!(look(&app).await["details"]["security_posture"]["status"], "unhealthy");
        app.finish().await;
    }
}

#[tokio::test]
async fn the_posture_says_what_is_spoken_and_who_still_has_a_key() {
    let tls = RedisServer::tls("TLSv1.3");
    let ca_file = tls.ca_file().display().to_string();
    let speech = format!("https://127.0.0.1:{}", tls.port());
    for (speech, spoken) in [(speech.as_str(), "1.3"), (&format!("http://127.0.0.1:{NOBODY}"), "none")] {
        let app = Rtvoice::with(&[
            ("SSL_CERT_FILE", &ca_file),
            // Whatever stands there: the handshake is what counts.
            ("SPEECH_ENDPOINT", speech),
            ("SPEECH_KEY", "n0t-told"),
            ("KEY_VAULT_URL", &format!("https://127.0.0.1:{NOBODY}")),
        ]);
        let check = posture_anew(&app).await;
        assert_eq!(check["value"]["tls"], json!({"speech": spoken, "rootKey": "unknown"}), "{check}");
        assert_eq!((&check["value"]["byIdentity"], &check["value"]["keysInSettings"]), (&json!(["rootKey"]), &json!(["SPEECH_KEY"])));
        assert_eq!(check["reason"], "our identity is used for rootKey, and keys are still set: SPEECH_KEY");
        assert!(!check.to_string().contains("n0t-told"));
        app.finish().await;
    }
}

#[tokio::test]
async fn the_posture_looks_at_the_age_of_the_root_key() {
    let app = Rtvoice::start();
    app.turn("call-1", "t1", "hello").await.ok();
    app.tick("SystemMetrics").await.ok();
    let value = posture_anew(&app).await["value"].clone();
    assert_eq!((&value["rootKeyDays"], &value["keysUnderOlderRoot"]), (&json!(0.0), &json!(0.0)), "{value}");
    app.app.metrics.set(ROOT_KEY_AGE, Only, 396.0 * 86_400.0);
    let check = posture_anew(&app).await;
    assert_eq!((&check["value"]["rootKeyDays"], &check["limit"]["rootKeyDays"]), (&json!(396.0), &json!(395.0)), "{check}");
    app.quiesce().await;
    app.deliver_queue().await;
    app.finish().await;
}

/// What another instance on the same settings says: a look is good for a while.
async fn posture_anew(app: &Rtvoice) -> Value {
    let anew = App::from_parts(parts(app));
    rtvoice::steps::health::report(&anew).await.details["security_posture"].clone()
}
