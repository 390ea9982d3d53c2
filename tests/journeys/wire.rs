//! What one turn costs on the wire to Redis, and that a long call does not raise it.

use futures::StreamExt as _;
use rtvoice::app::App;
use rtvoice::model::conversation::{Committed, ContextPatch, Entry, TurnCommit, Words};
use rtvoice::model::ids::CallId;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::harness::call::Call;
use crate::harness::process::{Settings, eventually};
use crate::harness::proxy::{Exchange, Proxy};
use crate::harness::redis::RedisServer;
use crate::harness::stack::Stack;

/// Takes turns into a call by the state port, as many as are missing.
async fn fill(app: &App, call: &str, from: u64, to: u64) {
    let turns = (from + 1..=to).map(|number| async move {
        let entry = Entry {
            turn_id: format!("turn-{number:05}"),
            at: SystemClock.now(),
            words: Words { user: Some(TEXT.to_owned()), assistant: Some(crate::harness::openai::ANSWER.to_owned()), ..Words::default() },
            source: Some("openai".to_owned()),
            ..Entry::default()
        };
        let commit = TurnCommit::new(CallId::parse(call).expect("an id"), entry, ContextPatch::default(), SystemClock.now());
        assert!(matches!(app.state.commit(&commit).await, Ok(Committed::New(_))));
    });
    futures::stream::iter(turns).buffer_unordered(16).collect::<Vec<()>>().await;
}

const TEXT: &str = "Sixty-four bytes of a caller's words, the same ones in each turn.";

/// Tries in which the watch of the handler asks nothing meanwhile.
const TRIES: u32 = 20;

/// Whether the watch of the handler asked something, which it does each second: it is no part of a turn.
fn is_disturbed(exchanges: &[Exchange]) -> bool {
    const KEYS: [&str; 3] = [":system:figures-", ":system:alerts:", ":system:probe:"];
    let is_watch = |words: &Vec<String>| ["PING", "INFO"].contains(&words[0].as_str()) || words.iter().any(|word| KEYS.iter().any(|key| word.contains(key)));
    exchanges.iter().flat_map(Exchange::commands).any(|words| is_watch(&words))
}

/// One turn on the wire: what its answer waited for, and the acknowledgement after it.
async fn one_turn(stack: &Stack, proxy: &Proxy, call: &Call, turn: &str) -> Vec<Exchange> {
    for attempt in 10..10 + TRIES {
        let exchanges = tried(stack, proxy, call, &format!("{turn}-{attempt}")).await;
        if !is_disturbed(&exchanges) {
            return exchanges;
        }
    }
    panic!("the watch asks all the time");
}

async fn tried(stack: &Stack, proxy: &Proxy, call: &Call, turn: &str) -> Vec<Exchange> {
    let id = CallId::parse(call.id.clone()).expect("an id");
    proxy.clear();
    let answer = call.turn(json!({"turnId": turn, "text": TEXT})).await.expect("an answer");
    assert_eq!((answer.status, &answer.body["speech"]["cache"]), (200, &json!("hit")), "{answer:?}");
    let mut wire = stack.redis.wire();
    let outbox = stack.redis.wire().keys(&format!("*{}:outbox", id.as_str()));
    let settled = async || outbox.first().is_none_or(|(key, _)| wire.command(&["HEXISTS", key, &format!("t:{turn}")]).number() == Some(0)).then_some(());
    eventually("the turn is acknowledged", || stack.handler.output(), settled).await;
    proxy.exchanges()
}

/// Names of the commands of one exchange.
fn names(exchange: &Exchange) -> Vec<String> {
    exchange.commands().into_iter().map(|words| words[0].clone()).collect()
}

fn bytes(exchanges: &[Exchange]) -> usize {
    exchanges.iter().map(|e| e.sent.len() + e.received).sum()
}

/// A turn after `few` turns and one after 2,000, with the settings of the window.
async fn compare(window: Settings, few: u64) {
    let redis = RedisServer::single();
    let proxy = Proxy::start(redis.port()).await;
    let mut settings = window;
    settings.push(("REDIS_PORT", proxy.port().to_string()));
    let stack = Stack::with(redis, settings).await;
    // Scripts and the phrase are known from here on.
    let warm = Call::new(&stack.handler);
    warm.connect().await;
    let mut turns = 0;
    let cached = async || {
        turns += 1;
        let answer = warm.turn(json!({"turnId": format!("warm-{turns}"), "text": TEXT})).await?;
        (answer.body["speech"]["cache"] == "hit").then_some(())
    };
    eventually("the phrase is cached", || stack.handler.output(), cached).await;
    stack.delivered().await;

    let call = Call::new(&stack.handler);
    call.connect().await;
    let app = stack.handler.app();
    fill(app, &call.id, 0, few - 1).await;
    one_turn(&stack, &proxy, &call, "turn-first").await;
    let early = one_turn(&stack, &proxy, &call, "turn-early").await;
    fill(app, &call.id, few + 1, 2000).await;
    let late = one_turn(&stack, &proxy, &call, "turn-later").await;

    for (turn, exchanges) in [("early", &early), ("late", &late)] {
        let shown: Vec<_> = exchanges.iter().map(names).collect();
        assert_eq!(shown.len(), 4, "{turn}: load, commit, speech, and the acknowledgement after the answer: {shown:?}");
        assert_eq!(shown[0], ["HMGET", "EXISTS", "HGETALL", "LRANGE", "HGET", "HGETALL"], "{turn}");
        assert_eq!((&shown[1][..], &shown[3][..]), (&["EVALSHA".to_owned()][..], &["EVALSHA".to_owned()][..]), "{turn}: {shown:?}");
        assert_eq!(exchanges[3].commands()[0][2], "2", "{turn}: the last one is the acknowledgement");
        assert_eq!(shown[2], ["GETRANGE", "SET"], "{turn}: speech from the cache");
    }
    let commands = |exchanges: &[Exchange]| exchanges.iter().map(names).collect::<Vec<_>>();
    assert_eq!(commands(&early), commands(&late));
    for (place, (before, after)) in early.iter().zip(&late).enumerate() {
        let (before, after) = (bytes(std::slice::from_ref(before)), bytes(std::slice::from_ref(after)));
        assert!(after.abs_diff(before) * 20 <= before, "exchange {place}: {before} bytes became {after}");
    }
    let (before, after) = (bytes(&early), bytes(&late));
    assert!(after.abs_diff(before) * 20 <= before, "{before} bytes became {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_after_10_costs_what_one_after_2000_does() {
    compare(vec![("HISTORY_WINDOW", "10".to_owned())], 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_the_window_of_the_default() {
    compare(Vec::new(), 20).await;
}

/// Answers are held back: what is sent together shows together.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_names_its_user_or_is_spoken_for_its_call_alone_costs_no_more() {
    let redis = RedisServer::single();
    let proxy = Proxy::slow(redis.port(), std::time::Duration::from_millis(40)).await;
    let stack = Stack::with(redis, vec![("REDIS_PORT", proxy.port().to_string())]).await;
    let warm = Call::new(&stack.handler);
    warm.connect().await;
    // The answer of the stand-in quotes it: its audio is for this call alone.
    let private = |turn: &str| json!({"turnId": turn, "text": TEXT, "context": {"user_id": "customer-7", "line": "Your order arrives"}});
    warm.turn(private("warm")).await.expect("an answer");
    profile_attached(&stack, &warm).await;

    for _ in 0..TRIES {
        if two_turns(&stack, &proxy, private).await.is_some() {
            return;
        }
    }
    panic!("the watch asks all the time");
}

/// The first two turns of a call; none where the watch asked something meanwhile.
async fn two_turns(stack: &Stack, proxy: &Proxy, private: impl Fn(&str) -> serde_json::Value) -> Option<()> {
    let call = Call::new(&stack.handler);
    call.connect().await;
    for turn in ["first", "second"] {
        // What follows an answer is no part of the next one either.
        let outbox = format!("*{}:outbox", call.id);
        eventually("everything is acknowledged", || stack.handler.output(), async || stack.redis.wire().keys(&outbox).is_empty().then_some(())).await;
        proxy.clear();
        let answer = call.turn(private(turn)).await.expect("an answer");
        // What follows the answer comes behind these.
        let exchanges = proxy.exchanges();
        if is_disturbed(&exchanges) {
            return None;
        }
        let exchanges: Vec<_> = exchanges.iter().map(names).collect();
        assert_eq!((answer.status, &answer.body["speech"]["cache"]), (200, &json!("private")), "{answer:?}");
        // Where the speech took long, what follows the commit may be ahead of it.
        let after: Vec<&Vec<String>> = exchanges[1..].iter().filter(|names| **names != ["EVALSHA"]).collect();
        assert_eq!(
            (&exchanges[1][..], &after[..]),
            (&["EVALSHA".to_owned()][..], &[&vec!["SETEX".to_owned()]][..]),
            "{turn}: the commit, and one for speech: {exchanges:?}"
        );
        assert_eq!(exchanges[0].iter().filter(|name| *name == "HGETALL").count(), 2, "{turn}: the load: {exchanges:?}");
        assert_eq!(exchanges[0].contains(&"SADD".to_owned()), turn == "first", "{turn}: whose call it is goes with it, once: {exchanges:?}");
        profile_attached(stack, &call).await;
        stack.delivered().await;
    }
    Some(())
}

/// Waits for the last of what follows the first turn of a user.
async fn profile_attached(stack: &Stack, call: &Call) {
    let mut wire = stack.redis.wire();
    let context = stack.redis.wire().keys(&format!("*{}:context", call.id)).remove(0).0;
    let attached = async || (wire.command(&["HEXISTS", &context, "_profile"]).number() == Some(1)).then_some(());
    eventually("the profile is attached", || stack.handler.output(), attached).await;
}
