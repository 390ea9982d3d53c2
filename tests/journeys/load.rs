//! `rtvoice load` verifies what it caused: what is taken from the record, put there twice or put there by somebody else is found.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use rtvoice::model::transcript::HEADER_ID;
use rtvoice::ports::documents::{Condition, Container};
use serde_json::Value;

use crate::harness::process::Handler;
use crate::harness::redis::RedisServer;

pub(super) async fn load(handler: &Arc<Handler>, arguments: &[&str]) -> Output {
    let target = format!("http://127.0.0.1:{}", handler.port().expect("it runs"));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(["load", "--json", "--patience", "60"]).args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    if !arguments.contains(&"--target") && !arguments.contains(&"--verify") {
        command.args(["--target", &target]);
    }
    command.envs(handler.settings().iter().map(|(name, value)| (*name, value.as_str())));
    command.output().await.expect("it runs")
}

pub(super) fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answered_turn_is_found_once_and_in_order() {
    let redis = RedisServer::single();
    let handler = Handler::start(redis.settings()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("load.html").display().to_string();
    let output = load(
        &handler,
        &["--calls", "12", "--turns", "4", "--rate", "8", "--think-ms", "5", "--duplicated", "0.5", "--reordered", "0.5", "--repeated", "0.8", "--html", &page],
    )
    .await;
    assert!(output.status.success(), "{output:?}\n{}", handler.output());
    let report = report(&output);
    for (field, count) in
        [("calls", 12), ("turns", 48), ("answered", 48), ("degraded", 0), ("missing", 0), ("doubled", 0), ("foreign", 0), ("misplaced", 0), ("errors", 0)]
    {
        assert_eq!(report[field], count, "{field}: {report}");
    }
    assert_eq!(report["callIds"].as_array().map(Vec::len), Some(12));
    for stage in ["setup", "turn", "load", "reply", "commit", "speech", "audio", "end", "archive"] {
        let time = |name: &str| report["stages"][stage][name].as_f64().unwrap_or_else(|| panic!("{stage} {name}: {report}"));
        assert!(time("p50") <= time("p95") && time("p95") <= time("p99"), "{report}");
    }
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("src=") && !page.contains("href="), "{page}");
}

/// Changes the page of a call's archive.
async fn change(handler: &Handler, call: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let documents = &handler.app().documents;
    let header = documents.get(Container::Transcripts, call, HEADER_ID).await.expect("read").expect("a header").body;
    let page = header["pages"][0].as_str().expect("a page").to_owned();
    let mut page = documents.get(Container::Transcripts, call, &page).await.expect("read").expect("the page").body;
    change(page["turns"].as_array_mut().expect("turns"));
    documents.put(Container::Transcripts, &page, Condition::Always).await.expect("written");
}

async fn verify(handler: &Arc<Handler>, saved: &Path) -> (Option<i32>, [u64; 4]) {
    let output = load(handler, &["--verify", &saved.display().to_string()]).await;
    let report = report(&output);
    (output.status.code(), ["missing", "doubled", "foreign", "misplaced"].map(|field| report[field].as_u64().expect("a count")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_doubled_foreign_or_out_of_order_is_found() {
    let handler = Handler::start(Vec::new()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("saved.json");
    let output = load(&handler, &["--calls", "5", "--turns", "3", "--concurrency", "2", "--no-audio", "--save", &saved.display().to_string()]).await;
    assert!(output.status.success(), "{output:?}\n{}", handler.output());
    let calls: Vec<String> = serde_json::from_value(report(&output)["callIds"].clone()).expect("the calls");
    assert_eq!(verify(&handler, &saved).await, (Some(0), [0, 0, 0, 0]));

    change(&handler, &calls[0], |turns| drop(turns.remove(1))).await;
    assert_eq!(verify(&handler, &saved).await, (Some(1), [1, 0, 0, 0]), "a record was deleted");
    change(&handler, &calls[1], |turns| turns.push(turns[0].clone())).await;
    assert_eq!(verify(&handler, &saved).await, (Some(1), [1, 1, 0, 0]), "a record stands there twice");
    change(&handler, &calls[2], |turns| {
        let mut other = turns[0].clone();
        other["turnId"] = "nobody-sent-this".into();
        other["seq"] = 4.into();
        turns.push(other);
    })
    .await;
    assert_eq!(verify(&handler, &saved).await, (Some(1), [1, 1, 1, 0]), "somebody else's record");
    change(&handler, &calls[3], |turns| {
        let (first, second) = (turns[0]["seq"].clone(), turns[1]["seq"].clone());
        (turns[0]["seq"], turns[1]["seq"]) = (second, first);
    })
    .await;
    assert_eq!(verify(&handler, &saved).await, (Some(1), [1, 1, 1, 3]), "two numbers were exchanged, and with them the order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_deleted_is_told_as_what_it_held() {
    let handler = Handler::start(Vec::new()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("saved.json");
    let output = load(&handler, &["--calls", "3", "--turns", "2", "--concurrency", "1", "--no-audio", "--save", &saved.display().to_string()]).await;
    assert!(output.status.success(), "{output:?}\n{}", handler.output());
    let calls: Vec<String> = serde_json::from_value(report(&output)["callIds"].clone()).expect("the calls");
    let documents = &handler.app().documents;
    let header = documents.get(Container::Transcripts, &calls[0], HEADER_ID).await.expect("read").expect("a header").body;
    assert!(documents.delete(Container::Transcripts, &calls[0], header["pages"][0].as_str().expect("a page"), None).await.expect("deleted"));
    assert_eq!(verify(&handler, &saved).await, (Some(1), [2, 0, 0, 0]), "a page");
    assert!(documents.delete(Container::Transcripts, &calls[1], HEADER_ID, None).await.expect("deleted"));
    assert_eq!(verify(&handler, &saved).await, (Some(1), [4, 0, 0, 0]), "a header");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_wait_for_a_target_that_is_not_there_or_refuses() {
    let handler = Handler::start(Vec::new()).await;
    let output = load(&handler, &["--target", "http://127.0.0.1:1", "--calls", "50"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the target"), "{output:?}");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let refusing = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(async || axum::http::StatusCode::UNAUTHORIZED)).await });
    let output = load(&handler, &["--target", &refusing, "--calls", "50"]).await;
    let report = report(&output);
    assert_eq!((output.status.code(), &report["answered"]), (Some(1), &0.into()), "{report}");
    assert!(report["brokenOff"][0].as_str().is_some_and(|reason| reason.contains("401")), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_is_asked_must_make_sense() {
    let handler = Handler::start(Vec::new()).await;
    for arguments in [
        &["--target", "http://192.0.2.1:7071"][..],
        &["--target", "nowhere"],
        &["--rate", "0"],
        &["--repeated", "1.5"],
        &["--rate", "5", "--concurrency", "5"],
        &["--verify", "/nonexistent"],
    ] {
        let output = load(&handler, arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}
