//! `rtvoice calls`: lists go on where they ended, nothing that was said is shown unasked, and the log notes what was.

use rtvoice::error::Kind;
use rtvoice::ops::calls::{self, CallsArgs};
use rtvoice::ports::documents::Container;
use serde_json::{Value, json};

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::redis::RedisServer;

/// Calls in a list.
const CALLS: usize = 40;
const SAID: &str = "my number is 4255550123 thank you";

async fn run(app: &Rtvoice, words: &[&str]) -> Value {
    json(&calls::run(&app.app, &args::<CallsArgs>(words)).await.unwrap())
}

async fn lists(app: Rtvoice) {
    // More than there are partitions, so that pages end within one.
    for n in 0..CALLS {
        app.event("CallConnected", &format!("call-{n}"), &format!("e{n}")).await.ok();
    }
    app.turn("call-3", "t1", "Hello").await.ok();
    app.quiesce().await;
    app.deliver_queue().await;

    let all = run(&app, &["list", "--json"]).await;
    assert_eq!((all["calls"].as_array().unwrap().len(), &all["next"]), (CALLS, &Value::Null));
    let third = all["calls"].as_array().unwrap().iter().find(|call| call["call"] == "call-3").unwrap();
    assert_eq!((&third["status"], &third["turns"], &third["waiting"]), (&json!("connected"), &json!(1), &json!(0)));

    let (mut seen, mut from) = (std::collections::BTreeSet::new(), "0:0".to_owned());
    loop {
        let page = run(&app, &["list", "--json", "--limit", "2", "--from", &from]).await;
        for call in page["calls"].as_array().unwrap() {
            assert!(seen.insert(call["call"].as_str().unwrap().to_owned()), "a call came twice: {page}");
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut from),
            None => break,
        }
    }
    assert_eq!(seen.len(), CALLS, "none is left out");
    assert_eq!(run(&app, &["list", "--json", "--status", "ended"]).await["calls"], json!([]));
    app.finish().await;
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended() {
    lists(Rtvoice::start()).await;
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended_on_redis() {
    let server = RedisServer::single();
    lists(app_on(&server.settings())).await;
}

#[tokio::test]
async fn a_call_is_shown_without_what_was_said_unless_the_log_has_it_first() {
    let app = Rtvoice::with(&[("STORE_PII", "encrypted")]);
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", SAID).await.ok();
    app.quiesce().await;
    let audited = |app: &Rtvoice, action: &str| json!(app.documents_in(Container::Audit)).to_string().contains(action);

    let shown = run(&app, &["show", "call-1", "--json"]).await;
    assert_eq!((&shown["status"], &shown["lastSeq"], &shown["waiting"]), (&json!("connected"), &json!(1), &json!(1)));
    assert_eq!(shown["outbox"][0]["field"], "t:t1");
    assert_eq!(shown["serverCallId"], "server-call-1");
    assert!(!shown.to_string().contains("thank you"), "{shown}");
    assert!(!audited(&app, "call.read"));

    let masked = run(&app, &["show", "call-1", "--json", "--turns"]).await;
    assert_eq!(masked["turns"][0]["user"], "my number is [PHONE_NUMBER] thank you");
    assert!(audited(&app, "call.read") && !audited(&app, "call.reveal"));
    let real = run(&app, &["show", "call-1", "--json", "--turns", "--reveal"]).await;
    assert_eq!(real["turns"][0]["user"], SAID);
    assert!(audited(&app, "call.reveal"));

    app.queue.heal();
    let unknown = calls::run(&app.app, &args(&["show", "call-2"])).await.unwrap_err();
    assert_eq!(unknown.kind, Kind::NotFound);
    app.clock.advance_millis(10_000);
    app.relay().await.ok();
    app.finish().await;
}
