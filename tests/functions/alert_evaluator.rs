//! AlertEvaluator: what fires is told once, what is over is told once, in the form that the receiver takes; silence is kept.

use hmac::{Hmac, Mac as _};
use rtvoice::telemetry::label::Worked;
use rtvoice::telemetry::metric::ALERT_NOTICES;
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

async fn receiver() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&server).await;
    server
}

/// The bodies that were told, in order.
async fn told(server: &MockServer) -> Vec<Value> {
    server.received_requests().await.unwrap().iter().map(|request| request.body_json().unwrap()).collect()
}

/// Call set-ups that fail for good: neither the state store nor the queue takes them.
async fn failing_set_ups(app: &Rtvoice, count: usize) {
    app.state.fail(Fault::Away);
    app.queue.fail(Fault::Away);
    for n in 0..count {
        app.event("CallConnected", &format!("call-{n}"), "e1").await.problem(503, "unavailable", "");
    }
    app.state.heal();
    app.queue.heal();
}

/// Both alerts that failing call set-ups raise, the one that is asked for first.
fn of<'a>(told: &'a [Value], rule: &str) -> Vec<&'a Value> {
    told.iter().filter(|body| body["rule"] == rule).collect()
}

#[tokio::test]
async fn an_episode_is_told_once_when_it_begins_and_once_when_it_ends() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &format!("{}/hook?token=secret", server.uri())), ("ALERT_WEBHOOK_SECRET", "s3cret")]);
    app.tick("AlertEvaluator").await.ok();
    assert!(told(&server).await.is_empty(), "nothing is wrong");
    failing_set_ups(&app, 25).await;
    for _ in 0..3 {
        app.tick("AlertEvaluator").await.ok();
        app.clock.advance_millis(5_000);
    }
    let bodies = told(&server).await;
    let fired = of(&bodies, "call-setup-failed");
    assert_eq!(fired.len(), 1, "{bodies:?}");
    assert_eq!((&fired[0]["state"], &fired[0]["level"], &fired[0]["value"]), (&json!("firing"), &json!("P0"), &json!(100.0)));
    assert_eq!(fired[0]["runbook"], "docs/OPERATIONS.md#call-setup-failed");
    app.clock.advance_millis(140_000);
    app.tick("AlertEvaluator").await.ok();
    app.tick("AlertEvaluator").await.ok();
    let bodies = told(&server).await;
    let both = of(&bodies, "call-setup-failed");
    assert_eq!(both.iter().map(|body| &body["state"]).collect::<Vec<_>>(), ["firing", "resolved"]);
    assert_eq!(both[0]["episode"], both[1]["episode"]);
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.url.query(), Some("token=secret"));
        let header = request.headers["x-rtvoice-signature"].to_str().unwrap();
        let (at, mac) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).unwrap();
        let mut expected = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        expected.update(format!("{at}.").as_bytes());
        expected.update(&request.body);
        assert_eq!(mac, rtvoice::model::phrase::hex(&expected.finalize().into_bytes()));
    }
    app.finish().await;
}

#[tokio::test]
async fn pager_duty_slack_and_teams_get_what_they_take() {
    for (form, look) in [
        (
            "pagerduty",
            &(|body: &Value| body["event_action"] == "trigger" && body["routing_key"] == "key-1" && body["payload"]["severity"] == "critical")
                as &dyn Fn(&Value) -> bool,
        ),
        ("slack", &|body| body["text"].as_str().is_some_and(|text| text.contains("[P0] call-setup-failed fires on rtvoice/dev"))),
        ("teams", &|body| body["attachments"][0]["content"]["type"] == "AdaptiveCard"),
    ] {
        let server = receiver().await;
        let settings = [("ALERT_WEBHOOK_URL", &*server.uri()), ("ALERT_WEBHOOK_FORM", form), ("ALERT_WEBHOOK_SECRET", "key-1")];
        let app = Rtvoice::with(&settings);
        failing_set_ups(&app, 25).await;
        app.tick("AlertEvaluator").await.ok();
        let bodies = told(&server).await;
        assert!(bodies.iter().any(look), "{form}: {bodies:?}");
        app.finish().await;
    }
}

#[tokio::test]
async fn a_silent_rule_tells_nothing_until_its_silence_is_over() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    let until = app.clock_now().plus_millis(60_000);
    app.app.board.silence("*", Some(&(until, "a rehearsal".to_owned()))).await.unwrap();
    failing_set_ups(&app, 25).await;
    app.tick("AlertEvaluator").await.ok();
    assert!(told(&server).await.is_empty());
    app.clock.advance_millis(61_000);
    app.tick("AlertEvaluator").await.ok();
    assert_eq!(of(&told(&server).await, "call-setup-failed").len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn what_the_receiver_does_not_take_is_told_again() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    failing_set_ups(&app, 25).await;
    app.tick("AlertEvaluator").await.ok();
    let refused = app.app.metrics.total(ALERT_NOTICES, Worked::Failed);
    assert!(refused >= 1);
    server.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&server).await;
    app.tick("AlertEvaluator").await.ok();
    assert_eq!(of(&told(&server).await, "call-setup-failed").len(), 1);
    app.finish().await;
}
