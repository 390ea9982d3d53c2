//! Every operation on Redis is in the audit log: counted against what the server itself counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use rtvoice::model::ids::{CallId, UserToken, WorkerId};
use rtvoice::ports::audit::{Audit, Note, Parts};
use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::documents::{Container, Documents};
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use rtvoice::ports::state::{Archiving as _, Caches as _, Calls as _, StateHealth as _, Workers as _};
use rtvoice::privacy::audit::Key;
use serde_json::Value;

use crate::harness::app::{Rtvoice, START};
use crate::harness::redis::{RedisServer, Reply, config_for};

/// Commands by which a connection is made, not used.
const CONNECTING: [&str; 5] = ["hello", "client|setinfo", "auth", "select", "info"];

/// How often each command was called, by the server's own count; also those that scripts called.
fn counted(server: &RedisServer) -> BTreeMap<String, u64> {
    let Reply::Bulk(bytes) = server.wire().command(&["INFO", "commandstats"]) else { panic!("no statistics") };
    let text = String::from_utf8(bytes).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    lines
        .map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap()))
        .filter(|(name, _)| !CONNECTING.contains(&name.as_str()))
        .collect()
}

fn audit_in(documents: &Arc<dyn Documents>) -> Audit {
    let keys = Arc::new(vec![Key::new(b"a key of this test")]);
    Audit::new(Parts { documents: Arc::clone(documents), keys, clock: Arc::new(SystemClock), sample: 1.0, days: 730, queue: None, metrics: Arc::default() })
}

#[tokio::test]
async fn what_redis_counts_is_what_was_noted() {
    let rt = Rtvoice::start();
    let server = RedisServer::single();
    let audit = audit_in(&rt.app.documents);
    let state = AsyncAzureRedisManager::new(&config_for(&server.settings()), None).unwrap().audited_by(audit.clone());
    let (call, worker, user) =
        (CallId::parse("secret-call").unwrap(), WorkerId::parse("secret-worker").unwrap(), UserToken::parse(format!("u1-{:032x}", 7)).unwrap());
    let pinged = counted(&server)["ping"];
    state.ping().await.unwrap();
    for _ in 0..5 {
        state.heartbeat(&worker, START).await.unwrap();
        state.keep_profile(&user, Some("{\"words\":\"secret words\"}")).await.unwrap();
        state.profile(&user).await.unwrap();
        state.holder(&call, START).await.unwrap();
        state.summary(&call).await.unwrap();
        state.audio("0123").await.unwrap();
        state.touch_open(&call, Some(START)).await.unwrap();
    }
    let server_says = counted(&server);
    for n in 0..3 {
        drop(state.claim(&call, &worker, None, &format!("token-{n}"), START).await.unwrap());
        state.settle(&call, "t1", 0, None).await.unwrap();
    }
    let scripts: u64 = counted(&server)["evalsha"];
    server.kill();
    state.summary(&call).await.unwrap_err();
    audit.close().await.unwrap();

    let documents = rt.documents_in(Container::Audit);
    let entries: Vec<&Value> = documents.iter().filter_map(|d| d["entries"].as_array()).flatten().collect();
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains("secret words") && !text.contains("secret-worker") && !text.contains(":secret-call"), "{text}");
    let of_the_call = entries.iter().filter(|e| e["action"] == "redis.claim" || e["action"] == "redis.settle");
    assert!(of_the_call.clone().count() > 0 && of_the_call.clone().all(|e| e["calls"] == serde_json::json!(["secret-call"])), "{text}");
    let before = entries.iter().take_while(|e| e["key"].as_str().is_none_or(|key| !key.starts_with("call:worker") || e["action"] != "redis.HMGET+EXISTS"));
    let noted: u64 = before.map(|e| e["count"].as_u64().unwrap()).sum();
    assert_eq!(noted, server_says.values().sum::<u64>() - pinged, "{server_says:?}\n{text}");
    let of = |action: &str| entries.iter().filter(|e| e["action"] == action).count() as u64;
    // The first call of each script finds that the server does not have it yet, and is sent again.
    assert_eq!((of("redis.claim"), of("redis.settle"), scripts), (3, 3, 6 + 2));
    let profile = entries.iter().find(|e| e["action"] == "redis.GET" && e["key"].as_str().unwrap().starts_with("cache:profile:")).unwrap();
    assert_eq!(profile["subject"], user.as_str(), "whose profile it is stands in its key");
    assert!(profile["bytes"].as_u64().unwrap() > 22 && profile["us"].as_u64().unwrap() > 0 && profile["store"] == "redis", "{profile}");
    assert_eq!(entries.last().unwrap()["result"], "unavailable");
    rt.finish().await;
}

/// What an operation pays for its note: of all blocks, as most of them show it, for some may meet a machine that stands still. The bound is
/// that of a build without optimisation on a busy machine; with it a note takes less than two microseconds.
#[tokio::test]
async fn a_note_costs_little() {
    const BLOCK: u32 = 1_000;
    let rt = Rtvoice::start();
    let audit = audit_in(&rt.app.documents);
    let began = tokio::time::Instant::now();
    let mut blocks = Vec::new();
    for _ in 0..20 {
        let block = tokio::time::Instant::now();
        for _ in 0..BLOCK {
            let room = audit.room(true).await.unwrap();
            room.note(Note::new("redis.GET").store("redis").key("call", "session", "rtvoice:test:call:call-1:session").bytes(100).took(began.elapsed()));
        }
        blocks.push(block.elapsed() / BLOCK);
    }
    blocks.sort();
    println!("a note takes {:?}, at least {:?} and at most {:?}", blocks[10], blocks[0], blocks[19]);
    assert!(blocks[10].as_micros() < 60, "{blocks:?}");
    rt.finish().await;
}
