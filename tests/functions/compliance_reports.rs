//! ComplianceReports: the report of a day by HTTP.

use serde_json::json;

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn todays_is_made_anew_each_time_and_then_stands() {
    let app = Rtvoice::start();
    let made = app.get("/api/compliance/report").await.ok();
    assert_eq!(
        (&made["day"], &made["madeAt"], &made["violations"], &made["complete"]),
        (&json!(START.day()), &json!(START), &json!(0), &json!(true)),
        "{made}"
    );
    app.clock.advance_millis(60_000);
    let again = app.get(&format!("/api/compliance/report?day={}&code=key", START.day())).await.ok();
    assert_eq!(again["madeAt"], json!(START.plus_millis(60_000)), "the day is not over");
    app.tick("ComplianceReport").await.ok();
    assert_eq!(app.get("/api/compliance/report").await.ok()["madeAt"], json!(START.plus_millis(60_000)), "the timer makes it anew");
    app.clock.advance_millis(DAY);
    assert_eq!(app.get(&format!("/api/compliance/report?day={}", START.day())).await.ok()["day"], json!(START.day()), "yesterday's stays");
    app.finish().await;
}

#[tokio::test]
async fn a_day_that_is_none_is_refused_and_one_without_a_report_has_none() {
    let app = Rtvoice::start();
    for day in ["", "yesterday", "2026-02-30", "2026-3-1", "2026-03-10T00:00:00Z", "..", "2026-03-10&day=2026-03-11", "%00"] {
        app.get(&format!("/api/compliance/report?day={day}")).await.problem(400, "bad-input", "day");
    }
    for day in ["2026-03-09", "2026-03-11", "1999-01-01"] {
        app.get(&format!("/api/compliance/report?day={day}")).await.problem(404, "not-found", "");
    }
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_record_there_is_no_report() {
    let app = Rtvoice::start();
    app.documents.fail(Fault::Away);
    app.get("/api/compliance/report").await.problem(503, "unavailable", "");
    app.documents.heal();
    app.state.fail(Fault::Away);
    let report = app.get("/api/compliance/report").await.ok();
    assert_eq!((&report["complete"], &report["state"]["complete"]), (&json!(false), &json!(false)), "the record's part is worth having");
    app.finish().await;
}
