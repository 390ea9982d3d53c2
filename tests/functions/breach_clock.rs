//! BreachClock: reminders at their hours, each taken once, and incidents out of security events.

use rtvoice::error::Kind;
use rtvoice::ports::documents::Container;
use rtvoice::steps::breach::{SecurityEvent, reported, security_event};
use rtvoice::steps::watch;
use rtvoice::telemetry::label::{Only, SecurityKind};
use rtvoice::telemetry::metric::{AUDIT_BREAKS, SECURITY_EVENTS};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::app::{Answer, Rtvoice};
use crate::harness::faults::Fault;

const HOUR: i64 = 3_600_000;

async fn tick(rt: &Rtvoice) -> Answer {
    rt.envelope("BreachClock", "timer", json!({"IsPastDue": false})).await
}

async fn webhook(status: u16) -> MockServer {
    let server = MockServer::start().await;
    answer(&server, status).await;
    server
}

async fn answer(server: &MockServer, status: u16) {
    server.reset().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(server).await;
}

async fn told(server: &MockServer) -> Vec<Value> {
    server.received_requests().await.unwrap().iter().map(|r| serde_json::from_slice(&r.body).unwrap()).collect()
}

async fn aware(rt: &Rtvoice) -> String {
    let id = rt.post("/api/breaches", &json!({})).await.json()["id"].as_str().unwrap().to_owned();
    rt.post(&format!("/api/breaches/{id}/triage"), &json!({})).await.ok();
    rt.post(&format!("/api/breaches/{id}/aware"), &json!({"reason": "certain"})).await.ok();
    id
}

fn hours(told: &[Value]) -> Vec<u64> {
    told.iter().map(|t| t["hours"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn reminders_come_at_their_hours_and_once() {
    let server = webhook(204).await;
    let rt = Rtvoice::with(&[("BREACH_WEBHOOK_URL", &server.uri())]);
    let id = aware(&rt).await;
    let mut expected = Vec::new();
    for hour in 1..=80u64 {
        rt.clock.advance_millis(HOUR - 1);
        tick(&rt).await.ok();
        assert_eq!(hours(&told(&server).await), expected, "a moment before hour {hour}");
        rt.clock.advance_millis(1);
        tick(&rt).await.ok();
        expected.extend([24, 48, 60, 71].contains(&hour).then_some(hour));
        assert_eq!(hours(&told(&server).await), expected, "at hour {hour}");
    }
    let last = told(&server).await.pop().unwrap();
    assert_eq!((&last["breachId"], &last["remainingSeconds"], &last["reminderId"]), (&json!(id), &json!(3600), &json!(format!("{id}-71"))));
    rt.finish().await;
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_until_it_is() {
    let server = webhook(500).await;
    let rt = Rtvoice::with(&[("BREACH_WEBHOOK_URL", &server.uri())]);
    aware(&rt).await;
    rt.clock.advance_millis(25 * HOUR);
    tick(&rt).await.problem(503, Kind::Unavailable.row().slug, "");
    answer(&server, 200).await;
    rt.clock.advance_millis(300_000);
    tick(&rt).await.ok();
    tick(&rt).await.ok();
    assert_eq!(hours(&told(&server).await), [24]);
    rt.finish().await;
}

#[tokio::test]
async fn many_instances_tell_it_once() {
    let server = webhook(200).await;
    let rt = Rtvoice::with(&[("BREACH_WEBHOOK_URL", &server.uri())]);
    aware(&rt).await;
    rt.clock.advance_millis(49 * HOUR);
    for answer in futures::future::join_all((0..8).map(|_| tick(&rt))).await {
        answer.ok();
    }
    let mut found = hours(&told(&server).await);
    found.sort_unstable();
    assert_eq!(found, [24, 48]);
    rt.finish().await;
}

#[tokio::test]
async fn once_the_authority_knows_nobody_is_reminded() {
    let server = webhook(200).await;
    let rt = Rtvoice::with(&[("BREACH_WEBHOOK_URL", &server.uri())]);
    let id = aware(&rt).await;
    rt.post(&format!("/api/breaches/{id}/assess"), &json!({"risk": "risk", "rationale": "x"})).await.ok();
    let notice = json!({"authority": {"name": "CNIL"}, "phase": true});
    rt.post(&format!("/api/breaches/{id}/notify"), &notice).await.ok();
    rt.clock.advance_millis(80 * HOUR);
    tick(&rt).await.ok();
    assert!(told(&server).await.is_empty());
    rt.finish().await;
}

#[tokio::test]
async fn security_events_of_an_hour_are_one_incident() {
    let rt = Rtvoice::start();
    for _ in 0..9 {
        security_event(&rt.app, SecurityEvent::BadToken, "a test");
    }
    rt.quiesce().await;
    assert!(rt.documents_in(Container::Breaches).is_empty(), "nine may be a mistake");
    security_event(&rt.app, SecurityEvent::BadToken, "a test");
    rt.quiesce().await;
    let found = rt.documents_in(Container::Breaches);
    assert_eq!((&found[0]["id"], &found[0]["events"]["count"], &found[0]["state"]), (&json!("inc-bad-token-2026031017"), &json!(10), &json!("detected")));
    // While they keep coming they are counted, and written with the next tick.
    security_event(&rt.app, SecurityEvent::BadToken, "a test");
    for _ in 0..10 {
        security_event(&rt.app, SecurityEvent::BadToken, "a test");
    }
    rt.quiesce().await;
    tick(&rt).await.ok();
    assert_eq!(rt.documents_in(Container::Breaches)[0]["events"]["count"], 21, "from the next burst on");
    // Another hour, another incident; what cannot be a mistake needs no burst.
    rt.clock.advance_millis(HOUR);
    assert_eq!(reported(&rt.app, SecurityEvent::AuditBreak, "a test").await.unwrap().as_deref(), Some("inc-audit-break-2026031018"));
    assert_eq!(rt.app.metrics.total(SECURITY_EVENTS, SecurityKind::AuditBreak), 1);
    rt.finish().await;
}

#[tokio::test]
async fn a_break_of_the_audit_log_is_a_security_event_and_fires() {
    let rt = Rtvoice::start();
    rt.app.metrics.count(AUDIT_BREAKS, Only);
    for round in 0..2 {
        watch::round(&rt.app).await;
        rt.quiesce().await;
        assert_eq!(rt.app.metrics.total(SECURITY_EVENTS, SecurityKind::AuditBreak), 1, "round {round}");
        assert!(rt.app.board.episodes().await.unwrap().contains_key("security-event"), "round {round}");
    }
    assert_eq!(rt.documents_in(Container::Breaches)[0]["source"], "security:audit-break");
    rt.finish().await;
}

#[tokio::test]
async fn an_incident_that_cannot_be_written_comes_later() {
    let rt = Rtvoice::start();
    rt.documents.fail(Fault::Away);
    security_event(&rt.app, SecurityEvent::KeyDenied, "a test");
    rt.quiesce().await;
    rt.documents.heal();
    tick(&rt).await.ok();
    assert_eq!(rt.documents_in(Container::Breaches)[0]["source"], "security:key-denied");
    rt.finish().await;
}

#[tokio::test]
async fn a_burst_of_wrong_lease_tokens_is_an_incident() {
    let rt = Rtvoice::start();
    rt.event("CallConnected", "call-1", "e1").await.ok();
    let path = "/api/workers/worker-1/calls/call-1";
    rt.put(path, &json!({})).await.ok();
    for _ in 0..12 {
        // Another worker that asks is nothing unusual; the holder with another token is.
        rt.put("/api/workers/worker-2/calls/call-1", &json!({"leaseToken": "guess"})).await.problem(409, "conflict", "");
    }
    rt.quiesce().await;
    assert!(rt.documents_in(Container::Breaches).is_empty());
    for _ in 0..10 {
        rt.put(path, &json!({"leaseToken": "guess"})).await.problem(409, "conflict", "");
    }
    rt.quiesce().await;
    assert_eq!(rt.documents_in(Container::Breaches)[0]["source"], "security:bad-token");
    rt.finish().await;
}
