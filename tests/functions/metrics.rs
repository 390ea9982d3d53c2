//! Metrics: what the app counts shows in the text, and the text is what Prometheus reads.

use std::collections::{BTreeMap, BTreeSet};

use rtvoice::steps::watch::{self, Windows};
use rtvoice::telemetry::Metrics;
use rtvoice::telemetry::label::{KeyKind, Only};
use rtvoice::telemetry::metric::{KEYS, OUTBOX_DEPTH};
use serde_json::json;

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

/// The samples of the text by name with labels, once it is seen that the text is sound.
async fn samples(app: &Rtvoice) -> BTreeMap<String, f64> {
    let answer = app.get("/api/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let (mut samples, mut types) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            assert!(types.insert(typed.split(' ').next().unwrap().to_owned()), "{line} stands twice");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(name.to_owned(), value.parse::<f64>().unwrap()).is_none(), "{name} stands twice");
            let bare = name.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end).filter(|base| types.contains(*base)));
            assert!(types.contains(family.unwrap_or(bare)), "{line} has no type");
        }
    }
    assert!(text.ends_with('\n'));
    samples
}

#[tokio::test]
async fn a_call_and_its_turns_are_counted() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "my pin is 4711").await.ok();
    app.turn("call-1", "t1", "my pin is 4711").await.ok();
    app.post("/api/calls/call-1/turns", &json!({"turnId": "t2", "text": " "})).await.problem(400, "bad-input", "text");
    app.quiesce().await;
    app.deliver_queue().await;
    let samples = samples(&app).await;
    let at = |name: &str| samples.get(name).copied().unwrap_or(f64::NAN);
    assert_eq!(at("rtvoice_turn_count_total{outcome=\"answered\"}"), 1.0);
    assert_eq!(at("rtvoice_turn_count_total{outcome=\"replayed\"}"), 1.0);
    assert_eq!(at("rtvoice_turn_count_total{outcome=\"refused\"}"), 1.0);
    assert_eq!(at("rtvoice_call_setup_total{outcome=\"ok\"}"), 1.0, "a duplicate is no second call");
    assert_eq!(at("rtvoice_turn_stage_duration_seconds_count{stage=\"commit\"}"), 1.0);
    assert_eq!(at("rtvoice_turn_stage_duration_seconds_count{stage=\"total\"}"), 3.0);
    assert_eq!(at("rtvoice_privacy_findings_total{label=\"PIN\"}"), 1.0);
    assert_eq!(at("rtvoice_error_total{kind=\"bad_input\"}"), 1.0);
    assert_eq!(at("rtvoice_queue_lag_seconds_count"), 1.0);
    assert_eq!(at("rtvoice_admission_in_flight{room=\"interactive\"}"), 0.0);
    app.finish().await;
}

#[tokio::test]
async fn histograms_add_up_to_their_count() {
    let app = Rtvoice::start();
    for n in 0..20 {
        app.turn("call-1", &format!("t{n}"), "hello").await.ok();
    }
    let samples = samples(&app).await;
    let buckets: Vec<f64> =
        samples.iter().filter(|(name, _)| name.starts_with("rtvoice_turn_stage_duration_seconds_bucket{stage=\"total\"")).map(|(_, count)| *count).collect();
    assert!(buckets.len() > 20 && buckets.contains(&20.0), "{buckets:?}");
    assert_eq!(samples["rtvoice_turn_stage_duration_seconds_bucket{stage=\"total\",le=\"+Inf\"}"], 20.0);
    assert!(samples["rtvoice_turn_stage_duration_seconds_sum{stage=\"total\"}"] > 0.0);
    app.finish().await;
}

#[tokio::test]
async fn a_turn_without_state_is_degraded_and_a_failed_set_up_is_counted() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    assert_eq!(app.turn("call-1", "t1", "hello").await.ok()["degraded"], true);
    app.queue.fail(Fault::Away);
    app.event("CallConnected", "call-2", "e1").await.problem(503, "unavailable", "");
    let samples = samples(&app).await;
    assert_eq!(samples["rtvoice_turn_count_total{outcome=\"degraded\"}"], 1.0);
    assert_eq!(samples["rtvoice_call_setup_total{outcome=\"failed\"}"], 1.0);
    app.state.heal();
    app.queue.heal();
    app.finish().await;
}

#[tokio::test]
async fn what_waits_in_outboxes_is_told_by_the_relay() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    app.clock.advance_millis(90_000);
    app.queue.heal();
    app.relay().await.ok();
    let samples = samples(&app).await;
    assert_eq!((samples["rtvoice_outbox_depth"], samples["rtvoice_outbox_age_seconds"]), (1.0, 90.0));
    app.relay().await.ok();
    assert_eq!(self::samples(&app).await["rtvoice_outbox_depth"], 0.0);
    app.finish().await;
}

#[tokio::test]
async fn what_a_timer_elsewhere_told_shows_here_too() {
    let app = Rtvoice::start();
    let (other, windows) = (Metrics::default(), Windows::new(1.0));
    other.set(OUTBOX_DEPTH, Only, 41.0);
    other.set(KEYS, KeyKind::User, 17.0);
    windows.take(&other, app.clock_now()).await;
    windows.share(app.app.board.as_ref()).await.unwrap();
    assert!(!samples(&app).await.contains_key("rtvoice_outbox_depth"), "nobody has looked at the board");
    watch::round(&app.app).await;
    let told = samples(&app).await;
    assert_eq!((told["rtvoice_outbox_depth"], told["rtvoice_keys_count{kind=\"user\"}"]), (41.0, 17.0));
    // What was set here comes first.
    app.relay().await.ok();
    assert_eq!(samples(&app).await["rtvoice_outbox_depth"], 0.0);
    app.finish().await;
}
