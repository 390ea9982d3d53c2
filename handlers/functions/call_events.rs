//! CallEvents: the Call Automation callback URI. In: CloudEvents 1.0, one or many, and both validation handshakes. Out: 200
//! when every event has been taken or deliberately ignored, 5xx when any must be delivered again.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Result};
use crate::host::callbacks;
use crate::host::http::{Request, json_response};

/// Type of the event that Event Grid sends to validate a webhook.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Takes the events of one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    if request.method == Method::OPTIONS {
        return Ok(allow(&request));
    }
    let body = request.json()?;
    if let Some(code) = validation_code(&body)? {
        return Ok(json_response(StatusCode::OK, &json!({ "validationResponse": code })));
    }
    callbacks::take_all(&app, &body).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

/// The abuse protection of CloudEvents webhooks: whoever asks may deliver, for the key in the URI already let it in.
fn allow(request: &Request) -> Response {
    let mut response = json_response(StatusCode::OK, &json!({}));
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    if let Some(origin) = request.headers.get("webhook-request-origin") {
        headers.insert(HeaderName::from_static("webhook-allowed-origin"), origin.clone());
        headers.insert(HeaderName::from_static("webhook-allowed-rate"), HeaderValue::from_static("*"));
    }
    response
}

/// The code of an Event Grid validation request: an array of exactly that event.
fn validation_code(body: &Value) -> Result<Option<String>> {
    let event = match body {
        Value::Array(events) => events.first(),
        event => Some(event),
    };
    let Some(event) = event.filter(|e| e.get("eventType").and_then(Value::as_str) == Some(VALIDATION)) else { return Ok(None) };
    let code = event.pointer("/data/validationCode").and_then(Value::as_str);
    code.map(|code| Some(code.to_owned())).ok_or_else(|| Error::input("data.validationCode", "must be there, a string"))
}
