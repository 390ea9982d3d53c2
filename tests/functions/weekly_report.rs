//! WeeklyReport: the seven days before, as Markdown and HTML, kept and told.

use rtvoice::ports::documents::Container;
use rtvoice::steps::watch;
use rtvoice::telemetry::label::{Only, SetupStage};
use rtvoice::telemetry::metric::{REDIS_MEMORY_SHARE, SETUP_STAGES};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::app::Rtvoice;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn the_week_before_is_told_from_its_snapshots() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    for (number, turns) in [(0, 2), (1, 3)] {
        for turn in 0..turns {
            app.turn(&format!("call-{number}"), &format!("t{turn}"), "hello").await.ok();
        }
        // A set-up is its whole, however short most of its stages are.
        (0..99).for_each(|_| app.app.metrics.record(SETUP_STAGES, SetupStage::Register, 1_000));
        app.app.metrics.record(SETUP_STAGES, SetupStage::Total, 400_000);
        watch::round(&app.app).await;
        app.clock.advance_millis(3_600_000);
        app.tick("SystemMetrics").await.ok();
        // The first goes to the week before last, seen from the second.
        app.clock.advance_millis(6 * DAY);
    }
    app.tick("WeeklyReport").await.ok();
    let report = app.documents_in(Container::Metrics).into_iter().find(|document| document["type"] == "weeklyReport").unwrap();
    let markdown = report["markdown"].as_str().unwrap();
    assert!(markdown.contains("| Turns | 3 | 2 |"), "{markdown}");
    let setup = markdown.lines().find(|line| line.starts_with("| Call set-up, 95th percentile")).expect("a line");
    let millis: f64 = setup.split('|').nth(2).and_then(|cell| cell.trim().strip_suffix(" ms")).expect("a time").parse().unwrap();
    assert!((340.0..460.0).contains(&millis), "{setup}");
    assert!(markdown.contains("## Day by day") && markdown.lines().filter(|line| line.starts_with("| 2026-03-")).count() == 7, "{markdown}");
    let html = report["html"].as_str().unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<td>Turns</td><td>3</td><td>2</td>"), "{html}");
    let told: Vec<serde_json::Value> = server.received_requests().await.unwrap().iter().map(|request| request.body_json().unwrap()).collect();
    assert_eq!((&told[0]["type"], &told[0]["markdown"]), (&json!("weeklyReport"), &json!(markdown)));
    app.quiesce().await;
    app.deliver_queue().await;
    app.finish().await;
}

#[tokio::test]
async fn alerts_of_the_week_are_counted_by_rule() {
    let app = Rtvoice::start();
    app.tick("WeeklyReport").await.ok();
    let report = async |app: &Rtvoice| {
        let all = app.documents_in(Container::Metrics);
        let report = all.into_iter().filter(|document| document["type"] == "weeklyReport").max_by_key(|document| document["at"].to_string()).unwrap();
        (report["markdown"].as_str().unwrap().to_owned(), report["html"].as_str().unwrap().to_owned())
    };
    let (markdown, html) = report(&app).await;
    assert!(markdown.contains("## Alerts\n\nNo alert fired.\n") && html.contains("<p>No alert fired.</p>"), "{markdown}");
    // Twice for ten minutes, a day apart, and once more, for as long as it takes.
    for _ in 0..3 {
        app.app.metrics.set(REDIS_MEMORY_SHARE, Only, 0.75);
        app.tick("AlertEvaluator").await.ok();
        app.clock.advance_millis(600_000);
        app.app.metrics.set(REDIS_MEMORY_SHARE, Only, 0.10);
        app.tick("AlertEvaluator").await.ok();
        app.clock.advance_millis(DAY - 600_000);
    }
    app.app.metrics.set(REDIS_MEMORY_SHARE, Only, 0.75);
    app.tick("AlertEvaluator").await.ok();
    app.clock.advance_millis(DAY);
    app.tick("WeeklyReport").await.ok();
    let (markdown, html) = report(&app).await;
    // The last one fires still, from 17:05 to midnight of the last day of the report.
    let row = "| redis-memory-high | P1 | 4 | 7 h 25 min | 6 h 55 min | 2026-03-13 17:05 |";
    assert!(markdown.contains(row), "{markdown}");
    assert!(html.contains("<td>redis-memory-high</td><td>P1</td><td>4</td>"), "{html}");
    assert!(!markdown.contains("redis-memory-critical"), "{markdown}");
    // Seven days later only the one that fires still is of that week.
    app.clock.advance_millis(6 * DAY);
    app.tick("WeeklyReport").await.ok();
    let (markdown, _) = report(&app).await;
    assert!(markdown.contains("| redis-memory-high | P1 | 1 |"), "{markdown}");
    app.finish().await;
}
