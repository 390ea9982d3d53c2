//! The rules: what is wrong in `alerts.toml` is refused, what it says is what was asked for, and each signal measures what it says.

use std::sync::Arc;

use rtvoice::error::{Error, Kind};
use rtvoice::ports::board::local::LocalBoard;
use rtvoice::ports::breaker::Breaker;
use rtvoice::steps::alerts::rule::{FILE, Rule, named, parse};
use rtvoice::steps::alerts::signal::{measure, measure_end};
use rtvoice::steps::alerts::{Hook, Level, RULES};
use rtvoice::steps::watch::{Reach, View, Windows};
use rtvoice::telemetry::Metrics;
use rtvoice::telemetry::label::{AuthSource, Dependency, Only, OpOutcome, RedisOp, RoomName, SecurityKind, SetupOutcome, TtlKind};
use rtvoice::telemetry::metric::{
    AUTH_FAILURES, CALL_SETUPS, IN_FLIGHT_USE, REDIS_KEYS_CREATED, REDIS_KEYS_TOTAL, REDIS_KEYS_UNEXPIRING, REDIS_MEMORY_SHARE, REDIS_OPS, REDIS_OUTCOMES,
    SECURITY_EVENTS, TTL_WRITTEN,
};

use crate::harness::app::START;

#[test]
fn the_numbers_are_those_that_were_asked_for() {
    let rules: Vec<(&str, Level, f64, i64, u64)> = RULES.iter().map(|r| (r.name.as_str(), r.level, r.threshold, r.window, r.least)).collect();
    let asked = [
        ("redis-unavailable", Level::P0, 30.0, 30, 0),
        ("redis-memory-critical", Level::P0, 85.0, 120, 0),
        ("redis-memory-high", Level::P1, 70.0, 120, 0),
        ("call-setup-failed", Level::P0, 5.0, 120, 20),
        ("security-event", Level::P0, 0.0, 300, 0),
        ("redis-slow", Level::P1, 5.0, 600, 20),
        ("keys-without-ttl", Level::P1, 100.0, 120, 0),
        ("key-count-growth", Level::P1, 50.0, 3600, 1000),
        ("authentication-failures", Level::P1, 3.0, 300, 20),
        ("call-setup-burn-fast", Level::P0, 14.4, 3600, 20),
        ("call-setup-burn-slow", Level::P0, 6.0, 21_600, 20),
        ("key-creation-rate", Level::P2, 1000.0, 120, 0),
        ("in-flight", Level::P2, 80.0, 60, 3),
        ("failed-operations", Level::P2, 1.0, 300, 100),
        ("ttl-distribution", Level::P2, 1.0, 300, 100),
    ];
    assert_eq!(rules, asked);
    assert_eq!((rule("call-setup-burn-fast").short, rule("call-setup-burn-slow").short), (Some(300), Some(1800)));
    assert_eq!(RULES.iter().filter(|r| r.hook == Some(Hook::ScaleOut)).map(|r| r.name.as_str()).collect::<Vec<_>>(), ["redis-memory-critical"]);
}

#[test]
fn what_is_wrong_in_the_file_is_refused_by_name() {
    for (from, to, named) in [
        ("name = \"redis-slow\"", "name = \"redis-unavailable\"", "stands twice"),
        ("threshold = 30.0", "threshold = -1.0", "resolve must be"),
        ("level = \"P1\"", "level = \"P9\"", "cannot be read"),
        ("signal = \"redis.p95\"", "signal = \"redis.p96\"", "cannot be read"),
        ("window = 600", "window = 5", "window must be"),
        ("short = 300", "short = 7200", "short must be"),
        ("runbook = \"redis-slow\"", "runbok = \"redis-slow\"", "cannot be read"),
        ("hook = \"scale-out\"", "hook = \"page-me\"", "cannot be read"),
    ] {
        assert!(FILE.contains(from), "{from}");
        let error = parse(&FILE.replacen(from, to, 1)).expect_err(to);
        assert!(error.detail.starts_with("alerts.toml ") && error.detail.contains(named), "{to}: {}", error.detail);
    }
}

fn rule(name: &str) -> &'static Rule {
    named(name).unwrap_or_else(|| panic!("there is no rule {name}"))
}

/// How many seconds ago something was counted, and what.
type Then<'a> = (i64, &'a dyn Fn(&Metrics));

/// What is counted at times, in seconds before now, and seen now.
async fn seen(times: &[Then<'_>]) -> View {
    let (metrics, windows, board) = (Metrics::default(), Windows::new(1.0), LocalBoard::default());
    for (ago, work) in times {
        work(&metrics);
        windows.take(&metrics, START.plus_millis(-ago * 1000)).await;
    }
    windows.share(&board).await.unwrap();
    windows.view(&board, START).await
}

async fn value(name: &str, times: &[Then<'_>]) -> f64 {
    let rule = rule(name);
    measure(rule, &seen(times).await, Reach::default())
}

#[tokio::test]
async fn shares_need_enough_samples() {
    let setups = |ok: u64, failed: u64| {
        move |metrics: &Metrics| {
            metrics.add(CALL_SETUPS, SetupOutcome::Ok, ok);
            metrics.add(CALL_SETUPS, SetupOutcome::Failed, failed);
        }
    };
    assert_eq!(value("call-setup-failed", &[(60, &setups(17, 2))]).await, 0.0, "nineteen say nothing");
    assert_eq!(value("call-setup-failed", &[(60, &setups(18, 2))]).await, 10.0);
    assert_eq!(value("call-setup-failed", &[(200, &setups(18, 2))]).await, 0.0, "that is over");
    // The long window burns, the short one does not any more.
    assert_eq!(value("call-setup-burn-fast", &[(2000, &setups(50, 50)), (60, &setups(100, 0))]).await, 0.0);
    assert!(value("call-setup-burn-fast", &[(2000, &setups(980, 20)), (60, &setups(80, 20))]).await > 14.4);
    let failed = |metrics: &Metrics| {
        metrics.add(REDIS_OUTCOMES, OpOutcome::Ok, 97);
        metrics.add(REDIS_OUTCOMES, OpOutcome::Failed, 1);
        metrics.add(REDIS_OUTCOMES, OpOutcome::Refused, 2);
    };
    assert_eq!(value("failed-operations", &[(100, &failed)]).await, 3.0);
}

#[tokio::test]
async fn few_that_fail_begin_nothing_and_end_nothing() {
    let failed = |metrics: &Metrics| metrics.add(CALL_SETUPS, SetupOutcome::Failed, 2);
    let rule = rule("call-setup-failed");
    let view = seen(&[(60, &failed)]).await;
    assert_eq!((measure(rule, &view, Reach::default()), measure_end(rule, &view, Reach::default())), (0.0, 100.0));
    let silent = seen(&[]).await;
    assert_eq!(measure_end(rule, &silent, Reach::default()), 0.0, "nobody fails any more");
}

#[tokio::test]
async fn slow_for_ten_minutes_means_each_of_them() {
    let minute = |micros: u64| move |metrics: &Metrics| (0..30).for_each(|_| metrics.record(REDIS_OPS, RedisOp::Script, micros));
    let (slow, fast) = (minute(8_000), minute(900));
    let all: Vec<Then<'_>> = (1..=10).rev().map(|n| (n * 60, &slow as &dyn Fn(&Metrics))).collect();
    assert!(value("redis-slow", &all).await > 7.0);
    let mut but_one = all.clone();
    but_one[4].1 = &fast;
    assert!(value("redis-slow", &but_one).await < 1.0);
    assert_eq!(value("redis-slow", &all[..9]).await, 0.0, "a minute without operations is no slow one");
}

#[tokio::test]
async fn gauges_are_what_was_told_last() {
    let gauge = |memory: f64, keys: f64, unexpiring: f64, created: f64| {
        move |metrics: &Metrics| {
            metrics.set(REDIS_MEMORY_SHARE, Only, memory);
            metrics.set(REDIS_KEYS_TOTAL, Only, keys);
            metrics.set(REDIS_KEYS_UNEXPIRING, Only, unexpiring);
            metrics.set(REDIS_KEYS_CREATED, Only, created);
        }
    };
    let (before, now) = (gauge(0.5, 1000.0, 0.0, 10.0), gauge(0.9, 1600.0, 101.0, 1001.0));
    let times: [Then<'_>; 2] = [(3700, &before), (5, &now)];
    assert_eq!(value("redis-memory-critical", &times).await, 90.0);
    assert_eq!(value("keys-without-ttl", &times).await, 101.0);
    assert_eq!(value("key-creation-rate", &times).await, 1001.0);
    assert_eq!(value("key-count-growth", &times).await, 60.0);
    let few = gauge(0.9, 900.0, 0.0, 0.0);
    assert_eq!(value("key-count-growth", &[(3700, &before), (5, &few)]).await, 0.0, "below a thousand");
    assert_eq!(value("redis-memory-critical", &[(600, &now)]).await, 0.0, "nobody has told it for long");
}

#[tokio::test]
async fn a_spike_is_one_against_the_hour_before() {
    let failures = |n: u64| move |metrics: &Metrics| metrics.add(AUTH_FAILURES, AuthSource::Caller, n);
    assert_eq!(value("authentication-failures", &[(60, &failures(19))]).await, 0.0);
    assert_eq!(value("authentication-failures", &[(60, &failures(20))]).await, 20.0);
    // 110 in 55 minutes are 10 in 5.
    let usual = value("authentication-failures", &[(2400, &failures(110)), (60, &failures(25))]).await;
    assert!((usual - 2.5).abs() < 0.01, "{usual}");
    // Dependencies that do not accept our identity count; those that are away do not.
    let refused = |kind| {
        move |metrics: &Metrics| {
            let shared = Arc::<Metrics>::default();
            let breaker = Breaker::new("a dependency").measured(Arc::clone(&shared), Dependency::Speech);
            (0..20).for_each(|_| breaker.record(&Err::<(), _>(Error::new(kind, "no"))));
            metrics.add(AUTH_FAILURES, AuthSource::Dependency, shared.total(AUTH_FAILURES, AuthSource::Dependency));
        }
    };
    assert_eq!(value("authentication-failures", &[(60, &refused(Kind::Denied))]).await, 20.0);
    assert_eq!(value("authentication-failures", &[(60, &refused(Kind::Unavailable))]).await, 0.0);
}

#[tokio::test]
async fn security_events_count_at_once_but_tokens_in_bursts() {
    let events = |kind, n| move |metrics: &Metrics| metrics.add(SECURITY_EVENTS, kind, n);
    assert_eq!(value("security-event", &[(5, &events(SecurityKind::Envelope, 1))]).await, 1.0);
    assert_eq!(value("security-event", &[(5, &events(SecurityKind::BadToken, 9))]).await, 0.0);
    assert_eq!(value("security-event", &[(5, &events(SecurityKind::BadToken, 10))]).await, 1.0);
}

#[tokio::test]
async fn seats_and_lives() {
    let used = |percent: u64, n: u64| move |metrics: &Metrics| (0..n).for_each(|_| metrics.record(IN_FLIGHT_USE, RoomName::Interactive, percent));
    assert!(value("in-flight", &[(10, &used(90, 3))]).await > 80.0);
    assert!(value("in-flight", &[(10, &used(90, 2)), (5, &used(20, 10))]).await < 30.0, "two looks are a moment");
    let lives = |seconds: u64, n: u64| move |metrics: &Metrics| (0..n).for_each(|_| metrics.record(TTL_WRITTEN, TtlKind::Session, seconds));
    assert_eq!(value("ttl-distribution", &[(10, &lives(7200, 99)), (5, &lives(29, 1))]).await, 1.0);
    for usual in [30, 60, 691_200, 2 * 604_800] {
        assert_eq!(value("ttl-distribution", &[(10, &lives(usual, 100))]).await, 0.0, "{usual} s is a life of ours");
    }
    assert_eq!(value("ttl-distribution", &[(10, &lives(3_000_000, 100))]).await, 100.0);
}

#[tokio::test]
async fn redis_is_down_until_it_has_answered_for_a_while() {
    let (rule, view) = (rule("redis-unavailable"), View::default());
    let reach = |down, up| Reach { down: std::time::Duration::from_secs(down), up: std::time::Duration::from_secs(up) };
    assert_eq!(measure(rule, &view, reach(31, 0)), 31.0);
    assert!(measure_end(rule, &view, reach(0, 5)) > rule.resolve, "it may flutter");
    assert_eq!(measure_end(rule, &view, reach(0, 20)), 0.0);
}

#[test]
fn every_rule_has_a_runbook_and_every_route_of_notice_is_documented() {
    let page = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md")).unwrap();
    for rule in RULES.iter() {
        assert!(page.lines().any(|line| line == format!("### {}", rule.runbook)), "{}: there is no section {}", rule.name, rule.runbook);
    }
}
