//! The ways to reach a Redis: TLS, a cluster, Entra tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use rtvoice::ports::identity::Identity;
use rtvoice::ports::state::StateHealth as _;
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use serde_json::json;

use crate::harness::call::{Call, seqs};
use crate::harness::identity::{self, IdentityEndpoint};
use crate::harness::process::{Handler, Settings, eventually};
use crate::harness::redis::{RedisCluster, RedisServer, config_for};

/// A short call on this state, with everything else embedded.
async fn play(settings: Settings) -> std::sync::Arc<Handler> {
    let handler = Handler::start(settings).await;
    let call = Call::new(&handler);
    call.connect().await;
    for number in 0..4 {
        let answer = call.turn(json!({"turnId": format!("turn-{number}"), "text": "hello"})).await.expect("an answer");
        assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(false)), "{answer:?}\n{}", handler.output());
    }
    call.disconnect().await;
    let archived = handler.in_record(&call.id, 4).await;
    assert_eq!(seqs(&archived), [Some(1), Some(2), Some(3), Some(4)]);
    assert!(archived.header.complete);
    assert!(!handler.output().contains("starting degraded"), "{}", handler.output());
    handler
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_3() {
    let redis = RedisServer::tls("TLSv1.3");
    // Kept: a handler that is dropped is killed, perhaps before it has let the state go.
    let _handler = play(redis.settings()).await;
    let mut wire = redis.wire();
    let summary = async || wire.keys("*").iter().any(|(key, _)| key.ends_with(":summary")).then_some(());
    eventually("it was this Redis", String::new, summary).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_alone_is_refused() {
    let redis = RedisServer::tls("TLSv1.2");
    let handler = Handler::start(redis.settings()).await;
    assert!(handler.output().contains("starting degraded"), "{}", handler.output());
    let call = Call::new(&handler);
    for number in 0..3 {
        let answer = call.say(&format!("turn-{number}"), "hello").await;
        assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(true)), "{answer:?}");
    }
    assert_eq!(redis.wire().keys("*"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_three() {
    let cluster = RedisCluster::start();
    let handler = play(cluster.settings()).await;
    // More calls, until every node has some.
    let keys = || cluster.nodes().iter().map(|node| node.wire().keys("*")).collect::<Vec<_>>();
    for _ in 0..60 {
        if keys().iter().all(|keys| !keys.is_empty()) {
            break;
        }
        let call = Call::new(&handler);
        call.connect().await;
        call.said("one", "hello").await;
        call.disconnect().await;
        call.archived(1).await;
    }
    let keys = keys();
    assert!(keys.iter().all(|keys| !keys.is_empty()), "each node has a share: {keys:?}");
    assert!(keys.iter().flatten().all(|(_, ttl)| *ttl > 0), "{keys:?}");
}

/// An object id as Entra gives them; the stand-in's tokens carry it.
const OID: &str = "00000000-0000-0000-0000-00000000000a";

#[tokio::test(flavor = "multi_thread")]
async fn an_entra_token_with_the_user_from_inside_it() {
    let redis = RedisServer::tls("TLSv1.3");
    let token = identity::mint("https://redis.azure.com", identity::unix_now() + 3600);
    let endpoint = IdentityEndpoint::giving(&token).await;
    let mut wire = redis.wire();
    wire.command(&["ACL", "SETUSER", OID, "on", &format!(">{token}"), "~*", "&*", "+@all"]).expect_ok();
    wire.command(&["ACL", "SETUSER", "default", "off"]).expect_ok();
    let mut settings = redis.settings();
    // Every address of this machine is one of 0.0.0.0's; the settings know loopback as a place that needs no login.
    settings.push(("REDIS_HOST", "0.0.0.0".to_owned()));
    settings.extend(endpoint.env());
    let handler = play(settings).await;
    assert!(endpoint.asked().iter().all(|resource| resource == "https://redis.azure.com"), "{:?}", endpoint.asked());
    let users = wire.command(&["CLIENT", "LIST"]).text();
    assert!(users.contains(&format!("user={OID}")), "{users}");
    assert!(!handler.output().contains(&token), "the token stands in the log");
}

/// Gives a token that must be renewed at once, and then one that lasts.
#[derive(Debug)]
struct TwoTokens {
    tokens: [String; 2],
    given: AtomicUsize,
}

#[async_trait::async_trait]
impl TokenCredential for TwoTokens {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        // The client asks once to connect and once more for the renewals that follow.
        let place = usize::from(self.given.fetch_add(1, Ordering::SeqCst) >= 2);
        let expires = identity::unix_now() + [301, 3600][place];
        Ok(AccessToken::new(self.tokens[place].clone(), OffsetDateTime::from_unix_timestamp(expires).expect("a time")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_on_the_live_connection() {
    let redis = RedisServer::tls("TLSv1.3");
    let tokens = [3600, 7200].map(|life| identity::mint("https://redis.azure.com", identity::unix_now() + life));
    let mut wire = redis.wire();
    wire.command(&["ACL", "SETUSER", OID, "on", &format!(">{}", tokens[0]), &format!(">{}", tokens[1]), "~*", "&*", "+@all"]).expect_ok();
    let mut settings = redis.settings();
    settings.push(("REDIS_HOST", "0.0.0.0".to_owned()));
    let identity = Identity::from_credential(Arc::new(TwoTokens { tokens, given: AtomicUsize::new(0) }));
    let state = AsyncAzureRedisManager::new(&config_for(&settings), Some(identity)).unwrap();
    state.check().await.unwrap();
    let mut client = || {
        let clients = wire.command(&["CLIENT", "LIST"]).text();
        clients.lines().find(|line| line.contains(&format!("user={OID}"))).expect("our connection").split(' ').next().expect("its id").to_owned()
    };
    let before = client();
    let mut other = redis.wire();
    let logins = |wire: &mut crate::harness::redis::Wire| {
        let stats = wire.command(&["INFO", "commandstats"]).text();
        stats.lines().filter(|line| line.starts_with("cmdstat_auth:") || line.starts_with("cmdstat_hello:")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = logins(&mut other);
    eventually("a second login is seen", String::new, async || (logins(&mut other) != first).then_some(())).await;
    state.ping().await.unwrap();
    assert_eq!(client(), before, "the connection is the same");
}
