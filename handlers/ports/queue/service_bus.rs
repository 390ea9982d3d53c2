//! Service Bus over its REST API: sends one message per request.
//!
//! The vendor crate assembles the request; `Courier`, its transport, gives it what the crate cannot: the configured
//! address, an Entra token or a signature made for that address by our own clock, errors with their status, body and
//! `Retry-After`. The crate's own `BrokerProperties` are not used: it writes scheduled times as `+0000` where the
//! service documents `GMT`, and text beyond ASCII as it is, which no header carries. Fails as the contract says; a
//! send may be repeated because the queue drops a second message with the same id.
//!
//! Facts: "Send Message", "Send Message Batch" and "Message Headers and Properties" of the Service Bus REST
//! reference. Header names travel in lower case, so the trace context arrives as `traceparent` and `diagnostic-id`:
//! read them without regard to case.

mod description;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core_legacy::auth::Secret as LegacySecret;
use azure_core_legacy::error::ErrorKind;
use azure_core_legacy::headers::{AUTHORIZATION, Headers};
use azure_core_legacy::hmac::hmac_sha256;
use azure_core_legacy::{Body, Error as LegacyError, HttpClient, Request, Response, Result as LegacyResult, StatusCode as LegacyStatus};
use azure_messaging_servicebus::prelude::QueueClient;
use azure_messaging_servicebus::service_bus::SendMessageOptions;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use super::{Description, Message, Queue};
use crate::config::{Secret, ServiceBusConfig};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::model::trace::is_valid;
use crate::ports::clock::Clock;
use crate::ports::http::retry_after;
use crate::ports::identity::Identity;

/// What an Entra token must be for.
const SCOPE: &str = "https://servicebus.azure.net/.default";
/// Version of the management interface.
const API: &str = "2017-04";
/// Time that one send may take, its retry included.
const DEADLINE: Duration = Duration::from_secs(2);
/// Pause before the retry where the service names none.
const BACK_OFF: Duration = Duration::from_millis(100);
/// The longest pause that leaves a retry its time within the deadline.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// When to come back after a 429 without `Retry-After`: what the service's guidance asks for when it is busy.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// When to come back to a full queue: somebody must empty it first.
const QUOTA_WAIT: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Life of a signature: long enough for clocks that disagree, short enough to be of little use to a thief.
const SIGNATURE_SECONDS: i64 = 1200;
/// What a signature's parts leave unescaped, as in the reference's samples.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A Service Bus queue with sessions and duplicate detection.
#[derive(Debug)]
pub struct ServiceBusQueue {
    client: QueueClient,
    /// The vendor crate cannot ask for the description: the courier does.
    courier: Arc<Courier>,
    /// Where the description is.
    path: String,
}

impl ServiceBusQueue {
    /// Prepares to send to `queue`; nothing is sent yet. Without a key in `config` there must be an `identity`.
    pub fn connect(config: &ServiceBusConfig, queue: &str, http: reqwest::Client, identity: Option<Identity>, clock: Arc<dyn Clock>) -> Result<Self> {
        let auth = match (&config.key, identity) {
            (Some((policy, key)), _) => Auth::Key { policy: policy.clone(), key: key.clone() },
            (None, Some(identity)) => Auth::Entra(identity),
            (None, None) => {
                let line = "SERVICE_BUS_KEY must be set where no identity is to be had, for example SERVICE_BUS_KEY=<policy key>";
                return Err(Error::new(Kind::Setting, line));
            }
        };
        let courier = Arc::new(Courier { http, base_url: config.base_url.trim_end_matches('/').to_owned(), auth, clock });
        // The crate knows one address form and one kind of key; the courier replaces both in every request.
        let client = QueueClient::new(Arc::clone(&courier) as _, "namespace", queue, "policy", String::new()).map_err(Error::internal)?;
        Ok(Self { client, courier, path: format!("/{queue}") })
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

#[async_trait]
impl Queue for ServiceBusQueue {
    async fn send(&self, message: &Message) -> Result<()> {
        message.check()?;
        self.post(&message.body, "application/json", &message_headers(message)).await
    }

    /// Sends an empty batch: the service judges the rights to send before it reads the batch, and no message can come
    /// of it. (Reading the queue's description would need the Manage right, which a sender should not have.) A 400
    /// therefore means reachable and allowed, like a 201; everything else is as for a message.
    async fn check(&self) -> Result<()> {
        match self.post("[]", "application/vnd.microsoft.servicebus.json", &HashMap::new()).await {
            Err(e) if e.kind == Kind::BadInput => Ok(()),
            answer => answer,
        }
    }

    async fn describe(&self) -> Result<Description> {
        let asked = timeout(DEADLINE, self.courier.describe(&self.path));
        description::parse(&asked.await.map_err(|_| Error::deadline("Service Bus", DEADLINE))??)
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
    let mut properties = Map::new();
    let texts = [("MessageId", &message.message_id), ("SessionId", &message.session_id), ("CorrelationId", &message.correlation_id), ("Label", &message.label)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        properties.insert(name.to_owned(), Value::from(text.as_str()));
    }
    if let Some(at) = message.not_before {
        properties.insert("ScheduledEnqueueTimeUtc".to_owned(), Value::from(http_date(at)));
    }
    ascii(&Value::Object(properties).to_string())
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

#[derive(Debug)]
enum Auth {
    Key { policy: String, key: Secret },
    Entra(Identity),
}

/// The transport under the vendor crate.
struct Courier {
    http: reqwest::Client,
    base_url: String,
    auth: Auth,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("base_url", &self.base_url).field("auth", &self.auth).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn execute_request(&self, request: &Request) -> LegacyResult<Response> {
        // Our error travels through the crate inside of its own.
        self.carry(request).await.map_err(|e| LegacyError::new(ErrorKind::Other, e))?;
        Ok(Response::new(LegacyStatus::Created, Headers::new(), Box::pin(futures::stream::empty())))
    }
}

impl Courier {
    async fn carry(&self, request: &Request) -> Result<()> {
        let url = format!("{}{}", self.base_url, request.url().path());
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter().filter(|(name, _)| **name != AUTHORIZATION) {
            let name = HeaderName::try_from(name.as_str()).map_err(Error::internal)?;
            headers.insert(name, HeaderValue::try_from(value.as_str()).map_err(Error::internal)?);
        }
        headers.insert(reqwest::header::AUTHORIZATION, self.authorization(&url).await?);
        let Body::Bytes(body) = request.body() else { return Err(Error::internal("a streamed body was not expected")) };
        let sent = self.http.post(url).headers(headers).body(body.clone()).send().await;
        let answer = sent.map_err(|e| if e.is_builder() { Error::internal(e) } else { Error::unavailable("Service Bus", e) })?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_success() {
            return Ok(());
        }
        // The status decides; a body that cannot be read only leaves the log poorer.
        let body = answer.text().await.unwrap_or_default();
        Err(refusal(status.as_u16(), &headers, &body))
    }

    /// The queue's description ("Get Queue" of the REST reference), which the Manage right lets one read.
    async fn describe(&self, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.base_url);
        let asked = self.http.get(format!("{url}?api-version={API}")).header(reqwest::header::AUTHORIZATION, self.authorization(&url).await?);
        let answer = asked.send().await.map_err(|e| Error::unavailable("Service Bus", e.without_url()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.map_err(|e| Error::unavailable("Service Bus", e.without_url()))?;
        if status.is_success() { Ok(body) } else { Err(refusal(status.as_u16(), &headers, &body)) }
    }

    async fn authorization(&self, url: &str) -> Result<HeaderValue> {
        let text = match &self.auth {
            Auth::Key { policy, key } => self.signature(url, policy, key)?,
            Auth::Entra(identity) => format!("Bearer {}", identity.token(SCOPE).await?),
        };
        let mut value = HeaderValue::try_from(text).map_err(Error::internal)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A shared access signature: HMAC-SHA256 with the policy's key over the escaped address and the expiry.
    fn signature(&self, url: &str, policy: &str, key: &Secret) -> Result<String> {
        let resource = utf8_percent_encode(url, ESCAPED);
        let expiry = self.clock.now().millis() / 1000 + SIGNATURE_SECONDS;
        // The crate's HMAC decodes its key from base64; a policy's key is used as the text that it is.
        let key = LegacySecret::new(STANDARD.encode(key.expose()));
        let signed = hmac_sha256(&format!("{resource}\n{expiry}"), &key).map_err(Error::internal)?;
        let (signed, policy) = (utf8_percent_encode(&signed, ESCAPED), utf8_percent_encode(policy, ESCAPED));
        Ok(format!("SharedAccessSignature sr={resource}&sig={signed}&se={expiry}&skn={policy}"))
    }
}

/// What a refusal means. The service answers 403 to missing rights, to a full queue and to a message over its size.
fn refusal(status: u16, headers: &HeaderMap, body: &str) -> Error {
    let words = body.to_ascii_lowercase();
    let wait = retry_after(headers, LONGEST_WAIT);
    let mut e = match status {
        400 | 413 => Error::input("message", "must be one that Service Bus takes"),
        403 if words.contains("quota") => Error::new(Kind::Throttled, "the Service Bus queue is full").retry_after(wait.unwrap_or(QUOTA_WAIT)),
        403 if words.contains("too large") || words.contains("exceeds the limit") => Error::input("message", "must be one that Service Bus takes"),
        401 | 403 => Error::new(Kind::Denied, "Service Bus refused our identity or its right to send"),
        404 | 410 => {
            Error::new(Kind::Setting, "TRANSCRIPT_QUEUE must name a queue of the SERVICE_BUS_NAMESPACE namespace, for example TRANSCRIPT_QUEUE=transcripts")
        }
        429 => Error::new(Kind::Throttled, "Service Bus is overloaded").retry_after(wait.unwrap_or(BUSY_WAIT)),
        408 | 500.. => Error { retry_after: wait, ..Error::new(Kind::Unavailable, "Service Bus is out of reach") },
        _ => Error::new(Kind::Internal, "Service Bus gave an unexpected answer"),
    };
    let excerpt: String = body.chars().take(500).collect();
    e.source = Some(format!("status {status}: {excerpt}").into());
    e
}
