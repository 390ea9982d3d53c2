//! An hour of `rtvoice load` on the real handler and a real Redis, with time running a hundred times as fast for alerts alone: nothing
//! fires, though every rule was judged again and again and had what it judges by. Then something is broken, and is seen.

use std::collections::BTreeSet;

use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::steps::alerts::RULES;
use rtvoice::steps::alerts::rule::Rule;
use rtvoice::steps::alerts::signal::Signal;
use rtvoice::steps::watch::View;
use rtvoice::telemetry::label::{Only, RedisOp, Worked};
use rtvoice::telemetry::metric::{
    ALERT_ROUNDS, CALL_SETUPS, IN_FLIGHT_USE, REDIS_KEYS_CREATED, REDIS_KEYS_TOTAL, REDIS_KEYS_UNEXPIRING, REDIS_MEMORY_SHARE, REDIS_OPS, REDIS_OUTCOMES,
    REDIS_PROBES, TTL_WRITTEN,
};
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::load::{load, report};
use crate::harness::process::{Handler, eventually};
use crate::harness::redis::RedisServer;

/// How many times as fast time runs for alerts.
const PACE: i64 = 100;
/// Seconds of the hour, and of the slots before it that growth is measured against.
const HOUR: i64 = 3600;
const BEFORE: i64 = 600;
/// Rounds that an hour has at least: one each 12 s in place of 5, for machines with much else to do.
const ROUNDS: u64 = 300;
/// What a week of calls has left behind: keys grow by less than half of them.
const WEEK: &str = "for i=1,5000 do redis.call('SET','old-'..i,'1','EX','86400') end return redis.status_reply('OK')";
/// Keys without a TTL that are too many.
const LEAK: &str = "for i=1,150 do redis.call('SET','leak-'..i,'1') end return redis.status_reply('OK')";
const MENDED: &str = "for i=1,150 do redis.call('DEL','leak-'..i) end return redis.status_reply('OK')";

/// The rules that were told of, in this state.
async fn told(receiver: &MockServer, state: &str) -> BTreeSet<String> {
    let requests = receiver.received_requests().await.expect("they are kept");
    let bodies = requests.iter().map(|request| request.body_json::<Value>().expect("JSON"));
    bodies.filter(|body| body["state"] == state).map(|body| body["rule"].as_str().expect("a rule").to_owned()).collect()
}

/// Why this rule could not have judged by this view; none where it could.
fn lacks(rule: &Rule, view: &View) -> Option<String> {
    let figures = view.last(rule.window.min(HOUR));
    let told = |gauge| view.last(120).gauge(gauge, Only);
    let enough = |what: &str, count: u64| (count < rule.least.max(1)).then(|| format!("{}: {count} {what}", rule.name));
    let there = |there: bool| (!there).then(|| format!("{}: its gauge is not told", rule.name));
    match rule.signal {
        Signal::RedisDown => enough("probes", figures.count(REDIS_PROBES, Worked::Ok)),
        Signal::RedisMemory => there(told(REDIS_MEMORY_SHARE).is_some_and(|share| share > 0.0)),
        Signal::SetupFailures | Signal::SetupBurn => enough("set-ups", figures.all(CALL_SETUPS)),
        Signal::RedisP95 => {
            let of = |part: &rtvoice::telemetry::Figures| part.spread(REDIS_OPS, RedisOp::Script).count() + part.spread(REDIS_OPS, RedisOp::Pipeline).count();
            let parts = view.parts(rule.window, 60);
            enough("operations in a minute", parts.iter().map(of).min().unwrap_or_default())
        }
        Signal::Unexpiring => there(told(REDIS_KEYS_UNEXPIRING).is_some()),
        Signal::KeyCreation => there(told(REDIS_KEYS_CREATED).is_some_and(|created| created > 0.0)),
        Signal::KeyGrowth => {
            let before = view.between(HOUR + 300, 300).gauge(REDIS_KEYS_TOTAL, Only);
            there(told(REDIS_KEYS_TOTAL).is_some_and(|keys| keys >= rule.least as f64) && before.is_some_and(|keys| keys > 0.0))
        }
        Signal::InFlight => enough("looks at the seats", figures.whole(IN_FLIGHT_USE).count()),
        Signal::FailedOperations => enough("operations", figures.all(REDIS_OUTCOMES)),
        Signal::Ttl => enough("TTLs", figures.whole(TTL_WRITTEN).count()),
        // There is none of it where all is well.
        Signal::SecurityEvents | Signal::AuthSpike => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute of traffic: run it alone"]
async fn fires_nothing_and_a_leak_after_it_is_seen() {
    let (redis, receiver) = (RedisServer::single(), MockServer::start().await);
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&receiver).await;
    redis.wire().command(&["CONFIG", "SET", "maxmemory", "256mb"]).expect_ok();
    redis.wire().command(&["EVAL", WEEK, "0"]).expect_ok();
    let mut settings = redis.settings();
    settings.extend([("ALERTS_PACE", PACE.to_string()), ("ALERT_WEBHOOK_URL", receiver.uri()), ("LOG_LEVEL", "info".to_owned())]);
    let handler = Handler::start(settings).await;
    let view = async || handler.app().windows.view(handler.app().board.as_ref(), SystemClock.now()).await;

    let began = SystemClock.now();
    let arguments = ["--calls", "100000", "--turns", "2", "--rate", "20", "--think-ms", "20", "--seconds", "48"];
    let (output, seen) = tokio::join!(load(&handler, &arguments), async {
        let over = async || (SystemClock.now().since(began) * PACE >= (HOUR + BEFORE) * 1000).then_some(());
        eventually("an hour has passed", || handler.output(), over).await;
        view().await
    });
    let report = report(&output);
    assert!(output.status.success(), "{report}\n{}", handler.output());
    assert_eq!((&report["answered"], &report["degraded"], &report["errors"]), (&report["turns"], &0.into(), &0.into()), "{report}");

    assert!(seen.shared, "by the figures of all instances");
    let rounds = seen.last(HOUR).count(ALERT_ROUNDS, Worked::Ok);
    assert!(rounds >= ROUNDS, "{rounds} rounds in an hour");
    assert_eq!(seen.last(HOUR).count(ALERT_ROUNDS, Worked::Failed), 0, "none of them alone");
    let lacking: Vec<String> = RULES.iter().filter_map(|rule| lacks(rule, &seen)).collect();
    assert_eq!(lacking, Vec::<String>::new(), "what was judged by nothing says nothing");
    assert_eq!(told(&receiver, "firing").await, BTreeSet::new());
    assert!(!handler.output().contains("an alert fires"), "{}", handler.output());

    redis.wire().command(&["EVAL", LEAK, "0"]).expect_ok();
    let leak = BTreeSet::from(["keys-without-ttl".to_owned()]);
    let fires = async || (told(&receiver, "firing").await == leak).then_some(());
    eventually("the leak is told", || handler.output(), fires).await;
    assert!(handler.output().contains("an alert fires"));
    redis.wire().command(&["EVAL", MENDED, "0"]).expect_ok();
    let over = async || (told(&receiver, "resolved").await == leak).then_some(());
    eventually("it is told to be over", || handler.output(), over).await;
    assert_eq!(told(&receiver, "firing").await, leak, "and nothing else");
}
