//! HTTP as the functions see it: requests with a bounded body, problem details (RFC 9457), JSON answers.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::admission::{Key, Room};
use super::bodies::SMALL;
use super::json;
use super::router::Params;
use crate::error::{Error, Kind, Result};

/// How much of a body that is too large is read off before the answer, so that the client sees the answer.
const READ_OFF: usize = 8 << 20;
/// For how long what is left of it is read off beside the answer: a client that writes everything before it reads would else find its
/// connection cut.
const LINGER: Duration = Duration::from_secs(5);
/// How long a body may be on its way.
const BODY: Duration = Duration::from_secs(10);
/// The same where more than [`SMALL`] bytes are allowed.
const LARGE_BODY: Duration = Duration::from_secs(30);

/// One request to an HTTP function.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Route parameters, percent-decoded, in the order of the route.
    pub params: Params,
    /// What follows the `?` of the URL, as received; empty where there is none.
    pub query: String,
    /// Headers as received.
    pub headers: HeaderMap,
    /// The whole body, within the function's limit.
    pub body: Bytes,
}

impl Request {
    /// One route parameter; empty where the route leaves it out.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    /// One parameter of the query, percent-decoded; none where it is missing. Others are the host's and intermediaries'
    /// business. Twice is an error: nobody can tell which was meant.
    pub fn query(&self, name: &'static str) -> Result<Option<String>> {
        let named = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name { Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()) } else { None }
        };
        let mut values = self.query.split('&').filter_map(named);
        let value = values.next();
        if values.next().is_some() { Err(Error::input(name, "must stand once in the query")) } else { Ok(value) }
    }

    /// One header as text; none where it is missing or not text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as any JSON, with a content type of JSON or none. Errors name what is wrong.
    pub fn json(&self) -> Result<Value> {
        json_content(&self.headers)?;
        json::parse(&self.body)
    }

    /// The body as a JSON object, with a content type of JSON or none. Errors name what is wrong.
    pub fn object(&self) -> Result<Object> {
        json_content(&self.headers)?;
        Object::parse(&self.body)
    }
}

/// Accepts `application/json`, `*+json` and a missing content type.
fn json_content(headers: &HeaderMap) -> Result<()> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if media == "application/json" || media == "text/json" || media.ends_with("+json") {
        Ok(())
    } else {
        Err(Error::new(Kind::UnsupportedMedia, "must be application/json").in_field("Content-Type"))
    }
}

/// A JSON object that is read field by field; what is left over is an error, so that a misspelt field is noticed.
#[derive(Debug)]
pub struct Object {
    fields: Map<String, Value>,
}

impl Object {
    /// Parses a body that must be an object.
    pub fn parse(body: &[u8]) -> Result<Self> {
        match json::parse(body)? {
            Value::Object(fields) => Ok(Self { fields }),
            _ => Err(Error::input("body", "must be a JSON object")),
        }
    }

    /// Takes one field; null counts as missing.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|v| !v.is_null())
    }

    /// A string that must be there.
    pub fn text(&mut self, name: &'static str) -> Result<String> {
        self.optional_text(name)?.ok_or_else(|| Error::input(name, "must be there, a string"))
    }

    /// A string that may be missing.
    pub fn optional_text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::input(name, "must be a string")),
        }
    }

    /// A boolean with a default.
    pub fn flag(&mut self, name: &'static str, default: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Error::input(name, "must be true or false")),
        }
    }

    /// All that is left, for bodies that are patches as a whole.
    pub fn into_rest(self) -> Map<String, Value> {
        self.fields
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        match self.fields.into_iter().find(|(_, v)| !v.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(unknown_field(&name)),
        }
    }
}

/// A field that nobody asked for. It is named only where it looks like the name of a field: anything else may be
/// what somebody said.
pub fn unknown_field(name: &str) -> Error {
    let like_a_name = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if like_a_name { Error::input(name, "is not a known field") } else { Error::input("body", "must not have fields that are not known") }
}

/// Reads a body of at most `limit` bytes. Of a larger one the excess is read off up to 8 MiB before `TooLarge` is
/// answered, and for at most 5 s more beside the answer. One that did not come with its head needs leave of the room as it comes (else `Throttled`), and must be whole within 10 s,
/// within 30 s where it may be large (else `Slow`).
pub async fn read_body(body: Body, limit: usize, room: &Room, key: Option<Key>) -> Result<Bytes> {
    let mut reading = Reading { body, limit, kept: BytesMut::new(), seen: 0 };
    while let Some(frame) = reading.body.frame().now_or_never() {
        let more = match frame {
            Some(frame) => reading.takes(frame)?,
            None => false,
        };
        if !more {
            return reading.whole();
        }
    }
    let refusal = || room.refusal("too many bodies are on their way");
    let mut leave = room.body(key, limit, reading.kept.len()).ok_or_else(refusal)?;
    let rest = async {
        while let Some(frame) = reading.body.frame().await {
            if !reading.takes(frame)? {
                break;
            }
            if !leave.grow(reading.kept.len()) {
                return Err(refusal());
            }
        }
        reading.whole()
    };
    let time = if limit > SMALL { LARGE_BODY } else { BODY };
    tokio::time::timeout(time, rest).await.unwrap_or_else(|_| Err(Error::new(Kind::Slow, format!("must arrive within {} s", time.as_secs())).in_field("body")))
}

/// Reads off the body of a request that is refused without it, beside the answer: so the client sees the answer and keeps
/// its connection. One for which there is no leave, and one that the client has not begun to send, is left: the connection
/// then ends with the answer.
pub fn read_off(headers: &HeaderMap, body: Body, room: &Room, key: Option<Key>) {
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    // Nothing of it is kept.
    if let Some(leave) = room.body(key, 0, 0) {
        tokio::spawn(async move {
            let mut reading = Reading { body, limit: 0, kept: BytesMut::new(), seen: 0 };
            let all = async {
                while let Some(frame) = reading.body.frame().await
                    && matches!(reading.takes(frame), Ok(true))
                {}
            };
            // Whatever comes of it, the answer is given.
            let _ = tokio::time::timeout(BODY, all).await;
            drop(leave);
        });
    }
}

/// A body that is being read.
struct Reading {
    body: Body,
    limit: usize,
    kept: BytesMut,
    seen: usize,
}

impl Reading {
    /// Takes the next piece; false where so much has come that no more is read.
    fn takes(&mut self, frame: std::result::Result<Frame<Bytes>, axum::Error>) -> Result<bool> {
        let frame = frame.map_err(|e| Error::input("body", "must arrive whole").because(e))?;
        let Ok(data) = frame.into_data() else { return Ok(true) };
        self.seen = self.seen.saturating_add(data.len());
        if self.seen <= self.limit {
            self.kept.extend_from_slice(&data);
        } else {
            self.kept = BytesMut::new();
        }
        Ok(self.seen <= READ_OFF)
    }

    fn whole(self) -> Result<Bytes> {
        if self.seen > READ_OFF {
            let mut body = self.body;
            // Whatever comes of it, the answer is given.
            let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
            tokio::spawn(tokio::time::timeout(LINGER, rest));
        }
        if self.seen > self.limit {
            return Err(Error::new(Kind::TooLarge, format!("must be at most {} bytes", self.limit)).in_field("body"));
        }
        Ok(self.kept.freeze())
    }
}

/// A JSON answer; of what cannot be JSON, which our own types always can, a 500.
pub fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut json = Vec::with_capacity(512);
    match serde_json::to_writer(&mut json, body) {
        Ok(()) => response(status, "application/json", Bytes::from(json)),
        Err(e) => problem(&Error::internal(e)),
    }
}

/// An answer with a body of this content type.
pub fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// 405 with the methods that the resource has.
pub fn method_not_allowed(allowed: &[Method]) -> Response {
    let names = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let mut answer = problem(&Error::new(Kind::MethodNotAllowed, format!("allowed here: {names}")));
    if let Ok(value) = HeaderValue::try_from(names) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}

/// An error as problem details, with `Retry-After` where trying again may help.
pub fn problem(error: &Error) -> Response {
    problem_with(error, Map::new())
}

/// The same with extension members of this problem type.
pub fn problem_with(error: &Error, extensions: Map<String, Value>) -> Response {
    let row = error.kind.row();
    let mut body = json!({
        "type": format!("urn:rtvoice:problem:{}", row.slug),
        "title": row.title,
        "status": row.status,
        "detail": match &error.field {
            Some(field) => format!("{field} {}", error.detail),
            None => error.detail.clone(),
        },
    });
    if let Some(field) = &error.field {
        body["field"] = json!(field);
    }
    if let Some(members) = body.as_object_mut() {
        members.extend(extensions);
    }
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = response(status, "application/problem+json", Bytes::from(body.to_string()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = error.retry_after.map_or(1, |d| d.as_secs().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
