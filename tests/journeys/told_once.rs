//! Two instances on one Redis that goes away: one notice, and one that it is over, when Redis is back.

use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::process::{Handler, eventually};
use crate::harness::redis::RedisServer;

/// How many times as fast time runs for alerts.
const PACE: &str = "30";

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_goes_away_from_two_instances_is_told_once_and_so_is_its_return() {
    let (redis, receiver) = (RedisServer::single(), MockServer::start().await);
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&receiver).await;
    let mut settings = redis.settings();
    settings.extend([("ALERT_WEBHOOK_URL", receiver.uri()), ("ALERTS_PACE", PACE.to_owned())]);
    let first = Handler::start(settings).await;
    let second = first.twin().await;
    let told = async || {
        let requests = receiver.received_requests().await.expect("they are kept");
        let bodies = requests.iter().map(|request| request.body_json::<Value>().expect("JSON"));
        bodies.filter(|body| body["rule"] == "redis-unavailable").map(|body| body["state"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let output = || format!("{}\n{}", first.output(), second.output());
    // Both judge, and go on judging, so often.
    let judge = async |outcome: &'static str, rounds: u64| {
        for handler in [&first, &second] {
            let before = rounds_of(handler, outcome).await.unwrap_or_default();
            let more = async || rounds_of(handler, outcome).await.filter(|now| *now >= before + rounds);
            eventually("it judges on", output, more).await;
        }
    };
    judge("ok", 2).await;
    redis.kill();
    eventually("it is told", output, async || (!told().await.is_empty()).then_some(())).await;
    // More than it takes to fire, on each of them.
    judge("failed", 12).await;
    assert_eq!(told().await, ["firing"], "{}", output());
    redis.restart();
    eventually("it is over", output, async || (told().await.len() >= 2).then_some(())).await;
    judge("ok", 12).await;
    assert_eq!(told().await, ["firing", "resolved"], "{}", output());
}

/// Rounds of alerts that an instance has judged, by how they went.
async fn rounds_of(handler: &Handler, outcome: &str) -> Option<u64> {
    let client = rtvoice::ports::http::client().ok()?;
    let text = client.get(format!("http://127.0.0.1:{}/api/metrics", handler.port()?)).send().await.ok()?.text().await.ok()?;
    let series = format!("rtvoice_alerts_rounds_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)?.trim().parse().ok())
}
