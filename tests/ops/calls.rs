//! `rtvoice calls`: lists go on where they ended, nothing that was said is shown unasked, and the log notes what was; the audit
//! of all open calls finds what is wrong with any of them, and changes nothing.

use rtvoice::error::Kind;
use rtvoice::ops::calls::{self, CallsArgs};
use rtvoice::ports::audit::Actor;
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
    let shown = run(&app, &["show", "call-3", "--json"]).await;
    let token = shown["token"].as_str().expect("its token");
    assert_eq!(run(&app, &["show", token, "--json"]).await, shown, "it is found by its token");

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

async fn audit(app: &Rtvoice) -> (Value, bool) {
    let told = calls::run(&app.app, &args::<CallsArgs>(&["audit", "--json"])).await.unwrap();
    (json(&told), told.good)
}

fn of<'a>(audited: &'a Value, call: &str) -> &'a Value {
    audited["calls"].as_array().unwrap().iter().find(|looked| looked["call"] == call).unwrap_or_else(|| panic!("no {call}: {audited}"))
}

async fn audits(app: Rtvoice, persist: impl Fn(&Rtvoice)) {
    app.app.audit.acting_as(Actor::Cli);
    let known = json!({"turnId": "t1", "text": "it is me", "context": {"user_id": "customer-7", "plan": "gold"}});
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.post("/api/calls/call-1/turns", &known).await.ok();
    app.event("CallConnected", "call-2", "e1").await.ok();
    app.quiesce().await;
    app.deliver_queue().await;
    app.clock.advance_millis(60_000);

    let (audited, good) = audit(&app).await;
    assert!(good, "{audited}");
    assert_eq!(audited["calls"].as_array().unwrap().len(), 2);
    let (one, two) = (of(&audited, "call-1"), of(&audited, "call-2"));
    let user = app.token("customer-7").await.to_string();
    assert_eq!((&one["wrappedBy"]["user"]["token"], &one["seal"], &one["clear"]), (&json!(user), &json!("sealed"), &json!(0)), "{one}");
    assert_eq!(one["keyMade"], "2026-03-10T17:05:00.000Z", "{one}");
    assert!(one["sealed"].as_u64().unwrap() >= 2 && one["ageS"] == 60 && one["lastRead"] == Value::Null, "{one}");
    assert!(two["wrappedBy"]["epoch"].as_str().is_some_and(|epoch| epoch.starts_with("2026-W")), "{two}");
    let life = one["lives"]["history"].as_u64().unwrap();
    assert!((10_000..=10_800).contains(&life) && one["lives"]["outbox"] == Value::Null, "{one}");
    assert!(!audited.to_string().contains("it is me"), "{audited}");
    let text = calls::run(&app.app, &args::<CallsArgs>(&["audit"])).await.unwrap().text;
    assert!(text.contains("2 open calls: 0 with findings") && text.contains(&user), "{text}");

    run(&app, &["show", "call-2", "--json", "--turns"]).await;
    app.clock.advance_millis(1000);
    persist(&app);
    let (audited, good) = audit(&app).await;
    assert!(!good, "{audited}");
    assert_eq!(of(&audited, "call-2")["lastRead"]["action"], "call.read", "{audited}");
    assert_eq!(of(&audited, "call-2")["lastRead"]["actor"], "cli");
    assert_eq!(of(&audited, "call-1")["lastRead"], Value::Null);
    for call in ["call-1", "call-2"] {
        assert_eq!(of(&audited, call)["lives"].get("events"), Some(&Value::Null), "{audited}");
        assert_eq!(of(&audited, call)["findings"], json!(["without an end: events"]));
    }
    app.clock.advance_millis(3 * 3_600_000);
    let (audited, _) = audit(&app).await;
    assert!(audited.to_string().contains("it should have ended") || audited.to_string().contains("its state is lost"), "{audited}");
    rtvoice::ops::ttl::audit(&app.app, true, std::time::Duration::from_secs(60)).await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn all_open_calls_are_audited() {
    let app = Rtvoice::start();
    audits(app, |app| assert_eq!(app.persist("events"), 2)).await;
}

#[tokio::test]
async fn all_open_calls_are_audited_on_redis() {
    let server = RedisServer::single();
    let app = app_on(&server.settings());
    audits(app, |_| {
        for call in ["call-1", "call-2"] {
            assert_eq!(server.wire().command(&["PERSIST", &format!("rtvoice:dev:call:{call}:events")]).number(), Some(1));
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_exchanged_is_found_and_left_as_it_is() {
    let server = RedisServer::single();
    let app = app_on(&server.settings());
    for (call, text) in [("call-1", "Hello"), ("call-2", "Good morning"), ("call-3", "Good night")] {
        app.event("CallConnected", call, "e1").await.ok();
        app.turn(call, "t1", text).await.ok();
    }
    app.quiesce().await;
    app.deliver_queue().await;
    let mut wire = server.wire();
    let key = |call: &str, part: &str| format!("rtvoice:dev:conversation:{call}:{part}");
    // Somebody puts another call's words into one, a clear value into the second, and another's key into the third.
    let words = wire.command(&["LINDEX", &key("call-2", "history"), "0"]).bytes().unwrap();
    wire.raw(&[b"LSET", key("call-1", "history").as_bytes(), b"0", &words]).unwrap();
    wire.command(&["HSET", &key("call-2", "context"), "note", "in clear"]);
    let session = |call: &str| format!("rtvoice:dev:call:{call}:session");
    let theirs = wire.command(&["HGET", &session("call-1"), "_key"]).text();
    wire.command(&["HSET", &session("call-3"), "_key", &theirs]);

    let (audited, good) = audit(&app).await;
    assert!(!good);
    assert_eq!(of(&audited, "call-1")["findings"], json!(["1 entries do not open"]), "{audited}");
    assert_eq!(of(&audited, "call-2")["findings"], json!(["1 values in clear"]), "{audited}");
    assert_eq!((&of(&audited, "call-3")["seal"], &of(&audited, "call-3")["findings"]), (&json!("refused"), &json!(["its key is not what was stored"])));
    assert_eq!(wire.command(&["HGET", &session("call-3"), "_key"]).text(), theirs, "what happened stays visible");
    app.finish().await;
}
