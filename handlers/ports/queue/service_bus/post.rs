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
use serde::Serialize;
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
        self.post(&message.body, "application/json", &message_headers(message)?).await
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
fn message_headers(message: &Message) -> Result<HashMap<String, String>> {
    let mut headers = HashMap::from([("BrokerProperties".to_owned(), broker_properties(message)?)]);
    // Anything else is left behind rather than sent wrong.
    if let Some(traceparent) = message.traceparent.as_deref().filter(|t| is_valid(t)) {
        // A string property stands in double quotes; `Diagnostic-Id` is the name that Azure's own tracing reads.
        for name in ["traceparent", "Diagnostic-Id"] {
            headers.insert(name.to_owned(), format!("\"{traceparent}\""));
        }
    }
    Ok(headers)
}

fn broker_properties(message: &Message) -> Result<String> {
    serde_json::to_string(&Properties::of(message, None)).map(|json| ascii(&json)).map_err(Error::internal)
}

/// Broker properties; what is empty is left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Properties<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    session_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_enqueue_time_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
}

impl<'a> Properties<'a> {
    fn of(message: &'a Message, content_type: Option<&'a str>) -> Self {
        Self {
            message_id: &message.message_id,
            session_id: &message.session_id,
            correlation_id: &message.correlation_id,
            label: &message.label,
            scheduled_enqueue_time_utc: message.not_before.map(http_date),
            content_type,
        }
    }
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
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item<'a> {
    body: &'a str,
    broker_properties: Properties<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_properties: Option<Traced<'a>>,
}

#[derive(Serialize)]
struct Traced<'a> {
    traceparent: &'a str,
    #[serde(rename = "Diagnostic-Id")]
    diagnostic_id: &'a str,
}

/// A message as it stands in a batch.
pub(super) fn batch_item(message: &Message) -> Result<String> {
    let traced = message.traceparent.as_deref().filter(|t| is_valid(t)).map(|traceparent| Traced { traceparent, diagnostic_id: traceparent });
    let item = Item { body: &message.body, broker_properties: Properties::of(message, Some("application/json")), user_properties: traced };
    // A body's quotes are escaped; beside it stand some 500 bytes.
    let mut json = Vec::with_capacity(message.body.len() + message.body.len() / 4 + 512);
    serde_json::to_writer(&mut json, &item).map_err(Error::internal)?;
    String::from_utf8(json).map_err(Error::internal)
}
