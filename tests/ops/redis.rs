//! `rtvoice redis usage`: every key counted, sizes by kind, what each server says of itself.

use rtvoice::ops::redis::{self, RedisArgs};
use rtvoice::ports::state::upkeep::ServerFacts;
use serde_json::Value;

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::redis::{Options, RedisCluster, RedisServer};

async fn usage(app: &Rtvoice) -> Value {
    let told = redis::run(&app.app, &args::<RedisArgs>(&["usage", "--json", "--samples", "500"])).await.unwrap();
    assert!(told.good);
    json(&told)
}

fn kind<'a>(usage: &'a Value, prefix: &str) -> &'a Value {
    usage["kinds"].as_array().unwrap().iter().find(|kind| kind["prefix"] == prefix).unwrap_or_else(|| panic!("no {prefix} in {usage}"))
}

#[tokio::test]
async fn keys_and_memory_are_told_by_type_and_component() {
    let server = RedisServer::start(Options { extra: vec!["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"], ..Options::default() });
    let app = app_on(&server.settings());
    for call in ["call-1", "call-2", "call-3"] {
        app.turn(call, "t1", "Hello").await.ok();
    }
    app.quiesce().await;
    server.wire().command(&["SET", "other:app", &"x".repeat(5000)]).expect_ok();
    let usage = usage(&app).await;
    let history = kind(&usage, "rtvoice:dev:conversation:*:history");
    assert_eq!((&history["keys"], &history["dataType"], &history["component"]), (&3.into(), &"conversation".into(), &"history".into()));
    assert_eq!(history["sampled"], 3);
    let size = |key: &str| server.wire().command(&["MEMORY", "USAGE", key]).number().unwrap();
    let sizes: Vec<i64> = (1..=3).map(|n| size(&format!("rtvoice:dev:conversation:call-{n}:history"))).collect();
    assert_eq!(history["bytes"], sizes.iter().sum::<i64>(), "with every key sampled it is no estimate");
    assert!(kind(&usage, "other apps")["bytes"].as_u64().unwrap() >= 5000);
    assert_eq!(kind(&usage, "rtvoice:dev:cache:tts:*")["keys"], 1, "one phrase for all three");
    let server_ = &usage["servers"][0];
    assert_eq!((&server_["maxBytes"], &server_["policy"]), (&(64 << 20).into(), &"noeviction".into()));
    let all: u64 = usage["kinds"].as_array().unwrap().iter().map(|kind| kind["keys"].as_u64().unwrap()).sum();
    assert_eq!(server_["keys"], all);
    assert_eq!(usage["audio"]["phrases"], 1);
    assert!(!usage.to_string().contains("call-1"), "never whose");
    app.finish().await;
}

#[tokio::test]
async fn a_cluster_is_told_master_by_master() {
    let cluster = RedisCluster::start();
    let app = app_on(&cluster.settings());
    for call in 0..9 {
        app.turn(&format!("call-{call}"), "t1", "Hello").await.ok();
    }
    app.quiesce().await;
    let usage = usage(&app).await;
    assert_eq!(usage["servers"].as_array().unwrap().len(), 3);
    let history = kind(&usage, "rtvoice:dev:conversation:*:history");
    assert_eq!((&history["keys"], &history["sampled"]), (&9.into(), &9.into()));
    app.finish().await;
}

#[tokio::test]
async fn the_embedded_file_is_told_too() {
    let app = Rtvoice::start();
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    let usage = usage(&app).await;
    assert_eq!(usage["servers"][0]["node"], "embedded");
    assert!(kind(&usage, "rtvoice:dev:conversation:*:history")["bytes"].as_u64().unwrap() > 50);
    assert!(kind(&usage, "rtvoice:dev:cache:tts:*")["bytes"].as_u64().unwrap() > 600, "the audio counts");
    app.finish().await;
}

#[test]
fn what_asks_for_more_capacity_is_said() {
    let calm = ServerFacts { node: "a".to_owned(), used_bytes: 69, max_bytes: 100, connections: 79, max_connections: Some(100), ..ServerFacts::default() };
    assert_eq!(redis::near_limits(&calm), Vec::<String>::new());
    let full = ServerFacts { used_bytes: 70, connections: 80, ops_per_second: Some(10_000), ..calm };
    let near = redis::near_limits(&full);
    assert_eq!(near.len(), 3, "{near:?}");
    assert!(near[0].contains("memory is at 70 %") && near[1].contains("80 %") && near[2].contains("10000 operations"), "{near:?}");
}
