//! `rtvoice alerts`: silences, those to come included, on a Redis that is shared.

use rtvoice::error::Kind;
use rtvoice::ops::alerts::{self, Asked};
use rtvoice::ports::documents::Container;
use rtvoice::steps::watch;
use rtvoice::telemetry::label::SetupOutcome;
use rtvoice::telemetry::metric::CALL_SETUPS;
use serde_json::{Value, json};

use super::app_on;
use crate::harness::app::Rtvoice;
use crate::harness::redis::RedisServer;

fn asked(minutes: u64, from: Option<rtvoice::model::time::Timestamp>) -> Asked {
    Asked { from, minutes, why: "a move".to_owned() }
}

async fn status(app: &Rtvoice) -> Value {
    serde_json::from_str(&alerts::status(&app.app, true).await.unwrap().text).unwrap()
}

async fn of(app: &Rtvoice, rule: &str) -> Value {
    status(app).await["rules"].as_array().unwrap().iter().find(|entry| entry["rule"] == rule).unwrap().clone()
}

#[tokio::test]
async fn a_silence_may_be_planned_is_shown_and_can_be_ended() {
    let server = RedisServer::single();
    let app = app_on(&server.settings());
    let from = app.clock_now().plus_millis(3_600_000);
    let told = alerts::silence(&app.app, "redis-slow", Some(&asked(90, Some(from))), false).await.unwrap();
    let until = from.plus_millis(90 * 60_000);
    assert_eq!(told.text, format!("redis-slow is silent from {from} until {until}"));
    let entry = of(&app, "redis-slow").await;
    assert_eq!((&entry["silentUntil"], &entry["silentLater"]), (&Value::Null, &json!({ "from": from, "until": until })));
    assert_eq!(of(&app, "in-flight").await["silentLater"], Value::Null);
    assert!(alerts::status(&app.app, false).await.unwrap().text.contains(&format!("from {from} until {until}")));
    let page = app.get("/api/dashboard").await;
    assert!(String::from_utf8_lossy(&page.body).contains("silent from 2026-03-10 "), "the dashboard shows it");
    app.clock.advance_millis(3_600_000);
    let entry = of(&app, "redis-slow").await;
    assert_eq!((&entry["silentUntil"], &entry["silentLater"]), (&json!(until), &Value::Null));
    alerts::silence(&app.app, "redis-slow", None, false).await.unwrap();
    assert_eq!(of(&app, "redis-slow").await["silentUntil"], Value::Null);
    app.app.audit.close().await.unwrap();
    assert!(json!(app.documents_in(Container::Audit)).to_string().contains("alerts.silenced"));

    let now = app.clock_now();
    for (minutes, from) in [(60, now), (60, now.plus_millis(-1)), (60, now.plus_millis(8 * 86_400_000)), (7 * 24 * 60, now.plus_millis(2 * 86_400_000))] {
        let e = alerts::silence(&app.app, "all", Some(&asked(minutes, Some(from))), false).await.unwrap_err();
        assert_eq!(e.kind, Kind::BadInput, "{minutes} from {from}");
    }
    app.finish().await;
}

#[tokio::test]
async fn while_redis_is_away_the_record_says_what_fires() {
    let server = RedisServer::single();
    let app = app_on(&server.settings());
    assert_eq!(status(&app).await["by"], "redis");
    server.kill();
    for _ in 0..4 {
        app.app.metrics.add(CALL_SETUPS, SetupOutcome::Failed, 30);
        watch::round(&app.app).await;
        app.clock.advance_millis(5_000);
    }
    let found = status(&app).await;
    assert_eq!((&found["by"], &found["firing"]), (&json!("record"), &json!(true)), "{found}");
    assert_eq!(of(&app, "call-setup-failed").await["firing"], true);
    let told = alerts::status(&app.app, false).await.unwrap();
    assert!(!told.well && told.text.contains("in the record"), "{}", told.text);
    server.restart();
    app.finish().await;
}

#[tokio::test]
async fn where_nothing_is_shared_there_is_nothing_to_silence() {
    let app = Rtvoice::start();
    let e = alerts::silence(&app.app, "all", Some(&asked(60, None)), false).await.unwrap_err();
    assert!(e.kind == Kind::Setting && e.detail.contains("REDIS_HOST"), "{}", e.detail);
    app.finish().await;
}
