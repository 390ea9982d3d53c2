//! The envelope in which the host hands over every invocation but plain HTTP: `{"Data":{..},"Metadata":{..}}`.
//!
//! In: the body of `POST /{FunctionName}`. Out: the trigger's value as JSON, bytes or a request, the Metadata that can
//! be trusted, and the answers that the host understands. Fails with `BadInput` naming the field; no input panics.
//!
//! How .NET values are written (a string is JSON text in a string, bytes are base64) and what can be forged is read
//! from the host's source, `ScriptInvocationContextExtensions` and `Utility.ApplyBindingData`.

mod answer;

use axum::http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::trace::is_valid;
pub use answer::{answer_empty, answer_http};

/// JSON texts within one another, the envelope itself being the first: object, string → object, string → string → object.
const MAX_NESTED: usize = 3;

/// One invocation as the host wrote it.
#[derive(Debug, Clone)]
pub struct Envelope {
    data: Map<String, Value>,
    metadata: Map<String, Value>,
    trusted: bool,
}

/// The body of a message, with what its encoding says about the Metadata beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerBytes {
    /// The body.
    pub bytes: Bytes,
    /// False where the host has copied fields of the body over the Metadata: their sender wrote them, not the broker.
    pub trusted_metadata: bool,
}

impl Envelope {
    /// Reads an envelope. `Data` must be an object; a missing or null `Metadata` is an empty one.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(body).map_err(|e| Error::input("body", "must be a JSON object with Data and Metadata").because(e))?;
        let Value::Object(mut members) = value else { return Err(Error::input("body", "must be a JSON object with Data and Metadata")) };
        let Some(Value::Object(data)) = members.remove("Data") else { return Err(Error::input("Data", "must be an object")) };
        let metadata = match members.remove("Metadata") {
            Some(Value::Object(metadata)) => metadata,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(Error::input("Metadata", "must be an object")),
        };
        let trusted = !data.values().any(may_have_been_promoted);
        Ok(Self { data, metadata, trusted })
    }

    fn value(&self, binding: &str) -> Result<&Value> {
        match self.data.get(binding) {
            None | Some(Value::Null) => Err(Error::input(format!("Data.{binding}"), "must be present and not null")),
            Some(value) => Ok(value),
        }
    }

    /// The trigger's value as a JSON object or array: written as such, as text in a string, as text in a string in a
    /// string, or as base64 of the text.
    pub fn json(&self, binding: &str) -> Result<Value> {
        let mut value = self.value(binding)?.clone();
        for _ in 1..=MAX_NESTED {
            match value {
                Value::Object(_) | Value::Array(_) => return Ok(value),
                Value::String(text) => value = unwrapped(&text).ok_or_else(|| not_json(binding))?,
                _ => break,
            }
        }
        Err(not_json(binding))
    }

    /// The body of a message. A string is read by these rules, the first that fits:
    /// 1. JSON text of a string: the inner string is the body (a .NET string; never decoded further);
    /// 2. any other JSON text: that text is the body;
    /// 3. base64 (standard alphabet, padded) of JSON text: the decoded bytes are the body;
    /// 4. anything else is the body as it stands.
    ///
    /// No text fits two of the first three, but plain text such as `test` is valid base64, too: rule 3 asks for JSON,
    /// so that it stays plain. Where function.json says `dataType: binary`, [`Envelope::binary`] has no such doubt.
    pub fn bytes(&self, binding: &str) -> Result<TriggerBytes> {
        let value = self.value(binding)?;
        let bytes = match value {
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(Value::String(inner)) => Bytes::from(inner),
                Ok(_) => Bytes::copy_from_slice(text.as_bytes()),
                Err(_) => base64_json(text).map_or_else(|| Bytes::copy_from_slice(text.as_bytes()), Bytes::from),
            },
            other => Bytes::from(other.to_string()),
        };
        Ok(TriggerBytes { bytes, trusted_metadata: self.trusted })
    }

    /// The body of a message whose binding says `dataType: binary`: base64 of anything. What is not base64 is read as
    /// by [`Envelope::bytes`], for hosts that ignore the data type.
    pub fn binary(&self, binding: &str) -> Result<TriggerBytes> {
        match self.value(binding)? {
            Value::String(text) => match BASE64.decode(text) {
                Ok(bytes) => Ok(TriggerBytes { bytes: bytes.into(), trusted_metadata: self.trusted }),
                Err(_) => self.bytes(binding),
            },
            _ => self.bytes(binding),
        }
    }

    fn metadata(&self, name: &str) -> Option<&Value> {
        self.trusted.then(|| self.metadata.get(name)).flatten()
    }

    /// A Metadata value as text: `"\"m-1\""` and `"m-1"` both give `m-1`, `"3"` and `3` give `3`. None where it is absent,
    /// null, not a scalar, or where the Metadata cannot be trusted.
    pub fn metadata_text(&self, name: &str) -> Option<String> {
        scalar(self.metadata(name)?)
    }

    /// One of a message's application properties, as text.
    pub fn application_property(&self, name: &str) -> Option<String> {
        scalar_as_is(self.metadata("ApplicationProperties")?.get(name)?)
    }

    /// The trace context that came with a message (`traceparent` or `Diagnostic-Id`) or with an event, if it has the
    /// W3C shape.
    pub fn traceparent(&self) -> Option<String> {
        let of_message = || self.application_property("traceparent").or_else(|| self.application_property("Diagnostic-Id"));
        let of_event = || self.data.values().find_map(|v| v.get("traceparent")).and_then(scalar_as_is);
        of_message().or_else(of_event).filter(|text| is_valid(text))
    }

    /// What came beside the trace context of a message or an event (`tracestate`).
    pub fn tracestate(&self) -> Option<String> {
        let of_event = || self.data.values().find_map(|v| v.get("tracestate")).and_then(scalar_as_is);
        self.application_property("tracestate").or_else(of_event)
    }

    /// The request of an httpTrigger that was not forwarded: method, path and query, headers and body.
    pub fn http(&self, binding: &str) -> Result<Request<Bytes>> {
        let field = |name: &str| format!("Data.{binding}.{name}");
        let Value::Object(req) = self.json(binding)? else { return Err(not_json(binding)) };
        let text = |name: &str| req.get(name).and_then(Value::as_str).ok_or_else(|| Error::input(field(name), "must be a string"));
        let method = Method::from_bytes(text("Method")?.as_bytes()).map_err(|_| Error::input(field("Method"), "must be an HTTP method"))?;
        let uri = relative(text("Url")?).ok_or_else(|| Error::input(field("Url"), "must be a URL"))?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, values) in req.get("Headers").and_then(Value::as_object).into_iter().flatten() {
            let values = values.as_array().map_or_else(|| std::slice::from_ref(values), Vec::as_slice);
            for value in values {
                let pair = value.as_str().and_then(|v| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(v).ok()?)));
                let (name, value) = pair.ok_or_else(|| Error::input(field("Headers"), "must hold header names with lists of strings"))?;
                request.headers_mut().append(name, value);
            }
        }
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase();
        let is_binary = media.starts_with("application/octet-stream") || media.starts_with("multipart/");
        *request.body_mut() = match req.get("Body") {
            None | Some(Value::Null) => Bytes::new(),
            Some(Value::String(body)) if is_binary => {
                BASE64.decode(body).map(Bytes::from).map_err(|e| Error::input(field("Body"), "must be base64 for this content type").because(e))?
            }
            Some(Value::String(body)) => Bytes::copy_from_slice(body.as_bytes()),
            Some(other) => Bytes::from(other.to_string()),
        };
        Ok(request)
    }
}

fn not_json(binding: &str) -> Error {
    Error::input(format!("Data.{binding}"), "must be a JSON object or array, or a string that holds one")
}

/// One level less: JSON text, else base64 of JSON text.
fn unwrapped(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_slice(&base64_json(text)?).ok())
}

/// The bytes behind standard, padded base64, where they are JSON text.
fn base64_json(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text).ok()?;
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok().then_some(bytes)
}

/// True where the host may have copied top-level fields of this value over the Metadata: it does so for a .NET string
/// that looks like a JSON object, and an object here may have been such a string. base64 is never looked into.
fn may_have_been_promoted(value: &Value) -> bool {
    let object_like = |text: &str| text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with('{');
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::String(inner)) => object_like(&inner),
            _ => object_like(text),
        },
        Value::Object(_) => true,
        _ => false,
    }
}

/// A Metadata value as text: strings are JSON text in a string, except dates, which stand bare.
fn scalar(value: &Value) -> Option<String> {
    let Value::String(text) = value else { return scalar_as_is(value) };
    match serde_json::from_str::<Value>(text) {
        Ok(inner @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => scalar_as_is(&inner),
        Ok(_) => None,
        Err(_) => Some(text.clone()),
    }
}

fn scalar_as_is(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Path and query of an absolute or relative URL; what may not stand in a request line is percent-encoded.
fn relative(url: &str) -> Option<Uri> {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest.find(['/', '?']).map_or("/", |at| &rest[at..]));
    let path = after_scheme.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    const UNSAFE: &percent_encoding::AsciiSet =
        &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');
    percent_encoding::utf8_percent_encode(&path, UNSAFE).to_string().parse().ok()
}
