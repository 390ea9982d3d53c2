//! The contract on real Redis servers: single with a password, over TLS 1.3, and a cluster of three.
//!
//! The servers are shared by all tests of the process; each test has a prefix of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::model::conversation::{AuthState, ContextPatch, Entry, TurnCommit, Words};
use rtvoice::ports::clock::ManualClock;
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use rtvoice::ports::state::{Archiving as _, Attempt, AuthStates as _, Calls as _, Known, MESSAGES, State, StateHealth as _, Workers as _};

use super::bench::{Backend, Beneath, START, call_id, entry, worker_id};
use crate::harness::process::eventually;
use crate::harness::proxy::Proxy;
use crate::harness::redis::{Options, RedisCluster, RedisServer, Refusing, Reply, Wire, config_for};

mod single {
    super::super::state_contract!(crate::contract::state::on_redis::Single);
}

mod tls {
    super::super::state_contract!(crate::contract::state::on_redis::Tls);
}

mod cluster {
    super::super::state_contract!(crate::contract::state::on_redis::Cluster);
}

#[test]
fn random_stories_follow_the_model() {
    crate::properties::state::stories::<Single>(32);
}

#[tokio::test]
async fn outboxes_go_over_the_wire_in_slices() {
    let server = RedisServer::single();
    let proxy = Proxy::start(server.port()).await;
    let mut settings = server.settings();
    settings.push(("REDIS_PORT", proxy.port().to_string()));
    let state = AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap();
    let call = call_id("c1");
    for n in 0..2 * MESSAGES {
        let said = Entry { words: Words { user: Some("x".repeat(4000)), ..Words::default() }, ..entry(&format!("t{n}")) };
        state.commit(&TurnCommit::new(call.clone(), said, ContextPatch::default(), START)).await.unwrap();
    }
    let received = || proxy.exchanges().iter().map(|exchange| exchange.received).sum::<usize>();
    proxy.clear();
    assert_eq!(state.survey(std::slice::from_ref(&call)).await.unwrap()[0].waiting, 2 * MESSAGES as u64);
    let fields = state.outbox(&call).await.unwrap();
    assert!(received() < 16_000, "{} bytes for the survey and the names", received());
    proxy.clear();
    assert_eq!(state.messages(&call, &fields[..MESSAGES]).await.unwrap().len(), MESSAGES);
    assert!((200_000..250_000).contains(&received()), "{} bytes for one slice", received());
}

/// Errors of a server that raises them inside a script, as Redis 6 words them.
#[tokio::test]
async fn errors_raised_inside_a_script_are_the_servers_own() {
    let turn = TurnCommit::new(call_id("c1"), entry("t1"), ContextPatch::default(), START);
    for (code, kind) in [
        ("OOM command not allowed when used memory > 'maxmemory'.", Kind::Unavailable),
        ("READONLY You can't write against a read only replica.", Kind::Unavailable),
        ("MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.", Kind::Unavailable),
        ("NOREPLICAS Not enough good replicas to write.", Kind::Unavailable),
        ("LOADING Redis is loading the dataset in memory", Kind::Unavailable),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Kind::Unavailable),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", Kind::Internal),
    ] {
        let error = format!("ERR Error running script (call to f_0123): @user_script:11: @user_script: 11: -{code} ");
        let server = Refusing::start(error).await;
        let settings = [("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_PORT", server.port().to_string())];
        let state = AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap();
        assert_eq!(state.commit(&turn).await.unwrap_err().kind, kind, "{code}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_slow_to_reach_is_reached() {
    let cluster = RedisCluster::start();
    let node = &cluster.nodes()[0];
    // The handshake and the slots take two answers, so more than one operation has.
    let proxy = Proxy::slow(node.port(), Duration::from_millis(400)).await;
    let mut settings = cluster.settings();
    settings.push(("REDIS_PORT", proxy.port().to_string()));
    let state = AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap();
    assert_eq!(state.ping().await.unwrap_err().kind, Kind::Deadline);
    eventually("the connection is made", String::new, async || state.ping().await.ok()).await;
    assert_eq!(state.register(&call_id("c1"), START).await.unwrap(), Known::Nothing);
}

#[tokio::test]
async fn an_attempt_that_is_sent_twice_counts_once() {
    let server = RedisServer::single();
    let proxy = Proxy::start(server.port()).await;
    let mut settings = server.settings();
    settings.push(("REDIS_PORT", proxy.port().to_string()));
    let state = AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap();
    let (call, failure) = (call_id("c1"), AuthState::default());
    state.attempt_auth(&call, &failure, 2).await.unwrap();
    proxy.lose_answers_from(":auth");
    let cut = async {
        eventually("the attempt was sent", String::new, async || proxy.is_losing().then_some(())).await;
        // The answer is lost for good only once it has come.
        let counted =
            async || server.wire().keys("*:auth").first().map(|(key, _)| server.wire().command(&["HGET", key, "failed"]) == Reply::Bulk(b"2".to_vec()));
        eventually("the attempt was counted", String::new, async || counted().await.filter(|counted| *counted)).await;
        proxy.heal();
    };
    let (attempt, ()) = tokio::join!(state.attempt_auth(&call, &failure, 2), cut);
    let locked = AuthState { failed_attempts: 2, locked: true, ..failure.clone() };
    assert!(matches!(attempt, Ok(Attempt::Taken(state, _)) if state == locked), "it is this one that locked");
    assert!(matches!(state.attempt_auth(&call, &failure, 2).await, Ok(Attempt::Locked(state, _)) if state == locked));
}

#[tokio::test]
async fn the_first_heartbeat_after_an_outage_is_taken() {
    let server = RedisServer::single();
    let state = AsyncAzureRedisManager::new(&config_for(&server.settings()), None).unwrap();
    let worker = worker_id("w1");
    state.claim(&call_id("c1"), &worker, None, "a", START).await.unwrap().unwrap();
    server.kill();
    for _ in 0..3 {
        state.heartbeat(&worker, START).await.unwrap_err();
    }
    server.restart();
    // While the circuit is open nothing goes out; what closes it must not be refused halfway.
    let beat = async || {
        let result = state.heartbeat(&worker, START).await;
        (!server.wire().keys("*:heartbeat").is_empty()).then_some(result)
    };
    assert_eq!(eventually("a heartbeat goes out", String::new, beat).await.unwrap(), 0);
}

/// One server with a password.
pub struct Single;
/// One server that speaks TLS 1.3 alone.
pub struct Tls;
/// Three nodes.
pub struct Cluster;

impl Backend for Single {
    fn start() -> (Config, Box<dyn Beneath>) {
        static SERVER: OnceLock<RedisServer> = OnceLock::new();
        on_server(SERVER.get_or_init(|| RedisServer::start(Options { password: Some("pass-1"), ..Options::default() })))
    }
}

impl Backend for Tls {
    fn start() -> (Config, Box<dyn Beneath>) {
        static SERVER: OnceLock<RedisServer> = OnceLock::new();
        on_server(SERVER.get_or_init(|| RedisServer::tls("TLSv1.3")))
    }
}

impl Backend for Cluster {
    fn start() -> (Config, Box<dyn Beneath>) {
        static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(RedisCluster::start);
        (config_for(&cluster.settings()), Box::new(Nodes(cluster.nodes())))
    }
}

fn on_server(server: &'static RedisServer) -> (Config, Box<dyn Beneath>) {
    (config_for(&server.settings()), Box::new(Nodes(std::slice::from_ref(server))))
}

/// The servers that hold the keys between them.
struct Nodes(&'static [RedisServer]);

impl Nodes {
    /// Sends a command on one key to the node that has it, and expects a change.
    fn change(&self, words: &[&str]) {
        let answers = self.0.iter().map(|node| node.wire().command(words));
        assert_eq!(answers.filter_map(Reply::number).sum::<i64>(), 1, "{words:?}");
    }
}

impl Beneath for Nodes {
    fn open(&self, config: &Config, _clock: Arc<ManualClock>) -> Arc<dyn State> {
        Arc::new(AsyncAzureRedisManager::new(config, None).unwrap())
    }

    fn keys(&self, root: &str) -> Vec<(String, i64)> {
        // Identifiers hold none of the characters that mean something in a pattern; braces mean nothing there.
        let pattern = format!("{root}*");
        self.0.iter().map(RedisServer::wire).flat_map(|mut wire: Wire| wire.keys(&pattern)).collect()
    }

    fn expire(&self, key: &str) {
        self.change(&["DEL", key]);
    }

    fn set_life(&self, key: &str, seconds: i64) {
        self.change(&["EXPIRE", key, &seconds.to_string()]);
    }

    fn persist(&self, key: &str) {
        self.change(&["PERSIST", key]);
    }
}
