//! SystemMetrics: the hour that has ended becomes one document, with what was counted in it and nothing else.

use rtvoice::ports::documents::Container;
use rtvoice::steps::watch::{self, snapshot};
use rtvoice::telemetry::label::{Stage, TurnOutcome};
use rtvoice::telemetry::metric::{TURN_STAGES, TURNS};
use serde_json::json;

use crate::harness::app::Rtvoice;

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn the_hour_before_is_kept_once() {
    let app = Rtvoice::start();
    // START is 17:05.
    for n in 0..3 {
        app.turn("call-1", &format!("t{n}"), "hello").await.ok();
    }
    watch::round(&app.app).await;
    app.clock.advance_millis(HOUR);
    app.turn("call-1", "t9", "hello").await.ok();
    watch::round(&app.app).await;
    app.tick("SystemMetrics").await.ok();
    app.tick("SystemMetrics").await.ok();
    let kept = app.documents_in(Container::Metrics);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let document = &kept[0];
    assert_eq!((&document["id"], &document["day"], &document["allInstances"]), (&json!("2026-03-10T17"), &json!("2026-03-10"), &json!(true)));
    assert_eq!(document["figures"]["turn.count{answered}"], 3, "{document}");
    assert!(document["ttl"].as_i64().is_some_and(|ttl| ttl > 399 * 86_400), "{document}");
    assert!(document["figures"]["keys.count{epoch}"].as_f64().is_some_and(|keys| keys >= 1.0), "{document}");
    let read = snapshot::of_day(&app.app, "2026-03-10").await.unwrap();
    let (_, figures) = &read[0];
    assert_eq!((figures.count(TURNS, TurnOutcome::Answered), figures.spread(TURN_STAGES, Stage::Total).count()), (3, 3));
    app.quiesce().await;
    app.deliver_queue().await;
    app.finish().await;
}
