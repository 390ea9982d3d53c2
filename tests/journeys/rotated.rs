//! Keys of every level are rotated, again and again, while calls run: nothing is lost, and a copy of the stores from before
//! opens no more once the keys that it rests on are destroyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::model::ids::CallId;
use rtvoice::ops::keys::{self, KeysArgs, KeysCommand, Level};
use rtvoice::ports::clock::{Clock as _, ManualClock, SystemClock};
use rtvoice::ports::documents::{Condition, Container};
use rtvoice::steps::archive;
use serde_json::json;

use crate::harness::call::{Call, seqs};
use crate::harness::process::Handler;
use crate::harness::stack::Stack;

/// Calls at a time, and the turns of each: 200 in all.
const CALLS: usize = 10;
const TURNS: usize = 20;
const DAY: i64 = 86_400_000;

fn said(call: usize, turn: usize) -> String {
    // No numbers: those might be somebody's.
    let letter = |n: usize| "abcdefghijklmnopqrstuvwxyz".chars().nth(n).expect("a letter").to_string().repeat(5);
    format!("the parcel of {} is as blue as {}", letter(call), letter(turn))
}

/// Rotates one level after the other until the calls are done; how often.
async fn rotate(app: &App, done: &AtomicBool) -> usize {
    let mut rounds = 0;
    let run = async |command: Level| {
        let args = KeysArgs { json: true, command: KeysCommand::Rotate(command) };
        keys::run(&app.vault, &args).await.expect("it rotates")
    };
    while !done.load(Ordering::SeqCst) || rounds < 2 {
        run(Level::Root { retire: false, only_rewrap: false }).await;
        run(Level::Epoch).await;
        let users = app.documents.scan(Container::Keys, None, 200).await.expect("a page").documents;
        let users: Vec<String> = users.iter().filter_map(|d| d.body["user"].as_str()).filter(|user| user.starts_with("u1-")).map(str::to_owned).collect();
        for user in users.iter().collect::<std::collections::BTreeSet<_>>() {
            run(Level::User { user: user.clone() }).await;
        }
        keys::run(&app.vault, &KeysArgs { json: true, command: KeysCommand::Reencrypt { dry_run: false } }).await.expect("it seals anew");
        rounds += 1;
    }
    rounds
}

/// Calls of users who become known halfway, all at once; every turn must be answered by the state store.
async fn talk(handlers: &[Arc<Handler>]) -> Vec<Call> {
    let talks = (0..CALLS).map(|number| {
        let call = Call::new(&handlers[number % handlers.len()]);
        async move {
            call.connect().await;
            for turn in 0..TURNS {
                let mut body = json!({"turnId": format!("t{turn}"), "text": said(number, turn), "speak": false, "context": {"turn": turn}});
                if turn == TURNS / 3 {
                    body["context"]["user_id"] = json!(format!("customer-{}", number % 4));
                }
                let answer = call.turn(body).await.expect("an answer");
                assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(false)), "{answer:?}\n{}", call.handler.output());
            }
            call.disconnect().await;
            call
        }
    });
    futures::future::join_all(talks).await
}

async fn loses_nothing(handlers: &[Arc<Handler>]) {
    let app = handlers[0].app();
    let done = AtomicBool::new(false);
    let talking = async {
        let calls = talk(handlers).await;
        done.store(true, Ordering::SeqCst);
        calls
    };
    let (calls, rounds) = tokio::join!(talking, rotate(app, &done));
    assert!(rounds >= 2);
    for (number, call) in calls.iter().enumerate() {
        let archived = call.archived(TURNS).await;
        assert!(archived.header.complete, "{:?}", archived.header);
        assert_eq!(seqs(&archived), (1..=TURNS as u64).map(Some).collect::<Vec<_>>());
        let users: Vec<Option<String>> = archived.union.in_order().into_iter().map(|t| t.entry.words.user.clone()).collect();
        assert_eq!(users, (0..TURNS).map(|turn| Some(said(number, turn))).collect::<Vec<_>>());
    }
    for handler in handlers {
        assert!(!handler.output().contains("envelope_refused"), "{}", handler.output());
    }
    assert_eq!(app.vault.refused().count(), 0);
    // Who begins now, with nothing in memory, opens everything too.
    let fresh = App::new(app.config.clone()).expect("an app");
    for call in &calls {
        let id = CallId::parse(call.id.clone()).expect("an id");
        let read = archive::read(&fresh, &id).await.expect("it can be read").expect("it is there");
        assert!(read.union.in_order().iter().all(|t| t.entry.words.user.is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_rotates_while_calls_run_on_redis() {
    let redis = crate::harness::redis::RedisServer::single();
    let stack = Stack::with(redis, Vec::new()).await;
    let twin = stack.handler.twin().await;
    loses_nothing(&[Arc::clone(&stack.handler), twin]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_rotates_while_calls_run_on_a_file() {
    let handler = Handler::start(Vec::new()).await;
    loses_nothing(&[handler]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_before_opens_no_more() {
    let handler = Handler::start(Vec::new()).await;
    let calls = talk(std::slice::from_ref(&handler)).await;
    for call in &calls {
        call.archived(TURNS).await;
    }
    handler.kill();
    let app = handler.app();
    // The whole file as it is now, keys of users and epochs included.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    let file = rusqlite::Connection::open(&app.config.embedded_path).expect("the file");
    file.execute("VACUUM INTO ?1", [copy.display().to_string()]).expect("a copy");
    let on_the_copy = || App::new(Config { embedded_path: copy.clone(), ..app.config.clone() }).expect("an app");
    let id = CallId::parse(calls[0].id.clone()).expect("an id");
    assert!(archive::read(&on_the_copy(), &id).await.expect("it can be read").is_some(), "the copy is whole");

    // Three weeks later the epoch is gone, and the root key that wrapped it.
    let later = Arc::new(ManualClock::at(SystemClock.now()));
    let then = App::with_clock(app.config.clone(), Arc::clone(&later) as _).expect("an app");
    later.advance_millis(24 * DAY);
    let done = then.vault.rotate_epoch().await.expect("it rotates");
    assert!(!done.destroyed.is_empty() && done.lost == 0, "{done:?}");
    then.vault.rotate_root(true).await.expect("it rotates");
    assert!(archive::read(&then, &id).await.expect("it can be read").is_some(), "nothing is lost where the keys are");
    let kind = archive::read(&on_the_copy(), &id).await.map(drop).expect_err("the copy must be dead").kind;
    assert_eq!(kind, Kind::Setting, "its root key was put out of use");
    // The users' keys of the copy beside the epochs that there are now.
    let copied = on_the_copy();
    for document in copied.documents.list(Container::Keys, "epochs", "", None, 100).await.expect("a list").documents {
        copied.documents.delete(Container::Keys, "epochs", document.body["id"].as_str().expect("an id"), None).await.expect("it is removed");
    }
    for partition in ["epochs", "index"] {
        for document in then.documents.list(Container::Keys, partition, "", None, 100).await.expect("a list").documents {
            copied.documents.put(Container::Keys, &document.body, Condition::Always).await.expect("it is put");
        }
    }
    let kind = archive::read(&on_the_copy(), &id).await.map(drop).expect_err("the copy must be dead").kind;
    assert_eq!(kind, Kind::Erased);
}
