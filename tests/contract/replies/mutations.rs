//! The stand-in for Azure OpenAI is strict: a correct request passes, and no single change of it does.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::openai::{self, DEPLOYMENT};
use crate::harness::stand_in::{Credential, Raw};

fn correct_body() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Facts"},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Where is my order?"}
        ],
        "max_tokens": 300,
        "temperature": 0.4
    })
}

fn correct() -> Raw {
    Raw {
        method: Method::POST,
        target: format!("/openai/deployments/{DEPLOYMENT}/chat/completions?api-version=2024-10-21"),
        headers: vec![("api-key", "key-1".into()), ("content-type", "application/json".into())],
        body: correct_body().to_string().into_bytes(),
    }
}

/// The correct request with one value of its body replaced or, with null, removed.
fn with(pointer: &str, value: Value) -> Raw {
    let mut body = correct_body();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(map) if value.is_null() => drop(map.remove(key)),
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no fields"),
    }
    correct().body(body.to_string())
}

#[tokio::test]
async fn no_single_change_of_a_correct_request_passes() {
    let service = openai::start(Credential::Key("key-1"));
    assert_eq!(correct().send(&service.url()).await, 200);
    let path = format!("/openai/deployments/{DEPLOYMENT}/chat/completions");
    let turn = json!({"role": "user", "content": "Hi"});
    let mutations = [
        ("method", 405, Raw { method: Method::PUT, ..correct() }),
        ("path", 404, correct().target("/openai/chat/completions?api-version=2024-10-21")),
        ("deployment", 404, correct().target("/openai/deployments/other/chat/completions?api-version=2024-10-21")),
        ("api-version", 404, correct().target(&format!("{path}?api-version=2023-05-15"))),
        ("api-version", 404, correct().target(&path)),
        ("credential", 401, correct().header("api-key", Some("key-2"))),
        ("credential", 401, correct().header("api-key", None)),
        ("credential", 401, correct().header("authorization", Some("Bearer key-1"))),
        ("content-type", 415, correct().header("content-type", Some("text/plain"))),
        ("json", 400, correct().body("{\"messages\":")),
        ("unknown field stream", 400, with("/stream", json!(true))),
        ("max_tokens", 400, with("/max_tokens", Value::Null)),
        ("max_tokens", 400, with("/max_tokens", json!("300"))),
        ("max_tokens", 400, with("/max_tokens", json!(100_000))),
        ("temperature", 400, with("/temperature", json!(3))),
        ("messages", 400, with("/messages", Value::Null)),
        ("number of messages", 400, with("/messages", json!([]))),
        ("number of messages", 400, with("/messages", json!(vec![turn; 65]))),
        ("role user at 0", 400, with("/messages/0/role", json!("user"))),
        ("role tool at 3", 400, with("/messages/3/role", json!("tool"))),
        ("role system at 2", 400, with("/messages/2/role", json!("system"))),
        ("role assistant at 4", 400, with("/messages/4/role", json!("assistant"))),
        ("content", 400, with("/messages/4/content", json!(["Hi"]))),
        ("content", 400, with("/messages/4/content", json!(" "))),
        ("fields of a message", 400, with("/messages/4/name", json!("caller"))),
    ];
    let mut complaints = Vec::new();
    for (complaint, status, request) in mutations {
        assert_eq!(request.send(&service.url()).await, status, "{complaint}");
        complaints.push(complaint);
    }
    assert_eq!(service.complaints(), complaints);
}

#[tokio::test]
async fn a_bearer_token_is_checked_as_strictly() {
    let service = openai::start(Credential::Bearer("token-1"));
    let bearer = |token| correct().header("api-key", None).header("authorization", Some(token));
    assert_eq!(bearer("Bearer token-1").send(&service.url()).await, 200);
    assert_eq!(bearer("Bearer token-2").send(&service.url()).await, 401);
    assert_eq!(bearer("token-1").send(&service.url()).await, 401);
    assert_eq!(bearer("Bearer token-1").header("api-key", Some("key-1")).send(&service.url()).await, 401);
}
