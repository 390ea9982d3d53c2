//! TranscriptDeadLetter: parks what could not be read. In: one message of the dead-letter queue. Out: a document in
//! `deadletters`; the message is acknowledged only once that document is confirmed.
//!
//! The broker gives a dead letter back at once and without end, so a record that is away is waited for with back-off
//! in here: a failure comes after 40 s, not in a loop.

use std::time::Duration;

use base64::Engine as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::model::phrase::hex;
use crate::model::time::Timestamp;
use crate::model::transcript::TranscriptMessage;
use crate::ports::documents::{Condition, Container};
use crate::steps::masking::masked;
use crate::steps::parking;
use crate::telemetry::label::Only;
use crate::telemetry::metric::DEAD_LETTERS;

/// Name of the trigger's binding.
pub const BINDING: &str = "message";
/// Longest property of a message that is kept, in characters.
const PROPERTY_CHARS: usize = 1024;
/// Most bytes of a body that are kept: a document takes 2 MiB as JSON, in which one byte may become six characters. A
/// message that could not be parked would come again for ever.
const BODY_BYTES: usize = 256 * 1024;
/// How long the record is waited for before the message goes back; with the last try below the function's deadline.
const PATIENCE: Duration = Duration::from_secs(40);
/// First pause; each further one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What is kept of a body, and how it is written: as text where it is text, else as base64.
fn kept(bytes: &[u8]) -> (String, &'static str) {
    let head = &bytes[..bytes.len().min(BODY_BYTES)];
    match std::str::from_utf8(bytes) {
        // Cut between two characters.
        Ok(text) => (text[..text.floor_char_boundary(head.len())].to_owned(), "text"),
        Err(_) => (base64::engine::general_purpose::STANDARD.encode(head), "base64"),
    }
}

/// Parks one message. The same message again is the same document.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    // function.json says `dataType: binary`: what is not JSON comes as base64, too.
    let payload = envelope.binary(BINDING)?;
    let property = |name: &str| envelope.metadata_text(name).map(|text| text.chars().take(PROPERTY_CHARS).collect::<String>());
    let message_id = property("MessageId");
    // The host gives UTC without an offset.
    let enqueued = property("EnqueuedTimeUtc").and_then(|t| Timestamp::parse(&t).or_else(|| Timestamp::parse(&format!("{t}Z"))));
    let now = app.clock.now();
    let mut hasher = Sha256::new();
    hasher.update(message_id.as_deref().unwrap_or(""));
    hasher.update([0]);
    hasher.update(&payload.bytes);
    let hash = hex(&hasher.finalize());
    let (body, encoding) = kept(&payload.bytes);
    let readable = TranscriptMessage::parse(&payload.bytes);
    // What a broker or a sender wrote there may quote the message.
    let remark = |name: &str| envelope.application_property(name).map(|text| masked(&text.chars().take(PROPERTY_CHARS).collect::<String>()));
    let call = readable.as_ref().ok().map(TranscriptMessage::call);
    let parked = patiently(|| async {
        // A plain hash of what somebody said could be guessed.
        let id = app.vault.fingerprint(&hash).await?;
        let (subject, body) = parking::sealed(&app, &id, call, &body).await?;
        Ok((id, subject, body))
    });
    let (id, subject, body) = parked.await?;
    let document = json!({
        "id": id,
        "subject": subject,
        "day": enqueued.unwrap_or(now).day(),
        "type": "deadLetter",
        "parkedAt": now,
        "enqueuedAt": enqueued,
        "messageId": message_id,
        "reason": remark("DeadLetterReason"),
        "description": remark("DeadLetterErrorDescription"),
        "callConnectionId": call,
        "readable": readable.is_ok(),
        "traceparent": envelope.traceparent(),
        "encoding": encoding,
        "body": body,
        "bytes": payload.bytes.len(),
        "truncated": payload.bytes.len() > BODY_BYTES,
    });
    patiently(|| async { app.documents.put(Container::DeadLetters, &document, Condition::Always).await.map(drop) }).await?;
    app.metrics.count(DEAD_LETTERS, Only);
    tracing::error!("a message was parked");
    Ok(())
}

/// Does what needs the record, again with back-off for as long as there is patience. Whatever the reason: the message would
/// come back at once.
async fn patiently<T, W: Future<Output = Result<T>>>(work: impl Fn() -> W) -> Result<T> {
    let began = Instant::now();
    let mut pause = PAUSE;
    loop {
        let e = match work().await {
            Ok(done) => return Ok(done),
            Err(e) => e,
        };
        let left = PATIENCE.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(e);
        }
        tracing::debug!(error = e.chain(), "a message cannot be parked yet: waiting");
        tokio::time::sleep(e.retry_after.unwrap_or(pause).max(pause).min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
