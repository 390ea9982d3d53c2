//! Taking calls over on a real Redis: once, with lives, and beside what is there already.

use std::sync::Arc;

use rtvoice::config::Config;
use rtvoice::model::call::{CallStatus, field};
use rtvoice::model::conversation::{Entry, TurnCommit, Words};
use rtvoice::model::ids::{CallId, TurnId};
use rtvoice::model::legacy::{LegacyCall, Role};
use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::state::embedded::EmbeddedState;
use rtvoice::ports::state::keys::RedisKeyManager;
use rtvoice::ports::state::legacy::{Imported, Legacy as _, ScanCursor, adopt};
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use rtvoice::ports::state::{Archiving as _, Calls as _, Closing, Known, State};
use serde_json::Value;

use super::{CALL, NOW, call, fixture, key_of, pairs, raw, strings};
use crate::harness::redis::{RedisCluster, RedisServer, Wire, config_for};

/// 24 hours in milliseconds.
const DAY: i64 = 86_400_000;

pub(super) fn config(server: &RedisServer) -> Config {
    config_for(&server.settings())
}

pub(super) fn manager(config: &Config) -> AsyncAzureRedisManager {
    AsyncAzureRedisManager::new(config, None).expect("sound settings")
}

/// Puts a fixture where its generation would have put it.
pub(super) fn put(wire: &mut Wire, fixture: &Value) {
    let key = fixture["key"].as_str().expect("a name");
    let mut words = vec![];
    match fixture["type"].as_str().expect("a type") {
        "hash" => {
            words.extend(["HSET".to_owned(), key.to_owned()]);
            words.extend(pairs(&fixture["fields"]).into_iter().flat_map(|(name, text)| [name, text]));
        }
        "list" => {
            words.extend(["RPUSH".to_owned(), key.to_owned()]);
            words.extend(strings(&fixture["items"]));
        }
        "string" => words.extend(["SET".to_owned(), key.to_owned(), fixture["value"].as_str().expect("a text").to_owned()]),
        "stream" => {
            let entry = &fixture["entries"][0];
            words.extend(["XADD".to_owned(), key.to_owned(), entry["id"].as_str().expect("an id").to_owned()]);
            words.extend(pairs(&entry["fields"]).into_iter().flat_map(|(name, text)| [name, text]));
        }
        other => panic!("unknown type {other}"),
    }
    wire.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let ttl = fixture["ttl_seconds"].as_i64().expect("a TTL");
    if ttl > 0 {
        assert_eq!(wire.command(&["EXPIRE", key, &ttl.to_string()]).number(), Some(1));
    }
}

/// The call that most fixtures are of: two hashes, the browser's map, tones and their validation.
pub(super) fn put_call(wire: &mut Wire) {
    for name in ["v2_session_callconnection_same_call", "v2_session_media", "call_session_map", "dtmf_sequence", "dtmf_stream"] {
        put(wire, &fixture(name));
    }
}

pub(super) fn ours(config: &Config, wire: &mut Wire) -> Vec<(String, i64)> {
    wire.keys(&format!("{}*", RedisKeyManager::new(config).root()))
}

async fn history(state: &dyn State, id: &CallId) -> Vec<(u64, Option<String>, Option<String>)> {
    let slice = state.history(id, 0, 100).await.expect("a history");
    slice.entries.into_iter().map(|(seq, entry)| (seq, entry.words.user, entry.words.assistant)).collect()
}

#[tokio::test]
async fn a_disconnected_call_is_taken_over_as_ended() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call(CALL));
    put_call(&mut wire);
    let state = manager(&config);
    let session = adopt(&state, &id, &Known::Nothing, NOW).await.unwrap().expect("a session");
    assert_eq!((session.status(), session.last_seq()), (CallStatus::Ended, 2));
    assert_eq!(session.get(field::LEGACY), Some("imported"));
    assert_eq!(session.get(field::DIRECTION), Some("outbound"));
    assert_eq!(session.get(field::END_REASON), Some("CallDisconnected"));
    let extra: Value = serde_json::from_str(&state.legacy_extra(&id).await.unwrap().unwrap()).expect("an object");
    assert_eq!(extra["firstSeq"], 1);
    assert_eq!(extra["keys"].as_array().unwrap().len(), 5);

    let turns = history(&state, &id).await;
    assert_eq!(turns.len(), 2);
    assert_eq!((turns[0].0, turns[1].0, turns[1].1.is_none()), (1, 2, true));
    let survey = state.survey(std::slice::from_ref(&id)).await.unwrap().remove(0);
    assert_eq!(survey.waiting, 1);
    assert_eq!(state.outbox(&id).await.unwrap(), ["ended"], "the end alone waits: turns are in the history");
    let partition = u8::try_from(rtvoice::ports::state::keys::lane(&id, 16)).unwrap();
    assert_eq!(state.open_calls(partition, 0, 10).await.unwrap(), [(id.clone(), NOW)], "the relay sees it");
    let loaded = state.load(&id, &TurnId::parse("legacy-2").unwrap()).await.unwrap();
    assert_eq!(loaded.context["caller_name"], "\"Alex Example\"");
    assert_eq!(loaded.saved.map(|(seq, entry)| (seq, entry.turn_id)), Some((2, "legacy-2".to_owned())));

    let ours = ours(&config, &mut wire);
    assert!(ours.len() >= 6 && ours.iter().all(|(_, left)| *left > 0), "all keys have a life: {ours:?}");
    let week: Vec<_> = ours.iter().filter(|(key, _)| ["session", "history", "turns", "outbox"].iter().any(|part| key.ends_with(&format!(":{part}")))).collect();
    assert!(week.len() == 4 && week.iter().all(|(_, left)| *left > 7 * DAY - 60_000), "{week:?}");
    let legacy: Vec<_> = wire.keys("*").into_iter().filter(|key| !ours.iter().any(|(name, _)| *name == key.0)).collect();
    assert_eq!(legacy.len(), 5);
    assert!(legacy.iter().all(|(_, left)| (DAY - 60_000..=DAY).contains(left)), "24 hours each: {legacy:?}");
}

#[tokio::test]
async fn a_second_look_changes_nothing() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call("5e6f7a8b"));
    put(&mut wire, &fixture("hist_list"));
    let state = manager(&config);
    let first = adopt(&state, &id, &Known::Nothing, NOW).await.unwrap().expect("a session");
    assert_eq!(first.status(), CallStatus::Provisional);
    let again = adopt(&state, &id, &Known::Nothing, NOW.plus_millis(5000)).await.unwrap().expect("a session");
    assert_eq!(again, first);
    assert_eq!(adopt(&state, &id, &Known::Open(first.clone()), NOW).await.unwrap(), Some(first));
    assert_eq!(history(&state, &id).await.len(), 1);
}

#[tokio::test]
async fn ten_at_once_take_it_over_once() {
    let server = RedisServer::single();
    let (config, mut wire) = (config(&server), server.wire());
    put_call(&mut wire);
    let state = Arc::new(manager(&config));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let state = Arc::clone(&state);
            tokio::spawn(async move { adopt(state.as_ref(), &call(CALL), &Known::Nothing, NOW).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().expect("a session").last_seq(), 2);
    }
    assert_eq!(history(state.as_ref(), &call(CALL)).await.len(), 2);
}

#[tokio::test]
async fn turns_that_were_taken_before_keep_their_numbers() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call("5e6f7a8b"));
    let state = manager(&config);
    // One of them has the very id that a legacy turn would get.
    for turn in ["legacy-1", "t2"] {
        let entry = Entry { turn_id: turn.to_owned(), at: NOW, words: Words { user: Some(turn.to_owned()), ..Words::default() }, ..Entry::default() };
        state.commit(&TurnCommit::new(id.clone(), entry, Default::default(), NOW)).await.unwrap();
    }
    let session = RedisKeyManager::new(&config).call(&id, rtvoice::ports::state::keys::CallKey::Session);
    wire.command(&["HDEL", &session, "_legacy"]);
    put(&mut wire, &fixture("hist_list"));
    let known = state.register(&id, NOW).await.unwrap();
    let session = adopt(&state, &id, &known, NOW).await.unwrap().expect("a session");
    assert_eq!(session.last_seq(), 3);
    assert!(state.legacy_extra(&id).await.unwrap().unwrap().ends_with(",\"firstSeq\":3}"));
    let turns = state.history(&id, 0, 10).await.unwrap().entries;
    let told: Vec<_> = turns.iter().map(|(seq, entry)| (*seq, entry.turn_id.as_str())).collect();
    assert_eq!(told, [(1, "legacy-1"), (2, "t2"), (3, &format!("legacy-1-{}", NOW.millis()))]);
}

#[tokio::test]
async fn nothing_found_is_noted_once_and_makes_no_session() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call("none"));
    let state = manager(&config);
    assert_eq!(adopt(&state, &id, &Known::Nothing, NOW).await.unwrap(), None);
    state.mark_checked(&id).await.unwrap();
    assert!(wire.keys("*").is_empty(), "no key out of nothing");
    // A session from before the mark was known.
    let key = RedisKeyManager::new(&config).call(&id, rtvoice::ports::state::keys::CallKey::Session);
    wire.command(&["HSET", &key, "status", "connected"]);
    let known = state.register(&id, NOW).await.unwrap();
    adopt(&state, &id, &known, NOW).await.unwrap();
    assert_eq!(wire.command(&["HGET", &key, "_legacy"]).text(), "none");
}

#[tokio::test]
async fn an_archived_call_stays_archived() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call("5e6f7a8b"));
    put(&mut wire, &fixture("hist_list"));
    let state = manager(&config);
    let closing = Closing { call: id.clone(), summary: "{}".to_owned(), archived_fields: vec![], archived_entries: 0 };
    assert!(state.close(&closing).await.unwrap());
    let legacy = LegacyCall::read(&state.find(&id).await.unwrap().expect("keys"), NOW);
    assert_eq!(state.import(&id, &legacy, NOW).await.unwrap(), Imported::Archived);
    assert_eq!(ours(&config, &mut wire).iter().filter(|(key, _)| key.contains(":open") || key.contains(":session")).count(), 0);
}

#[tokio::test]
async fn a_browsers_session_belongs_to_the_call_mapped_to_it() {
    let server = RedisServer::single();
    let (config, mut wire, id) = (config(&server), server.wire(), call("c1"));
    wire.command(&["SET", "call_session_map:c1", "b1"]);
    wire.command(&["HSET", "session:b1", "chat_history", r#"[{"role":"user","content":"from the browser"}]"#]);
    wire.command(&["SADD", "call:c1:participants", "x"]);
    wire.command(&["HSET", "session:c1", "odd", "\u{fffd}"]);
    let state = manager(&config);
    let found = state.find(&id).await.unwrap().expect("keys");
    assert!(found.keys.iter().any(|key| key.role == Role::Browser));
    adopt(&state, &id, &Known::Nothing, NOW).await.unwrap();
    assert_eq!(history(&state, &id).await, [(1, Some("from the browser".to_owned()), None)]);
    assert!((DAY - 60_000..=DAY).contains(&wire.command(&["PTTL", "session:b1"]).number().unwrap()));
    // A map that leads to no sound identifier is not followed.
    wire.command(&["SET", "call_session_map:c2", "a:{b}*"]);
    assert_eq!(state.find(&call("c2")).await.unwrap().and_then(|raw| raw.refusal()).as_deref(), Some("only a map to a session that is gone"));
}

#[tokio::test]
async fn a_cluster_is_looked_through_node_by_node() {
    let cluster = RedisCluster::start();
    let config = config_for(&cluster.settings());
    let state = manager(&config);
    let mut ids = Vec::new();
    for n in 0..12 {
        let key = format!("session:c{n}");
        // Only one node takes it.
        let taken =
            cluster.nodes().iter().filter(|node| node.wire().command(&["HSET", &key, "history", r#"[{"role":"user","content":"hi"}]"#]).number() == Some(1));
        assert_eq!(taken.count(), 1);
        ids.push(format!("c{n}"));
    }
    let (mut cursor, mut found) = (Some(ScanCursor::default()), Vec::new());
    while let Some(at) = cursor {
        let page = state.scan(at).await.unwrap();
        found.extend(page.owners.into_iter().map(|owner| owner.id));
        cursor = page.next;
    }
    ids.sort();
    found.sort();
    assert_eq!(found, ids);
    for id in &ids {
        assert_eq!(adopt(&state, &call(id), &Known::Nothing, NOW).await.unwrap().expect("a session").last_seq(), 1);
    }
    let left: Vec<_> = cluster.nodes().iter().flat_map(|node| node.wire().keys("*")).collect();
    assert!(left.iter().all(|(_, ttl)| *ttl > 0) && left.len() > 12, "{left:?}");
}

#[tokio::test]
async fn the_embedded_file_finds_nothing_and_takes_over_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_for(&[]);
    let file = Embedded::open(&folder.path().join("state.db")).unwrap();
    let state = EmbeddedState::open(file, &config, Arc::new(SystemClock)).unwrap();
    let id = call("9c0d1e2f");
    assert_eq!(state.find(&id).await.unwrap(), None);
    assert_eq!(state.scan(ScanCursor::default()).await.unwrap().next, None);
    let legacy = LegacyCall::read(&raw([key_of("9c0d1e2f", &fixture("v0_session_history"))]), NOW);
    let Imported::Done(session) = state.import(&id, &legacy, NOW).await.unwrap() else { panic!("not taken over") };
    assert_eq!((session.status(), session.last_seq(), session.get(field::LEGACY)), (CallStatus::Provisional, 1, Some("imported")));
    assert_eq!(state.import(&id, &legacy, NOW).await.unwrap(), Imported::Before(session));
    assert_eq!(history(&state, &id).await.len(), 1);
    assert_eq!(state.load(&id, &TurnId::parse("t").unwrap()).await.unwrap().context["authenticated"], "false");
}
