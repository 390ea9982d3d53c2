//! A Redis that is there and does not serve: without memory, without a master, silent, or garbled. Callers are answered all the
//! same, and nothing is lost or doubled.

use rtvoice::ops::load::proxy::{Proxy, Way};
use serde_json::json;
use tokio::time::Duration;

use crate::harness::call::{Call, turn_ids};
use crate::harness::process::eventually;
use crate::harness::redis::RedisServer;
use crate::harness::stack::Stack;
use crate::harness::stopwatch::Stopwatch;

/// The longest that turns may be degraded once the dependency is back.
const RECOVERY: Duration = Duration::from_secs(10);

/// Between two turns of a caller who waits for something to change. Every turn is a message in the same lane: what nobody could say in
/// that time would only make the queue long.
const BREATH: Duration = Duration::from_millis(250);

/// A call that goes on; every turn of it is answered.
pub struct Talk {
    pub call: Call,
    turns: Vec<String>,
}

impl Talk {
    /// A call with one turn.
    pub async fn begin(stack: &Stack) -> Self {
        let call = Call::new(&stack.handler);
        call.connect().await;
        call.said("before", "all is well").await;
        Self { call, turns: vec!["before".to_owned()] }
    }

    /// A turn, which must be answered 200; whether it was degraded.
    pub async fn say(&mut self) -> bool {
        let turn = format!("turn-{}", self.turns.len());
        let answer = self.call.say(&turn, "is anybody there?").await;
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.call.handler.output());
        self.turns.push(turn);
        answer.body["degraded"] == json!(true)
    }

    /// Says turns until something has happened.
    pub async fn until(&mut self, what: &str, mut happened: impl FnMut() -> bool) {
        let handler = std::sync::Arc::clone(&self.call.handler);
        let said = async || {
            self.say().await;
            let happened = happened();
            if !happened {
                tokio::time::sleep(BREATH).await;
            }
            happened.then_some(())
        };
        eventually(what, || handler.output(), said).await;
    }

    /// Says turns until one is degraded.
    pub async fn degraded(&mut self) {
        let handler = std::sync::Arc::clone(&self.call.handler);
        eventually("a turn is degraded", || handler.output(), async || self.say().await.then_some(())).await;
    }

    /// Says turns until one is whole, in time.
    pub async fn recovers(&mut self) {
        let (watch, handler) = (Stopwatch::start(), std::sync::Arc::clone(&self.call.handler));
        eventually("turns are whole again", || handler.output(), async || (!self.say().await).then_some(())).await;
        watch.below(RECOVERY, "until a turn was whole");
    }

    /// Ends the call: its archive has every turn once, and in order.
    pub async fn ends(self, stack: &Stack) {
        self.call.disconnect().await;
        // What was put off while something was away comes now, and not in a minute.
        stack.pump.release_scheduled();
        let archived = self.call.archived(self.turns.len()).await;
        assert_eq!(turn_ids(&archived), self.turns);
        assert!(archived.header.complete);
        stack.delivered().await;
        assert_eq!((stack.pump.failed(), stack.pump.dead()), (0, 0), "an outage burns no delivery");
    }
}

/// A call through a Redis that is told this, and later that.
async fn told(breaks: &[&str], mends: &[&str]) {
    let stack = Stack::start().await;
    let mut talk = Talk::begin(&stack).await;
    stack.redis.wire().command(breaks).expect_ok();
    talk.degraded().await;
    for _ in 0..5 {
        assert!(talk.say().await, "nothing can be committed");
    }
    // A call that nobody has heard of begins meanwhile, and ends.
    let new = Call::new(&stack.handler);
    new.connect().await;
    let answer = new.say("only", "hello").await;
    assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(true)), "{answer:?}");
    new.disconnect().await;
    assert!(!stack.handler.output().contains(r#""level":"ERROR""#), "an outage is no defect: {}", stack.handler.output());
    stack.redis.wire().command(mends).expect_ok();
    talk.recovers().await;
    talk.ends(&stack).await;
    assert_eq!(turn_ids(&new.archived(1).await), ["only"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_memory() {
    told(&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_nobody_may_write_to() {
    // Nothing listens on port 1.
    told(&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]).await;
}

/// A call through a proxy that behaves like this for a while.
async fn through(redis: RedisServer, way: Way) {
    let proxy = Proxy::start(redis.port()).await.expect("a proxy");
    let stack = Stack::with(redis, vec![("REDIS_PORT", proxy.port().to_string())]).await;
    let mut talk = Talk::begin(&stack).await;
    proxy.behave(way);
    talk.degraded().await;
    for _ in 0..5 {
        talk.say().await;
    }
    proxy.behave(Way::Pass);
    talk.recovers().await;
    talk.ends(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_end_nobody_was_told() {
    through(RedisServer::single(), Way::HalfClose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_lets_nothing_pass() {
    through(RedisServer::single(), Way::BlackHole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_comes_too_late() {
    through(RedisServer::single(), Way::Delay(Duration::from_millis(700))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_too_narrow() {
    through(RedisServer::single(), Way::Throttle(1_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_breaks_every_connection() {
    through(RedisServer::single(), Way::Cut).await;
}

/// Bytes that change on the way are noticed under TLS alone: the protocol of Redis has no checksums.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_the_way_under_tls() {
    through(RedisServer::tls("TLSv1.3"), Way::Corrupt(300)).await;
}
