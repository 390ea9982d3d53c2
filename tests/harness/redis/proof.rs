//! The servers do what the tests that use them rely on.

use std::time::Duration;

use super::{Options, RedisCluster, RedisServer, Reply, config_for};

#[test]
fn a_password_is_asked_for() {
    let server = RedisServer::start(Options { password: Some("pass-1"), ..Options::default() });
    let refused = super::Wire::connect(&server.folder.path().join("s")).expect("a connection").command(&["GET", "a"]);
    assert!(matches!(refused, Reply::Error(text) if text.starts_with("NOAUTH")));
    assert_eq!(server.wire().command(&["GET", "a"]), Reply::Nil);
    let config = config_for(&server.settings());
    assert_eq!(config.redis.expect("redis").port, server.port());
}

#[test]
fn keys_survive_a_restart_only_with_an_append_only_file() {
    for (aof, left) in [(true, Reply::Bulk(b"1".to_vec())), (false, Reply::Nil)] {
        let server = RedisServer::start(Options { aof, extra: vec!["--maxmemory", "64mb"], ..Options::default() });
        server.wire().command(&["SET", "a", "1", "EX", "100"]).expect_ok();
        server.restart();
        assert_eq!(server.wire().command(&["GET", "a"]), left);
    }
}

#[test]
fn a_paused_server_is_silent_until_it_goes_on() {
    let server = RedisServer::single();
    let mut wire = server.wire();
    server.pause();
    wire.patience(Duration::from_millis(50));
    assert!(wire.try_command(&["PING"]).is_err());
    server.resume();
    assert_eq!(server.wire().command(&["PING"]), Reply::Simple("PONG".to_owned()));
    server.kill();
    assert!(server.try_wire().is_none());
}

#[test]
fn the_scan_finds_keys_with_and_without_a_ttl() {
    let server = RedisServer::single();
    let mut wire = server.wire();
    wire.command(&["SET", "p:a", "1", "EX", "100"]).expect_ok();
    wire.command(&["SET", "p:b", "1"]).expect_ok();
    wire.command(&["SET", "q:c", "1"]).expect_ok();
    let keys = wire.keys("p:*");
    assert_eq!(keys.iter().map(|(key, left)| (key.as_str(), *left > 0)).collect::<Vec<_>>(), [("p:a", true), ("p:b", false)]);
}

#[test]
fn a_server_with_tls_speaks_nothing_else() {
    for version in ["TLSv1.3", "TLSv1.2"] {
        let server = RedisServer::tls(version);
        assert!(server.ca_file().is_file());
        let shown = server.wire().command(&["CONFIG", "GET", "tls-protocols"]);
        assert_eq!(shown, Reply::Array(vec![Reply::Bulk(b"tls-protocols".to_vec()), Reply::Bulk(version.as_bytes().to_vec())]));
        assert_eq!(server.wire().command(&["CONFIG", "GET", "port"]), Reply::Array(vec![Reply::Bulk(b"port".to_vec()), Reply::Bulk(b"0".to_vec())]));
        assert!(config_for(&server.settings()).redis.expect("redis").ssl);
    }
}

#[test]
fn each_node_of_the_cluster_has_a_third_of_the_slots() {
    let cluster = RedisCluster::start();
    let answers: Vec<_> = cluster.nodes().iter().map(|node| node.wire().command(&["SET", "a", "1", "EX", "100"])).collect();
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Reply::Simple(_))).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Reply::Error(text) if text.starts_with("MOVED"))).count(), 2);
    assert!(config_for(&cluster.settings()).redis.expect("redis").cluster);
}
