//! Requests to one queue: one message, a batch of them, and the probe that sends nothing.
//!
//! In: messages that were checked. Out: `Ok` once the service has them. A failure by chance is tried once more, all within
//! the deadline: the queue drops a second message with the same id.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use azure_messaging_servicebus::prelude::QueueClient;
use azure_messaging_servicebus::service_bus::SendMessageOptions;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::courier::Courier;
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::model::trace::is_valid;
use crate::ports::queue::Message;

/// Time that one send may take, its retry included.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// Pause before the retry where the service names none.
const BACK_OFF: Duration = Duration::from_millis(100);
/// The longest pause that leaves a retry its time within the deadline.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// Content type of a batch.
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// The way to one queue.
#[derive(Debug)]
pub(super) struct Post {
    client: QueueClient,
}

impl Post {
    pub(super) fn new(courier: Arc<Courier>, queue: &str) -> Result<Self> {
        // The crate knows one address form and one kind of key; the courier replaces both in every request.
        let client = QueueClient::new(courier, "namespace", queue, "policy", String::new()).map_err(Error::internal)?;
        Ok(Self { client })
    }

    /// Sends one message.
    pub(super) async fn one(&self, message: &Message) -> Result<()> {
        self.post(&message.body, "application/json", &message_headers(message)).await
    }

    /// Sends messages as [`batch_item`] writes them; all are taken, or none.
    pub(super) async fn batch(&self, items: impl Iterator<Item = &str>) -> Result<()> {
        let mut body = String::from("[");
        for (at, item) in items.enumerate() {
            if at > 0 {
                body.push(',');
            }
            body.push_str(item);
        }
        body.push(']');
        self.post(&body, BATCH, &HashMap::new()).await
    }

    /// Sends an empty batch: the service judges the rights to send before it reads the batch, and no message can come of it.
    pub(super) async fn probe(&self) -> Result<()> {
        self.post("[]", BATCH, &HashMap::new()).await
    }

    /// One request, and a second where the first can have failed by chance, all within the deadline.
    async fn post(&self, body: &str, content_type: &str, headers: &HashMap<String, String>) -> Result<()> {
        let attempts = async {
            match self.attempt(body, content_type, headers).await {
                Err(e) => match retry_pause(&e) {
                    Some(pause) => {
                        tracing::debug!(reason = %e.chain(), "sending to Service Bus once more");
                        sleep(pause).await;
                        self.attempt(body, content_type, headers).await
                    }
                    None => Err(e),
                },
                done => done,
            }
        };
        timeout(DEADLINE, attempts).await.unwrap_or_else(|_| Err(Error::deadline("Service Bus", DEADLINE)))
    }

    async fn attempt(&self, body: &str, content_type: &str, headers: &HashMap<String, String>) -> Result<()> {
        let options = SendMessageOptions { content_type: Some(content_type.to_owned()), broker_properties: None, custom_properties: Some(headers.clone()) };
        self.client.send_message(body, Some(options)).await.map_err(|e| e.into_downcast::<Error>().unwrap_or_else(Error::internal))
    }
}

/// How long to wait before a retry; none where a retry cannot help or would come too late.
fn retry_pause(e: &Error) -> Option<Duration> {
    match (e.kind, e.retry_after) {
        (Kind::Unavailable, None) => Some(BACK_OFF),
        (Kind::Unavailable | Kind::Throttled, Some(pause)) if pause <= SHORT_WAIT => Some(pause.max(BACK_OFF)),
        _ => None,
    }
}

/// The headers that make a body a message: broker properties as JSON, custom properties one header each.
fn message_headers(message: &Message) -> HashMap<String, String> {
    let mut headers = HashMap::from([("BrokerProperties".to_owned(), broker_properties(message))]);
    // Anything else is left behind rather than sent wrong.
    if let Some(traceparent) = message.traceparent.as_deref().filter(|t| is_valid(t)) {
        // A string property stands in double quotes; `Diagnostic-Id` is the name that Azure's own tracing reads.
        for name in ["traceparent", "Diagnostic-Id"] {
            headers.insert(name.to_owned(), format!("\"{traceparent}\""));
        }
    }
    headers
}

fn broker_properties(message: &Message) -> String {
    ascii(&Value::Object(properties(message)).to_string())
}

fn properties(message: &Message) -> Map<String, Value> {
    let mut properties = Map::new();
    let texts = [("MessageId", &message.message_id), ("SessionId", &message.session_id), ("CorrelationId", &message.correlation_id), ("Label", &message.label)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        properties.insert(name.to_owned(), Value::from(text.as_str()));
    }
    if let Some(at) = message.not_before {
        properties.insert("ScheduledEnqueueTimeUtc".to_owned(), Value::from(http_date(at)));
    }
    properties
}

/// RFC 1123 in GMT, in whole seconds, rounded up: not before the time that was asked for.
fn http_date(at: Timestamp) -> String {
    at.plus_millis(999).utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// JSON with everything outside of printable ASCII escaped, so that a header can carry it.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// A message of a batch: body, broker properties and custom properties ("Send Message Batch", Service Bus REST reference).
pub(super) fn batch_item(message: &Message) -> String {
    let mut item = json!({ "Body": message.body, "BrokerProperties": properties(message) });
    if let Some(traceparent) = message.traceparent.as_deref().filter(|t| is_valid(t)) {
        item["UserProperties"] = json!({ "traceparent": traceparent, "Diagnostic-Id": traceparent });
    }
    item["BrokerProperties"]["ContentType"] = json!("application/json");
    item.to_string()
}
