//! AlertEvaluator: what fires is told once, what is over is told once, in the form that the receiver takes; silence is kept.

use hmac::{Hmac, Mac as _};
use rtvoice::ports::board::Silence;
use rtvoice::telemetry::label::{AuthSource, Only, RoomName, Worked};
use rtvoice::telemetry::metric::{ALERT_NOTICES, AUTH_FAILURES, IN_FLIGHT_USE, REDIS_MEMORY_SHARE};
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::mail::{MailServer, Options, Trouble};
use crate::harness::stopwatch::Stopwatch;

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
async fn it_goes_on_while_the_few_calls_that_come_all_fail() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    failing_set_ups(&app, 25).await;
    app.tick("AlertEvaluator").await.ok();
    // A minute at a time: fewer than make it fire.
    for _ in 0..5 {
        app.clock.advance_millis(60_000);
        failing_set_ups(&app, 3).await;
        app.tick("AlertEvaluator").await.ok();
    }
    let bodies = told(&server).await;
    assert_eq!(of(&bodies, "call-setup-failed").iter().map(|body| &body["state"]).collect::<Vec<_>>(), ["firing"]);
    app.clock.advance_millis(140_000);
    app.tick("AlertEvaluator").await.ok();
    let bodies = told(&server).await;
    assert_eq!(of(&bodies, "call-setup-failed").last().unwrap()["state"], "resolved");
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
    app.app.board.silence("*", Some(&Silence { from: None, until, why: "a rehearsal".to_owned() })).await.unwrap();
    failing_set_ups(&app, 25).await;
    app.tick("AlertEvaluator").await.ok();
    assert!(told(&server).await.is_empty());
    app.clock.advance_millis(61_000);
    app.tick("AlertEvaluator").await.ok();
    assert_eq!(of(&told(&server).await, "call-setup-failed").len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_silence_that_is_planned_holds_from_its_beginning_to_its_end() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    let (from, until) = (app.clock_now().plus_millis(600_000), app.clock_now().plus_millis(1_200_000));
    app.app.board.silence("call-setup-failed", Some(&Silence { from: Some(from), until, why: "a move".to_owned() })).await.unwrap();
    let fired = async || of(&told(&server).await, "call-setup-failed").iter().filter(|body| body["state"] == "firing").count();
    for (at, expected) in [("before", 1), ("while", 1), ("after", 2)] {
        failing_set_ups(&app, 25).await;
        app.tick("AlertEvaluator").await.ok();
        assert_eq!(fired().await, expected, "{at}");
        app.clock.advance_millis(610_000);
        app.tick("AlertEvaluator").await.ok();
    }
    app.finish().await;
}

#[tokio::test]
async fn the_hook_to_scale_out_is_called_until_it_takes_it_ever_more_seldom_and_not_when_it_is_over() {
    let hook = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&hook).await;
    let app = Rtvoice::with(&[("SCALE_OUT_WEBHOOK_URL", &hook.uri())]);
    let calls = async || hook.received_requests().await.unwrap().len();
    let minutes = async |share: f64, minutes: usize| {
        for _ in 0..minutes * 12 {
            app.app.metrics.set(REDIS_MEMORY_SHARE, Only, share);
            app.tick("AlertEvaluator").await.ok();
            app.clock.advance_millis(5_000);
        }
    };
    minutes(0.9, 10).await;
    // At 0, 5, 15, 35, 75, 155, 315 and 615 s.
    assert_eq!(calls().await, 7);
    hook.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&hook).await;
    minutes(0.9, 10).await;
    assert_eq!(calls().await, 1, "taken once");
    let body: Value = hook.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!((&body["type"], &body["rule"]), (&json!("scale-out"), &json!("redis-memory-critical")));
    minutes(0.1, 3).await;
    assert_eq!(calls().await, 1, "not when it is over");
    // What was not taken is not wanted any more once it is over.
    hook.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&hook).await;
    minutes(0.9, 1).await;
    minutes(0.1, 5).await;
    let before = calls().await;
    assert!((1..=6).contains(&before), "{before}");
    minutes(0.1, 10).await;
    assert_eq!(calls().await, before);
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

/// An app that tells this webhook and this mail server.
fn mailing(webhook: &MockServer, mail: &MailServer) -> Rtvoice {
    let mut settings = mail.settings("starttls");
    settings.push(("ALERT_WEBHOOK_URL", webhook.uri()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Rtvoice::with(&settings)
}

#[tokio::test]
async fn what_must_be_acted_on_is_mailed_when_it_begins_and_when_it_ends() {
    let (webhook, mail) = (receiver().await, MailServer::start(Options::default()));
    let app = mailing(&webhook, &mail);
    // P0, P1 and P2.
    failing_set_ups(&app, 25).await;
    app.app.metrics.add(AUTH_FAILURES, AuthSource::Caller, 30);
    (0..3).for_each(|_| app.app.metrics.record(IN_FLIGHT_USE, RoomName::Interactive, 95));
    for _ in 0..3 {
        app.tick("AlertEvaluator").await.ok();
        app.clock.advance_millis(5_000);
    }
    let about = |rule: &str| mail.letters().into_iter().filter(|letter| letter.header("Subject").contains(&format!(" {rule} "))).collect::<Vec<_>>();
    for (rule, level) in [("call-setup-failed", "[P0] "), ("authentication-failures", "[P1] ")] {
        let letters = about(rule);
        assert_eq!(letters.len(), 1, "{rule}: {letters:?}");
        assert!(letters[0].header("Subject").starts_with(&format!("{level}{rule} fires on rtvoice/dev")), "{}", letters[0].header("Subject"));
        assert!(letters[0].body().contains(&format!("docs/OPERATIONS.md#{rule}")), "{}", letters[0].body());
    }
    assert_eq!((of(&told(&webhook).await, "in-flight").len(), about("in-flight").len()), (1, 0), "P2 fills no mailbox");
    app.clock.advance_millis(400_000);
    app.tick("AlertEvaluator").await.ok();
    app.tick("AlertEvaluator").await.ok();
    for rule in ["call-setup-failed", "authentication-failures"] {
        let letters = about(rule);
        assert_eq!(letters.len(), 2, "{rule}: {letters:?}");
        assert_eq!(letters[1].header("In-Reply-To"), letters[0].header("Message-ID"));
        assert!(letters[1].header("Subject").contains("is resolved"));
    }
    assert_eq!(mail.complaints(), Vec::<String>::new());
    app.finish().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_tried_each_minute_and_holds_up_nobody() {
    let (webhook, mail) = (receiver().await, MailServer::start(Options::default()));
    let app = mailing(&webhook, &mail);
    mail.inject([("MAIL", Trouble::Say("451 later")), ("MAIL", Trouble::Say("451 later"))]);
    failing_set_ups(&app, 25).await;
    let mut letters = Vec::new();
    for _ in 0..26 {
        app.tick("AlertEvaluator").await.ok();
        letters.push(mail.letters().len());
        app.clock.advance_millis(5_000);
    }
    let burns = mail.letters().iter().filter(|letter| letter.header("Subject").contains("burn")).count();
    assert_eq!((letters[23], letters[24], burns), (0, 3, 2), "after two minutes, with all that waited: {letters:?}");
    assert_eq!(mail.sessions(), 2 + 3, "one attempt a minute, whatever waits");
    let bodies = told(&webhook).await;
    assert_eq!(of(&bodies, "call-setup-failed").len(), 1, "the webhook is not told again: {bodies:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_mail_server_that_hangs_keeps_no_round_waiting() {
    let (webhook, mail) = (receiver().await, MailServer::start(Options::default()));
    let app = mailing(&webhook, &mail);
    mail.inject([("MAIL", Trouble::Hang)]);
    failing_set_ups(&app, 25).await;
    let watch = Stopwatch::start();
    app.tick("AlertEvaluator").await.ok();
    watch.below(std::time::Duration::from_millis(4_500), "a round that meets a mail server that hangs");
    assert_eq!((of(&told(&webhook).await, "call-setup-failed").len(), mail.sessions()), (1, 1));
    // It hangs on: the next round judges and tells others all the same.
    let watch = Stopwatch::start();
    app.app.metrics.add(AUTH_FAILURES, AuthSource::Caller, 30);
    app.tick("AlertEvaluator").await.ok();
    watch.below(std::time::Duration::from_millis(1_500), "the round after it");
    assert_eq!((of(&told(&webhook).await, "authentication-failures").len(), mail.sessions()), (1, 1));
    app.quiesce().await;
    assert!(mail.letters().iter().any(|letter| letter.header("Subject").contains("call-setup-failed")), "the second attempt, after six seconds");
    app.finish().await;
}
