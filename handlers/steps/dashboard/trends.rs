//! Rates and times over time, as charts have them, and the numbers that matter most now. Pure, out of a view of the figures.

use serde::Serialize;

use super::data::Flow;
use crate::app::App;
use crate::steps::watch::View;
use crate::telemetry::label::{CacheLookup, Label, OfLimit, Only, OpOutcome, RedisOp, SetupOutcome, SetupStage, Stage, TurnOutcome};
use crate::telemetry::metric::{
    CACHE_LOOKUPS, CALL_SETUPS, Counter, IN_FLIGHT_USE, OUTBOX_AGE, OUTBOX_DEPTH, QUEUE_LAG, REDIS_CLIENTS, REDIS_KEYS_CREATED, REDIS_KEYS_TOTAL,
    REDIS_KEYS_UNEXPIRING, REDIS_MEMORY, REDIS_MEMORY_SHARE, REDIS_OPS, REDIS_OUTCOMES, SETUP_STAGES, TURN_STAGES, TURNS,
};
use crate::telemetry::{Figures, Spread};

/// Seconds over which times are taken for the numbers of now.
const NOW: i64 = 300;
/// Seconds over which rates are.
const MINUTE: i64 = 60;

/// One line of a chart.
#[derive(Debug, Serialize)]
pub struct Line {
    /// What it is.
    pub name: &'static str,
    /// Its values, the oldest first; none where nothing was measured.
    pub values: Vec<Option<f64>>,
}

/// What a line is held to.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limit {
    /// What is held to it.
    pub of: &'static str,
    /// In the chart's unit.
    pub at: f64,
}

/// One chart.
#[derive(Debug, Serialize)]
pub struct Chart {
    /// Its name in ids.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// Seconds of one value.
    pub step: i64,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What they are held to.
    pub limits: &'static [Limit],
}

/// What Redis is held to in milliseconds (design, section 10).
pub(super) const REDIS_LIMITS: &[Limit] = &[Limit { of: "p95", at: 2.0 }, Limit { of: "p99", at: 5.0 }];
/// What call set-up is held to in milliseconds (design, section 10).
const SETUP_LIMITS: &[Limit] = &[Limit { of: "p95", at: 500.0 }];
/// Shares in hundredths above which alerts fire.
const FAILURE_LIMITS: &[Limit] = &[Limit { of: "operations", at: 1.0 }, Limit { of: "set-ups", at: 5.0 }];
/// The share of seats above which an alert fires.
const SEAT_LIMITS: &[Limit] = &[Limit { of: "p95", at: 80.0 }];

/// The charts of the last `seconds` in parts of `step` seconds.
pub(super) fn charts(view: &View, seconds: i64, step: i64) -> Vec<Chart> {
    let parts = view.parts(seconds, step);
    let line = |name, value: &dyn Fn(&Figures) -> Option<f64>| Line { name, values: parts.iter().map(|part| value(part).map(round)).collect() };
    let rate = |part: &Figures, outcomes: &[TurnOutcome]| outcomes.iter().map(|outcome| part.count(TURNS, *outcome)).sum::<u64>() as f64 / step as f64;
    // Before the first figures nothing is known; nothing counted afterwards is a zero.
    let known = |part: &Figures| !part.is_empty();
    let chart = |id, title, unit, limits, lines| Chart { id, title, unit, step, lines, limits };
    let turns = |share| move |part: &Figures| part.spread(TURN_STAGES, Stage::Total).quantile(share).map(millis);
    let redis = |share| move |part: &Figures| redis_spread(part).quantile(share).map(millis);
    vec![
        chart(
            "turns",
            "Turns",
            "/s",
            &[],
            vec![
                line("answered", &|part| known(part).then(|| rate(part, &[TurnOutcome::Answered, TurnOutcome::Replayed]))),
                line("degraded", &|part| known(part).then(|| rate(part, &[TurnOutcome::Degraded]))),
                line("failed", &|part| known(part).then(|| rate(part, &[TurnOutcome::Refused, TurnOutcome::Failed]))),
            ],
        ),
        chart("turn-time", "Time of a turn", "ms", &[], vec![line("p50", &turns(0.5)), line("p95", &turns(0.95)), line("p99", &turns(0.99))]),
        chart("redis-time", "Redis operations", "ms", REDIS_LIMITS, vec![line("p95", &redis(0.95)), line("p99", &redis(0.99))]),
        chart(
            "setup-time",
            "Call set-up",
            "ms",
            SETUP_LIMITS,
            vec![line("p95", &|part| part.spread(SETUP_STAGES, SetupStage::Total).quantile(0.95).map(millis))],
        ),
        chart(
            "cache",
            "Cache hits",
            "%",
            &[],
            vec![line("phrases", &|part| percent(phrase_hits(part))), line("profiles", &|part| percent(profile_hits(part)))],
        ),
        chart(
            "outbox",
            "Outbox and queue",
            "s",
            &[],
            vec![
                line("outbox, oldest", &|part| part.gauge(OUTBOX_AGE, Only)),
                line("queue, p95", &|part| part.whole(QUEUE_LAG).quantile(0.95).map(|millis| millis / 1000.0)),
            ],
        ),
        chart(
            "failures",
            "Failures",
            "%",
            FAILURE_LIMITS,
            vec![
                line("operations", &|part| percent(failed_operations(part))),
                line("set-ups", &|part| percent(share(part.count(CALL_SETUPS, SetupOutcome::Failed), part.all(CALL_SETUPS)))),
            ],
        ),
        chart("seats", "Seats in use", "%", SEAT_LIMITS, vec![line("p95", &|part| part.whole(IN_FLIGHT_USE).quantile(0.95))]),
    ]
}

/// What matters most, in numbers. Rates are of the last whole minute, times and shares of five minutes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// Turns in a second.
    pub turns_per_second: f64,
    /// Calls that were set up in a minute.
    pub setups_per_minute: u64,
    /// Turns without their context in five minutes.
    pub degraded: u64,
    /// Turns refused or failed in five minutes.
    pub failed: u64,
    /// Milliseconds of a turn.
    pub turn_p50_ms: Option<f64>,
    /// Milliseconds of a turn.
    pub turn_p95_ms: Option<f64>,
    /// Milliseconds of an operation on Redis.
    pub redis_p95_ms: Option<f64>,
    /// Milliseconds of an operation on Redis.
    pub redis_p99_ms: Option<f64>,
    /// How many operations that is of.
    pub redis_samples: u64,
    /// Part of the phrases that were cached.
    pub phrase_hits: Option<f64>,
    /// Part of the operations on Redis that failed.
    pub failed_operations: Option<f64>,
    /// Messages in outboxes.
    pub outbox_depth: Option<u64>,
    /// Part of the memory of the fullest node in use.
    pub memory_share: Option<f64>,
    /// Bytes in use there.
    pub memory_bytes: Option<f64>,
    /// Connections of the busiest node.
    pub clients: Option<f64>,
    /// Most connections there.
    pub clients_most: Option<f64>,
    /// Keys.
    pub keys: Option<f64>,
    /// Keys without a TTL.
    pub keys_unexpiring: Option<f64>,
    /// Keys that come in a minute.
    pub keys_per_minute: Option<f64>,
}

impl Now {
    pub(super) fn of(app: &App, view: &View, flow: &Flow) -> Self {
        let (five, minute) = (view.last(NOW), view.parts(MINUTE, MINUTE).pop().unwrap_or_default());
        let (turn, redis) = (five.spread(TURN_STAGES, Stage::Total), redis_spread(&five));
        let count = |outcomes: &[TurnOutcome]| outcomes.iter().map(|outcome| five.count(TURNS, *outcome)).sum();
        let time = |spread: &Spread, share| spread.quantile(share).map(millis).map(round);
        Self {
            turns_per_second: round(minute.all(TURNS) as f64 / MINUTE as f64),
            setups_per_minute: minute.all(CALL_SETUPS),
            degraded: count(&[TurnOutcome::Degraded]),
            failed: count(&[TurnOutcome::Refused, TurnOutcome::Failed]),
            turn_p50_ms: time(&turn, 0.5),
            turn_p95_ms: time(&turn, 0.95),
            redis_p95_ms: time(&redis, 0.95),
            redis_p99_ms: time(&redis, 0.99),
            redis_samples: redis.count(),
            phrase_hits: phrase_hits(&five),
            failed_operations: failed_operations(&five),
            outbox_depth: flow.outbox_depth.or_else(|| five.gauge(OUTBOX_DEPTH, Only).map(|depth| depth as u64)),
            memory_share: app.metrics.value(REDIS_MEMORY_SHARE, Only),
            memory_bytes: app.metrics.value(REDIS_MEMORY, OfLimit::Used),
            clients: app.metrics.value(REDIS_CLIENTS, OfLimit::Used),
            clients_most: app.metrics.value(REDIS_CLIENTS, OfLimit::Most),
            keys: app.metrics.value(REDIS_KEYS_TOTAL, Only),
            keys_unexpiring: app.metrics.value(REDIS_KEYS_UNEXPIRING, Only),
            keys_per_minute: app.metrics.value(REDIS_KEYS_CREATED, Only),
        }
    }
}

fn redis_spread(figures: &Figures) -> Spread {
    let mut spread = figures.spread(REDIS_OPS, RedisOp::Pipeline);
    spread.merge(&figures.spread(REDIS_OPS, RedisOp::Script));
    spread
}

fn phrase_hits(figures: &Figures) -> Option<f64> {
    hits(figures, CACHE_LOOKUPS, CacheLookup::PhraseHit, CacheLookup::PhraseMiss)
}

fn profile_hits(figures: &Figures) -> Option<f64> {
    hits(figures, CACHE_LOOKUPS, CacheLookup::ProfileHit, CacheLookup::ProfileMiss)
}

fn hits<L: Label>(figures: &Figures, counter: Counter<L>, hit: L, miss: L) -> Option<f64> {
    let hits = figures.count(counter, hit);
    share(hits, hits + figures.count(counter, miss))
}

fn failed_operations(figures: &Figures) -> Option<f64> {
    let failed = figures.count(REDIS_OUTCOMES, OpOutcome::Failed) + figures.count(REDIS_OUTCOMES, OpOutcome::Refused);
    share(failed, figures.all(REDIS_OUTCOMES))
}

/// A part of all; none of nothing.
fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn percent(share: Option<f64>) -> Option<f64> {
    share.map(|share| share * 100.0)
}

fn millis(micros: f64) -> f64 {
    micros / 1000.0
}

/// To thousandths: what a chart can show.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
