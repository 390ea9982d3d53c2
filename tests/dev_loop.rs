//! `rtvoice dev --record` and `--watch`: what came in is played again elsewhere, and a changed source brings another handler.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::StatusCode;
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::dev::demo;
use rtvoice::dev::host::{LocalHost, Options};
use rtvoice::dev::log::LogSink;
use rtvoice::dev::tap::Tap;
use rtvoice::dev::watch::{self, Watching};
use rtvoice::error::Kind;
use rtvoice::model::ids::CallId;
use rtvoice::ops::events::samples;
use rtvoice::ops::replay;
use rtvoice::ops::target::Target;
use rtvoice::ports::http::loopback_client;
use rtvoice::steps::archive;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::dev_host::App as FakeApp;
use crate::harness::process::eventually;

/// The real app on stores of its own, with its lines.
struct Real {
    folder: tempfile::TempDir,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Real {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), lines: Arc::default() }
    }

    fn options(&self) -> Options {
        let kept = Arc::clone(&self.lines);
        let mut environment = demo::alone(&self.folder.path().join("rtvoice.db"));
        environment.push(("LOG_LEVEL".to_owned(), "warn".to_owned()));
        Options {
            port: 0,
            environment,
            executable: Some(env!("CARGO_BIN_EXE_rtvoice").into()),
            log: LogSink::new(move |_, line| kept.lock().unwrap().push(line.to_owned())),
            ..Options::new(env!("CARGO_MANIFEST_DIR").into())
        }
    }

    fn lines(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The archived turns of a call: id, what was said, what was answered.
    async fn archived(&self, call: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let environment = demo::alone(&self.folder.path().join("rtvoice.db"));
        let lookup = |name: &str| environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let app = App::new(Config::from_lookup(lookup, env!("CARGO_MANIFEST_DIR").into()).unwrap()).unwrap();
        let call = CallId::parse(call).unwrap();
        let read = async || archive::read(&app, &call).await.ok().flatten();
        let archived = eventually("the call is archived", || self.lines(), read).await;
        archived
            .union
            .in_order()
            .into_iter()
            .map(|turn| (turn.entry.turn_id.clone(), turn.entry.words.user.clone(), turn.entry.words.assistant.clone()))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_replayed_elsewhere_gives_the_same_archived_call() {
    let first = Real::new();
    let file = first.folder.path().join("calls.jsonl");
    std::fs::write(&file, "").unwrap();
    let host = LocalHost::start(Options { tap: Some(Tap::new(Some(file.clone()))), auth: true, ..first.options() }).await.unwrap();
    let master = host.keys().unwrap().master.clone();
    let target = Target::new(host.url(), Some(master.clone()), Duration::from_secs(60)).unwrap();
    let call = CallId::parse("call-rec-1").unwrap();
    let send = async |name: &str, id: &str| {
        let sample = samples().unwrap().into_iter().find(|sample| sample.name == name).unwrap().filled(&call, id);
        // The key as ACS has it in its callback URI.
        let path = format!("{}{}code={}", sample.path, if sample.path.contains('?') { '&' } else { '?' }, master.expose());
        let answer = target.send(&sample.method, &path, &sample.headers, Some(&sample.body)).await.unwrap();
        assert!(answer.is_success(), "{name}: {answer:?}");
    };
    for (name, id) in [("connected", "e1"), ("participants", "e2"), ("turn", "t1"), ("turn-personal", "t2"), ("eventgrid-disconnected", "e3")] {
        send(name, id).await;
    }
    let client = loopback_client().unwrap();
    let get = async |path: &str| client.get(format!("{}{path}", host.url())).header("x-functions-key", master.expose()).send().await.unwrap().status();
    assert_eq!(get("/api/calls/call-rec-1/worker").await, StatusCode::NOT_FOUND);
    get("/api/health").await;
    let unjson = client.post(format!("{}/api/calls/call-rec-1/turns?code={}", host.url(), master.expose())).body("no JSON").send().await.unwrap();
    assert_eq!(unjson.status(), StatusCode::BAD_REQUEST);
    let original = first.archived("call-rec-1").await;
    assert_eq!(original.len(), 2, "{original:?}");
    host.stop().await;

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(master.expose()), "a recording opens no door: {text}");
    let recorded = replay::read(&file).unwrap();
    let paths: Vec<&str> = recorded.iter().map(|(_, request)| request.path.as_str()).collect();
    assert_eq!(paths.len(), 6, "what looks at the app, and what is no JSON, is left out: {paths:?}");
    assert_eq!(paths[4], "/runtime/webhooks/eventgrid?functionName=CallDisconnected");
    assert_eq!((recorded[5].1.status, recorded[4].1.headers["aeg-event-type"].as_str()), (Some(404), Some("Notification")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");
    }

    let second = Real::new();
    let host = LocalHost::start(second.options()).await.unwrap();
    let target = Target::new(host.url(), None, Duration::from_secs(60)).unwrap();
    let replayed = replay::replay(&target, &recorded, 0.0).await.unwrap();
    assert_eq!((replayed.sent, replayed.as_expected), (6, 6), "{replayed:?}");
    assert_eq!(second.archived("call-rec-1").await, original);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_makes_no_recording() {
    let real = Real::new();
    let file = real.folder.path().join("calls.jsonl");
    let mut options = Options { tap: Some(Tap::new(Some(file.clone()))), ..real.options() };
    options.environment.retain(|(name, _)| name != "ENVIRONMENT");
    options.environment.extend([("ENVIRONMENT", "prod"), ("ALLOW_EMBEDDED", "true")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let refused = LocalHost::start(options).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Setting);
    assert!(refused.detail.starts_with("--record "), "{}", refused.detail);
    assert!(!file.exists());
}

/// A stand-in build: it writes down that it ran, and fails where the source says so.
fn build(root: &Path) -> Watching {
    let script = "echo built >> builds; ! grep -q broken handlers/code.rs";
    std::fs::create_dir(root.join("handlers")).unwrap();
    std::fs::write(root.join("handlers/code.rs"), "first").unwrap();
    Watching { build: ["sh", "-c", script].map(str::to_owned).to_vec(), pace: Duration::from_millis(50) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_built_and_the_last_event_sent_again() {
    let mut app = FakeApp::new();
    let tap = Tap::new(None);
    app.options.tap = Some(tap.clone());
    let watching = build(app.root.path());
    let (root, source) = (app.root.path().to_owned(), app.root.path().join("handlers/code.rs"));
    let host = app.start().await;
    let url = host.url().to_owned();
    let client = loopback_client().unwrap();
    let sample = samples().unwrap().into_iter().find(|sample| sample.name == "eventgrid-connected").unwrap();
    let event = sample.filled(&CallId::parse("call-1").unwrap(), "e1").body;
    let hook = format!("{url}/runtime/webhooks/eventgrid?functionName=CallConnected");
    let sent = client.post(&hook).header("aeg-event-type", "Notification").json(&event).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    let stop = CancellationToken::new();
    let (ended, options) = (stop.clone(), app.options.clone());
    let task = tokio::spawn(async move { watch::run(host, options, &watching, &ended).await });
    let taken = || app.invocations.all().into_iter().filter(|i| i["target"] == "/CallConnected").collect::<Vec<Value>>();
    let builds = || std::fs::read_to_string(root.join("builds")).unwrap_or_default().lines().count();
    let lines = || format!("{:?}", app.lines.lock().unwrap());
    let told = async |part: &str, times: usize| {
        eventually(part, lines, async || (app.lines.lock().unwrap().iter().filter(|(_, line)| line.contains(part)).count() >= times).then_some(())).await;
    };
    let starts = || app.lines.lock().unwrap().iter().filter(|(_, line)| line.contains("fake handler is listening")).count();
    told("watching the sources", 1).await;
    assert_eq!(taken().len(), 1);

    std::fs::write(&source, "second, longer").unwrap();
    told("the last event once more", 1).await;
    let again = taken();
    assert_eq!((again.len(), builds(), starts()), (2, 1, 2), "{}", lines());
    let ids: BTreeSet<String> = again.iter().map(|i| i["body"]["Data"]["event"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 2, "a fresh id: else it would be a duplicate");
    assert_eq!(again[0]["body"]["Data"]["event"]["data"], again[1]["body"]["Data"]["event"]["data"]);
    assert_eq!(tap.last().unwrap().body, Some(event), "what is sent again is not taken for news");

    std::fs::write(&source, "broken").unwrap();
    told("the build failed", 1).await;
    assert_eq!((taken().len(), builds(), starts()), (2, 2, 2), "the handler before it goes on");
    assert_eq!(client.get(format!("{url}/api/ready")).send().await.unwrap().status(), StatusCode::IM_A_TEAPOT);

    std::fs::write(root.join("host.json"), "{").unwrap();
    told("host.json", 1).await;
    assert_eq!(client.get(format!("{url}/api/ready")).send().await.unwrap().status(), StatusCode::IM_A_TEAPOT, "the host before it goes on");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("host.json"), root.join("host.json")).unwrap();
    told("the local host has started again", 1).await;
    told("the last event once more", 2).await;
    assert_eq!((builds(), starts()), (2, 3), "nothing to build in a file of the host: {}", lines());
    assert_eq!(client.get(format!("{url}/api/ready")).send().await.unwrap().status(), StatusCode::IM_A_TEAPOT, "under the same address");

    stop.cancel();
    task.await.unwrap();
    assert!(client.get(format!("{url}/api/ready")).send().await.is_err(), "all of it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_start_waits_for_the_next_change() {
    let mut app = FakeApp::new();
    app.options.tap = Some(Tap::new(None));
    let watching = build(app.root.path());
    let source = app.root.path().join("handlers/code.rs");
    let host = app.start().await;
    let stop = CancellationToken::new();
    let (ended, options, url) = (stop.clone(), app.options.clone(), host.url().to_owned());
    let task = tokio::spawn(async move { watch::run(host, options, &watching, &ended).await });
    let client = loopback_client().unwrap();
    let lines = || format!("{:?}", app.lines.lock().unwrap());
    // It fails three times, and the host gives it up.
    let dies = async || {
        client.post(format!("{url}/api/calls/events")).header("x-exit", "1").send().await.ok()?;
        lines().contains("waiting for the next change").then_some(())
    };
    eventually("it is told", lines, dies).await;
    std::fs::write(&source, "mended by now").unwrap();
    let ready = async || client.get(format!("{url}/api/ready")).send().await.ok().filter(|r| r.status() == StatusCode::IM_A_TEAPOT);
    eventually("a handler runs again", lines, ready).await;
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn cargo_builds_in_the_profile_that_runs_and_needs_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = |executable: &str| Watching::cargo(root, Path::new(executable)).unwrap().build.join(" ");
    assert!(words("/x/target/debug/rtvoice").starts_with("cargo build --bin rtvoice --message-format="));
    assert!(words("/x/target/release/rtvoice").ends_with(" --profile release"));
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(Watching::cargo(elsewhere.path(), Path::new("/usr/bin/rtvoice")).unwrap_err().kind, Kind::Setting);
}
