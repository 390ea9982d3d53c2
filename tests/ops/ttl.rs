//! `rtvoice ttl audit`: every key is looked at, offenders are named by prefix, and `--fix` touches them alone.

use rtvoice::ops::ttl::{self, TtlArgs};
use serde_json::{Value, json};

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::redis::{RedisCluster, RedisServer};

async fn audit(app: &Rtvoice, fix: bool) -> (Value, bool) {
    let words: &[&str] = if fix { &["audit", "--json", "--fix"] } else { &["audit", "--json"] };
    let told = ttl::run(&app.app, &args::<TtlArgs>(words)).await.unwrap();
    (json(&told), told.good)
}

#[tokio::test]
async fn keys_without_a_life_are_found_by_prefix_and_given_the_one_of_their_kind() {
    let server = RedisServer::single();
    let app = app_on(&server.settings());
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    assert_eq!(audit(&app, false).await.0["left"], 0);

    let mut wire = server.wire();
    for key in ["rtvoice:dev:conversation:call-1:context", "rtvoice:dev:conversation:call-1:history"] {
        assert_eq!(wire.command(&["PERSIST", key]).number(), Some(1), "{key}");
    }
    wire.command(&["SET", "other:app", "1"]).expect_ok();
    wire.command(&["SET", "session:browser-1", "{}"]).expect_ok();
    let kept = wire.command(&["LRANGE", "rtvoice:dev:conversation:call-1:history", "0", "-1"]);

    let (found, good) = audit(&app, false).await;
    assert!(!good);
    assert_eq!((&found["left"], &found["fixed"], &found["foreign"], &found["foreignForever"]), (&json!(3), &json!(0), &json!(1), &json!(1)));
    let mut prefixes: Vec<&str> = found["offenders"].as_array().unwrap().iter().map(|row| row["prefix"].as_str().unwrap()).collect();
    prefixes.sort_unstable();
    assert_eq!(prefixes, ["legacy", "other apps", "rtvoice:dev:conversation:*:context", "rtvoice:dev:conversation:*:history"]);
    assert!(!found.to_string().contains("call-1"), "a kind, never whose: {found}");
    let told = ttl::run(&app.app, &args(&["audit"])).await.unwrap();
    assert!(told.text.contains("without an end: 1 of rtvoice:dev:conversation:*:context"), "{}", told.text);

    let (fixed, good) = audit(&app, true).await;
    assert_eq!((&fixed["fixed"], &fixed["left"], good), (&json!(2), &json!(1), false), "legacy keys are not ours to end");
    let left = |wire: &mut crate::harness::redis::Wire, key: &str| wire.command(&["TTL", key]).number().unwrap();
    assert!((1..=1800).contains(&left(&mut wire, "rtvoice:dev:conversation:call-1:context")));
    assert!((604_000..=604_800).contains(&left(&mut wire, "rtvoice:dev:conversation:call-1:history")), "the longest that it may become");
    assert_eq!((left(&mut wire, "other:app"), left(&mut wire, "session:browser-1")), (-1, -1));
    assert_eq!(wire.command(&["LRANGE", "rtvoice:dev:conversation:call-1:history", "0", "-1"]), kept, "what it holds stays");

    wire.command(&["DEL", "session:browser-1"]);
    let (found, good) = audit(&app, false).await;
    assert_eq!((&found["left"], good), (&json!(0), false), "another app's key stays for ever, too, and the alert counts it");
    assert_eq!(wire.command(&["EXPIRE", "other:app", "60"]).number(), Some(1));
    assert!(audit(&app, false).await.1);
    assert!(!wire.command(&["INFO", "commandstats"]).text().contains("cmdstat_keys:"), "KEYS would hold up every call");
    app.finish().await;
}

#[tokio::test]
async fn every_master_of_a_cluster_is_walked() {
    let cluster = RedisCluster::start();
    let app = app_on(&cluster.settings());
    let calls: Vec<String> = (0..12).map(|n| format!("call-{n}")).collect();
    for call in &calls {
        app.turn(call, "t1", "Hello").await.ok();
    }
    app.quiesce().await;
    let mut owners = std::collections::BTreeSet::new();
    for call in &calls {
        let (_, node) = cluster.slot(call);
        owners.insert(node);
        let key = format!("rtvoice:dev:conversation:{{{call}}}:history");
        assert_eq!(cluster.nodes()[node].wire().command(&["PERSIST", &key]).number(), Some(1), "{key}");
    }
    assert_eq!(owners.len(), 3, "calls lie on every master");
    assert_eq!(audit(&app, false).await.0["left"], 12);
    let (fixed, good) = audit(&app, true).await;
    assert_eq!((&fixed["fixed"], good), (&json!(12), true));
    assert_eq!(audit(&app, false).await.0["left"], 0);
    app.finish().await;
}

#[tokio::test]
async fn the_embedded_file_is_audited_by_the_same_rules() {
    let app = Rtvoice::start();
    app.turn("call-1", "t1", "Hello").await.ok();
    app.quiesce().await;
    assert_eq!(app.persist("context"), 1);
    let (found, good) = audit(&app, false).await;
    assert_eq!((&found["left"], good), (&json!(1), false));
    let (fixed, good) = audit(&app, true).await;
    assert_eq!((&fixed["fixed"], &fixed["left"], good), (&json!(1), &json!(0), true));
    assert!(audit(&app, false).await.1);
    app.finish().await;
}
