//! ComplianceReport: each violation that is seeded is in it, and nothing else is called one.

use std::sync::Arc;
use std::time::Duration;

use rtvoice::app::{App, Parts};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::{Clock, SystemClock};
use rtvoice::ports::documents::retained::Retained;
use rtvoice::ports::documents::{Condition, Container, Documents};
use rtvoice::steps::compliance;
use serde_json::{Value, json};

use crate::contract::documents::{connect, emulator};
use crate::harness::app::{Rtvoice, START};

const DAY: i64 = 86_400_000;

async fn seed(app: &Rtvoice, container: Container, body: Value) {
    app.beneath().put(container, &body, Condition::Always).await.unwrap();
}

async fn report(app: &Rtvoice) -> Value {
    app.tick("ComplianceReport").await.ok();
    app.get("/api/compliance/report").await.ok()
}

/// A sound document of an ended call.
fn sound(id: &str, ended: Timestamp) -> Value {
    let expires = ended.plus_millis(90 * DAY);
    json!({"id": id, "callConnectionId": id, "endedAt": ended, "expiresAt": expires, "ttl": expires.since(START) / 1000})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn a_whole_call_breaks_no_rule_and_is_counted_by_age() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    for days in [0, 1, 6, 7, 29, 30, 89] {
        seed(&app, Container::Transcripts, sound(&format!("c-{days}"), START.plus_millis(-days * DAY))).await;
    }
    seed(&app, Container::Breaches, json!({"id": "b", "detectedAt": START.plus_millis(-400 * DAY)})).await;
    let report = report(&app).await;
    let transcripts = &report["containers"]["transcripts"];
    assert_eq!(transcripts["ages"], json!({"<1d": 3, "<7d": 2, "<30d": 2, "<90d": 2, "<365d": 0, "older": 0}), "{report}");
    assert_eq!((&transcripts["documents"], &transcripts["oldest"]), (&json!(9), &json!(START.plus_millis(-89 * DAY))));
    assert_eq!((&report["containers"]["breaches"]["ages"]["older"], &report["violations"]), (&json!(1), &json!(0)), "{report}");
    assert_eq!((&report["complete"], &report["state"]["withoutTtl"]), (&json!(true), &json!(0)), "{report}");
    app.finish().await;
}

/// One seeded document, and the one figure that it must move.
async fn finds(container: Container, body: Value, figure: &str) {
    let app = Rtvoice::start();
    seed(&app, Container::Transcripts, sound("fine", START)).await;
    seed(&app, container, body).await;
    let report = report(&app).await;
    assert_eq!((&report["containers"][container.name()][figure], &report["violations"]), (&json!(1), &json!(1)), "{figure}: {report}");
    app.finish_with(0, usize::from(container == Container::DeadLetters)).await;
}

#[tokio::test]
async fn a_missing_expiry_is_found() {
    finds(Container::Transcripts, json!({"id": "x", "callConnectionId": "x", "endedAt": START}), "withoutExpiry").await;
    finds(Container::DeadLetters, json!({"id": "x", "day": "d", "parkedAt": START}), "withoutExpiry").await;
}

#[tokio::test]
async fn a_document_past_its_expiry_is_found() {
    let past = START.plus_millis(-1);
    finds(
        Container::Transcripts,
        json!({"id": "x", "callConnectionId": "x", "endedAt": past.plus_millis(-90 * DAY), "expiresAt": past, "ttl": 1}),
        "pastExpiry",
    )
    .await;
}

#[tokio::test]
async fn a_ttl_that_disagrees_is_found() {
    finds(Container::Transcripts, with(sound("x", START.plus_millis(-50 * DAY)), "ttl", json!(90 * 86_400)), "ttlDisagrees").await;
    finds(Container::Transcripts, with(sound("x", START), "ttl", Value::Null), "ttlDisagrees").await;
}

#[tokio::test]
async fn an_expiry_beyond_the_policy_is_found() {
    let late = START.plus_millis(91 * DAY);
    finds(Container::Transcripts, with(with(sound("x", START), "expiresAt", json!(late)), "ttl", json!(91 * 86_400)), "exceedsPolicy").await;
}

#[tokio::test]
async fn a_key_without_a_ttl_is_found_by_its_kind() {
    let app = Rtvoice::start();
    app.turn("call-14155550142", "t1", "hello").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.persist("call-14155550142:history"), 1);
    let report = report(&app).await;
    assert_eq!(report["state"]["places"], json!({"conversation/history": 1}), "{report}");
    assert_eq!((&report["state"]["withoutTtl"], &report["violations"]), (&json!(1), &json!(1)));
    assert!(!report.to_string().contains("14155550142"), "{report}");
    app.forget("call-14155550142");
    app.finish().await;
}

#[tokio::test]
async fn a_late_erasure_is_found() {
    let app = Rtvoice::start();
    let erasure = |id: &str, days: i64, state: &str| {
        let requested = START.plus_millis(-days * DAY);
        json!({"id": id, "user": format!("u-{id}"), "requestedAt": requested, "dueAt": requested.plus_millis(30 * DAY), "state": state})
    };
    for body in [erasure("done", 90, "done"), erasure("open", 29, "keys"), erasure("late", 31, "keys")] {
        seed(&app, Container::Erasures, body).await;
    }
    let mut undated = erasure("undated", 32, "requested");
    undated.as_object_mut().unwrap().remove("dueAt");
    seed(&app, Container::Erasures, undated).await;
    seed(&app, Container::Erasures, json!({"id": "fence", "user": "u-done"})).await;
    let report = report(&app).await;
    assert_eq!((&report["erasures"], &report["violations"]), (&json!({"open": 3, "closed": 1, "late": 2}), &json!(2)), "{report}");
    app.finish().await;
}

#[tokio::test]
async fn the_last_scan_with_findings_is_in_it() {
    let app = Rtvoice::start();
    let scan = json!({"id": "pii-scan", "day": "compliance", "at": START, "found": 2, "findings": [{"place": "transcripts/user", "label": "PHONE_NUMBER"}]});
    app.app.documents.put(Container::Analytics, &scan, Condition::Always).await.unwrap();
    let report = report(&app).await;
    assert_eq!((&report["exposure"]["found"], &report["violations"]), (&json!(2), &json!(2)), "{report}");
    assert!(report["exposure"].get("ttl").is_none());
    app.finish().await;
}

#[tokio::test]
async fn keys_heads_and_yesterdays_purge_are_shown() {
    let app = Rtvoice::start();
    let key = |user: &str, id: &str, epoch: &str| json!({"id": id, "user": user, "epoch": epoch, "kid": "root-1", "wrapped": "x", "created": START});
    for body in
        [key("epochs", "2026-W10", ""), key("epochs", "2026-W11", ""), key("index", "v1", ""), key("u1-a", "uk-1", "2026-W10"), key("u1-a", "uk-2", "2026-W11")]
    {
        app.app.documents.put(Container::Keys, &body, Condition::Always).await.unwrap();
    }
    for (stream, id, seq) in [("access", "1", 1), ("access", "head", 7), ("redis", "head", 3)] {
        let body = json!({"id": id, "stream": stream, "seq": seq, "hash": "ab", "at": START});
        app.app.documents.put(Container::Audit, &body, Condition::Always).await.unwrap();
    }
    app.tick("RetentionPurge").await.ok();
    app.clock.advance_millis(DAY);
    let report = report(&app).await;
    let by_epoch = json!({"2026-W10": 1, "2026-W11": 1});
    let keys = json!({"epochs": 2, "index": 1, "subjects": 2, "byRootVersion": {"root-1": 3}, "byEpoch": by_epoch, "oldestSubject": START});
    assert_eq!(report["keys"], keys, "{report}");
    let heads = json!([{"stream": "access", "seq": 7, "hash": "ab", "at": START}, {"stream": "redis", "seq": 3, "hash": "ab", "at": START}]);
    assert_eq!(report["audit"], heads, "{report}");
    assert_eq!((&report["purgedYesterday"]["complete"], &report["violations"]), (&json!(true), &json!(0)), "{report}");
    app.finish().await;
}

#[tokio::test]
async fn on_cosmos_the_report_says_the_same() {
    let app = Rtvoice::start();
    let emulator = emulator().await;
    let raw: Arc<dyn Documents> = Arc::new(connect(&emulator, true));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let documents: Arc<dyn Documents> = Arc::new(Retained::new(Arc::clone(&raw), app.app.config.retention, Arc::clone(&clock)));
    let on_cosmos = App::from_parts(Parts { documents, clock: Arc::clone(&clock), ..parts(&app) });
    let now = clock.now();
    for n in 0..30 {
        let body = json!({"id": "header", "callConnectionId": format!("call-{n}"), "endedAt": now});
        on_cosmos.documents.put(Container::Transcripts, &body, Condition::Always).await.unwrap();
    }
    let expires = now.plus_millis(90 * DAY);
    for body in [
        json!({"id": "missing", "callConnectionId": "x", "endedAt": now}),
        json!({"id": "past", "callConnectionId": "x", "endedAt": now.plus_millis(-91 * DAY), "expiresAt": now.plus_millis(-DAY), "ttl": 1}),
        json!({"id": "disagrees", "callConnectionId": "x", "endedAt": now, "expiresAt": expires, "ttl": 5_000}),
    ] {
        raw.put(Container::Transcripts, &body, Condition::Always).await.unwrap();
    }
    let report = compliance::make(&on_cosmos, Duration::from_secs(30)).await.unwrap();
    let transcripts = &report["containers"]["transcripts"];
    let figures = ["documents", "withoutExpiry", "pastExpiry", "ttlDisagrees", "exceedsPolicy"].map(|figure| transcripts[figure].as_u64().unwrap());
    assert_eq!(figures, [33, 1, 1, 1, 0], "{report}");
    assert_eq!(compliance::stored(&on_cosmos, &now.day()).await.unwrap().unwrap()["violations"], 3);
    let purged = rtvoice::steps::retention::purge(&on_cosmos, Duration::from_secs(30)).await.unwrap();
    assert_eq!((purged.removed["transcripts"], purged.restamped["transcripts"], purged.complete), (1, 2, true), "{purged:?}");
    let report = compliance::make(&on_cosmos, Duration::from_secs(30)).await.unwrap();
    assert_eq!((&report["containers"]["transcripts"]["documents"], &report["violations"]), (&json!(32), &json!(0)), "{report}");
    app.finish().await;
}

/// The parts of an app, for one of which some are others.
pub fn parts(app: &Rtvoice) -> Parts {
    Parts {
        config: app.app.config.clone(),
        state: Arc::clone(&app.app.state),
        documents: Arc::clone(&app.app.documents),
        queue: Arc::clone(&app.app.queue),
        embedded_queue: app.app.embedded_queue.clone(),
        speech: Arc::clone(&app.app.speech),
        replies: Arc::clone(&app.app.replies),
        vault: Arc::clone(&app.app.vault),
        audit: app.app.audit.clone(),
        ciphers: app.app.ciphers.clone(),
        clock: Arc::clone(&app.app.clock),
        breach_webhook: None,
        security: rtvoice::steps::breach::Watch::default(),
        audio: app.app.audio.clone(),
        cache_takes: true.into(),
        talk: rtvoice::steps::masking::Talk::default(),
        tasks: app.app.tasks.clone(),
        admission: app.app.admission.clone(),
        health: rtvoice::steps::health::Watch::default(),
        owed: rtvoice::steps::outbox::owed::Owed::default(),
        dashboard: rtvoice::steps::dashboard::Watch::default(),
        metrics: Arc::clone(&app.app.metrics),
        board: Arc::clone(&app.app.board),
        windows: rtvoice::steps::watch::Windows::new(1.0),
        watch: rtvoice::steps::watch::Watch::default(),
        alerts: rtvoice::steps::alerts::Alerts::default(),
        notices: Arc::clone(&app.app.notices),
        export: Arc::clone(&app.app.export),
    }
}
