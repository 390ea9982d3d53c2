//! Writes envelopes as the Functions host writes them, for whoever plays its part: the local host, and `serve` when
//! it delivers the embedded queue to itself.
//!
//! Strings become JSON text in a string, bytes base64, dates whole seconds; the shapes are those of
//! `tests/fixtures/host`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::model::time::Timestamp;
use crate::ports::queue::embedded::Delivery;

/// How long an embedded message is said to live, in milliseconds: Service Bus's default of 14 days.
const TIME_TO_LIVE: i64 = 14 * 86_400_000;

/// The namespace that the envelope of an embedded message names.
const NAMESPACE: &str = "embedded.localhost";

/// What every envelope says about its invocation.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Name of the function.
    pub function: &'a str,
    /// Name of its trigger's binding.
    pub binding: &'a str,
    /// The time now.
    pub now: Timestamp,
    /// A fresh id, 32 hexadecimal characters.
    pub id: &'a str,
}

/// One event, in either schema, for an eventGridTrigger.
pub fn event_grid(invocation: Invocation<'_>, event: &Value) -> Value {
    let mut metadata = Map::new();
    match event.get("data") {
        None | Some(Value::Null) => {}
        Some(data @ Value::Object(_)) => {
            metadata.insert("data".to_owned(), data.clone());
        }
        Some(data) => {
            metadata.insert("data".to_owned(), quoted(data));
        }
    }
    envelope(invocation, event.clone(), metadata)
}

/// When a schedule last fell due and will fall due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// The last tick; none before the first.
    pub last: Option<Timestamp>,
    /// The next tick.
    pub next: Timestamp,
}

/// One tick for a timerTrigger. `status` is none where the binding says `useMonitor: false`.
pub fn timer(invocation: Invocation<'_>, status: Option<ScheduleStatus>, is_past_due: bool) -> Value {
    let time = |t: Option<Timestamp>| t.map_or_else(|| "0001-01-01T00:00:00+00:00".to_owned(), |t| t.utc().to_rfc3339_opts(SecondsFormat::Millis, false));
    let status = status.map(|s| json!({"Last": time(s.last), "Next": time(Some(s.next)), "LastUpdated": time(s.last)}));
    let value = json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": is_past_due});
    envelope(invocation, value, Map::new())
}

/// One message of the embedded queue for a serviceBusTrigger with `dataType: binary`. `queue` is the queue's name and
/// `with_session` whether the binding has sessions.
pub fn service_bus(invocation: Invocation<'_>, delivery: &Delivery, queue: &str, with_session: bool) -> Value {
    let message = &delivery.message;
    let mut metadata = Map::new();
    for receiver in ["MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"] {
        metadata.insert(receiver.to_owned(), json!({}));
    }
    let client = json!({"FullyQualifiedNamespace": NAMESPACE, "IsClosed": false, "TransportType": 0, "Identifier": format!("{NAMESPACE}-{}", invocation.id)});
    metadata.insert("Client".to_owned(), client);
    let (enqueued, expires) = (delivery.enqueued_at, delivery.enqueued_at.plus_millis(TIME_TO_LIVE));
    let mut put = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    put("DeliveryCount", quoted(&json!(delivery.delivery_count)));
    put("LockToken", quoted(&json!(guid(&delivery.lock_token))));
    put("ExpiresAtUtc", json!(seconds(expires, "")));
    put("ExpiresAt", json!(seconds(expires, "+00:00")));
    put("EnqueuedTimeUtc", json!(seconds(enqueued, "")));
    put("EnqueuedTime", json!(seconds(enqueued, "+00:00")));
    put("MessageId", quoted(&json!(message.message_id)));
    put("ContentType", quoted(&json!("application/json")));
    put("SequenceNumber", quoted(&json!(delivery.sequence_number)));
    put("Subject", quoted(&json!(message.label)));
    put("Label", quoted(&json!(message.label)));
    put("CorrelationId", quoted(&json!(message.correlation_id)));
    let properties = properties(delivery);
    put("ApplicationProperties", properties.clone());
    put("UserProperties", properties);
    if with_session {
        put("SessionId", quoted(&json!(message.session_id)));
        put("PartitionKey", quoted(&json!(message.session_id)));
    }
    if delivery.dead_letter_reason.is_some() {
        put("DeadLetterSource", quoted(&json!(queue)));
    }
    envelope(invocation, Value::String(BASE64.encode(&message.body)), metadata)
}

/// A message from a plain text, as the host makes it for a run by hand: no session, no lock.
pub fn service_bus_by_hand(invocation: Invocation<'_>, input: &str) -> Value {
    let mut metadata = Map::new();
    metadata.insert("DeliveryCount".to_owned(), quoted(&json!(1)));
    metadata.insert("MessageId".to_owned(), quoted(&json!(invocation.id)));
    envelope(invocation, Value::String(BASE64.encode(input)), metadata)
}

fn properties(delivery: &Delivery) -> Value {
    let mut properties = Map::new();
    if let Some(traceparent) = &delivery.message.traceparent {
        properties.insert("Diagnostic-Id".to_owned(), json!(traceparent));
        properties.insert("traceparent".to_owned(), json!(traceparent));
    }
    if let Some(reason) = &delivery.dead_letter_reason {
        properties.insert("DeadLetterReason".to_owned(), json!(reason));
    }
    if let Some(description) = &delivery.dead_letter_description {
        properties.insert("DeadLetterErrorDescription".to_owned(), json!(description));
    }
    Value::Object(properties)
}

fn envelope(invocation: Invocation<'_>, value: Value, mut metadata: Map<String, Value>) -> Value {
    let now = invocation.now.utc().to_rfc3339_opts(SecondsFormat::Micros, true);
    metadata.insert("sys".to_owned(), json!({"MethodName": invocation.function, "UtcNow": now, "RandGuid": guid(invocation.id)}));
    json!({"Data": {invocation.binding: value}, "Metadata": metadata})
}

/// JSON text in a string, as the host writes every scalar.
fn quoted(value: &Value) -> Value {
    Value::String(value.to_string())
}

fn seconds(time: Timestamp, offset: &str) -> String {
    format!("{}{offset}", time.utc().format("%Y-%m-%dT%H:%M:%S"))
}

/// 32 hexadecimal characters with the dashes of a GUID; anything else stays as it is.
pub fn guid(id: &str) -> String {
    match (id.get(..8), id.get(8..12), id.get(12..16), id.get(16..20), id.get(20..)) {
        (Some(a), Some(b), Some(c), Some(d), Some(e)) if id.len() == 32 => format!("{a}-{b}-{c}-{d}-{e}"),
        _ => id.to_owned(),
    }
}
