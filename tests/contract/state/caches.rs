//! Cached audio and profile copies.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use rtvoice::config::Config;
use rtvoice::ports::state::Spoken;
use rtvoice::ports::state::keys::TtlPolicy;

use super::bench::{Bench, START, token};

const HASH: &str = "00aa11bb22cc33dd44ee55ff66007711882299330044aa55bb66cc77dd88ee99";

fn wav(bytes: usize) -> Bytes {
    let mut audio = b"RIFF\0\xff\r\n".to_vec();
    audio.resize(bytes, 7);
    audio.into()
}

pub async fn a_missing_phrase_is_one_callers(b: &Bench) {
    assert_eq!(b.state.phrase(HASH, "a").await.unwrap(), Spoken::Yours);
    assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Awaited);
    assert_eq!(b.state.audio(HASH).await.unwrap(), None, "a claim is no audio");
    assert!(b.life(&b.keys.audio(HASH)).is_some_and(|left| left <= 4), "a claim holds for 4 s");
    assert_eq!(b.state.phrase("ff", "b").await.unwrap(), Spoken::Yours, "another phrase");
    b.beneath.expire(&b.keys.audio(HASH));
    assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Yours, "the claim has run out");
}

pub async fn one_of_many_askers_synthesises(b: &Bench) {
    let tasks = (0..20).map(|n| {
        let state = Arc::clone(&b.state);
        tokio::spawn(async move { state.phrase(HASH, &format!("token-{n}")).await.unwrap() })
    });
    let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Spoken::Yours).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Spoken::Awaited).count(), 19);
}

pub async fn kept_audio_is_found(b: &Bench) {
    b.state.phrase(HASH, "a").await.unwrap();
    assert!(b.state.keep_audio(HASH, wav(1000), START).await.unwrap());
    assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Cached);
    assert_eq!(b.state.audio(HASH).await.unwrap(), Some(wav(1000)));
    b.assert_life(&b.keys.audio(HASH), TtlPolicy::TtsCache);
    b.assert_life(&b.keys.audio_index(), TtlPolicy::TtsCache);
    b.state.drop_claim(HASH, "a").await.unwrap();
    assert_eq!(b.state.audio(HASH).await.unwrap(), Some(wav(1000)), "a claim that is over drops nothing");
}

pub async fn a_dropped_claim_is_free_for_others(b: &Bench) {
    b.state.phrase(HASH, "a").await.unwrap();
    for wrong in ["b", "aa", ""] {
        b.state.drop_claim(HASH, wrong).await.unwrap();
        assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Awaited, "{wrong:?} is not the claim's token");
    }
    b.state.drop_claim(HASH, "a").await.unwrap();
    assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Yours);
    b.state.drop_claim("ff", "a").await.unwrap();
}

pub async fn audio_above_four_mebibytes_is_not_kept(b: &Bench) {
    b.state.phrase(HASH, "a").await.unwrap();
    assert!(!b.state.keep_audio(HASH, wav((4 << 20) + 1), START).await.unwrap());
    assert_eq!(b.state.phrase(HASH, "b").await.unwrap(), Spoken::Yours, "the claim was given up");
    assert!(b.state.keep_audio(HASH, wav(4 << 20), START).await.unwrap());
    assert_eq!(b.state.phrase(HASH, "c").await.unwrap(), Spoken::Cached);
}

pub async fn a_full_cache_takes_nothing_more(b: &Bench) {
    let small = Config { tts_max_bytes: 1000, ..b.config.clone() };
    let state = b.beneath.open(&small, Arc::clone(&b.clock));
    assert!(state.keep_audio("aa", wav(600), START).await.unwrap());
    assert!(state.keep_audio("aa", wav(600), START).await.unwrap(), "the same phrase counts once");
    state.phrase("bb", "t").await.unwrap();
    assert!(!state.keep_audio("bb", wav(401), START).await.unwrap());
    assert_eq!(state.phrase("bb", "u").await.unwrap(), Spoken::Yours, "the claim was given up");
    assert!(state.keep_audio("bb", wav(400), START).await.unwrap());
    assert!(!state.keep_audio("cc", wav(10), START).await.unwrap());
    let expired = START.plus_millis(i64::try_from(b.keys.ttl(TtlPolicy::TtsCache)).unwrap() * 1000 + 1000);
    assert!(state.keep_audio("cc", wav(1000), expired).await.unwrap(), "what has expired does not count");
}

pub async fn a_profile_is_replaced_and_removed(b: &Bench) {
    let user = token("ada");
    assert_eq!(b.state.profile(&user).await.unwrap(), None);
    for copy in [r#"{"language":"de"}"#, r#"{"language":"fr"}"#] {
        b.state.keep_profile(&user, Some(copy)).await.unwrap();
        assert_eq!(b.state.profile(&user).await.unwrap().as_deref(), Some(copy));
    }
    b.assert_life(&b.keys.profile(&user), TtlPolicy::ProfileCache);
    assert_eq!(b.state.profile(&token("grace")).await.unwrap(), None);
    for _ in 0..2 {
        b.state.keep_profile(&user, None).await.unwrap();
        assert_eq!(b.state.profile(&user).await.unwrap(), None);
    }
}

pub async fn the_store_answers_and_is_checked(b: &Bench) {
    b.state.ping().await.unwrap();
    b.state.check().await.unwrap();
}
