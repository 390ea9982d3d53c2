//! Parking what can never be taken: a document in `deadletters`, so that it is neither lost nor delivered for ever.
//!
//! In: a message or an event that nobody could read, which may hold anything a caller said. Out: its document, whose `body` is
//! sealed, and back. The subject is the call's token where the call is known, else one of the day, so that the key ends with
//! what it seals. Fails as the record and the vault do.

use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::{CallId, UserToken};
use crate::ports::documents::{Condition, Container};
use crate::privacy::envelope::Place;

/// Most bytes of an event that are kept.
const KEPT: usize = 256 * 1024;
/// The field that is sealed, and where it stands.
const BODY: &str = "body";
const POINTER: &str = "/body";
/// Whose key it is sealed under.
const SUBJECT: &str = "subject";

/// Parks a document with `id`, `day` and `body`; of the call where it is known.
pub async fn keep(app: &App, document: &Value, call: Option<&CallId>) -> Result<()> {
    let mut document = document.clone();
    if !app.vault.is_off() {
        let subject = match call {
            Some(call) => app.vault.call_token(call).await?,
            None => app.vault.call_token(&CallId::parse(format!("parked-{}", text(&document, "day")))?).await?,
        };
        let sealed = app.vault.seal(&subject, &place(text(&document, "id")), text(&document, BODY).as_bytes()).await?;
        document[BODY] = sealed.into();
        document[SUBJECT] = subject.to_string().into();
    }
    app.documents.put(Container::DeadLetters, &document, Condition::Always).await.map(drop)
}

/// A parked document with its body in clear. `Tampered` where it is not what was parked, `Erased` where its key is gone.
pub async fn opened(app: &App, mut document: Value) -> Result<Value> {
    let Some(subject) = document.get(SUBJECT).and_then(Value::as_str) else { return Ok(document) };
    let opened = app.vault.open(&UserToken::parse(subject)?, &place(text(&document, "id")), text(&document, BODY)).await?;
    document[BODY] = String::from_utf8(opened).map_err(|_| Error::internal("a parked body is no text"))?.into();
    Ok(document)
}

fn place(id: &str) -> Place<'_> {
    Place::document(Container::DeadLetters.name(), id, POINTER)
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Parks one event that no delivery can make acceptable. The same event again on one day is the same document.
pub async fn event(app: &App, event: &Value, reason: &Error) -> Result<()> {
    let now = app.clock.now();
    let text = event.to_string();
    let field = reason.field.as_deref().unwrap_or("event");
    let document = json!({
        // Keyed: the plain hash of an event could be guessed.
        "id": app.vault.fingerprint(&text).await?,
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
    keep(app, &document, None).await?;
    tracing::error!(metric = "events.parked", value = 1, field, "an event that can never be taken was parked");
    Ok(())
}
