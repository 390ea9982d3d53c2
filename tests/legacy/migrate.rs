//! `rtvoice migrate` on a real Redis: everything once, nothing lost when stopped, nothing written when dry.

use rtvoice::model::ids::CallId;
use rtvoice::model::legacy::LegacyCall;
use rtvoice::ops::migrate::{MigrateArgs, Summary, run};
use rtvoice::ports::clock::ManualClock;
use rtvoice::ports::state::legacy::Legacy as _;
use rtvoice::ports::state::{Archiving as _, State};

use super::store::{config, manager, ours, put, put_call};
use super::{CALL, NOW, call, fixture};
use crate::harness::redis::{RedisServer, Wire};

async fn migrate(state: &dyn State, dry_run: bool) -> Summary {
    run(state, &ManualClock::at(NOW), &MigrateArgs { dry_run, json: false }).await.expect("a summary")
}

/// Three calls, one of them with a browser's session, and what cannot be taken over.
fn fill(wire: &mut Wire) {
    put_call(wire);
    put(wire, &fixture("hist_list"));
    put(wire, &fixture("v0_session_history"));
    wire.command(&["HSET", "session:session_1757000000000_ab12cd", "chat_history", r#"[{"role":"user","content":"Also this."}]"#]);
    wire.command(&["SET", "session:astring", "hello"]);
    wire.command(&["HSET", "session:a:b", "history", "[]"]);
    wire.command(&["SET", "other", "not ours to touch"]);
}

#[tokio::test]
async fn everything_is_taken_over_once() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    fill(&mut wire);
    let state = manager(&config);
    let summary = migrate(&state, false).await;
    assert_eq!((summary.imported, summary.ended, summary.already, summary.entries, summary.unreadable), (3, 1, 0, 5, 0));
    let mut skipped: Vec<_> = summary.skipped.iter().map(|call| format!("{}: {}", call.id, call.reason)).collect();
    skipped.sort();
    assert_eq!(skipped, ["a:b: its id is no sound identifier", "astring: session:astring is a string, not a hash"]);
    assert_eq!((summary.calls, summary.ok(), summary.exit_code()), (5, true, 0), "the browser's session is part of its call");
    assert_eq!(state.history(&call(CALL), 0, 10).await.unwrap().entries.len(), 3);

    let ours = ours(&config, &mut wire);
    let lasting: Vec<_> = wire.keys("*").into_iter().filter(|(_, left)| *left < 0).map(|(key, _)| key).collect();
    assert_eq!(lasting, ["other", "session:a:b", "session:astring"], "only what was skipped lives on");
    assert!(ours.iter().all(|(_, left)| *left > 0));

    let again = migrate(&state, false).await;
    assert_eq!((again.imported, again.already, again.skipped.len(), again.ok()), (0, 3, 2, true));
    assert_eq!(state.history(&call(CALL), 0, 10).await.unwrap().entries.len(), 3);
    let json: serde_json::Value = serde_json::from_str(&again.render(true)).expect("JSON");
    assert_eq!((&json["already"], &json["ok"], &json["dryRun"]), (&3.into(), &true.into(), &false.into()));
    assert!(again.render(false).contains("session:astring is a string"));
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    fill(&mut wire);
    // A rounded view: lives run on meanwhile.
    let view = |wire: &mut Wire| wire.keys("*").into_iter().map(|(key, left)| (key, left < 0)).collect::<Vec<_>>();
    let before = view(&mut wire);
    let state = manager(&config);
    let summary = migrate(&state, true).await;
    assert_eq!((summary.dry_run, summary.imported, summary.entries, summary.skipped.len()), (true, 3, 5, 2));
    assert_eq!(view(&mut wire), before);
    migrate(&state, false).await;
    assert_eq!(migrate(&state, true).await.already, 3);
}

#[tokio::test]
async fn a_run_that_was_stopped_between_its_steps_is_caught_up_on() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    put(&mut wire, &fixture("v0_session_history"));
    let (state, id) = (manager(&config), call("9c0d1e2f"));
    let legacy = LegacyCall::read(&state.find(&id).await.unwrap().expect("keys"), NOW);
    state.import(&id, &legacy, NOW).await.unwrap();
    assert_eq!(wire.command(&["TTL", "session:9c0d1e2f"]).number(), Some(-1), "nothing is let go before the second step");
    let summary = migrate(&state, false).await;
    assert_eq!((summary.imported, summary.already), (0, 1));
    assert!((86_000..=86_400).contains(&wire.command(&["TTL", "session:9c0d1e2f"]).number().unwrap()));
    assert_eq!(state.history(&id, 0, 10).await.unwrap().entries.len(), 1);
    wire.command(&["EXPIRE", "session:9c0d1e2f", "100"]);
    migrate(&state, false).await;
    assert!(wire.command(&["TTL", "session:9c0d1e2f"]).number().unwrap() <= 100, "a later run gives no new life");
}

#[tokio::test]
async fn what_is_not_known_to_be_taken_over_is_left_alone() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    put(&mut wire, &fixture("v0_session_history"));
    let (state, id): (_, CallId) = (manager(&config), call("9c0d1e2f"));
    let key = rtvoice::ports::state::keys::RedisKeyManager::new(&config).call(&id, rtvoice::ports::state::keys::CallKey::Session);
    wire.command(&["HSET", &key, "status", "connected", "_legacy", "none"]);
    let summary = migrate(&state, false).await;
    assert_eq!((summary.imported, summary.skipped.len()), (0, 1));
    assert_eq!(wire.command(&["TTL", "session:9c0d1e2f"]).number(), Some(-1));
}

#[tokio::test]
async fn many_calls_are_all_found() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    for n in 0..1500 {
        wire.command(&["HSET", &format!("session:c{n}"), "history", r#"[{"role":"user","content":"hi"}]"#]);
    }
    let state = manager(&config);
    let summary = migrate(&state, false).await;
    assert_eq!((summary.calls, summary.imported, summary.entries, summary.keys_scanned >= 1500), (1500, 1500, 1500, true));
    assert!(wire.keys("*").iter().all(|(_, left)| *left > 0));
}
