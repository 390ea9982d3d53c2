//! A handler for the local host to start: this test binary once more. It writes down every invocation, echoes plain
//! requests, and misbehaves on demand.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use rtvoice::config::process_env;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// The setting that names the folder to write to.
pub const FOLDER: &str = "RTVOICE_FAKE_FOLDER";

/// The setting that makes the start fail with this last line.
pub const FAIL_START: &str = "RTVOICE_FAKE_FAIL";

/// The arguments that make this test binary the fake handler.
pub fn arguments() -> Vec<String> {
    ["harness::fake_handler::process", "--exact", "--ignored", "--nocapture"].map(str::to_owned).to_vec()
}

/// What the handler wrote down, in the order of arrival.
pub struct Invocations(PathBuf);

impl Invocations {
    /// Those of a handler with this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("invocations.jsonl"))
    }

    /// All so far: `target`, `headers`, `body`.
    pub fn all(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

struct Notes(Mutex<std::fs::File>);

#[test]
#[ignore = "the process of the fake handler"]
fn process() {
    let (Some(port), Some(folder)) = (process_env("FUNCTIONS_CUSTOMHANDLER_PORT"), process_env(FOLDER)) else { return };
    if let Some(reason) = process_env(FAIL_START) {
        eprintln!("{reason}");
        std::process::exit(2);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.spawn(async {
        let mut rest = Vec::new();
        if process_env("RTVOICE_EXIT_WITH_STDIN").is_some() && tokio::io::stdin().read_to_end(&mut rest).await.is_ok() {
            std::process::exit(0);
        }
    });
    runtime.block_on(async {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(Path::new(&folder).join("invocations.jsonl")).expect("a file");
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port");
        println!("fake handler is listening");
        let routes = Router::new().fallback(answer).with_state(Arc::new(Notes(Mutex::new(file))));
        axum::serve(listener, routes).await.expect("served");
    });
}

async fn answer(State(notes): State<Arc<Notes>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        headers.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = headers.get("x-exit").and_then(|v| v[0].parse().ok()) {
        eprintln!("last words");
        std::process::exit(code);
    }
    if headers.contains_key("x-hang") {
        std::future::pending::<()>().await;
    }
    if target == "/" {
        return Response::new(Body::empty());
    }
    if target.starts_with("/api/") {
        let environment: BTreeMap<String, String> = std::env::vars().collect();
        let echo =
            json!({"method": parts.method.as_str(), "target": target, "headers": headers, "body": String::from_utf8_lossy(&body), "environment": environment});
        return Response::builder().status(StatusCode::IM_A_TEAPOT).header("x-fake", "yes").body(Body::from(echo.to_string())).expect("a response");
    }
    let envelope: Value = serde_json::from_slice(&body).expect("an envelope");
    let note = json!({"target": target, "headers": headers, "body": envelope});
    writeln!(notes.0.lock().expect("the file"), "{note}").expect("noted");
    let wish = wish(&envelope);
    if wish == "hang" {
        std::future::pending::<()>().await;
    }
    respond(&target, &wish)
}

/// The `id` in the trigger's value: what the test wants to happen.
fn wish(envelope: &Value) -> String {
    let data = envelope["Data"].as_object().and_then(|d| d.values().next()).cloned().unwrap_or_default();
    let value = match data.as_str().and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok()) {
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        None => data,
    };
    value["id"].as_str().unwrap_or_default().to_owned()
}

fn respond(target: &str, wish: &str) -> Response<Body> {
    let (status, media, body) = match wish {
        // A dead letter is parked whatever it holds.
        "fail" if target != "/TranscriptDeadLetter" => (500, "application/json", "{}"),
        "empty" => (204, "application/json", ""),
        "null" => (200, "application/json", "null"),
        "text" => (200, "text/plain", "{}"),
        "unjson" => (200, "application/json", "{"),
        _ => (200, "application/json; charset=utf-8", "{}"),
    };
    Response::builder().status(status).header("content-type", media).body(Body::from(body)).expect("a response")
}
