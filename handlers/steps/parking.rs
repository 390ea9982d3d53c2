//! Parking what can never be taken: a document in `deadletters`, so that it is neither lost nor delivered for ever.

use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::{CallId, UserToken};
use crate::ports::documents::{Condition, Container};
use crate::privacy::envelope::Place;
use crate::telemetry::label::Only;
use crate::telemetry::metric::EVENTS_PARKED;

/// Most bytes of an event that are kept.
const KEPT: usize = 256 * 1024;

/// Stands, with the day behind it, for the call where nobody knows which one a parked body is about: a key of the day ends
/// after what it seals, one for all days would end before.
const NOBODY: &str = "parked-";

/// The body of a parked document, sealed, with the token that it is sealed for: its call's, so that it goes with the call's key.
pub async fn sealed(app: &App, id: &str, call: Option<&CallId>, body: &str) -> Result<(UserToken, String)> {
    let subject = match call {
        Some(call) => app.vault.call_token(call).await?,
        None => app.vault.call_token(&CallId::parse(format!("{NOBODY}{}", app.clock.now().day()))?).await?,
    };
    let sealed = app.vault.seal(&subject, &Place::document(Container::DeadLetters.name(), id, "/body"), body.as_bytes()).await?;
    Ok((subject, sealed))
}

/// The body of a parked document in clear.
pub async fn opened(app: &App, document: &Value) -> Result<String> {
    let text = |field: &str| document[field].as_str().ok_or_else(|| Error::internal("a parked document is not readable"));
    let subject = UserToken::parse(text("subject")?)?;
    let body = app.vault.open(&subject, &Place::document(Container::DeadLetters.name(), text("id")?, "/body"), text("body")?).await?;
    String::from_utf8(body).map_err(|_| Error::internal("a parked body is no text"))
}

/// Parks one event that no delivery can make acceptable. The same event again on one day is the same document.
pub async fn event(app: &App, event: &Value, reason: &Error) -> Result<()> {
    let now = app.clock.now();
    let text = event.to_string();
    let field = reason.field.as_deref().unwrap_or("event");
    // A plain hash of what somebody said could be guessed.
    let id = app.vault.fingerprint(&text).await?;
    let call = event.pointer("/data/callConnectionId").and_then(Value::as_str).and_then(|call| CallId::parse(call).ok());
    let (subject, body) = sealed(app, &id, call.as_ref(), &text[..text.floor_char_boundary(KEPT)]).await?;
    let document = json!({
        "id": id,
        "day": now.day(),
        "type": "event",
        "parkedAt": now,
        "reason": "BadInput",
        "description": format!("{field} {}", reason.detail),
        "readable": false,
        "encoding": "text",
        "callConnectionId": call,
        "subject": subject,
        "body": body,
        "bytes": text.len(),
        "truncated": text.len() > KEPT,
    });
    app.documents.put(Container::DeadLetters, &document, Condition::Always).await?;
    app.metrics.count(EVENTS_PARKED, Only);
    tracing::error!(field, "an event that can never be taken was parked");
    Ok(())
}
