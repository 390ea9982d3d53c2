//! What alerts measure: each signal is one number out of the figures of a window. Pure, but for how long the state store has
//! not answered, which nobody could share.

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::steps::watch::{Reach, View};
use crate::telemetry::label::{Only, OpOutcome, RedisOp, SecurityKind, SetupOutcome};
use crate::telemetry::metric::{
    AUTH_FAILURES, CALL_SETUPS, Gauge, IN_FLIGHT_USE, REDIS_KEYS_CREATED, REDIS_KEYS_TOTAL, REDIS_KEYS_UNEXPIRING, REDIS_MEMORY_SHARE, REDIS_OPS,
    REDIS_OUTCOMES, SECURITY_EVENTS, TTL_WRITTEN,
};
use crate::telemetry::{Figures, Spread};

/// Share of call set-ups that may fail.
const ALLOWED: f64 = 0.001;
/// Lives that no key should have: below 30 s, and above 30 days, which no policy has under a sensible multiplier. Both are edges
/// of buckets.
const LIVES: (u64, u64) = (30, 2_621_440);
/// Wrong tokens within a window that are no mistake any more.
const BURST: u64 = 10;
/// Seconds of one part of a window in parts.
const PART: i64 = 60;
/// Seconds in which a gauge that everybody tells again and again was told.
const TOLD: i64 = 120;
/// Seconds of the time before, that a spike is compared with.
const BEFORE: i64 = 3600;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Seconds since the state store last answered its probe.
    #[serde(rename = "redis.down")]
    RedisDown,
    /// Hundredths of the memory of the fullest node in use.
    #[serde(rename = "redis.memory")]
    RedisMemory,
    /// Hundredths of call set-ups that failed.
    #[serde(rename = "call.setup.failures")]
    SetupFailures,
    /// Failed call set-ups, in multiples of what is allowed.
    #[serde(rename = "call.setup.burn")]
    SetupBurn,
    /// Security events; wrong tokens count from the tenth on.
    #[serde(rename = "security.events")]
    SecurityEvents,
    /// The smallest 95th percentile of operations on Redis in one minute of the window, in milliseconds.
    #[serde(rename = "redis.p95")]
    RedisP95,
    /// Keys without a TTL.
    #[serde(rename = "redis.unexpiring")]
    Unexpiring,
    /// Growth of the number of keys, in hundredths.
    #[serde(rename = "redis.growth")]
    KeyGrowth,
    /// Keys that come in a minute.
    #[serde(rename = "redis.creation")]
    KeyCreation,
    /// Failed authentication, in multiples of the same time in the hour before.
    #[serde(rename = "auth.spike")]
    AuthSpike,
    /// Hundredths of the seats of a room that were taken whenever it was looked at, but for `least` looks.
    #[serde(rename = "admission.use")]
    InFlight,
    /// Hundredths of operations on Redis that failed.
    #[serde(rename = "redis.failures")]
    FailedOperations,
    /// Hundredths of keys that were written with a life that none should have.
    #[serde(rename = "redis.ttl")]
    Ttl,
}

/// What the rule's signal is now, over its window.
pub fn measure(rule: &Rule, view: &View, reach: Reach) -> f64 {
    let over = |seconds: i64| match rule.signal {
        Signal::RedisDown => reach.down.as_secs_f64(),
        _ => of_window(rule, view, seconds, rule.least, reach),
    };
    rule.short.map_or_else(|| over(rule.window), |short| over(rule.window).min(over(short)))
}

/// The same over the time that its end is measured over. Few samples tell as well that it goes on: only that there are none any more
/// says that nothing is amiss. Growth and a spike are measured against what was: there so few as do not fire are no growth.
pub fn measure_end(rule: &Rule, view: &View, reach: Reach) -> f64 {
    let least = if matches!(rule.signal, Signal::KeyGrowth | Signal::AuthSpike) { rule.least } else { 1 };
    of_window(rule, view, rule.clear, least, reach)
}

fn of_window(rule: &Rule, view: &View, seconds: i64, least: u64, reach: Reach) -> f64 {
    let figures = view.last(seconds);
    match rule.signal {
        // It is over once it has answered for as long as that.
        Signal::RedisDown if reach.up.as_secs_f64() >= seconds as f64 => 0.0,
        Signal::RedisDown => reach.down.as_secs_f64().max(1.0),
        Signal::RedisMemory => 100.0 * told(view, REDIS_MEMORY_SHARE).unwrap_or_default(),
        Signal::SetupFailures => 100.0 * failed_setups(&figures, least),
        Signal::SetupBurn => failed_setups(&figures, least) / ALLOWED,
        Signal::SecurityEvents => security_events(&figures) as f64,
        Signal::RedisP95 => slowest_always(view, seconds, least),
        Signal::Unexpiring => told(view, REDIS_KEYS_UNEXPIRING).unwrap_or_default(),
        Signal::KeyCreation => told(view, REDIS_KEYS_CREATED).unwrap_or_default(),
        Signal::KeyGrowth => growth(view, seconds, least),
        Signal::AuthSpike => spike(view, &figures, seconds, least),
        Signal::InFlight => reached(&figures.whole(IN_FLIGHT_USE), least),
        Signal::FailedOperations => {
            let failed = figures.count(REDIS_OUTCOMES, OpOutcome::Failed) + figures.count(REDIS_OUTCOMES, OpOutcome::Refused);
            100.0 * share(failed, figures.all(REDIS_OUTCOMES), least)
        }
        Signal::Ttl => {
            let lives = figures.whole(TTL_WRITTEN);
            100.0 * share(lives.below(LIVES.0) + lives.at_least(LIVES.1), lives.count(), least)
        }
    }
}

/// A part of all; 0 where there are fewer than that.
fn share(part: u64, all: u64, least: u64) -> f64 {
    if all == 0 || all < least { 0.0 } else { part as f64 / all as f64 }
}

/// What was last told of a gauge.
fn told(view: &View, gauge: Gauge<Only>) -> Option<f64> {
    view.last(TOLD).gauge(gauge, Only)
}

fn failed_setups(figures: &Figures, least: u64) -> f64 {
    share(figures.count(CALL_SETUPS, SetupOutcome::Failed), figures.all(CALL_SETUPS), least)
}

fn security_events(figures: &Figures) -> u64 {
    let tokens = figures.count(SECURITY_EVENTS, SecurityKind::BadToken);
    figures.all(SECURITY_EVENTS) - tokens + (tokens + 1).saturating_sub(BURST)
}

/// A minute with hardly any operation is no slow one.
fn slowest_always(view: &View, seconds: i64, least: u64) -> f64 {
    let p95 = |figures: &Figures| {
        let mut spread = figures.spread(REDIS_OPS, RedisOp::Pipeline);
        spread.merge(&figures.spread(REDIS_OPS, RedisOp::Script));
        if spread.count() < least { 0.0 } else { spread.quantile(0.95).unwrap_or_default() / 1000.0 }
    };
    view.parts(seconds, PART).iter().map(p95).fold(f64::INFINITY, f64::min)
}

/// Against the slot of so long ago; where nobody was there then, nothing has grown.
fn growth(view: &View, seconds: i64, least: u64) -> f64 {
    let before = view.between(seconds + 300, 300).gauge(REDIS_KEYS_TOTAL, Only);
    match (before, told(view, REDIS_KEYS_TOTAL)) {
        (Some(before), Some(now)) if now >= least as f64 && before > 0.0 => 100.0 * (now - before) / before,
        _ => 0.0,
    }
}

fn spike(view: &View, figures: &Figures, seconds: i64, least: u64) -> f64 {
    let now = figures.all(AUTH_FAILURES);
    if now < least {
        return 0.0;
    }
    let before = view.between(seconds + BEFORE, BEFORE - seconds).all(AUTH_FAILURES) as f64;
    let usual = before * seconds as f64 / (BEFORE - seconds) as f64;
    now as f64 / usual.max(1.0)
}

/// The largest value that so many samples reached, the middle of its bucket.
fn reached(spread: &Spread, least: u64) -> f64 {
    let mut seen = 0;
    for (bucket, count) in spread.buckets.iter().rev() {
        seen += count;
        if seen >= least.max(1) {
            let from = crate::telemetry::histogram::lowest(usize::from(*bucket));
            let to = crate::telemetry::histogram::lowest(usize::from(*bucket) + 1);
            return (from + to - 1) as f64 / 2.0;
        }
    }
    0.0
}
