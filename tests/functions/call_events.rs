//! CallEvents, the callback URI: arrays and single events, both handshakes, every fixture, participants, and the profile of
//! whoever turns out to be calling.

use std::path::Path;

use axum::http::Method;
use rtvoice::model::ids::CallId;
use serde_json::{Value, json};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

const EVENTS: &str = "/api/calls/events";

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acs").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

fn participants(sequence: i64, raw_ids: &[&str]) -> Value {
    let list: Vec<Value> = raw_ids.iter().map(|id| json!({"identifier": {"rawId": id, "kind": "phoneNumber"}, "isMuted": false, "isOnHold": false})).collect();
    json!({"sequenceNumber": sequence, "participants": list})
}

#[tokio::test]
async fn every_fixture_is_taken() {
    let app = Rtvoice::start();
    let mut taken = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if (name.starts_with("callback_") || name.starts_with("eventgrid_")) && !name.ends_with("_response.json") {
            let answer = app.post(EVENTS, &fixture(&name)).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            taken += 1;
        }
    }
    assert!(taken >= 50, "only {taken} fixtures were found");
    app.deliver_queue().await;
    app.finish().await;
}

#[tokio::test]
async fn one_event_alone_is_taken_like_an_array() {
    let app = Rtvoice::start();
    assert_eq!(app.post(EVENTS, &app.cloud_event("CallConnected", "call-1", "e1", json!({}))).await.ok(), json!({}));
    assert_eq!(app.post(EVENTS, &json!([])).await.ok(), json!({}));
    let batch = app.send(
        Method::POST,
        EVENTS,
        &[("content-type", "application/cloudevents-batch+json; charset=utf-8")],
        fixture("callback_batch_connected_participants.json").to_string(),
    );
    assert_eq!(batch.await.ok(), json!({}));
    assert_eq!(app.hash("call-1:session")["status"], "connected");
    assert_eq!(app.hash("401f3500-7c21-4d0a-9b6e-5f2c8a91d301:session")["phoneUser"], app.token("tel-14255550123").await.as_str());
    app.finish().await;
}

#[tokio::test]
async fn events_that_carry_state_update_the_session() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    let cases = [
        ("TranscriptionStarted", json!({"transcriptionUpdate": {"transcriptionStatus": "transcriptionStarted"}}), "transcription", "transcriptionStarted"),
        ("TranscriptionStopped", json!({"transcriptionUpdate": {"transcriptionStatus": "transcriptionStopped"}}), "transcription", "transcriptionStopped"),
        ("TranscriptionFailed", json!({"transcriptionUpdate": {"transcriptionStatus": "transcriptionFailed"}}), "transcription", "transcriptionFailed"),
        ("RecordingStateChanged", json!({"state": "active", "recordingId": "rec-1"}), "recordingState", "active"),
        ("CallTransferAccepted", json!({"transferTarget": {"rawId": "4:+14255550199"}}), "transferTarget", "4:+14255550199"),
    ];
    for (n, (kind, data, field, expected)) in cases.into_iter().enumerate() {
        app.post(EVENTS, &json!([app.cloud_event(kind, "call-1", &format!("s{n}"), data)])).await.ok();
        let call = CallId::parse("call-1").unwrap();
        let session = app.app.state.facts(&call).await.unwrap().unwrap();
        assert!(session.get(field).is_some_and(|value| value.contains(expected)), "{kind}: {session:?}");
        assert!(app.hash("call-1:session")[field].starts_with("e1."), "{kind} rests sealed");
        assert_eq!(session.get("status"), Some("connected"), "{kind}");
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let info = app.archive("call-1").await.unwrap().header.participant_info.unwrap();
    assert_eq!(info["recordingId"], "rec-1");
    assert_eq!(info["transcription"]["transcriptionStatus"], "transcriptionFailed");
    app.finish().await;
}

#[tokio::test]
async fn a_call_that_could_not_be_made_ends() {
    for kind in ["AnswerFailed", "CreateCallFailed"] {
        let app = Rtvoice::start();
        app.post(EVENTS, &json!([app.cloud_event(kind, "call-1", "e1", json!({"resultInformation": {"code": 486}}))])).await.ok();
        let session = app.hash("call-1:session");
        assert_eq!((session["status"].as_str(), session["endReason"].as_str()), ("ended", kind));
        app.deliver_queue().await;
        assert_eq!(app.archive("call-1").await.unwrap().header.end_reason.as_deref(), Some(kind));
        app.finish().await;
    }
}

#[tokio::test]
async fn the_latest_report_of_participants_counts() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    for (id, data) in [("p2", participants(2, &["8:acs:someone", "4:+14255550123", "4:+14255550124"])), ("p1", participants(1, &["4:+14255550199"]))] {
        app.post(EVENTS, &json!([app.cloud_event("ParticipantsUpdated", "call-1", id, data)])).await.ok();
    }
    let session = app.hash("call-1:session");
    assert_eq!((session["participantsSeq"].as_str(), session["phoneUser"].as_str()), ("2", app.token("tel-14255550123").await.as_str()));
    app.finish().await;
}

#[tokio::test]
async fn the_profile_of_the_first_phone_participant_reaches_the_reply() {
    let app = Rtvoice::start();
    app.patch(&app.user_path("tel-14255550123").await, &json!({"preferences": {"tone": "formal"}, "language": "de-DE"})).await.ok();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!(app.agent.prompts()[0]["profile"], Value::Null, "until a user is known no profile is read");
    app.post(EVENTS, &json!([app.cloud_event("ParticipantsUpdated", "call-1", "p1", participants(1, &["4:+14255550123"]))])).await.ok();
    app.quiesce().await;
    app.turn("call-1", "t2", "hello").await.ok();
    let profile = app.agent.prompts()[0]["profile"].clone();
    assert_eq!((&profile["preferences"]["tone"], &profile["language"]), (&json!("formal"), &json!("de-DE")));
    app.finish().await;
}

#[tokio::test]
async fn an_event_that_comes_again_brings_the_profile_that_the_first_delivery_did_not() {
    let app = Rtvoice::start();
    app.patch(&app.user_path("tel-14255550123").await, &json!({"preferences": {"tone": "formal"}})).await.ok();
    let event = json!([app.cloud_event("ParticipantsUpdated", "call-1", "p1", participants(1, &["4:+14255550123"]))]);
    // As if the handler had been killed between the event and the profile.
    app.state.fail_in("attach_profile", Fault::Away);
    app.post(EVENTS, &event).await.ok();
    app.quiesce().await;
    app.state.heal();
    app.state.calls();
    for _ in 0..2 {
        app.post(EVENTS, &event).await.ok();
        app.quiesce().await;
    }
    assert_eq!(app.state.calls().iter().filter(|call| **call == "attach_profile").count(), 1, "once it is there it stays");
    app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!(app.agent.prompts()[0]["profile"]["preferences"]["tone"], "formal");
    app.finish().await;
}

#[tokio::test]
async fn the_user_of_the_context_goes_before_the_phone() {
    let app = Rtvoice::start();
    app.patch(&app.user_path("customer-7").await, &json!({"preferences": {"tone": "casual"}})).await.ok();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.post("/api/calls/call-1/turns", &json!({"turnId": "t1", "text": "it is me", "context": {"user_id": "customer-7"}})).await.ok();
    app.post(EVENTS, &json!([app.cloud_event("ParticipantsUpdated", "call-1", "p1", participants(1, &["4:+14255550123"]))])).await.ok();
    app.quiesce().await;
    app.agent.prompts();
    app.turn("call-1", "t2", "hello").await.ok();
    assert_eq!(app.agent.prompts()[0]["profile"]["preferences"]["tone"], "casual");
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archive("call-1").await.unwrap().header.user, Some(app.token("customer-7").await));
    app.finish().await;
}

#[tokio::test]
async fn without_its_profile_a_call_is_anonymous_and_says_so() {
    for (fault, reason) in [(Fault::Away, "unavailable"), (Fault::Hang, "timeout")] {
        let app = Rtvoice::start();
        app.documents.fail(fault);
        app.post(EVENTS, &json!([app.cloud_event("ParticipantsUpdated", "call-1", "p1", participants(1, &["4:+14255550123"]))])).await.ok();
        app.quiesce().await;
        app.documents.heal();
        app.turn("call-1", "t1", "hello").await.ok();
        assert_eq!(app.agent.prompts()[0]["profile"], json!({"anonymous": true, "reason": reason}));
        app.finish().await;
    }
}

#[tokio::test]
async fn unknown_events_are_acknowledged_whatever_they_hold() {
    let app = Rtvoice::start();
    let before = app.dump();
    for data in [json!({}), json!("text"), json!([1, 2]), json!(7), Value::Null, json!({"callConnectionId": "a:b"})] {
        let event = json!({"specversion": "1.0", "id": "u1", "source": "/x", "type": "Microsoft.Communication.SomethingNew", "data": data});
        assert_eq!(app.post(EVENTS, &json!([event])).await.ok(), json!({}), "{data}");
    }
    assert_eq!(app.dump(), before);
    app.finish().await;
}

#[tokio::test]
async fn one_event_that_must_come_again_does_not_hold_up_the_others() {
    let app = Rtvoice::start();
    app.state.fail_in("apply", Fault::Away);
    let batch = json!([
        app.cloud_event("CallConnected", "call-1", "e1", json!({})),
        app.cloud_event("ParticipantsUpdated", "call-1", "p1", participants(1, &["4:+14255550123"])),
        app.cloud_event("CallDisconnected", "call-2", "e2", json!({})),
    ]);
    app.post(EVENTS, &batch).await.problem(503, "unavailable", "");
    app.state.heal();
    app.post(EVENTS, &batch).await.ok();
    app.deliver_queue().await;
    assert_eq!(app.hash("call-1:session")["phoneUser"], app.token("tel-14255550123").await.as_str());
    assert!(app.archive("call-2").await.is_some());
    app.finish().await;
}

#[tokio::test]
async fn the_validation_event_is_answered_with_its_code() {
    let app = Rtvoice::start();
    let answer = app.send(
        Method::POST,
        EVENTS,
        &[("content-type", "application/json"), ("aeg-event-type", "SubscriptionValidation")],
        fixture("eventgrid_subscription_validation.json").to_string(),
    );
    assert_eq!(answer.await.ok(), fixture("eventgrid_subscription_validation_response.json"));
    let without_code = json!([{"id": "v1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {}}]);
    app.post(EVENTS, &without_code).await.problem(400, "bad-input", "data.validationCode");
    app.finish().await;
}

#[tokio::test]
async fn the_options_handshake_allows_the_origin() {
    let app = Rtvoice::start();
    let answer = app.send(Method::OPTIONS, EVENTS, &[("webhook-request-origin", "eventgrid.azure.net"), ("webhook-request-rate", "120")], "").await;
    assert_eq!(answer.ok(), json!({}));
    assert_eq!(answer.header("webhook-allowed-origin"), "eventgrid.azure.net");
    assert_eq!(answer.header("webhook-allowed-rate"), "*");
    assert_eq!(answer.header("allow"), "POST, OPTIONS");
    assert_eq!(app.send(Method::OPTIONS, EVENTS, &[], "").await.header("webhook-allowed-origin"), "");
    app.finish().await;
}

/// Nothing in an event is required by ACS, and what is batched with it must not be lost for it.
#[tokio::test]
async fn participants_without_a_number_or_without_end_are_taken_as_far_as_they_go() {
    let app = Rtvoice::start();
    let phone = json!({"identifier": {"rawId": "4:+14255550123"}});
    let many: Vec<_> = (0..2000).map(|n| json!({"identifier": {"rawId": format!("8:acs:{n:050}")}})).collect();
    let first = app.cloud_event("ParticipantsUpdated", "call-1", "e1", json!({"participants": [phone]}));
    let second = app.cloud_event("ParticipantsUpdated", "call-1", "e2", json!({"sequenceNumber": 1, "participants": many}));
    let third = app.cloud_event("ParticipantsUpdated", "call-1", "e3", json!({"sequenceNumber": "two", "participants": {"none": true}}));
    app.post("/api/calls/events", &json!([first, second, third])).await.ok();
    app.event("CallDisconnected", "call-1", "e4").await.ok();
    app.deliver_queue().await;
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!(header.user, Some(app.token("tel-14255550123").await));
    let kept = header.participant_info.unwrap()["participants"].as_array().unwrap().len();
    assert!((100..2000).contains(&kept), "{kept} were kept");
    app.finish().await;
}

/// The order that was seen in the wild: the failure comes after the hang-up, and here after the archive.
#[tokio::test]
async fn a_failure_that_comes_after_the_archive_is_recorded_in_it() {
    let app = Rtvoice::start();
    app.event("CallDisconnected", "call-1", "e1").await.ok();
    app.deliver_queue().await;
    let late = app.cloud_event("CreateCallFailed", "call-1", "e2", json!({"resultInformation": {"code": 486, "subCode": 0, "message": "busy"}}));
    app.post("/api/calls/events", &late).await.ok();
    let header = app.archive("call-1").await.unwrap().header;
    assert_eq!(header.participant_info.unwrap()["failure"]["code"], 486);
    assert_eq!(header.end_reason.as_deref(), Some("CallDisconnected"));
    app.finish().await;
}
