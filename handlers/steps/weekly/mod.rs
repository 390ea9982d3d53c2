//! The weekly report: capacity, usage, trends of performance and health of the seven days before, beside the seven before those.
//!
//! In: the hourly snapshots of the record, and the alerts that were over. Out: one document in `metrics`, under the day that it was made. Hours without a
//! snapshot are left out and counted. Fails as the record does.

use std::collections::BTreeMap;

use serde_json::json;

use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container};
use crate::privacy::retention::DAY_MS;
use crate::steps::watch::snapshot;
use crate::telemetry::label::{CacheLookup, Only, OpOutcome, RedisOp, SetupOutcome, SetupStage, Stage, TurnOutcome};
use crate::telemetry::metric::{
    CACHE_LOOKUPS, CALL_SETUPS, CIRCUIT_OPENED, DEAD_LETTERS, Gauge, IN_FLIGHT_USE, QUEUE_DEFERRED, QUEUE_LAG, REDIS_KEYS_TOTAL, REDIS_KEYS_UNEXPIRING,
    REDIS_MEMORY_SHARE, REDIS_OPS, REDIS_OUTCOMES, REFUSED, SECURITY_EVENTS, SETUP_STAGES, TURN_STAGES, TURNS,
};
use crate::telemetry::{Figures, Spread};

mod fired;
mod page;

/// Days of a report.
const DAYS: i64 = 7;

/// A report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The ISO week that it is about, such as `2026-W10`.
    pub week: String,
    /// Hours of it that there are figures of.
    pub hours: usize,
    /// As Markdown.
    pub markdown: String,
    /// As one HTML page that needs nothing else.
    pub html: String,
}

/// One line of a section: what it is, this week, the week before.
pub(super) type Line = (&'static str, String, String);

/// The sections in order, and the trend by day.
pub(super) struct Content {
    pub week: String,
    pub from: String,
    pub until: String,
    pub hours: usize,
    pub sections: Vec<(&'static str, Vec<Line>)>,
    /// Alerts that fired: rule, level, how often, for how long together, the longest, when the last one began.
    pub alerts: Vec<[String; 6]>,
    /// Day, turns, and the 50th, 95th and 99th percentile of a turn in milliseconds.
    pub trend: Vec<(String, u64, [Option<f64>; 3])>,
}

/// What is known of some days.
#[derive(Default)]
struct Span {
    figures: Figures,
    hours: usize,
    /// The largest value of some gauges.
    peaks: BTreeMap<&'static str, f64>,
}

impl Span {
    fn peak(&mut self, name: &'static str, figures: &Figures, gauge: Gauge<Only>) {
        if let Some(value) = figures.gauge(gauge, Only) {
            let peak = self.peaks.entry(name).or_insert(value);
            *peak = peak.max(value);
        }
    }

    fn add(&mut self, figures: &Figures) {
        self.hours += 1;
        self.peak("memory", figures, REDIS_MEMORY_SHARE);
        self.peak("keys", figures, REDIS_KEYS_TOTAL);
        self.peak("unexpiring", figures, REDIS_KEYS_UNEXPIRING);
        self.figures.merge(figures);
    }
}

/// Makes and keeps the report of the seven days before today.
pub async fn make(app: &App) -> Result<Report> {
    let now = app.clock.now();
    let today = Timestamp::from_millis(now.millis().div_euclid(DAY_MS) * DAY_MS);
    let (mut this, mut before, mut trend) = (Span::default(), Span::default(), Vec::new());
    for ago in (1..=2 * DAYS).rev() {
        let day = today.plus_millis(-ago * DAY_MS).day();
        let mut of_day = Figures::default();
        for (_, figures) in snapshot::of_day(app, &day).await? {
            if ago > DAYS {
                before.add(&figures)
            } else {
                this.add(&figures)
            }
            of_day.merge(&figures);
        }
        if ago <= DAYS {
            let whole = of_day.spread(TURN_STAGES, Stage::Total);
            trend.push((day, of_day.all(TURNS), [0.5, 0.95, 0.99].map(|share| millis(&whole, share))));
        }
    }
    let from = today.plus_millis(-DAYS * DAY_MS);
    let content = Content {
        week: from.utc().format("%G-W%V").to_string(),
        from: from.day(),
        until: today.plus_millis(-1).day(),
        hours: this.hours,
        sections: sections(&this, &before),
        alerts: fired::of_week(app, from, today).await?,
        trend,
    };
    let report = Report { week: content.week.clone(), hours: content.hours, markdown: page::markdown(&content), html: page::html(&content) };
    let body = json!({
        "id": format!("weekly-{}", report.week), "day": today.day(), "type": "weeklyReport", "at": now, "week": report.week, "hours": report.hours,
        "markdown": report.markdown, "html": report.html,
    });
    app.documents.put(Container::Metrics, &body, Condition::Always).await?;
    Ok(report)
}

/// A percentile of microseconds in milliseconds.
fn millis(spread: &Spread, share: f64) -> Option<f64> {
    spread.quantile(share).map(|micros| micros / 1000.0)
}

fn percent(part: u64, all: u64) -> String {
    if all == 0 { "–".to_owned() } else { format!("{:.2} %", 100.0 * part as f64 / all as f64) }
}

fn in_millis(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |millis| format!("{millis:.1} ms"))
}

fn sections(this: &Span, before: &Span) -> Vec<(&'static str, Vec<Line>)> {
    let line = |name: &'static str, value: &dyn Fn(&Span) -> String| (name, value(this), value(before));
    let peak = |span: &Span, name: &str| span.peaks.get(name).copied();
    let whole = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"));
    let capacity = vec![
        line("Memory of Redis, peak", &|s| peak(s, "memory").map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))),
        line("Keys in Redis, peak", &|s| whole(peak(s, "keys"))),
        line("Seats in use, 99th percentile", &|s| s.figures.whole(IN_FLIGHT_USE).quantile(0.99).map_or_else(|| "–".to_owned(), |used| format!("{used:.0} %"))),
        line("Invocations refused for want of room", &|s| s.figures.all(REFUSED).to_string()),
    ];
    let usage = vec![
        line("Calls set up", &|s| s.figures.count(CALL_SETUPS, SetupOutcome::Ok).to_string()),
        line("Turns", &|s| s.figures.all(TURNS).to_string()),
        line("Phrases from the cache", &|s| {
            let (hit, miss) = (s.figures.count(CACHE_LOOKUPS, CacheLookup::PhraseHit), s.figures.count(CACHE_LOOKUPS, CacheLookup::PhraseMiss));
            percent(hit, hit + miss)
        }),
        line("Operations on Redis", &|s| s.figures.all(REDIS_OUTCOMES).to_string()),
    ];
    let redis = |s: &Span, share| {
        let mut spread = s.figures.spread(REDIS_OPS, RedisOp::Pipeline);
        spread.merge(&s.figures.spread(REDIS_OPS, RedisOp::Script));
        in_millis(millis(&spread, share))
    };
    let performance = vec![
        line("Turn, 95th percentile", &|s| in_millis(millis(&s.figures.spread(TURN_STAGES, Stage::Total), 0.95))),
        line("State persisted, 95th percentile (limit 10 ms)", &|s| in_millis(millis(&s.figures.spread(TURN_STAGES, Stage::Commit), 0.95))),
        line("Redis operation, 95th percentile (limit 2 ms)", &|s| redis(s, 0.95)),
        line("Redis operation, 99th percentile (limit 5 ms)", &|s| redis(s, 0.99)),
        line("Call set-up, 95th percentile (limit 500 ms)", &|s| in_millis(millis(&s.figures.spread(SETUP_STAGES, SetupStage::Total), 0.95))),
        line("Queue to writer, 95th percentile", &|s| in_millis(s.figures.whole(QUEUE_LAG).quantile(0.95))),
    ];
    let health = vec![
        line("Call set-ups that failed", &|s| percent(s.figures.count(CALL_SETUPS, SetupOutcome::Failed), s.figures.all(CALL_SETUPS))),
        line("Degraded turns", &|s| percent(s.figures.count(TURNS, TurnOutcome::Degraded), s.figures.all(TURNS))),
        line("Failed turns", &|s| percent(s.figures.count(TURNS, TurnOutcome::Failed), s.figures.all(TURNS))),
        line("Failed operations on Redis", &|s| {
            let ok = s.figures.count(REDIS_OUTCOMES, OpOutcome::Ok);
            percent(s.figures.all(REDIS_OUTCOMES) - ok, s.figures.all(REDIS_OUTCOMES))
        }),
        line("Messages put off", &|s| s.figures.all(QUEUE_DEFERRED).to_string()),
        line("Messages parked", &|s| s.figures.all(DEAD_LETTERS).to_string()),
        line("Circuits opened", &|s| s.figures.all(CIRCUIT_OPENED).to_string()),
        line("Security events", &|s| s.figures.all(SECURITY_EVENTS).to_string()),
        line("Keys without a TTL, peak", &|s| whole(peak(s, "unexpiring"))),
    ];
    vec![("Capacity", capacity), ("Usage", usage), ("Performance", performance), ("Health", health)]
}
