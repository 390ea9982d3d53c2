//! `/runtime/webhooks/eventgrid?functionName=F`: what Event Grid calls. Both handshakes are answered here; the handler
//! never sees them. Each event becomes one envelope, all in parallel; 202 when all went well, else 500, after which
//! Event Grid sends the whole batch again.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures::future::join_all;
use serde_json::{Value, json};

use super::front::Front;
use super::keys::query_value;
use crate::host::compose::{self, Invocation};
use crate::host::link::Invoker as _;
use crate::host::manifest::{Function, Trigger};

/// The origin that Event Grid names when it validates a CloudEvents subscription.
const ORIGIN: &str = "eventgrid.azure.net";

/// Answers one call of the webhook.
pub async fn webhook(front: &Front, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let function = query_value(uri, "functionName").and_then(|name| front.manifest.function(&name));
    let function = function.filter(|f| matches!(f.trigger, Trigger::EventGrid(_)) && !front.settings.is_disabled(f));
    let Some(function) = function else { return (StatusCode::NOT_FOUND, "no such Event Grid function").into_response() };
    if method == Method::OPTIONS {
        return allow_origin(headers);
    }
    let kind = headers.get("aeg-event-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    match kind.to_ascii_lowercase().as_str() {
        "unsubscribe" => StatusCode::ACCEPTED.into_response(),
        "subscriptionvalidation" => validate(body),
        "notification" => notify(front, function, body).await,
        _ => (StatusCode::BAD_REQUEST, "the header aeg-event-type must be Notification, SubscriptionValidation or Unsubscribe").into_response(),
    }
}

/// The CloudEvents handshake: only Event Grid's own origins are echoed.
fn allow_origin(headers: &HeaderMap) -> Response {
    let asked = headers.get("webhook-request-origin").and_then(|v| v.to_str().ok());
    let known = asked.filter(|o| *o == ORIGIN || o.ends_with(&format!(".{ORIGIN}")));
    let origin = known.and_then(|o| HeaderValue::from_str(o).ok()).unwrap_or_else(|| HeaderValue::from_static(ORIGIN));
    ([("webhook-allowed-origin", origin)], StatusCode::OK).into_response()
}

/// The events of a body: an array of objects, or one object; none for anything else.
fn events(body: &[u8]) -> Option<Vec<Value>> {
    let events = match serde_json::from_slice(body).ok()? {
        Value::Array(events) => events,
        event => vec![event],
    };
    events.iter().all(Value::is_object).then_some(events)
}

fn unreadable() -> Response {
    (StatusCode::BAD_REQUEST, "the body must be an event or an array of events, in JSON").into_response()
}

fn validate(body: &[u8]) -> Response {
    let Some(events) = events(body) else { return unreadable() };
    match events.first().and_then(|e| e.pointer("/data/validationCode")).and_then(Value::as_str) {
        Some(code) => axum::Json(json!({"validationResponse": code})).into_response(),
        None => (StatusCode::BAD_REQUEST, "data.validationCode is missing").into_response(),
    }
}

async fn notify(front: &Front, function: &Function, body: &[u8]) -> Response {
    let Some(events) = events(body) else { return unreadable() };
    let verdicts = join_all(events.iter().map(async |event| {
        let id = front.clock.new_id();
        let invocation = Invocation { function: &function.name, binding: function.binding(), now: front.clock.now(), id: &id };
        front.invoker.invoke(&function.name, &id, &compose::event_grid(invocation, event)).await
    }));
    match verdicts.await.into_iter().find_map(Result::err) {
        None => StatusCode::ACCEPTED.into_response(),
        Some(error) => {
            front.log.host(format!("{}: an event failed; the whole batch comes again: {}", function.name, error.chain()));
            (StatusCode::INTERNAL_SERVER_ERROR, error.detail).into_response()
        }
    }
}
