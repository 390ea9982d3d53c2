//! A strict stand-in for Azure OpenAI chat completions: it takes what the reference of api-version 2024-10-21 allows
//! and the contract of this project asks for, and complains about everything else.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::stand_in::{Credential, Seen, StandIn, Verdict};

/// The only deployment there is.
pub const DEPLOYMENT: &str = "gpt-4o-mini";
/// What it answers.
pub const ANSWER: &str = "Your order arrives on Tuesday.";

/// How it can fail, one fault for one correct request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 400 with the code `content_filter`: the prompt was refused.
    FilteredPrompt,
    /// 200 without content and finish reason `content_filter`: the answer was refused.
    FilteredAnswer,
    /// 429, with `Retry-After` in seconds or `retry-after-ms`.
    Throttled(Option<u64>, Option<u64>),
    /// Any other status, with a message that quotes the prompt.
    Status(u16),
    /// No answer at all.
    Hang,
    /// 200 with JSON that breaks off.
    MalformedJson,
    /// 200 with nothing but white space as content.
    EmptyContent,
    /// 200 with this text and finish reason.
    Says(String, &'static str),
    /// 200 with a body of this many bytes.
    Huge(usize),
}

/// Starts it.
pub fn start(credential: Credential) -> StandIn<Fault> {
    StandIn::start(move |seen| match check(seen, &credential) {
        Ok(()) => Verdict::Right(completion(&json!({"role": "assistant", "content": ANSWER}), "stop"), fail),
        Err((status, complaint)) => {
            let response = error(status, if status == 404 { "DeploymentNotFound" } else { "invalid_request_error" }, &complaint);
            Verdict::Wrong(complaint, response)
        }
    })
}

/// Starts one that repeats what it was told last.
pub fn echoing(credential: Credential) -> StandIn<Fault> {
    StandIn::start(move |seen| match check(seen, &credential) {
        Ok(()) => {
            let body: Value = serde_json::from_slice(&seen.body).expect("checked");
            let told = body["messages"].as_array().and_then(|messages| messages.last()?["content"].as_str()).unwrap_or_default();
            Verdict::Right(completion(&json!({"role": "assistant", "content": format!("You said: {told}")}), "stop"), fail)
        }
        Err((status, complaint)) => Verdict::Wrong(complaint.clone(), error(status, "invalid_request_error", &complaint)),
    })
}

fn check(seen: &Seen, credential: &Credential) -> Result<(), (u16, String)> {
    let wrong = |status: u16, sound: bool, what: &str| if sound { Ok(()) } else { Err((status, what.to_owned())) };
    let path: Vec<&str> = seen.uri.path().split('/').collect();
    let ["", "openai", "deployments", deployment, "chat", "completions"] = path[..] else { return Err((404, "path".into())) };
    wrong(405, seen.method == Method::POST, "method")?;
    let deployment = percent_encoding::percent_decode_str(deployment).decode_utf8_lossy();
    wrong(404, deployment == DEPLOYMENT, "deployment")?;
    wrong(404, seen.uri.query() == Some("api-version=2024-10-21"), "api-version")?;
    credential.check(seen, "api-key").map_err(|what| (401, what))?;
    wrong(415, seen.header("content-type") == "application/json", "content-type")?;
    let body: Value = serde_json::from_slice(&seen.body).map_err(|_| (400, "json".to_owned()))?;
    check_body(&body).map_err(|what| (400, what))
}

fn check_body(body: &Value) -> Result<(), String> {
    let object = body.as_object().ok_or("not an object")?;
    if let Some(unknown) = object.keys().find(|k| !["messages", "max_tokens", "temperature"].contains(&k.as_str())) {
        return Err(format!("unknown field {unknown}"));
    }
    let tokens = object.get("max_tokens").and_then(Value::as_u64);
    tokens.filter(|n| (50..=1000).contains(n)).ok_or("max_tokens")?;
    let temperature = object.get("temperature").and_then(Value::as_f64);
    temperature.filter(|t| (0.0..=1.0).contains(t)).ok_or("temperature")?;
    let messages = object.get("messages").and_then(Value::as_array).ok_or("messages")?;
    if !(2..=64).contains(&messages.len()) {
        return Err("number of messages".into());
    }
    for (n, message) in messages.iter().enumerate() {
        let message = message.as_object().filter(|m| m.len() == 2).ok_or("fields of a message")?;
        let role = message.get("role").and_then(Value::as_str).ok_or("role")?;
        message.get("content").and_then(Value::as_str).filter(|c| !c.trim().is_empty()).ok_or("content")?;
        let sound = match role {
            "system" => n < 2,
            "user" => n > 0,
            "assistant" => n > 0 && n + 1 < messages.len(),
            _ => false,
        };
        if !sound || (n == 0) && role != "system" || (n + 1 == messages.len()) && role != "user" {
            return Err(format!("role {role} at {n}"));
        }
    }
    Ok(())
}

fn fail(fault: Fault) -> Option<Response> {
    // Services quote what they were sent; nothing of it may travel on.
    let quoting = "You said: my PIN is 0000";
    Some(match fault {
        Fault::Hang => return None,
        Fault::FilteredPrompt => error(400, "content_filter", quoting),
        Fault::FilteredAnswer => completion(&json!({"role": "assistant"}), "content_filter"),
        Fault::Throttled(seconds, millis) => {
            let mut response = error(429, "429", quoting);
            let headers = [("retry-after", seconds), ("retry-after-ms", millis)];
            for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                response.headers_mut().insert(name, value.into());
            }
            response
        }
        Fault::Status(status) => error(status, "InternalServerError", quoting),
        Fault::MalformedJson => ([("content-type", "application/json")], r#"{"choices":[{"message":{"content":"my PIN is 0000"#).into_response(),
        Fault::EmptyContent => completion(&json!({"role": "assistant", "content": " \n\u{7}"}), "stop"),
        Fault::Says(text, finish) => completion(&json!({"role": "assistant", "content": text}), finish),
        Fault::Huge(bytes) => ([("content-type", "application/json")], "x".repeat(bytes)).into_response(),
    })
}

fn completion(message: &Value, finish: &str) -> Response {
    axum::Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_768_471_200, "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "finish_reason": finish, "logprobs": null, "message": message, "content_filter_results": {}}],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
    }))
    .into_response()
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, axum::Json(json!({"error": {"code": code, "message": message, "type": null, "param": null, "status": status.as_u16()}}))).into_response()
}
