//! What strangers write does not fill the log.

use serde_json::json;

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
    let handler = Handler::start(Vec::new()).await;
    let client = rtvoice::ports::http::client().expect("a client");
    let url = format!("http://127.0.0.1:{}/api/calls/call-1/turns", handler.port().expect("it runs"));
    let request = client.post(url).header("content-type", "application/json").header("traceparent", TRACE);
    assert_eq!(request.body(json!({"turnId": "t1", "text": "hello"}).to_string()).send().await.expect("an answer").status(), 200);
    let of_trace = || -> Vec<serde_json::Value> {
        let output = handler.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter(|line| line["span"]["trace_id"] == TRACE[3..35]).collect()
    };
    for function in ["ConversationTurn", "TranscriptWriter"] {
        let told = async || of_trace().iter().any(|line| line["message"] == "done" && line["span"]["function"] == function).then_some(());
        eventually(function, || handler.output(), told).await;
    }
    assert!(of_trace().iter().all(|line| line["timestamp"].is_string() && line["level"].is_string() && line["span"]["span_id"].is_string()));
}
