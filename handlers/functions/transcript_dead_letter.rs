//! TranscriptDeadLetter: parks what could not be read. In: one message of the dead-letter queue. Out: a document in
//! `deadletters`; the message is acknowledged only once that document is confirmed.

use base64::Engine as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::model::phrase::hex;
use crate::model::time::Timestamp;
use crate::model::transcript::TranscriptMessage;
use crate::ports::documents::{Condition, Container};

/// Name of the trigger's binding.
pub const BINDING: &str = "message";
/// Longest property of a message that is kept, in characters.
const PROPERTY_CHARS: usize = 1024;

/// Parks one message. The same message again is the same document.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
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
    let (body, encoding) = match std::str::from_utf8(&payload.bytes) {
        Ok(text) => (text.to_owned(), "text"),
        Err(_) => (base64::engine::general_purpose::STANDARD.encode(&payload.bytes), "base64"),
    };
    let readable = TranscriptMessage::parse(&payload.bytes);
    let document = json!({
        "id": hex(&hasher.finalize()),
        "day": enqueued.unwrap_or(now).day(),
        "type": "deadLetter",
        "parkedAt": now,
        "enqueuedAt": enqueued,
        "messageId": message_id,
        "reason": envelope.application_property("DeadLetterReason").map(|text| text.chars().take(PROPERTY_CHARS).collect::<String>()),
        "description": envelope.application_property("DeadLetterErrorDescription").map(|text| text.chars().take(PROPERTY_CHARS).collect::<String>()),
        "callConnectionId": readable.as_ref().ok().map(TranscriptMessage::call),
        "readable": readable.is_ok(),
        "encoding": encoding,
        "body": body,
    });
    app.documents.put(Container::DeadLetters, &document, Condition::Always).await?;
    tracing::error!(metric = "transcript.dead_letters", value = 1, "a message was parked");
    Ok(())
}
