//! `/admin`: the list of functions, the host's state, and runs by hand.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::front::Front;
use super::timers;
use crate::host::compose::{self, Invocation};
use crate::host::link::{HOST_VERSION, Invoker as _};
use crate::host::manifest::{Function, Trigger, schedule};

/// Answers a request under `/admin/`; `path` is the rest.
pub async fn answer(front: &Arc<Front>, method: &Method, path: &str, body: &[u8]) -> Response {
    match (method, path.trim_end_matches('/')) {
        (&Method::GET, "functions") => axum::Json(front.manifest.functions.iter().map(|f| describe(front, f)).collect::<Vec<_>>()).into_response(),
        (&Method::GET, "host/status") => axum::Json(json!({"id": "rtvoice-dev", "state": front.state(), "version": HOST_VERSION})).into_response(),
        (&Method::GET | &Method::POST, "host/ping") => StatusCode::OK.into_response(),
        (&Method::POST, path) => match path.strip_prefix("functions/").and_then(|name| front.manifest.function(name)) {
            Some(function) => run(front, function, body),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (&Method::GET, path) => match path.strip_prefix("functions/").and_then(|name| front.manifest.function(name)) {
            Some(function) => axum::Json(describe(front, function)).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn describe(front: &Front, function: &Function) -> Value {
    json!({
        "name": function.name,
        "language": "Custom",
        "isDisabled": front.settings.is_disabled(function),
        "type": function.kind(),
        "methods": function.methods(),
        "authLevel": function.auth_level().map(|l| l.as_str()),
        "invoke_url_template": function.route().map(|route| front.http_url(route)),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    #[serde(default)]
    input: Option<String>,
}

/// Starts a run and answers 202 at once; how it ends is told in the log alone.
fn run(front: &Arc<Front>, function: &Function, body: &[u8]) -> Response {
    let wrong = |reason: &str| (StatusCode::BAD_REQUEST, reason.to_owned()).into_response();
    let run = if body.is_empty() { Ok(Run { input: None }) } else { serde_json::from_slice::<Run>(body) };
    let Ok(run) = run else { return wrong("the body must be {\"input\": \"text\"}") };
    let id = front.clock.new_id();
    let invocation = Invocation { function: &function.name, binding: function.binding(), now: front.clock.now(), id: &id };
    let envelope = match envelope(invocation, function, run.input.as_deref().unwrap_or_default()) {
        Ok(envelope) => envelope,
        Err(reason) => return wrong(&reason),
    };
    let (this, name) = (Arc::clone(front), function.name.clone());
    front.background.spawn(async move {
        match this.invoker.invoke(&name, &id, &envelope).await {
            Ok(()) => this.log.host(format!("{name}: the run by hand succeeded")),
            Err(error) => this.log.host(format!("{name}: the run by hand failed: {}", error.chain())),
        }
    });
    StatusCode::ACCEPTED.into_response()
}

fn envelope(invocation: Invocation<'_>, function: &Function, input: &str) -> Result<Value, String> {
    match &function.trigger {
        Trigger::Http(..) => Err("an HTTP function is called by its own URL".to_owned()),
        Trigger::EventGrid(_) => match serde_json::from_str::<Value>(input) {
            Ok(event @ Value::Object(_)) => Ok(compose::event_grid(invocation, &event)),
            _ => Err("input must be the JSON text of an event".to_owned()),
        },
        Trigger::ServiceBus(_) => Ok(compose::service_bus_by_hand(invocation, input)),
        Trigger::Timer(trigger) => {
            let cron = schedule(&trigger.schedule)?;
            timers::envelope(invocation, trigger, &cron, None, false).map_err(|e| e.detail)
        }
    }
}
