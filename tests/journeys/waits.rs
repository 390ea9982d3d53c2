//! `rtvoice load` on waiting: turns of the open loop are timed from when they were due, a request that waits longer than it may and a
//! handler with more memory than it may have fail the run, and what the run asks for itself is no load.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::http::Uri;
use rtvoice::ops::load::{Gauge, Mix, PlannedCall, Played, Player, Stage, Target};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::load::{load, report};
use crate::harness::process::Handler;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A handler that answers everything at once but the second turn, which it is asked for with this delay.
async fn stalling(stall: Duration) -> (String, AbortOnDropHandle<()>) {
    let turns = Arc::new(AtomicUsize::new(0));
    let answer = async move |uri: Uri| {
        if uri.path().ends_with("/turns") && turns.fetch_add(1, Ordering::SeqCst) == 1 {
            sleep(stall).await;
        }
        Json(json!({ "seq": 1, "degraded": false, "reply": { "text": "hello" }, "speech": null }))
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let router = axum::Router::new().fallback(answer);
    let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    (url, AbortOnDropHandle::new(task))
}

/// Between two turns of a call. All that is said of times below leaves a busy machine more than this for each request.
const THINK: Duration = Duration::from_millis(300);
/// How late the second turn is answered.
const STALL: Duration = Duration::from_millis(1_500);

/// One call of six turns, whose second one is answered so late.
async fn played(open: bool, wait: Option<Duration>, stall: Duration) -> (Arc<Gauge>, Played) {
    let (url, _task) = stalling(stall).await;
    let gauge = Arc::new(Gauge::new().expect("a gauge"));
    let client = rtvoice::ports::http::loopback_client().expect("a client");
    let target = Target { client, url, key: None, patience: Duration::from_secs(60), think: THINK, open, wait, audio: false };
    let player = Player { target: Arc::new(target), gauge: Arc::clone(&gauge), call: "call-1".to_owned(), probe: false };
    let plan = PlannedCall::draw(Mix { turns: 6, repeated: 1.0, duplicated: 0.0, reordered: 0.0 }, 1, 1);
    let played = player.play(plan, Instant::now()).await;
    (gauge, played)
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_of_the_open_loop_are_timed_from_when_they_were_due() {
    let (gauge, played) = played(true, None, STALL).await;
    assert_eq!(played.answered.len(), 6);
    let (due, sent) = (gauge.times(Stage::Turn), gauge.times(Stage::Sent));
    assert_eq!((due.count, sent.count), (6, 6));
    // Due after 0, 300, 600, 900, 1200 and 1500 ms; all but the first wait for the second one, until 1800 ms: 1500, 1200, 900, 600 and 300 ms.
    assert!((600.0..1_350.0).contains(&due.p50), "{due:?}");
    assert!(due.max >= 1_500.0 && sent.max >= 1_500.0, "{due:?} {sent:?}");
    // By the time of sending one turn was slow, and nobody else had to wait.
    assert!(sent.p50 < 300.0, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_of_the_closed_loop_follow_the_answers() {
    let (gauge, played) = played(false, None, STALL).await;
    assert_eq!(played.answered.len(), 6);
    let turn = gauge.times(Stage::Turn);
    assert!(turn.p50 < 300.0 && turn.max >= 1_500.0, "{turn:?}");
    assert_eq!(gauge.times(Stage::Sent).count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_longer_than_it_may_is_counted() {
    // So far from both that a busy machine makes no other request late.
    let (gauge, _) = played(false, Some(Duration::from_secs(3)), Duration::from_secs(6)).await;
    let waits = gauge.waits();
    assert!(waits.longest_wait_ms >= 6_000.0 && waits.longest_wait_ms < 30_000.0, "{waits:?}");
    assert_eq!(waits.overdue, 1, "{waits:?}");
    let (gauge, _) = played(false, None, STALL).await;
    assert_eq!(gauge.waits().overdue, 0, "a turn may take what its function may");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_which_a_request_waited_too_long_fails() {
    let handler = Handler::start(Vec::new()).await;
    let few = ["--calls", "3", "--turns", "2", "--concurrency", "1", "--no-audio"];
    let output = load(&handler, &few).await;
    let well = report(&output);
    assert!(output.status.success() && well["overdue"] == 0 && well["longestWaitMs"].as_f64().is_some_and(|ms| ms > 0.0), "{well}");
    let output = load(&handler, &[&few[..], &["--longest-wait-ms", "1"]].concat()).await;
    let late = report(&output);
    assert_eq!((output.status.code(), &late["missing"], &late["ok"]), (Some(1), &json!(0), &json!(false)), "{late}");
    assert!(late["overdue"].as_u64().is_some_and(|overdue| overdue > 0), "{late}");
}

async fn with_faults(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(["load", "--faults", "--seconds", "9", "--rate", "2", "--turns", "2"]).args(arguments).env_clear().env("PATH", PATH);
    command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    command.output().await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_with_more_memory_than_it_may_have_fails_the_run_and_probes_are_no_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html").display().to_string();
    let output = with_faults(&["--json", "--memory-mib", "1", "--html", &page]).await;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &found["ok"], &found["missing"]), (Some(1), &json!(false), &json!(0)), "{found}\n{told}");
    let peak = found["memoryPeakMib"].as_f64().expect("a peak");
    assert!(peak > 1.0 && peak < 256.0 && found["memoryMostMib"] == 1, "{found}");
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("longest wait of a request, ms") && page.contains(&format!("{peak:.1} of 1<")), "{page}");

    let calls = found["callIds"].as_array().expect("calls");
    assert_eq!(found["calls"].as_u64(), Some(calls.len() as u64), "{found}");
    assert!(calls.iter().all(|call| !call.as_str().expect("a name").contains("probe")), "{calls:?}");
    assert_eq!(found["turns"], 2 * calls.len(), "{found}");
    assert_eq!(found["archived"], found["answered"], "the record of the calls alone: {found}");
    assert!(
        found["probes"].as_u64() == Some(found["faults"].as_array().map_or(0, Vec::len) as u64) && found["probeTurns"].as_u64() >= found["probes"].as_u64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_tells_of_waits_and_memory() {
    let output = with_faults(&[]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for line in ["longest wait of a request ", "memory of the handler at most ", "of 256 MiB that it may have"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
