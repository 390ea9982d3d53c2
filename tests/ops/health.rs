//! `rtvoice health`: the app's own look, or that of a target.

use rtvoice::error::Kind;
use rtvoice::ops::health::{self, HealthArgs};

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::process::Handler;
use crate::harness::redis::{Options, RedisServer};

#[tokio::test]
async fn it_looks_itself_and_says_no_where_something_is_away() {
    let app = Rtvoice::start();
    let told = health::look(&app.app, &args::<HealthArgs>(&["--json"])).await.unwrap();
    assert!(told.good);
    assert_eq!(json(&told)["status"], "healthy");
    app.finish().await;

    let app = Rtvoice::start();
    app.documents.fail_in("check", Fault::Away);
    let told = health::look(&app.app, &args::<HealthArgs>(&[])).await.unwrap();
    assert!(!told.good);
    assert!(told.text.starts_with("degraded"), "{}", told.text);
    app.documents.heal();
    app.finish().await;
}

#[tokio::test]
async fn a_redis_with_keys_without_a_life_is_seen_by_the_command_itself() {
    let server = RedisServer::start(Options { extra: vec!["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"], ..Options::default() });
    let app = app_on(&server.settings());
    (0..150).for_each(|n| server.wire().command(&["SET", &format!("stray:{n}"), "x"]).expect_ok());
    let told = health::look(&app.app, &args::<HealthArgs>(&["--json"])).await.unwrap();
    assert!(!told.good);
    let (report, name) = (json(&told), "key_expiration_compliance");
    assert_eq!((&report["status"], &report["details"][name]["status"]), (&"degraded".into(), &"unhealthy".into()), "{report}");
    assert_eq!(report["details"][name]["value"]["withoutTtl"], 150);
    let memory = &report["details"]["memory_usage"];
    assert!(memory["status"] == "healthy" && memory["value"]["share"].as_f64().is_some_and(|share| share > 0.005), "{memory}");
    assert_eq!(memory["value"]["mostBytes"], 64 << 20);
    app.finish().await;
}

#[tokio::test]
async fn it_asks_a_target() {
    let handler = Handler::start(Vec::new()).await;
    let url = format!("http://127.0.0.1:{}", handler.port().unwrap());
    let told = health::ask(&args::<HealthArgs>(&["--json", "--target", &url]), &url).await.unwrap();
    assert!(told.good);
    assert_eq!(json(&told)["details"]["redis_connectivity"]["status"], "healthy");
    handler.kill();
    assert_eq!(health::ask(&args::<HealthArgs>(&[]), &url).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(health::ask(&args::<HealthArgs>(&[]), "http://example.com").await.unwrap_err().kind, Kind::BadInput, "a key may not travel in clear");
}
