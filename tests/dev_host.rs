//! The local host over the real protocol: its child is this test binary once more, playing a handler.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rtvoice::dev::host::{LocalHost, Options};
use rtvoice::dev::log::{LogSink, Origin};
use rtvoice::error::{Kind, Result};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::http::loopback_client;
use rtvoice::ports::queue::embedded::EmbeddedQueue;
use rtvoice::ports::queue::{Message, Queue as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::fake_handler::{self, Invocations};

const DEADLINE: Duration = Duration::from_secs(30);

/// An app of this repository's files in a folder of its own, with a fake handler.
pub struct App {
    pub root: TempDir,
    pub options: Options,
    pub lines: Arc<Mutex<Vec<(Origin, String)>>>,
    pub invocations: Invocations,
}

impl App {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(source).expect("the repository") {
            let from = entry.expect("an entry").path();
            if from.join("function.json").is_file() {
                let to = root.path().join(from.file_name().expect("a name"));
                std::fs::create_dir(&to).expect("a folder");
                std::fs::copy(from.join("function.json"), to.join("function.json")).expect("copied");
            }
        }
        for file in ["host.json", "local.settings.json"] {
            std::fs::copy(source.join(file), root.path().join(file)).expect("copied");
        }
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut options = Options::new(root.path().to_owned());
        options.port = 0;
        options.executable = Some(std::env::current_exe().expect("this binary"));
        options.arguments = Some(fake_handler::arguments());
        options.run_timers = false;
        options.environment = vec![(fake_handler::FOLDER.to_owned(), root.path().display().to_string()), setting("EMBEDDED_PATH", "queue.db")];
        let kept = Arc::clone(&lines);
        options.log = LogSink::new(move |origin, line| kept.lock().expect("lines").push((origin, line.to_owned())));
        let invocations = Invocations::in_folder(root.path());
        Self { root, options, lines, invocations }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.root.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{file} holds {from}");
        std::fs::write(path, text.replacen(from, to, 1)).expect("written");
    }

    pub async fn start(&self) -> LocalHost {
        self.try_start().await.unwrap_or_else(|e| panic!("{}\n{:?}", e.chain(), self.lines.lock().expect("lines")))
    }

    async fn try_start(&self) -> Result<LocalHost> {
        LocalHost::start(self.options.clone()).await
    }

    fn queue(&self) -> EmbeddedQueue {
        let embedded = Embedded::open(&self.root.path().join("queue.db")).expect("the file");
        EmbeddedQueue::open(embedded, Arc::new(SystemClock)).expect("the queue")
    }

    fn has_line(&self, origin: Origin, part: &str) -> bool {
        self.lines.lock().expect("lines").iter().any(|(o, line)| *o == origin && line.contains(part))
    }
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn message(id: &str, lane: &str, body: &Value) -> Message {
    Message {
        message_id: id.to_owned(),
        session_id: lane.to_owned(),
        correlation_id: "call-1".to_owned(),
        label: "turn".to_owned(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        not_before: None,
        body: body.to_string(),
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

async fn call(
    host: &LocalHost,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> (StatusCode, reqwest::header::HeaderMap, Value) {
    let mut request = loopback_client().expect("a client").request(method, format!("{}{path}", host.url())).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a body");
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_handler_as_they_came() {
    let app = App::new();
    let host = app.start().await;
    let headers =
        [("x-azure-functions-invocationid", "forged"), ("x-twice", "1"), ("content-type", "application/json"), ("connection", "x-hop"), ("x-hop", "1")];
    let (status, answer, echo) = call(&host, Method::POST, "/api/calls/c%2D1/turns?a=1&a=2&code=k", &headers, "{\"text\": \"ä\"}").await;
    assert_eq!(status, StatusCode::IM_A_TEAPOT, "the handler's own status comes back");
    assert_eq!(answer["x-fake"], "yes");
    assert_eq!((&echo["method"], &echo["target"]), (&json!("POST"), &json!("/api/calls/c%2D1/turns?a=1&a=2&code=k")));
    assert_eq!((&echo["body"], &echo["headers"]["content-type"]), (&json!("{\"text\": \"ä\"}"), &json!(["application/json"])));
    let id = echo["headers"]["x-azure-functions-invocationid"].as_array().expect("one value");
    assert!(id.len() == 1 && id[0].as_str().is_some_and(|id| id.len() == 36), "the client's value is overwritten: {id:?}");
    assert_eq!(echo["headers"]["x-hop"], Value::Null, "a header of the connection stays with it");
    assert!(echo["headers"]["host"][0].as_str().is_some_and(|h| h.starts_with("localhost:")), "the client's Host is kept");
    let large = "x".repeat(3 << 20);
    let (_, _, echo) = call(&host, Method::POST, "/api/calls/events", &[], large.clone()).await;
    assert_eq!(echo["body"].as_str().map(str::len), Some(large.len()));
    let (_, _, echo) = call(&host, Method::DELETE, "/api/calls/c-1/turns", &[], "").await;
    assert_eq!(echo["method"], "DELETE", "a wrong method is the handler's to refuse");
    for unknown in ["/api/nothing", "/api", "/calls/c-1/turns", "/api/calls/c-1/turns/more", "/runtime/webhooks/other", "/admin/nothing"] {
        assert_eq!(call(&host, Method::GET, unknown, &[], "").await.0, StatusCode::NOT_FOUND, "{unknown}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn event_grid_is_answered_as_by_the_real_webhook() {
    let app = App::new();
    let host = app.start().await;
    let hook = "/runtime/webhooks/EventGrid?functionName=CallConnected";
    let send = async |path: &str, kind: &str, body: Value| call(&host, Method::POST, path, &[("aeg-event-type", kind)], body.to_string()).await;
    let validation = json!([{"id": "v", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "code-1"}}]);
    let (status, _, answer) = send(hook, "SubscriptionValidation", validation).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"validationResponse": "code-1"})));
    let (status, headers, _) = call(&host, Method::OPTIONS, hook, &[("webhook-request-origin", "evil.example")], "").await;
    assert_eq!((status, headers["webhook-allowed-origin"].to_str().ok()), (StatusCode::OK, Some("eventgrid.azure.net")));
    assert!(app.invocations.all().is_empty(), "the handler sees no handshake");

    let event = |id: &str| json!({"id": id, "eventType": "X", "data": {"a": 1}});
    assert_eq!(send(hook, "Notification", json!([event("e-1"), event("e-2")])).await.0, StatusCode::ACCEPTED);
    assert_eq!(send(hook, "notification", event("e-3")).await.0, StatusCode::ACCEPTED);
    let mut seen = app.invocations.all();
    assert_eq!(seen.len(), 3, "one envelope for each event");
    seen.sort_by_key(|i| i["body"]["Data"]["event"]["id"].to_string());
    assert_eq!(seen[0]["target"], "/CallConnected");
    assert_eq!((&seen[0]["body"]["Data"]["event"], &seen[0]["body"]["Metadata"]["data"]), (&event("e-1"), &json!({"a": 1})));
    assert_eq!(seen[0]["headers"]["x-azure-functions-hostversion"].as_array().map(Vec::len), Some(1));

    assert_eq!(send(hook, "Notification", json!([event("e-4"), event("fail")])).await.0, StatusCode::INTERNAL_SERVER_ERROR, "one failure fails the batch");
    for answer in ["empty", "null", "text", "unjson"] {
        assert_eq!(send(hook, "Notification", json!([event(answer)])).await.0, StatusCode::INTERNAL_SERVER_ERROR, "{answer} is no answer");
    }
    assert!(app.has_line(Origin::Host, "would wait until functionTimeout"));
    assert_eq!(call(&host, Method::POST, hook, &[], "[]").await.0, StatusCode::BAD_REQUEST, "aeg-event-type is missing");
    assert_eq!(call(&host, Method::POST, hook, &[("aeg-event-type", "Notification")], "[1]").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(send(hook, "Unsubscribe", json!([])).await.0, StatusCode::ACCEPTED);
    for unknown in ["/runtime/webhooks/eventgrid?functionName=Nobody", "/runtime/webhooks/eventgrid?functionName=Ready", "/runtime/webhooks/eventgrid"] {
        assert_eq!(send(unknown, "Notification", json!([])).await.0, StatusCode::NOT_FOUND, "{unknown}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_run_by_hand() {
    let app = App::new();
    let host = app.start().await;
    let run = async |name: &str, body: Value| call(&host, Method::POST, &format!("/admin/functions/{name}"), &[], body.to_string()).await.0;
    assert_eq!(run("OutboxRelay", json!({"input": ""})).await, StatusCode::ACCEPTED);
    assert_eq!(run("TranscriptWriter", json!({"input": "{\"a\":1}"})).await, StatusCode::ACCEPTED);
    assert_eq!(run("CallConnected", json!({"input": "{\"id\":\"e\"}"})).await, StatusCode::ACCEPTED);
    assert_eq!(run("CallConnected", json!({"input": "no event"})).await, StatusCode::BAD_REQUEST);
    assert_eq!(run("Ready", json!({"input": ""})).await, StatusCode::BAD_REQUEST);
    assert_eq!(run("OutboxRelay", json!({"inputs": ""})).await, StatusCode::BAD_REQUEST);
    assert_eq!(run("Nobody", json!({})).await, StatusCode::NOT_FOUND);
    until("all three have run", async || app.invocations.all().len() == 3).await;
    let of = |target: &str| app.invocations.all().into_iter().find(|i| i["target"] == target).unwrap_or_else(|| panic!("{target} ran"))["body"]["Data"].clone();
    assert_eq!(of("/TranscriptWriter")["message"], "eyJhIjoxfQ==");
    let timer = of("/OutboxRelay")["timer"].clone();
    assert_eq!((&timer["IsPastDue"], &timer["ScheduleStatus"]["Last"]), (&json!(false), &json!("0001-01-01T00:00:00+00:00")));
    assert!(timer["ScheduleStatus"]["Next"].as_str().and_then(Timestamp::parse).is_some());
    let (status, _, list) = call(&host, Method::GET, "/admin/functions", &[], "").await;
    assert_eq!((status, list.as_array().map(Vec::len)), (StatusCode::OK, Some(host.manifest().functions.len())));
    let turns = list.as_array().expect("a list").iter().find(|f| f["name"] == "ConversationTurn").expect("listed");
    assert_eq!(turns["invoke_url_template"], format!("{}/api/calls/{{callConnectionId}}/turns", host.url()));
    assert_eq!(call(&host, Method::GET, "/admin/host/status", &[], "").await.2["state"], "Running");
    let table = host.table();
    for part in ["ConversationTurn", "functionName=CallConnected", "queue transcripts/$DeadLetterQueue", "schedule 0 * * * * *"] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_asked_for_with_auth_alone() {
    let mut app = App::new();
    app.options.auth = true;
    let host = app.start().await;
    let keys = host.keys().expect("keys").clone();
    let (function, master, events) = (keys.function.expose(), keys.master.expose(), keys.event_grid.expose());
    let get = async |path: &str, key: &str| {
        let header = [("x-functions-key", key)];
        call(&host, Method::GET, path, if key.is_empty() { &[] } else { &header }, "").await.0
    };
    const TURNS: &str = "/api/calls/c-1/turns";
    assert_eq!(get("/api/ready", "").await, StatusCode::IM_A_TEAPOT, "anonymous is open");
    for (path, key, open) in [
        (TURNS, "", false),
        (TURNS, "wrong", false),
        (TURNS, events, false),
        (TURNS, function, true),
        (TURNS, master, true),
        ("/admin/functions", function, false),
        ("/admin/functions", master, true),
        ("/runtime/webhooks/eventgrid?functionName=CallConnected", function, false),
    ] {
        assert_eq!(get(path, key).await != StatusCode::UNAUTHORIZED, open, "{path}");
    }
    assert_eq!(get(&format!("{TURNS}?code={function}"), "").await, StatusCode::IM_A_TEAPOT, "the query opens");
    assert_eq!(get(&format!("{TURNS}?code={function}"), "wrong").await, StatusCode::UNAUTHORIZED, "the header wins over the query");
    let hook = format!("/runtime/webhooks/eventgrid?functionName=CallConnected&code={events}");
    assert_eq!(call(&host, Method::POST, &hook, &[("aeg-event-type", "Notification")], "[]").await.0, StatusCode::ACCEPTED);
    assert!(host.table().contains(master), "the keys are shown at start");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_queue_is_delivered_in_order_by_lane() {
    let app = App::new();
    let queue = app.queue();
    for n in 0..5 {
        for lane in ["a", "b"] {
            queue.send(&message(&format!("{lane}-{n}"), lane, &json!({"n": n, "lane": lane}))).await.expect("sent");
        }
    }
    // local.settings.json disables the queue's functions for `func start`; this host delivers all the same.
    let host = app.start().await;
    until("the queue is empty", async || queue.stats().await.expect("stats").pending() == 0).await;
    let seen = app.invocations.all();
    assert_eq!(seen.len(), 10);
    for lane in ["a", "b"] {
        let order: Vec<_> =
            seen.iter().filter(|i| i["body"]["Metadata"]["SessionId"] == format!("\"{lane}\"")).map(|i| i["body"]["Metadata"]["MessageId"].clone()).collect();
        assert_eq!(order, (0..5).map(|n| json!(format!("\"{lane}-{n}\""))).collect::<Vec<_>>());
    }
    let sample: Value =
        serde_json::from_slice(&std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host/sb_session_binary.req.json")).expect("a sample"))
            .expect("JSON");
    let (expected, given) = (&sample["Metadata"].as_object().expect("an object"), &seen[0]["body"]["Metadata"].as_object().expect("an object"));
    let names = |m: &serde_json::Map<String, Value>| m.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(given), names(expected), "the Metadata of the real host");
    let kind = |v: &Value| (v.is_object(), v.as_str().map(|s| (s.starts_with('"'), s.parse::<u64>().is_ok())));
    for (name, value) in expected.iter() {
        assert_eq!(kind(&given[name]), kind(value), "{name} is written as by the real host");
    }
    assert_eq!(given["ApplicationProperties"]["Diagnostic-Id"], sample["Metadata"]["ApplicationProperties"]["Diagnostic-Id"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_message_comes_again_and_ends_as_a_dead_letter() {
    let app = App::new();
    let queue = app.queue();
    queue.send(&message("m-1", "a", &json!({"id": "fail"}))).await.expect("sent");
    queue.send(&message("m-2", "a", &json!({"id": "good"}))).await.expect("sent");
    let host = app.start().await;
    until("both are done with", async || {
        let stats = queue.stats().await.expect("stats");
        stats.pending() + stats.dead == 0
    })
    .await;
    let seen = app.invocations.all();
    let counts: Vec<_> = seen
        .iter()
        .filter(|i| i["target"] == "/TranscriptWriter" && i["body"]["Metadata"]["MessageId"] == "\"m-1\"")
        .map(|i| i["body"]["Metadata"]["DeliveryCount"].clone())
        .collect();
    assert_eq!(counts, (1..=10).map(|n| json!(n.to_string())).collect::<Vec<_>>());
    let dead: Vec<_> = seen.iter().filter(|i| i["target"] == "/TranscriptDeadLetter").collect();
    assert_eq!(dead.len(), 1);
    let metadata = &dead[0]["body"]["Metadata"];
    assert_eq!(
        (&metadata["ApplicationProperties"]["DeadLetterReason"], &metadata["DeadLetterSource"]),
        (&json!("MaxDeliveryCountExceeded"), &json!("\"transcripts\""))
    );
    assert_eq!(metadata["SessionId"], Value::Null, "dead letters have no sessions");
    assert!(seen.iter().any(|i| i["body"]["Metadata"]["MessageId"] == "\"m-2\""), "the lane goes on");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_switched_off_by_settings() {
    let mut app = App::new();
    app.options.environment.extend([setting("AzureWebJobs.TranscriptWriter.Disabled", "true"), setting("AzureWebJobs__Ready__Disabled", "1")]);
    let queue = app.queue();
    queue.send(&message("m-1", "a", &json!({}))).await.expect("sent");
    let host = app.start().await;
    assert_eq!(call(&host, Method::GET, "/api/ready", &[], "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(call(&host, Method::GET, "/api/health", &[], "").await.0, StatusCode::IM_A_TEAPOT);
    assert!(host.table().contains("TranscriptWriter (disabled)"));
    host.stop().await;
    assert_eq!(queue.stats().await.expect("stats").active, 1, "nobody took the message");
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_tick_on_their_schedule() {
    let mut app = App::new();
    app.edit("OutboxRelay/function.json", "0 * * * * *", "* * * * * *");
    app.options.run_timers = true;
    let host = app.start().await;
    // Other timers may fall due meanwhile, at a full minute.
    let ticks = || app.invocations.all().into_iter().filter(|i| i["target"] == "/OutboxRelay").collect::<Vec<_>>();
    until("three ticks", async || ticks().len() >= 3).await;
    host.stop().await;
    let timers: Vec<Value> = ticks().iter().map(|i| i["body"]["Data"]["timer"].clone()).collect();
    let time = |timer: &Value, name: &str| timer["ScheduleStatus"][name].as_str().and_then(Timestamp::parse).expect("a time");
    assert_eq!(timers[0]["Schedule"], json!({"AdjustForDST": true}));
    for pair in timers.windows(2) {
        assert!(time(&pair[1], "Next") > time(&pair[0], "Next") && time(&pair[1], "Last") > time(&pair[0], "Last"), "{pair:?}");
        assert_eq!(time(&pair[1], "Next").millis() % 1000, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_handler_is_restarted_as_by_the_real_host() {
    let app = App::new();
    let host = app.start().await;
    let first = host.handler().await.expect("a handler");
    for (at, code) in [1, 200, 3, 200].into_iter().enumerate() {
        let pid = host.handler().await.expect("a handler").pid;
        let (status, _, _) = call(&host, Method::POST, "/api/calls/events", &[("x-exit", &code.to_string())], "").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "the request dies with the handler");
        until("another one runs", async || host.handler().await.is_ok_and(|h| h.pid != pid)).await;
        assert_eq!(host.handler().await.expect("a handler").start, first.start + at as u64 + 1);
    }
    call(&host, Method::POST, "/api/calls/events", &[("x-exit", "1")], "").await;
    let error = tokio::time::timeout(DEADLINE, host.failed()).await.expect("the third error ends the host");
    assert!(error.detail.contains("last words"), "with what the handler said last: {}", error.detail);
    assert_eq!(call(&host, Method::GET, "/api/ready", &[], "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_ends_with_0_is_not_restarted() {
    let app = App::new();
    let host = app.start().await;
    call(&host, Method::POST, "/api/calls/events", &[("x-exit", "0")], "").await;
    until("it is noted", async || app.has_line(Origin::Host, "exit code 0")).await;
    assert_eq!(call(&host, Method::GET, "/api/ready", &[], "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let queue = app.queue();
    queue.send(&message("m-1", "a", &json!({}))).await.expect("sent");
    assert_eq!(call(&host, Method::GET, "/admin/host/status", &[], "").await.2["state"], "Error");
    host.stop().await;
    let delivery = queue.receive(1, Duration::from_secs(60)).await.expect("the queue").pop().expect("still there");
    assert_eq!(delivery.delivery_count, 1, "no delivery was wasted on a handler that is away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_why() {
    let mut app = App::new();
    app.options.environment.push(setting(fake_handler::FAIL_START, "REDIS_HOST must be a host name"));
    let error = app.try_start().await.expect_err("no start");
    assert!(error.detail.contains("REDIS_HOST must be a host name"), "{}", error.detail);

    let app = App::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut options = app.options.clone();
    options.port = taken.local_addr().expect("an address").port();
    let error = LocalHost::start(options).await.expect_err("no start");
    assert_eq!(error.kind, Kind::Setting);
    assert!(error.detail.starts_with("--port "), "{}", error.detail);

    let app = App::new();
    app.edit("host.json", "\"enableForwardingHttpRequest\": true", "\"enableForwardingHttpRequest\": false");
    app.edit("host.json", "\"enableProxyingHttpRequest\": true", "\"enableProxyingHttpRequest\": false");
    assert!(app.try_start().await.expect_err("no start").detail.contains("enableProxyingHttpRequest"));

    let mut app = App::new();
    app.options.environment.push(setting("QUEUE_LANES", "many"));
    assert!(app.try_start().await.expect_err("no start").detail.starts_with("QUEUE_LANES "));
}

#[tokio::test(flavor = "multi_thread")]
async fn function_timeout_costs_the_handler_its_life() {
    let app = App::new();
    app.edit("host.json", "\"functionTimeout\": \"00:05:00\"", "\"functionTimeout\": \"00:00:01\"");
    let host = app.start().await;
    let before = host.handler().await.expect("a handler");
    let (status, _, _) = call(&host, Method::POST, "/api/calls/events", &[("x-hang", "1")], "").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    until("another one runs", async || host.handler().await.is_ok_and(|h| h.pid != before.pid)).await;
    assert!(!is_alive(before.pid));
    // A machine with much else to do may need more than a second for this one, too.
    until("it answers", async || call(&host, Method::GET, "/api/ready", &[], "").await.0 == StatusCode::IM_A_TEAPOT).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_hears_the_settings_and_ends_with_its_host() {
    let mut app = App::new();
    app.options.environment.push(setting("TRANSCRIPT_QUEUE", "given"));
    app.edit("local.settings.json", "\"LOG_LEVEL\": \"info\"", "\"LOG_LEVEL\": \"info\", \"FROM_FILE\": \"yes\"");
    let host = app.start().await;
    let ready = host.handler().await.expect("a handler");
    let (_, _, echo) = call(&host, Method::GET, "/api/health", &[], "").await;
    let port = ready.port.to_string();
    let root = app.root.path().display().to_string();
    for (name, value) in [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str()),
        ("FUNCTIONS_HTTPWORKER_PORT", &port),
        ("FUNCTIONS_APP_ROOT_PATH", &root),
        ("RTVOICE_DEV_HOST", "1"),
        ("RTVOICE_EXIT_WITH_STDIN", "1"),
        ("TRANSCRIPT_QUEUE", "given"),
        ("FROM_FILE", "yes"),
        ("FUNCTIONS_WORKER_RUNTIME", "custom"),
    ] {
        assert_eq!(echo["environment"][name], value, "{name}");
    }
    until("its lines are relayed", async || app.has_line(Origin::Stdout, "fake handler is listening")).await;
    host.stop().await;
    assert!(!is_alive(ready.pid), "the handler has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_runs_at_the_end_is_given_back() {
    let app = App::new();
    let queue = app.queue();
    queue.send(&message("m-1", "a", &json!({"id": "hang"}))).await.expect("sent");
    let host = app.start().await;
    until("it is being delivered", async || !app.invocations.all().is_empty()).await;
    host.stop().await;
    assert_eq!(queue.stats().await.expect("stats").active, 1, "no lock is left on it");
}

/// A local host that is killed takes its handler along: the pipe of its standard input breaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_local_host_leaves_no_handler_behind() {
    let app = App::new();
    let mut host = tokio::process::Command::new(std::env::current_exe().expect("this binary"))
        .args(["dev_host::local_host_process", "--exact", "--ignored", "--nocapture"])
        .env("RTVOICE_TEST_APP", app.root.path())
        .kill_on_drop(true)
        .spawn()
        .expect("a local host");
    let note = app.root.path().join("handler.pid");
    let mut pid = None;
    until("its handler runs", async || {
        pid = std::fs::read_to_string(&note).ok().and_then(|text| text.trim().parse::<u32>().ok());
        pid.is_some()
    })
    .await;
    let pid = pid.expect("a process id");
    assert!(is_alive(pid));
    host.kill().await.expect("killed");
    until("the handler has ended", async || !is_alive(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of a_killed_local_host_leaves_no_handler_behind"]
async fn local_host_process() {
    let Some(root) = rtvoice::config::process_env("RTVOICE_TEST_APP").map(PathBuf::from) else { return };
    let mut app = App::new();
    app.options.app_root = root.clone();
    let host = app.start().await;
    let pid = host.handler().await.expect("a handler").pid;
    std::fs::write(root.join("handler.tmp"), pid.to_string()).expect("written");
    std::fs::rename(root.join("handler.tmp"), root.join("handler.pid")).expect("renamed");
    std::future::pending::<()>().await;
}

fn is_alive(pid: u32) -> bool {
    std::process::Command::new("kill").args(["-0", &pid.to_string()]).stderr(std::process::Stdio::null()).status().is_ok_and(|s| s.success())
}
