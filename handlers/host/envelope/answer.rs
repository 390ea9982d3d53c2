//! What the handler answers to an envelope: always 2xx, `application/json`, never empty and never `null`, because an
//! empty answer leaves the host waiting until it kills the whole process.

use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The answer of an invocation without outputs.
pub fn answer_empty() -> Bytes {
    Bytes::from_static(br#"{"Outputs":null,"Logs":null,"ReturnValue":null}"#)
}

/// The answer of an httpTrigger that was not forwarded: `response` becomes the output named `binding`.
///
/// Text goes out as it is, base64-looking or not: the host guesses at base64 only in `$return` and in outputs that are
/// not `http`. It has no way to send bytes from here, so a body that is not UTF-8 goes out as base64 and says so in
/// `Content-Transfer-Encoding`. Of several values of one header the host keeps one text: they are joined by commas.
pub fn answer_http(binding: &str, response: &Response<Bytes>) -> Bytes {
    let mut headers: Map<String, Value> = Map::new();
    for name in response.headers().keys() {
        // The host frames the body itself.
        if matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection") {
            continue;
        }
        let values: Vec<_> = response.headers().get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        headers.insert(name.to_string(), Value::String(values.join(", ")));
    }
    let body = match std::str::from_utf8(response.body()) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            headers.insert("content-transfer-encoding".to_owned(), Value::from("base64"));
            BASE64.encode(response.body())
        }
    };
    let output = json!({"statusCode": response.status().as_u16(), "headers": headers, "body": body});
    Bytes::from(json!({"Outputs": {binding: output}, "Logs": null, "ReturnValue": null}).to_string())
}
