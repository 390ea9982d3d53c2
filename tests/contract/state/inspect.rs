//! Looking into the store from outside: keys that would stay for ever, values as they rest, canaries.

use std::collections::BTreeMap;

use rtvoice::ports::state::inspect::Held;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use rtvoice::ports::state::legacy::ScanCursor;

use super::bench::{Bench, call_id, token};

/// The kinds of keys without a TTL. Other tests share the server, but not the prefix; legacy keys have none.
async fn lasting(b: &Bench) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), Some(ScanCursor::default()));
    while let Some(at) = cursor {
        let page = b.state.unexpiring(at).await.unwrap();
        found.extend(page.found.iter().filter(|place| place.data_type != "legacy").map(ToString::to_string));
        cursor = page.next;
    }
    found.sort();
    found
}

async fn held(b: &Bench) -> Vec<Held> {
    let (mut found, mut cursor) = (Vec::new(), Some(ScanCursor::default()));
    while let Some(at) = cursor {
        let page = b.state.values(at).await.unwrap();
        found.extend(page.held.into_iter().filter(|held| held.place.data_type != "legacy"));
        cursor = page.next;
    }
    found
}

pub async fn keys_without_a_ttl_are_found_by_their_kind(b: &Bench) {
    let call = call_id("call-14155550142");
    for n in 0..40 {
        b.turn(&call_id(&format!("other-{n}")), "t1").await;
    }
    b.turn(&call, "t1").await;
    assert_eq!(lasting(b).await, Vec::<String>::new());
    let keys = [b.keys.call(&call, CallKey::History), b.keys.call(&call, CallKey::Session)];
    keys.iter().for_each(|key| b.beneath.persist(key));
    assert_eq!(lasting(b).await, ["call/session", "conversation/history"]);
    keys.iter().for_each(|key| b.beneath.set_life(key, 60));
    assert_eq!(lasting(b).await, Vec::<String>::new());
}

pub async fn values_of_every_type_are_read_with_their_kind(b: &Bench) {
    let call = call_id("c1");
    b.state.register(&call, b.now()).await.unwrap();
    b.turn(&call, "t1").await;
    b.state.keep_profile(&token("ada"), Some("{\"language\":\"de\"}")).await.unwrap();
    b.state.keep_audio("aa", vec![0xff; 100].into(), b.now()).await.unwrap();
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for held in held(b).await {
        found.entry(held.place.to_string()).or_default().extend(held.texts);
    }
    assert!(found["conversation/history"].iter().any(|(field, text)| field.is_empty() && text.contains("understood")), "{found:?}");
    assert!(found["call/session"].iter().any(|(field, text)| field == "lastSeq" && text == "1"), "{found:?}");
    assert!(found["conversation/outbox"].iter().any(|(field, _)| field == "t:t1"), "{found:?}");
    assert_eq!(found["cache/profile"], [(String::new(), "{\"language\":\"de\"}".to_owned())]);
    assert_eq!(found["system/open"], [(String::new(), "c1".to_owned())]);
    assert!(!found.contains_key("cache/tts"), "audio is no text");
}

pub async fn a_canary_is_planted_read_and_uprooted(b: &Bench) {
    assert_eq!(b.state.planted("0a").await.unwrap(), None);
    b.state.plant("0a", "call +1 415 555 0142").await.unwrap();
    b.assert_life(&b.keys.canary("0a"), TtlPolicy::Canary);
    let planted = b.state.planted("0a").await.unwrap().unwrap();
    assert_eq!((planted.place.to_string().as_str(), planted.texts[0].1.as_str()), ("system/canary", "call +1 415 555 0142"));
    assert!(held(b).await.contains(&planted), "a walk reads it, too");
    for _ in 0..2 {
        b.state.uproot("0a").await.unwrap();
        assert_eq!(b.state.planted("0a").await.unwrap(), None);
    }
}
