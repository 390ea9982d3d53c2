//! What strangers write does not fill the log, and its lines tell of a call by its token.

use std::collections::BTreeSet;

use rtvoice::model::ids::CallId;
use serde_json::{Value, json};

use crate::harness::process::{Handler, eventually};

/// A trace context as it should be.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_context_that_is_none_and_a_type_without_end_are_cut_off() {
    let handler = Handler::start(Vec::new()).await;
    let client = rtvoice::ports::http::client().expect("a client");
    let forged = format!("00-forged-{}", "f".repeat(5_000));
    for (number, trace) in [TRACE, forged.as_str()].into_iter().enumerate() {
        let kind = format!("type-{number}-{}", "ä".repeat(50_000));
        let event = json!({"specversion": "1.0", "id": "e", "source": "/x", "type": kind, "data": {}});
        let url = format!("http://127.0.0.1:{}/api/calls/events", handler.port().expect("it runs"));
        let request = client.post(url).header("content-type", "application/json").header("traceparent", trace).body(event.to_string());
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    let written = async || handler.output().lines().find(|line| line.contains("type-1-")).map(str::to_owned);
    let line = eventually("the event is in the log", || handler.output(), written).await;
    assert!(line.len() < 1_000, "{} bytes", line.len());
    let output = handler.output();
    assert!(output.contains(TRACE), "a sound trace context is logged: {output}");
    assert!(!output.contains("forged"));
    assert!(!output.contains(&"ä".repeat(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_can_be_followed_by_its_trace_to_the_archive() {
    // As it runs by default.
    let handler = Handler::start(vec![("LOG_LEVEL", "info".to_owned())]).await;
    let client = rtvoice::ports::http::client().expect("a client");
    let url = format!("http://127.0.0.1:{}/api/calls/call-1/turns", handler.port().expect("it runs"));
    let request = client.post(url).header("content-type", "application/json").header("traceparent", TRACE);
    assert_eq!(request.body(json!({"turnId": "t1", "text": "hello"}).to_string()).send().await.expect("an answer").status(), 200);
    let of_trace = || -> Vec<Value> {
        let output = handler.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["span"]["trace_id"] == TRACE[3..35]).collect()
    };
    for function in ["ConversationTurn", "TranscriptWriter"] {
        let told = async || of_trace().iter().any(|line| line["message"] == "done" && line["span"]["function"] == function).then_some(());
        eventually(function, || handler.output(), told).await;
    }
    assert!(of_trace().iter().all(|line| line["timestamp"].is_string() && line["level"].is_string() && line["span"]["span_id"].is_string()));
}

const INVOCATION: &str = "6f0d3b52-9a2c-4d34-8c4e-0f6f0a8c1d11";

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_call_has_its_token_its_invocation_and_its_trace_and_never_its_id() {
    let handler = Handler::start(Vec::new()).await;
    let call = "4a1b0f80-2d6c-4f0e-9c57-7e0d5c1f9a33";
    let event = |kind: &str| {
        json!([{
            "id": format!("{kind}-1"), "source": format!("calling/callConnections/{call}"), "type": format!("Microsoft.Communication.{kind}"),
            "data": { "callConnectionId": call, "serverCallId": "s", "correlationId": "c" }, "time": "2026-03-10T17:05:00Z", "specversion": "1.0",
        }])
    };
    let client = rtvoice::ports::http::client().expect("a client");
    // As the Functions host sends it.
    let sent = async |method: &str, path: &str, body: Value| {
        let url = format!("http://127.0.0.1:{}{path}", handler.port().expect("it runs"));
        let request = client.request(method.parse().expect("a method"), url).header("X-Azure-Functions-InvocationId", INVOCATION);
        request.header("content-type", "application/json").body(body.to_string()).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(sent("POST", "/api/calls/events", event("CallConnected")).await, 200);
    assert_eq!(sent("POST", &format!("/api/calls/{call}/turns"), json!({ "turnId": "t1", "text": "hello", "speak": false })).await, 200);
    // One that fails, so that there is a line above debug.
    assert_eq!(sent("POST", &format!("/api/calls/{call}/turns"), json!({ "turnId": "t/2", "text": "hello" })).await, 400);
    assert_eq!(sent("PUT", &format!("/api/calls/{call}/auth"), json!({ "authenticated": false, "method": "pin", "level": "none" })).await, 200);
    assert_eq!(sent("POST", "/api/calls/events", event("CallDisconnected")).await, 200);
    let archived = handler.archived(call, 1).await;

    let token = handler.app().vault.call_token(&CallId::parse(call).expect("an id")).await.expect("a token").to_string();
    let functions = ["CallEvents", "ConversationTurn", "AuthState", "TranscriptWriter"];
    let lines = || handler.output().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
    let told = || {
        let ends = lines().into_iter().filter(|line| line["message"] == "done" || line["message"] == "refused");
        ends.filter(|line| functions.iter().any(|function| line["function"] == *function)).collect::<Vec<_>>()
    };
    let all = async || {
        let seen: BTreeSet<String> = told().iter().filter_map(|line| Some(line["function"].as_str()?.to_owned())).collect();
        (seen.len() == functions.len()).then_some(())
    };
    eventually("each function has told of its end", || handler.output(), all).await;
    for line in told() {
        let span = &line["span"];
        // Until the first event had the key read, the process had a name of its own for it.
        assert!(span["call"] == token.as_str() || span["call"].as_str().is_some_and(|name| name.starts_with("p0-")), "{token} in {line}");
        let by_host = line["function"] != "TranscriptWriter";
        assert!(span["invocation_id"].as_str().is_some_and(|id| if by_host { id == INVOCATION } else { id.len() >= 32 }), "{line}");
        assert!(span["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{line}");
    }
    let turns = told().into_iter().filter(|line| line["function"] == "ConversationTurn");
    assert!(turns.map(|line| line["span"]["call"].clone()).all(|name| name == token.as_str()), "{:?}", told());
    assert!(told().iter().any(|line| line["level"] == "INFO"), "the refused turn");
    // The turn in the archive, the request that brought it, and the writer that took its message are of one trace.
    let trace = archived.union.in_order()[0].entry.trace_id.clone().expect("a trace");
    for function in ["ConversationTurn", "TranscriptWriter"] {
        assert!(told().iter().any(|line| line["function"] == function && line["span"]["trace_id"] == trace.as_str()), "{function} in {trace}: {:?}", told());
    }
    assert!(!handler.output().contains(call), "{:?}", handler.output().lines().filter(|line| line.contains(call)).collect::<Vec<_>>());
}
