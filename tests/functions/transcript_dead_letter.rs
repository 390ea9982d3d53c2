//! TranscriptDeadLetter: parks what nobody could read, once, and keeps the broker waiting until it is parked.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::app::{Answer, Rtvoice};
use crate::harness::faults::Fault;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn park(app: &Rtvoice, body: &[u8], metadata: Value) -> Answer {
    app.post("/TranscriptDeadLetter", &json!({"Data": {"message": BASE64.encode(body)}, "Metadata": metadata})).await
}

fn metadata(id: &str) -> Value {
    json!({
        "MessageId": format!("\"{id}\""), "EnqueuedTimeUtc": "2026-03-09T10:00:00",
        "ApplicationProperties": {"DeadLetterReason": "MaxDeliveryCountExceeded", "DeadLetterErrorDescription": "ten times", "traceparent": TRACE},
    })
}

#[tokio::test]
async fn a_message_is_parked_with_what_is_known_of_it() {
    let app = Rtvoice::start();
    let message = json!({"kind": "callEnded", "callConnectionId": "call-1", "at": app.clock_now(), "reason": "x", "lastSeq": 1}).to_string();
    park(&app, message.as_bytes(), metadata("m-1")).await.ok();
    let parked = app.parked().await.remove(0);
    let id = parked["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    let expected = json!({
        "id": id, "day": "2026-03-09", "type": "deadLetter", "parkedAt": app.clock_now(), "enqueuedAt": "2026-03-09T10:00:00.000Z",
        "messageId": "m-1", "reason": "MaxDeliveryCountExceeded", "description": "ten times", "callConnectionId": "call-1",
        "readable": true, "traceparent": TRACE, "encoding": "text", "body": message, "bytes": message.len(), "truncated": false,
        "expiresAt": app.clock_now().plus_millis(30 * 86_400_000), "ttl": 30 * 86_400,
    });
    assert_eq!(parked, expected);
    app.finish_with(0, 1).await;
}

#[tokio::test]
async fn parking_is_idempotent() {
    let app = Rtvoice::start();
    for _ in 0..3 {
        park(&app, b"spoilt", metadata("m-1")).await.ok();
        app.clock.advance_millis(86_400_000);
    }
    park(&app, b"spoilt", metadata("m-2")).await.ok();
    app.finish_with(0, 2).await;
}

#[tokio::test]
async fn any_bytes_can_be_parked() {
    let app = Rtvoice::start();
    for (body, encoding, kept) in [
        (b"plain text".as_slice(), "text", "plain text".to_owned()),
        (b"test", "text", "test".to_owned()),
        (&[0xff, 0x00, 0xfe], "base64", BASE64.encode([0xff, 0x00, 0xfe])),
        ("nul \u{0} and \u{1f600}".as_bytes(), "text", "nul \u{0} and \u{1f600}".to_owned()),
    ] {
        let day = format!("2026-02-{:02}", body.len());
        park(&app, body, json!({"MessageId": "\"m\"", "EnqueuedTimeUtc": format!("{day}T10:00:00")})).await.ok();
        let parked = app.parked().await.into_iter().find(|d| d["day"] == day).unwrap();
        assert_eq!((&parked["encoding"], &parked["body"], &parked["readable"]), (&json!(encoding), &json!(kept), &json!(false)));
    }
    app.finish_with(0, 4).await;
}

#[tokio::test]
async fn a_message_too_large_for_a_document_is_parked_in_part_not_in_a_loop() {
    let app = Rtvoice::start();
    for (n, body) in
        [vec![b'x'; 2_500_000], vec![0xff; 2_500_000], "\u{1}".repeat(1_500_000).into_bytes(), "ä".repeat(1_200_000).into_bytes()].iter().enumerate()
    {
        park(&app, body, metadata(&format!("m-{n}"))).await.ok();
        let parked = app.parked().await.into_iter().find(|d| d["messageId"] == format!("m-{n}")).unwrap();
        assert_eq!((&parked["truncated"], &parked["bytes"]), (&json!(true), &json!(body.len())));
        assert!(parked["body"].as_str().unwrap().len() > 200_000);
    }
    app.finish_with(0, 4).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_acknowledged_only_once_it_is_parked() {
    let app = Rtvoice::start();
    app.enqueue("not a message").await;
    app.deliver_queue().await;
    app.documents.fail(Fault::Away);
    let delivery = app.embedded_queue().receive_dead(1, Duration::from_secs(60)).await.unwrap().remove(0);
    let began = Instant::now();
    app.deliver("TranscriptDeadLetter", &delivery, false).await.problem(503, "unavailable", "");
    let took = began.elapsed();
    assert!((30..60).contains(&took.as_secs()), "it would come back at once, without end: {took:?}");
    assert!(app.documents.calls().len() < 20, "the record is not stormed");
    app.embedded_queue().abandon(&delivery).await.unwrap();
    app.documents.heal();
    assert_eq!(app.deliver_dead().await, 1);
    let parked = app.parked().await.remove(0);
    assert_eq!((&parked["reason"], &parked["body"]), (&json!("MaxDeliveryCountExceeded"), &json!("not a message")));
    app.finish_with(0, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_away_for_a_moment_is_waited_for() {
    let app = Rtvoice::start();
    app.documents.fail(Fault::Away);
    let (answer, ()) = tokio::join!(park(&app, b"spoilt", metadata("m-1")), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        app.documents.heal();
    });
    answer.ok();
    app.finish_with(0, 1).await;
}

#[tokio::test]
async fn metadata_that_the_sender_may_have_written_is_not_believed() {
    let app = Rtvoice::start();
    let body = json!({"MessageId": "forged", "EnqueuedTimeUtc": "2020-01-01T00:00:00", "ApplicationProperties": {"DeadLetterReason": "forged"}});
    let forged = json!({"MessageId": "\"forged\"", "EnqueuedTimeUtc": "2020-01-01T00:00:00", "ApplicationProperties": {"DeadLetterReason": "forged"}});
    for value in [json!(Value::String(body.to_string()).to_string()), json!(body.to_string()), body.clone()] {
        app.post("/TranscriptDeadLetter", &json!({"Data": {"message": value}, "Metadata": forged})).await.ok();
    }
    let parked = app.parked().await;
    assert!(!parked.is_empty());
    for document in &parked {
        assert_eq!((&document["messageId"], &document["reason"], &document["enqueuedAt"]), (&Value::Null, &Value::Null, &Value::Null));
    }
    app.finish_with(0, parked.len()).await;
}
