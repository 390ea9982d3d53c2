//! `rtvoice outbox`: what waits is told by age, and a flush sends all of it, the young included, in order.

use rtvoice::error::Kind;
use rtvoice::ops::outbox::{self, OutboxArgs};
use serde_json::{Value, json};

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::redis::RedisServer;

async fn run(app: &Rtvoice, words: &[&str]) -> (Value, bool) {
    let told = outbox::run(&app.app, &args::<OutboxArgs>(words)).await.unwrap();
    (json(&told), told.good)
}

async fn flushes(app: Rtvoice) {
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "Hello").await.ok();
    app.clock.advance_millis(90_000);
    app.turn("call-1", "t2", "Again").await.ok();
    app.turn("call-2", "t1", "Hello").await.ok();
    app.quiesce().await;

    let (found, good) = run(&app, &["list", "--json"]).await;
    assert_eq!((&found["messages"], &found["oldestSeconds"], good), (&json!(3), &json!(90), true));
    let calls: Vec<&str> = found["calls"].as_array().unwrap().iter().map(|call| call["call"].as_str().unwrap()).collect();
    assert_eq!(calls, ["call-1", "call-2"], "the longest waiting first");
    let (one, _) = run(&app, &["list", "--json", "--limit", "1"]).await;
    assert_eq!((one["calls"].as_array().unwrap().len(), &one["messages"]), (1, &json!(3)));

    let (failed, good) = run(&app, &["flush", "--json"]).await;
    assert_eq!((&failed["sent"], &failed["left"], good), (&json!(0), &json!(3), false));
    assert!(failed["reasons"][0].as_str().unwrap().starts_with("call-"), "{failed}");

    app.queue.heal();
    let (sent, good) = run(&app, &["flush", "call-2", "--json"]).await;
    assert_eq!((&sent["sent"], &sent["left"], good), (&json!(1), &json!(0), true));
    let (sent, good) = run(&app, &["flush", "--json"]).await;
    assert_eq!((&sent["sent"], &sent["left"], good), (&json!(2), &json!(0), true), "nothing is too young");
    let turns: Vec<String> = app.queued().iter().filter(|(m, ..)| m["callConnectionId"] == "call-1").map(|(m, ..)| m["turnId"].to_string()).collect();
    assert_eq!(turns, ["\"t1\"", "\"t2\""]);
    assert_eq!(run(&app, &["list", "--json"]).await.0["messages"], 0);
    let nothing = outbox::run(&app.app, &args(&["flush", "call-2"])).await.unwrap_err();
    assert_eq!(nothing.kind, Kind::NotFound);
    app.finish().await;
}

#[tokio::test]
async fn a_flush_sends_what_waits() {
    flushes(Rtvoice::start()).await;
}

#[tokio::test]
async fn a_flush_sends_what_waits_on_redis() {
    let server = RedisServer::single();
    flushes(app_on(&server.settings())).await;
}

#[tokio::test]
async fn one_call_that_cannot_be_read_holds_up_no_other() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "Hello").await.ok();
    app.turn("call-2", "t1", "Hello").await.ok();
    app.quiesce().await;
    app.queue.heal();
    app.spoil_outbox("call-1");
    let (found, good) = run(&app, &["list", "--json"]).await;
    assert_eq!((&found["messages"], &found["unreadable"], good), (&json!(2), &json!(1), false));
    let (flushed, good) = run(&app, &["flush", "--json"]).await;
    assert_eq!((&flushed["sent"], &flushed["left"], good), (&json!(1), &json!(1), false));
    app.finish_with(1, 0).await;
}
