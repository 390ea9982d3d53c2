//! The host's side of an invocation: posts an envelope to a handler and judges the answer as the host would.
//!
//! In: `POST /{FunctionName}`. Out: `Ok` where the host would call the invocation a success. Fails with `Unavailable`
//! (no connection, or no 2xx), `Deadline` (the time is over) or `Internal` (an answer that the host cannot read).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header;
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::host::compose::guid;

/// What `X-Azure-Functions-HostVersion` says where this program plays the host.
pub const HOST_VERSION: &str = concat!("4.0.0-rtvoice.", env!("CARGO_PKG_VERSION"));

/// The header with the invocation's id.
pub const INVOCATION_ID: &str = "x-azure-functions-invocationid";

/// The header with the host's version.
pub const HOST_VERSION_HEADER: &str = "x-azure-functions-hostversion";

/// Runs functions.
#[async_trait]
pub trait Invoker: Send + Sync + 'static {
    /// Hands `envelope` to `function`; `id` is 32 hexadecimal characters, fresh for each attempt. `Ok` means that the
    /// trigger may be settled; after an error it must come again.
    async fn invoke(&self, function: &str, id: &str, envelope: &Value) -> Result<()>;

    /// Returns when there is a handler to invoke. Deliverers wait here before they take a message: deliveries to a
    /// handler that is away would only use up the message's delivery count.
    async fn available(&self) {}
}

/// A handler at a fixed address.
#[derive(Clone)]
pub struct HandlerLink {
    client: reqwest::Client,
    base_url: String,
    timeout: Option<Duration>,
}

impl std::fmt::Debug for HandlerLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandlerLink({})", self.base_url)
    }
}

impl HandlerLink {
    /// A link to `http://127.0.0.1:{port}`; `timeout` is the functionTimeout, none for no limit.
    pub fn new(client: reqwest::Client, port: u16, timeout: Option<Duration>) -> Self {
        Self { client, base_url: format!("http://127.0.0.1:{port}"), timeout }
    }
}

#[async_trait]
impl Invoker for HandlerLink {
    async fn invoke(&self, function: &str, id: &str, envelope: &Value) -> Result<()> {
        let url = format!("{}/{function}", self.base_url);
        let exchange = async {
            let response = self
                .client
                .post(url)
                .header(INVOCATION_ID, guid(id))
                .header(HOST_VERSION_HEADER, HOST_VERSION)
                .header(header::USER_AGENT, format!("Azure-Functions-Host/{HOST_VERSION}"))
                .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
                .body(envelope.to_string())
                .send()
                .await
                .map_err(|e| Error::unavailable("the handler", e.without_url()))?;
            let (status, media) = (response.status(), media_type(response.headers()));
            let body = response.bytes().await.map_err(|e| Error::unavailable("the handler", e.without_url()))?;
            judge(status.as_u16(), &media, &body)
        };
        match self.timeout {
            None => exchange.await,
            Some(limit) => tokio::time::timeout(limit, exchange).await.map_err(|_| Error::deadline("the handler", limit))?,
        }
    }
}

fn media_type(headers: &header::HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The host's verdict on an answer. An empty or `null` answer would leave the real host waiting until functionTimeout,
/// after which it kills the handler with everything in flight; here it fails at once and says so.
pub fn judge(status: u16, media_type: &str, body: &Bytes) -> Result<()> {
    let broken = |detail: String| Err(Error::new(Kind::Internal, detail));
    if !(200..300).contains(&status) {
        return Err(Error::new(Kind::Unavailable, format!("the handler answered {status}")));
    }
    const HANGS: &str = "the real host would wait until functionTimeout and then kill the handler";
    if status == 204 || body.is_empty() {
        return broken(format!("the handler answered {status} with an empty body: {HANGS}"));
    }
    if !matches!(media_type, "application/json" | "text/json") {
        return broken(format!("the handler answered with content type \"{media_type}\": the host reads application/json alone"));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Null) => broken(format!("the handler answered null: {HANGS}")),
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => broken("the handler answered with JSON that is not an object".to_owned()),
        Err(e) => Err(Error::new(Kind::Internal, "the handler answered with something that is not JSON").because(e)),
    }
}
