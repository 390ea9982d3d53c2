//! A queue, and a collector of spans, that take everything: answer like Service Bus and OTLP over HTTP on loopback, at the least cost.
//!
//! In: sends. Out: their number, and where it is asked to keep them the messages themselves. It checks nothing: it stands
//! in a measurement, not in a test.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wire::{Wire, header};
use crate::error::{Error, Result};
use crate::ports::queue::Message;

const TAKEN: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";

#[derive(Default)]
struct Shared {
    keeps: AtomicBool,
    messages: AtomicU64,
    bytes: AtomicU64,
    kept: Mutex<Vec<Message>>,
}

/// The running queue; it ends when dropped.
pub(super) struct Sink {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Sink {
    /// Starts it on a free port.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::internal)?;
        let port = listener.local_addr().map_err(Error::internal)?.port();
        let shared = Arc::new(Shared::default());
        let of_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&of_task);
                tokio::spawn(async move {
                    // A sender that goes away ends its connection.
                    let _ = take(stream, &shared).await;
                });
            }
        });
        Ok(Self { port, shared, task })
    }

    /// A value for `SERVICE_BUS_NAMESPACE`.
    pub(super) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether what comes from now on is kept.
    pub(super) fn keep(&self, whether: bool) {
        self.shared.keeps.store(whether, Ordering::Relaxed);
    }

    /// What was kept.
    pub(super) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Messages and bytes of their bodies and properties since the start; of bodies that came in a batch and were not kept, as they stood there.
    pub(super) fn figures(&self) -> (u64, u64) {
        (self.shared.messages.load(Ordering::Relaxed), self.shared.bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut wire = Wire::over(stream);
    while let Some(parts) = wire.message().await? {
        if wire.head(&parts).starts_with(b"POST /v1/") {
            // Spans and metrics.
            wire.send(TAKEN).await?;
            continue;
        }
        let properties = header(wire.head(&parts), "brokerproperties").unwrap_or_default();
        let body = wire.body(&parts);
        if properties.is_empty() {
            // A batch; an empty one asks for the rights alone.
            let items: Vec<Item<'_>> = serde_json::from_slice(body).map_err(Error::internal)?;
            for item in items {
                shared.take(item.properties.get(), item.body.get().as_bytes(), true)?;
            }
        } else {
            shared.take(properties, body, false)?;
        }
        wire.send(TAKEN).await?;
    }
    Ok(())
}

/// A message of a batch.
#[derive(serde::Deserialize)]
struct Item<'a> {
    #[serde(rename = "Body", borrow)]
    body: &'a RawValue,
    #[serde(rename = "BrokerProperties", borrow)]
    properties: &'a RawValue,
}

impl Shared {
    /// `quoted`: the body stands there as a string of JSON, which is read only where messages are kept.
    fn take(&self, properties: &str, body: &[u8], quoted: bool) -> Result<()> {
        let mut bytes = body.len();
        if self.keeps.load(Ordering::Relaxed) {
            let body = if quoted { serde_json::from_slice(body) } else { Ok(String::from_utf8_lossy(body).into_owned()) };
            let message = message(properties, body.map_err(Error::internal)?)?;
            bytes = message.body.len();
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add((bytes + properties.len()) as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn message(properties: &str, body: String) -> Result<Message> {
    let properties: Value = serde_json::from_str(properties).map_err(Error::internal)?;
    let text = |name: &str| properties[name].as_str().unwrap_or_default().to_owned();
    Ok(Message {
        message_id: text("MessageId"),
        session_id: text("SessionId"),
        correlation_id: text("CorrelationId"),
        label: text("Label"),
        traceparent: None,
        not_before: None,
        body,
    })
}
