//! Traces: one id from the request to the archived turn, spans and metrics as collectors take them, and a log that storms cannot fill.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use rtvoice::app::{App, Parts};
use rtvoice::host::router::router;
use rtvoice::model::trace;
use rtvoice::ports::documents::Container;
use rtvoice::telemetry::storm::{DONE, MOST, MOST_DONE, SPAN, Storm};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::functions::compliance_report::parts;
use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;
use crate::harness::identity::{IdentityEndpoint, audience_of};
use crate::harness::process::{Handler, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const LOCK: Duration = Duration::from_secs(60);

async fn traced_turn(app: &Rtvoice, headers: &[(&str, &str)]) {
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
    app.send(Method::POST, "/api/calls/call-1/turns", &headers, json!({"turnId": "t1", "text": "hello"}).to_string()).await.ok();
    app.quiesce().await;
}

/// Delivers the queue; the traces of its messages, and of the turns in the record.
async fn traces(app: &Rtvoice) -> (Vec<String>, Vec<String>) {
    let mut sent = Vec::new();
    for delivery in app.embedded_queue().receive(64, LOCK).await.unwrap() {
        let context = delivery.message.traceparent.clone().expect("every message has a trace");
        sent.push(trace::TraceContext::parse(&context).expect(&context).trace.to_string());
        app.deliver("TranscriptWriter", &delivery, true).await.ok();
        assert!(app.embedded_queue().complete(&delivery).await.unwrap());
    }
    let record = Value::Array(app.documents_in(Container::Transcripts)).to_string();
    let kept = record.split("\"traceId\":\"").skip(1).map(|rest| rest[..32].to_owned()).collect();
    (sent, kept)
}

#[tokio::test]
async fn one_trace_leads_from_the_request_through_the_queue_to_the_record() {
    let app = Rtvoice::start();
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    let (sent, kept) = traces(&app).await;
    assert_eq!((sent, kept), (vec![TRACE.to_owned()], vec![TRACE.to_owned()]));
    app.finish().await;
}

#[tokio::test]
async fn what_the_relay_sends_goes_on_with_the_trace_of_its_turn() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    app.queue.heal();
    app.clock.advance_millis(60_000);
    app.relay().await.ok();
    assert_eq!(traces(&app).await, (vec![TRACE.to_owned()], vec![TRACE.to_owned()]));
    app.finish().await;
}

#[tokio::test]
async fn without_a_context_a_trace_begins_with_the_invocation() {
    for (invocation, expected) in [("9f0c3a52-4b1d-4c7e-8a6f-0123456789ab", Some("9f0c3a524b1d4c7e8a6f0123456789ab")), ("no-guid", None)] {
        let app = Rtvoice::start();
        traced_turn(&app, &[("x-azure-functions-invocationid", invocation), ("traceparent", "00-forged-01")]).await;
        let (sent, kept) = traces(&app).await;
        assert_eq!(sent, kept);
        assert_eq!(sent.len(), 1);
        if let Some(expected) = expected {
            assert_eq!(sent[0], expected);
        }
        app.finish().await;
    }
}

#[tokio::test]
async fn an_event_goes_on_with_its_own_trace() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    let mut event = app.cloud_event("CallDisconnected", "call-1", "e2", json!({}));
    event["traceparent"] = json!(format!("00-{TRACE}-{PARENT}-01"));
    app.post("/api/calls/events", &json!([event])).await.ok();
    app.quiesce().await;
    assert_eq!(traces(&app).await.0, [TRACE]);
    app.finish().await;
}

#[test]
fn a_trace_state_is_whole_or_nothing() {
    let many = (0..32).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    for sound in ["congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, ,b=2,", "t1@sys=x y", &many] {
        assert_eq!(trace::state(sound), Some(sound), "{sound}");
    }
    let too_many = format!("{many},one=more");
    let too_long = format!("a={},b={}", "x".repeat(255), "y".repeat(255));
    for unsound in ["", " ", "a", "a=", "A=1", "1a=1", "a=1,a=2", "a=b=c", "a=\u{7}", "a=ü", "@s=1", "t@=1", "t@1=1", ",,", &too_many, &too_long] {
        assert_eq!(trace::state(unsound), None, "{unsound}");
    }
}

/// What a service outside got in these headers of one turn.
async fn handed_on(headers: &[(&str, &str)]) -> (String, Option<String>) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    let plain = Rtvoice::with(&[("SPEECH_ENDPOINT", &server.uri()), ("SPEECH_KEY", "k")]);
    let speech = Arc::clone(&App::new(plain.app.config.clone()).unwrap().speech);
    let app = App::from_parts(Parts { speech, ..parts(&plain) });
    let mut request = Request::post("/api/calls/call-1/turns").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(json!({"turnId": "t1", "text": "hello"}).to_string())).unwrap();
    assert_eq!(router(app).oneshot(request).await.unwrap().status(), 200);
    plain.quiesce().await;
    let request = server.received_requests().await.unwrap().remove(0);
    let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    plain.deliver_queue().await;
    plain.finish().await;
    (text("traceparent").unwrap(), text("tracestate"))
}

#[tokio::test]
async fn the_trace_state_goes_where_the_context_goes_and_never_without_it() {
    let context = format!("00-{TRACE}-{PARENT}-01");
    let (parent, state) = handed_on(&[("traceparent", &context), ("tracestate", "rojo=1"), ("tracestate", "congo=t61rcWkgMzE")]).await;
    assert!(parent.starts_with(&format!("00-{TRACE}-")) && !parent.contains(PARENT), "{parent}");
    assert_eq!(state.as_deref(), Some("rojo=1,congo=t61rcWkgMzE"));
    assert_eq!(handed_on(&[("traceparent", &context), ("tracestate", "rojo=1,Congo=2")]).await.1, None, "dropped whole");
    assert_eq!(handed_on(&[("traceparent", "00-forged-01"), ("tracestate", "rojo=1")]).await.1, None, "nothing that it would be about");
    assert_eq!(handed_on(&[("traceparent", &context)]).await.1, None);
}

async fn collector() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

#[tokio::test]
async fn otlp_collectors_get_spans_and_metrics() {
    let server = collector().await;
    let app = Rtvoice::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.uri()), ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k1, x=y")]);
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    let requests = server.received_requests().await.unwrap();
    let body = |path: &str| {
        let request = requests.iter().find(|request| request.url.path() == path).unwrap_or_else(|| panic!("nothing came to {path}"));
        assert_eq!(
            (&request.headers["api-key"], &request.headers["x"], &request.headers["content-type"]),
            (&"k1".parse().unwrap(), &"y".parse().unwrap(), &"application/json".parse().unwrap())
        );
        request.body_json::<Value>().unwrap()
    };
    let traces = body("/v1/traces");
    let spans = traces["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let called = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("there is no span {name}"));
    let span = called("ConversationTurn");
    assert_eq!(span["kind"], 2);
    for part in ["load", "reply", "commit", "speech", "queue.send"] {
        assert_eq!((&called(part)["traceId"], &called(part)["parentSpanId"], &called(part)["kind"]), (&json!(TRACE), &span["spanId"], &json!(1)), "{part}");
        assert_ne!(called(part)["spanId"], span["spanId"]);
    }
    assert_eq!((&span["traceId"], &span["parentSpanId"], &span["name"]), (&json!(TRACE), &json!(PARENT), &json!("ConversationTurn")));
    assert_eq!(span["startTimeUnixNano"], format!("{}000000", START.millis()));
    let metrics = body("/v1/metrics");
    let all = metrics["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let named = |name: &str| all.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("there is no {name}"));
    assert_eq!(named("rtvoice.turn.count")["sum"]["dataPoints"][0]["asInt"], "1");
    let point = &named("rtvoice.turn.stage.duration")["histogram"]["dataPoints"][0];
    assert_eq!(point["bucketCounts"].as_array().unwrap().len(), point["explicitBounds"].as_array().unwrap().len() + 1);
    let instance = |body: &Value, of: &str| {
        let attributes = body[of][0]["resource"]["attributes"].as_array().unwrap();
        let id = attributes.iter().find(|attribute| attribute["key"] == "service.instance.id").expect("sums of two processes do not collide");
        id["value"]["stringValue"].as_str().unwrap().to_owned()
    };
    assert_eq!(instance(&traces, "resourceSpans"), instance(&metrics, "resourceMetrics"));
    let other = Rtvoice::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.uri())]);
    other.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    let last = server.received_requests().await.unwrap().pop().unwrap().body_json::<Value>().unwrap();
    assert_ne!(instance(&last, "resourceMetrics"), instance(&metrics, "resourceMetrics"));
    other.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn metrics_go_their_way_where_spans_are_refused() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/traces")).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    Mock::given(path("/v1/metrics")).respond_with(ResponseTemplate::new(200)).expect(1).mount(&server).await;
    let app = Rtvoice::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.uri())]);
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    server.verify().await;
    app.finish().await;
}

#[tokio::test]
async fn application_insights_gets_requests_and_metrics() {
    let server = collector().await;
    let connection = format!("InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint={}/", server.uri());
    let app = Rtvoice::with(&[("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection)]);
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].url.path(), "/v2.1/track");
    let lines_of = |body: &[u8]| -> Vec<Value> { String::from_utf8_lossy(body).lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let lines = lines_of(&requests[0].body);
    let request = lines.iter().find(|line| line["data"]["baseType"] == "RequestData").unwrap();
    assert_eq!((&request["tags"]["ai.operation.id"], &request["data"]["baseData"]["success"]), (&json!(TRACE), &json!(true)));
    let part = lines.iter().find(|line| line["data"]["baseData"]["name"] == "commit").unwrap();
    assert_eq!((&part["data"]["baseType"], &part["tags"]["ai.operation.parentId"]), (&json!("RemoteDependencyData"), &request["data"]["baseData"]["id"]));
    let turns = |lines: &[Value]| {
        let metrics = lines.iter().map(|line| line["data"]["baseData"]["metrics"][0].clone());
        metrics.filter(|metric| metric["name"] == "rtvoice.turn.count").map(|metric| metric["value"].as_f64().unwrap()).sum::<f64>()
    };
    assert_eq!(turns(&lines), 1.0);
    // It adds up what it is told: the same turn is not told again, and what was not taken comes with the next lot.
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    server.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(400)).mount(&server).await;
    app.turn("call-1", "t2", "hello").await.ok();
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    server.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    app.turn("call-1", "t3", "hello").await.ok();
    app.app.export.hand_over(&app.app.metrics.figures(), app.clock_now()).await;
    let second = lines_of(&server.received_requests().await.unwrap()[0].body);
    assert_eq!(turns(&second), 2.0);
    let instance = |line: &Value| line["tags"]["ai.cloud.roleInstance"].as_str().unwrap().to_owned();
    assert!(instance(&lines[0]).len() > "rtvoice/dev/".len() + 16 && second.iter().all(|line| instance(line) == instance(&lines[0])), "{}", lines[0]);
    assert!(lines.iter().all(|line| line["iKey"] == "11111111-2222-3333-4444-555555555555"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn application_insights_gets_tokens_where_its_keys_are_off() {
    let (server, endpoint) = (collector().await, IdentityEndpoint::start().await);
    let mut settings: Vec<(&'static str, String)> = endpoint.env().into();
    settings.extend([
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", format!("InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint={}/", server.uri())),
        ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD".to_owned()),
    ]);
    let handler = Handler::start(settings).await;
    let first = async || server.received_requests().await.unwrap().into_iter().next();
    let request = eventually("a lot is handed over", || handler.output(), first).await;
    let token = request.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").expect("a token").to_owned();
    assert_eq!((request.url.path(), audience_of(&token).as_deref()), ("/v2.1/track", Some("https://monitor.azure.com")));
    assert_eq!(endpoint.asked(), ["https://monitor.azure.com"]);
}

/// Counts what reaches it.
struct Written(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Written {
    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_one_line_is_bounded_and_counted_and_others_are_heard() {
    let (storm, written) = (Storm::default(), Arc::new(AtomicU64::new(0)));
    let subscriber = tracing_subscriber::registry().with(storm.clone()).with(Written(Arc::clone(&written)));
    let _here = tracing::subscriber::set_default(subscriber);
    let storming = |lines: u64| (0..lines).for_each(|n| tracing::error!(n, "again"));
    storming(MOST + 70);
    tracing::error!("something else");
    assert_eq!(written.load(Ordering::Relaxed), MOST + 1);
    let left_out = storm.left_out();
    assert_eq!((left_out.len(), left_out[0].lines, left_out[0].level), (1, 70, tracing::Level::ERROR));
    assert!(left_out[0].place.contains("traces.rs:"), "{}", left_out[0].place);
    assert!(storm.left_out().is_empty());
    tokio::time::advance(SPAN).await;
    storming(3);
    assert_eq!(written.load(Ordering::Relaxed), MOST + 4);
    // The line that each invocation ends with: more of them, and what is left out is not told.
    (0..MOST_DONE + 10).for_each(|_| tracing::info!(target: DONE, "done"));
    assert_eq!(written.load(Ordering::Relaxed), MOST + 4 + MOST_DONE);
    assert!(storm.left_out().is_empty());
}

#[tokio::test]
async fn without_telemetry_nothing_is_counted_and_no_trace_handed_on() {
    let app = Rtvoice::with(&[("TELEMETRY", "off")]);
    traced_turn(&app, &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    assert_eq!(app.app.metrics.figures().counts.len(), 0);
    let sent = app.embedded_queue().receive(64, LOCK).await.unwrap();
    assert_eq!(sent.iter().map(|delivery| delivery.message.traceparent.clone()).collect::<Vec<_>>(), [None]);
    app.finish().await;
}
