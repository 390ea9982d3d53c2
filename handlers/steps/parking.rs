//! Parking what can never be taken: a document in `deadletters`, so that it is neither lost nor delivered for ever.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::phrase::hex;
use crate::ports::documents::{Condition, Container};

/// Most bytes of an event that are kept.
const KEPT: usize = 256 * 1024;

/// Parks one event that no delivery can make acceptable. The same event again on one day is the same document.
pub async fn event(app: &App, event: &Value, reason: &Error) -> Result<()> {
    let now = app.clock.now();
    let text = event.to_string();
    let field = reason.field.as_deref().unwrap_or("event");
    let document = json!({
        "id": hex(&Sha256::digest(text.as_bytes())),
        "day": now.day(),
        "type": "event",
        "parkedAt": now,
        "reason": "BadInput",
        "description": format!("{field} {}", reason.detail),
        "readable": false,
        "encoding": "text",
        "body": &text[..text.floor_char_boundary(KEPT)],
        "bytes": text.len(),
        "truncated": text.len() > KEPT,
    });
    app.documents.put(Container::DeadLetters, &document, Condition::Always).await?;
    tracing::error!(metric = "events.parked", value = 1, field, "an event that can never be taken was parked");
    Ok(())
}
