//! A strict stand-in for one queue of Service Bus, over its REST API ("Send Message", "Send Message Batch").
//!
//! It refuses whatever the reference does not allow, and whatever would lose meaning on the way (a scheduled time not
//! in `GMT`, a stray header that would become a property, a message without lane). What it accepted stands in order;
//! a second message with the same id is accepted and dropped. Faults can be laid out for the next requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::identity::{audience_of, unix_now};

/// The queue that the stand-in has.
pub const QUEUE: &str = "transcripts";
/// The policy that may send.
pub const POLICY: &str = "sender";
/// The policy's key.
pub const KEY: &str = "a+key/that=needs%care&0123456789abcdefghij==";
/// What a bearer token must be for.
pub const AUDIENCE: &str = "https://servicebus.azure.net";

const MAX_BODY: usize = 256 * 1024;
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// What happens to a request that is in order.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answered with this status, `Retry-After` in seconds and body; the message is not taken.
    Answer(u16, Option<u32>, &'static str),
    /// Never answered, not taken.
    Hang,
    /// Taken, never answered.
    TakeAndHang,
    /// The connection is closed without an answer, not taken.
    Drop,
    /// Taken, then the connection is closed without an answer.
    TakeAndDrop,
}

impl Fault {
    /// Answered with a bare status.
    pub const fn status(status: u16) -> Self {
        Self::Answer(status, None, "")
    }

    /// The queue is full.
    pub const fn quota() -> Self {
        Self::Answer(403, None, "<Error><Code>403</Code><Detail>The maximum entity size has been reached or exceeded. Quota exceeded.</Detail></Error>")
    }
}

/// A message that the queue has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub message_id: String,
    pub session_id: String,
    pub correlation_id: String,
    pub label: String,
    pub scheduled: Option<String>,
    pub traceparent: Option<String>,
    pub body: String,
}

/// How the queue is set up, as its description tells.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub sessions: bool,
    /// For how long ids are remembered, as an ISO 8601 duration; none where duplicates are not dropped.
    pub duplicates: Option<&'static str>,
    pub lock: &'static str,
    pub deliveries: u32,
    pub dead: u32,
}

impl Shape {
    /// What rtvoice needs.
    pub const fn sound() -> Self {
        Self { sessions: true, duplicates: Some("PT10M"), lock: "PT1M", deliveries: 10, dead: 0 }
    }

    /// As the service's management interface writes it.
    fn xml(self) -> String {
        let Self { sessions, duplicates, lock, deliveries, dead } = self;
        format!(
            r#"<entry xmlns="http://www.w3.org/2005/Atom"><id>https://contoso.servicebus.windows.net/{QUEUE}?api-version=2017-04</id><title type="text">{QUEUE}</title><content type="application/xml"><QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><LockDuration>{lock}</LockDuration><MaxSizeInMegabytes>1024</MaxSizeInMegabytes><RequiresDuplicateDetection>{}</RequiresDuplicateDetection><RequiresSession>{sessions}</RequiresSession><DefaultMessageTimeToLive>P10675199DT2H48M5.4775807S</DefaultMessageTimeToLive><DeadLetteringOnMessageExpiration>false</DeadLetteringOnMessageExpiration><DuplicateDetectionHistoryTimeWindow>{}</DuplicateDetectionHistoryTimeWindow><MaxDeliveryCount>{deliveries}</MaxDeliveryCount><EnableBatchedOperations>true</EnableBatchedOperations><SizeInBytes>0</SizeInBytes><MessageCount>{dead}</MessageCount><Status>Active</Status><CountDetails xmlns:d2p1="http://schemas.microsoft.com/netservices/2011/06/servicebus"><d2p1:ActiveMessageCount>0</d2p1:ActiveMessageCount><d2p1:DeadLetterMessageCount>{dead}</d2p1:DeadLetterMessageCount><d2p1:ScheduledMessageCount>0</d2p1:ScheduledMessageCount></CountDetails></QueueDescription></content></entry>"#,
            duplicates.is_some(),
            duplicates.unwrap_or("PT10M"),
        )
    }
}

#[derive(Default)]
struct Record {
    shape: Option<Shape>,
    accepted: Vec<Accepted>,
    duplicates: Vec<Accepted>,
    probes: usize,
    batches: Vec<usize>,
    refused: Vec<String>,
    faulted: usize,
    faults: VecDeque<Fault>,
}

struct Shared {
    base_url: String,
    /// Takes no batch of several sessions.
    partitioned: bool,
    record: Mutex<Record>,
}

impl Shared {
    /// The address that this request was sent to: ours, or that of the TLS in front of us. A token must be for that.
    fn known_as(&self, headers: &HeaderMap) -> String {
        let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.base_url.ends_with(&format!("//{host}")) { self.base_url.clone() } else { format!("https://{host}") }
    }
}

/// The running stand-in; it ends when dropped.
pub struct ServiceBus {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl ServiceBus {
    /// Starts it on a free loopback port. It takes SAS tokens of [`POLICY`] and bearer tokens for [`AUDIENCE`].
    pub async fn start() -> Self {
        Self::of_kind(false).await
    }

    /// The same with a partitioned queue, which takes no batch of several sessions.
    pub async fn partitioned() -> Self {
        Self::of_kind(true).await
    }

    async fn of_kind(partitioned: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared { base_url, partitioned, record: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        Self { shared, task }
    }

    /// Where it listens; a value for `SERVICE_BUS_NAMESPACE`.
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// Shows its description from now on: the policy has the Manage right, too.
    pub fn shows(&self, shape: Shape) {
        self.record().shape = Some(shape);
    }

    /// Lays out what happens to the next requests that are in order, one fault each.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.record().faults.extend(faults);
    }

    /// Forgets the faults that were laid out and not met.
    pub fn recover(&self) {
        self.record().faults.clear();
    }

    /// What the queue has, in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.record().accepted.clone()
    }

    /// What came in with an id that was known, in order.
    pub fn dropped(&self) -> Vec<Accepted> {
        self.record().duplicates.clone()
    }

    /// How many messages were dropped because their id was known.
    pub fn duplicates(&self) -> usize {
        self.record().duplicates.len()
    }

    /// How many of them had this label.
    pub fn duplicates_of(&self, label: &str) -> usize {
        self.record().duplicates.iter().filter(|m| m.label == label).count()
    }

    /// How many empty batches came.
    pub fn probes(&self) -> usize {
        self.record().probes
    }

    /// How many messages came in each batch of more than one, in order.
    pub fn batches(&self) -> Vec<usize> {
        self.record().batches.clone()
    }

    /// Why requests were refused, in order.
    pub fn refused(&self) -> Vec<String> {
        self.record().refused.clone()
    }

    /// How many injected faults were met.
    pub fn faulted(&self) -> usize {
        self.record().faulted
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.shared.record.lock().expect("lock")
    }
}

impl Drop for ServiceBus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/" && matches!(parts.method, Method::HEAD | Method::GET) {
        // The front of the service: it tells its time to anybody.
        return answer(200, None, "");
    }
    if parts.method == Method::GET && parts.uri.path() == format!("/{QUEUE}") {
        return describe(&shared, &parts.uri, &parts.headers);
    }
    let verdict = match to_bytes(body, MAX_BODY).await {
        Ok(body) => judge(&shared.known_as(&parts.headers), &parts.method, &parts.uri, &parts.headers, &body),
        Err(e) if super::is_too_long(&e) => Err((403, "the message is too large".to_owned())),
        // Broken off halfway: nobody reads the answer.
        Err(_) => return answer(400, None, ""),
    };
    let verdict = verdict.and_then(|messages| if shared.partitioned { of_one_session(messages) } else { Ok(messages) });
    let messages = match verdict {
        Ok(messages) => messages,
        Err((status, reason)) => {
            let answer = answer(status, None, &format!("<Error><Code>{status}</Code><Detail>{reason}</Detail></Error>"));
            shared.record.lock().expect("lock").refused.push(reason);
            return answer;
        }
    };
    let fault = {
        let mut record = shared.record.lock().expect("lock");
        let fault = record.faults.pop_front();
        record.faulted += usize::from(fault.is_some());
        if matches!(fault, None | Some(Fault::TakeAndHang | Fault::TakeAndDrop)) {
            record.take(messages);
        }
        fault
    };
    match fault {
        None => answer(201, None, ""),
        Some(Fault::Answer(status, retry_after, body)) => answer(status, retry_after, body),
        Some(Fault::Hang | Fault::TakeAndHang) => std::future::pending().await,
        // Unwinding ends the connection's task, without the noise of a panic.
        Some(Fault::Drop | Fault::TakeAndDrop) => std::panic::resume_unwind(Box::new("the connection is dropped")),
    }
}

/// "Get Queue": for who may manage it.
fn describe(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Response {
    let authorized = text(headers, "authorization").and_then(|token| authorize(&format!("{}/{QUEUE}", shared.base_url), token));
    let shape = shared.record.lock().expect("lock").shape;
    match (authorized, shape) {
        (Err((status, reason)), _) => answer(status, None, &format!("<Error><Code>{status}</Code><Detail>{reason}</Detail></Error>")),
        (Ok(()), None) => answer(401, None, "<Error><Code>401</Code><Detail>Manage,EntityRead claims required for this operation.</Detail></Error>"),
        (Ok(()), Some(_)) if uri.query() != Some("api-version=2017-04") => answer(400, None, "<Error><Code>400</Code><Detail>api-version</Detail></Error>"),
        (Ok(()), Some(shape)) => answer(200, None, &shape.xml()),
    }
}

impl Record {
    fn take(&mut self, messages: Vec<Accepted>) {
        match messages.len() {
            0 => self.probes += 1,
            1 => {}
            many => self.batches.push(many),
        }
        for message in messages {
            if self.accepted.iter().any(|m| m.message_id == message.message_id) {
                self.duplicates.push(message);
            } else {
                self.accepted.push(message);
            }
        }
    }
}

fn answer(status: u16, retry_after: Option<u32>, body: &str) -> Response {
    let mut response = (StatusCode::from_u16(status).expect("a status"), body.to_owned()).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

type Verdict<T> = Result<T, (u16, String)>;

fn refuse<T>(status: u16, reason: impl Into<String>) -> Verdict<T> {
    Err((status, reason.into()))
}

/// The messages of a request in order; none for an empty batch.
fn judge(base_url: &str, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Verdict<Vec<Accepted>> {
    if uri.path() != format!("/{QUEUE}/messages") {
        return refuse(404, format!("no such path: {}", uri.path()));
    }
    if method != Method::POST {
        return refuse(405, format!("{method} is not allowed"));
    }
    if let Some(query) = uri.query()
        && !matches!(query, "api-version=2013-10" | "api-version=2015-01" | "timeout=60")
    {
        return refuse(400, format!("unknown query: {query}"));
    }
    authorize(&format!("{base_url}{}", uri.path()), text(headers, "authorization")?)?;
    const KNOWN: [&str; 10] = [
        "host",
        "content-length",
        "content-type",
        "authorization",
        "accept",
        "accept-encoding",
        "user-agent",
        "brokerproperties",
        "traceparent",
        "diagnostic-id",
    ];
    if let Some(stray) = headers.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return refuse(400, format!("{stray} would become a property of the message"));
    }
    match text(headers, "content-type")?.unwrap_or_default() {
        "application/json" => message(headers, body).map(|message| vec![message]),
        BATCH if ["brokerproperties", "traceparent", "diagnostic-id"].iter().all(|name| !headers.contains_key(*name)) => batch(body),
        other => refuse(400, format!("content type {other:?} or its body is not expected")),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Verdict<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => refuse(400, format!("{name} is not printable ASCII or stands twice")),
    }
}

fn authorize(url: &str, authorization: Option<&str>) -> Verdict<()> {
    let Some(authorization) = authorization else { return refuse(401, "Authorization is missing") };
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        return match audience_of(token) {
            Some(audience) if audience == AUDIENCE => Ok(()),
            other => refuse(401, format!("bearer token for {other:?}")),
        };
    }
    let Some(fields) = authorization.strip_prefix("SharedAccessSignature ") else { return refuse(401, "unknown scheme") };
    let pairs: Vec<(&str, &str)> = fields.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let [("sr", resource), ("sig", signature), ("se", expiry), ("skn", policy)] = pairs[..] else { return refuse(401, "malformed token") };
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    if decode(policy) != POLICY {
        return refuse(401, "unknown policy");
    }
    let covers = url.strip_prefix(&decode(resource)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !covers {
        return refuse(401, "the token is for another resource");
    }
    let lives = expiry.parse::<i64>().is_ok_and(|at| (1..=24 * 3600).contains(&(at - unix_now())));
    if !lives {
        return refuse(401, "the token has expired or lives for too long");
    }
    if decode(signature) != sign(KEY, &format!("{resource}\n{expiry}")) {
        return refuse(401, "the signature is wrong");
    }
    Ok(())
}

/// HMAC-SHA256 by RFC 2104, in base64; its own, so that a fault in the client's does not hide.
pub fn sign(key: &str, text: &str) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let digest = |pad: u8, data: &[u8]| Sha256::new().chain_update(block.map(|b| b ^ pad)).chain_update(data).finalize();
    STANDARD.encode(digest(0x5c, &digest(0x36, text.as_bytes())))
}

fn message(headers: &HeaderMap, body: &Bytes) -> Verdict<Accepted> {
    let Some(properties) = text(headers, "brokerproperties")? else { return refuse(400, "BrokerProperties is missing") };
    let Ok(Value::Object(properties)) = serde_json::from_str(properties) else { return refuse(400, "BrokerProperties is not a JSON object") };
    let traceparent = trace_property(headers, "traceparent")?;
    if trace_property(headers, "diagnostic-id")? != traceparent {
        return refuse(400, "Diagnostic-Id and traceparent differ");
    }
    let Ok(body) = std::str::from_utf8(body) else { return refuse(400, "the body is not UTF-8") };
    accepted(&properties, traceparent, body)
}

/// The messages of a batch; none may spoil the others.
fn batch(body: &Bytes) -> Verdict<Vec<Accepted>> {
    let Ok(Value::Array(items)) = serde_json::from_slice(body) else { return refuse(400, "a batch is not a JSON array") };
    let mut messages = Vec::new();
    for item in items {
        let Value::Object(mut item) = item else { return refuse(400, "a message of a batch is not an object") };
        let (Some(Value::String(body)), Some(Value::Object(mut properties))) = (item.remove("Body"), item.remove("BrokerProperties")) else {
            return refuse(400, "Body is not a string or BrokerProperties not an object");
        };
        if properties.remove("ContentType") != Some(Value::from("application/json")) {
            return refuse(400, "ContentType is not application/json");
        }
        let traceparent = match item.remove("UserProperties") {
            None => None,
            Some(Value::Object(own)) => match (own.get("traceparent"), own.get("Diagnostic-Id"), own.len()) {
                (Some(Value::String(one)), Some(Value::String(other)), 2) if one == other && is_trace_context(one) => Some(one.clone()),
                _ => return refuse(400, "UserProperties are not the trace context under its two names"),
            },
            Some(_) => return refuse(400, "UserProperties is not an object"),
        };
        if let Some(stray) = item.keys().next() {
            return refuse(400, format!("{stray} is not expected in a message of a batch"));
        }
        messages.push(accepted(&properties, traceparent, &body)?);
    }
    Ok(messages)
}

fn of_one_session(messages: Vec<Accepted>) -> Verdict<Vec<Accepted>> {
    if messages.windows(2).any(|pair| pair[0].session_id != pair[1].session_id) {
        return refuse(400, "a partitioned queue takes messages of one session in a batch");
    }
    Ok(messages)
}

fn accepted(properties: &Map<String, Value>, traceparent: Option<String>, body: &str) -> Verdict<Accepted> {
    const KNOWN: [&str; 5] = ["MessageId", "SessionId", "CorrelationId", "Label", "ScheduledEnqueueTimeUtc"];
    if let Some(unknown) = properties.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return refuse(400, format!("{unknown} is not expected in BrokerProperties"));
    }
    let property = |name: &str| match properties.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=128).contains(&text.chars().count()) => Ok(Some(text.clone())),
        Some(_) => refuse(400, format!("{name} is not a string of 1 to 128 characters")),
    };
    let required = |name: &str| property(name)?.map_or_else(|| refuse(400, format!("{name} is missing")), Ok);
    let scheduled = property("ScheduledEnqueueTimeUtc")?;
    if scheduled.as_deref().is_some_and(|at| !is_http_date(at)) {
        return refuse(400, "ScheduledEnqueueTimeUtc is not in RFC 1123 form");
    }
    if serde_json::from_str::<Value>(body).is_err() {
        return refuse(400, "the body is not JSON");
    }
    Ok(Accepted {
        message_id: required("MessageId")?,
        session_id: required("SessionId")?,
        correlation_id: required("CorrelationId")?,
        label: required("Label")?,
        scheduled,
        traceparent,
        body: body.to_owned(),
    })
}

fn is_http_date(text: &str) -> bool {
    const FORM: &str = "%a, %d %b %Y %H:%M:%S GMT";
    chrono::NaiveDateTime::parse_from_str(text, FORM).is_ok_and(|at| at.format(FORM).to_string() == text)
}

/// A string property in double quotes with a W3C trace context inside.
fn trace_property(headers: &HeaderMap, name: &str) -> Verdict<Option<String>> {
    let Some(value) = text(headers, name)? else { return Ok(None) };
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or_default();
    if !is_trace_context(inner) {
        return refuse(400, format!("{name} is not a trace context in double quotes"));
    }
    Ok(Some(inner.to_owned()))
}

fn is_trace_context(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2] && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}
