//! TtsCache: audio by phrase and by hash, with validators, limits, and one synthesis for all who ask.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

const MIB: usize = 1 << 20;

fn hello() -> Value {
    json!({"text": "Hello there."})
}

fn syntheses(app: &Rtvoice) -> usize {
    app.voice.switch.calls().len()
}

#[tokio::test]
async fn a_phrase_is_spoken_once_and_then_cached() {
    let app = Rtvoice::start();
    let miss = app.post("/api/tts", &hello()).await;
    assert_eq!((miss.status, miss.header("x-cache"), miss.header("content-type")), (200, "MISS", "audio/wav"));
    let hash = miss.header("x-phrase-hash").to_owned();
    let phrase = app.app.phrase("Hello there.", None, None, Default::default()).unwrap();
    assert_eq!(hash, rtvoice::steps::speech::hash(&app.app, &phrase, None).await.unwrap());
    assert_eq!(miss.header("etag"), format!("\"{hash}\""));
    let hit = app.post("/api/tts", &json!({"text": "  Hello\n\tthere. "})).await;
    assert_eq!((hit.status, hit.header("x-cache"), hit.header("x-phrase-hash")), (200, "HIT", hash.as_str()));
    assert_eq!(hit.body, miss.body);
    let read = app.get(&format!("/api/tts/{hash}")).await;
    assert_eq!((read.status, read.header("x-cache"), read.header("content-type"), &read.body), (200, "HIT", "audio/wav", &miss.body));
    assert_eq!(syntheses(&app), 1);
    app.finish().await;
}

#[tokio::test]
async fn voice_language_and_format_make_other_phrases() {
    let app = Rtvoice::start();
    let mut hashes = Vec::new();
    for more in [json!({}), json!({"voice": "de-DE-KatjaNeural"}), json!({"language": "de-DE"}), json!({"format": "riff-8khz-16bit-mono-pcm"})] {
        let mut body = hello();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = app.post("/api/tts", &body).await;
        assert_eq!((answer.status, answer.header("x-cache")), (200, "MISS"), "{more}");
        hashes.push(answer.header("x-phrase-hash").to_owned());
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 4);
    app.finish().await;
}

#[tokio::test]
async fn a_client_that_has_it_gets_304() {
    let app = Rtvoice::start();
    let hash = app.post("/api/tts", &hello()).await.header("x-phrase-hash").to_owned();
    let path = format!("/api/tts/{hash}");
    for tags in [format!("\"{hash}\""), format!("W/\"{hash}\""), format!("\"other\", \"{hash}\""), "*".to_owned()] {
        let answer = app.send(Method::GET, &path, &[("if-none-match", &tags)], "").await;
        assert_eq!((answer.status, answer.header("etag")), (304, format!("\"{hash}\"").as_str()), "{tags}");
    }
    assert_eq!(app.send(Method::GET, &path, &[("if-none-match", "\"other\"")], "").await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn what_nobody_spoke_is_not_there() {
    let app = Rtvoice::start();
    app.get(&format!("/api/tts/{}", "a".repeat(64))).await.problem(404, "not-found", "");
    let none_match = app.send(Method::GET, &format!("/api/tts/{}", "a".repeat(64)), &[("if-none-match", "*")], "").await;
    none_match.problem(404, "not-found", "");
    app.get("/api/tts/ABC").await.problem(400, "bad-input", "hash");
    app.get(&format!("/api/tts/{}", "A".repeat(64))).await.problem(400, "bad-input", "hash");
    assert_eq!(app.get("/api/tts").await.header("allow"), "POST");
    assert_eq!(app.post(&format!("/api/tts/{}", "a".repeat(64)), &hello()).await.header("allow"), "GET");
    app.finish().await;
}

#[tokio::test]
async fn many_who_ask_at_once_get_one_synthesis() {
    let app = Rtvoice::start();
    let body = hello();
    let answers = futures::future::join_all((0..20).map(|_| app.post("/api/tts", &body))).await;
    assert!(answers.iter().all(|a| a.status == 200 && a.body == answers[0].body));
    assert_eq!(answers.iter().filter(|a| a.header("x-cache") == "MISS").count(), 1);
    assert_eq!(syntheses(&app), 1);
    app.finish().await;
}

#[tokio::test]
async fn audio_above_four_mebibytes_is_handed_out_and_not_kept() {
    let app = Rtvoice::start();
    app.voice.speak_bytes(4 * MIB + 1);
    let first = app.post("/api/tts", &hello()).await;
    assert_eq!((first.status, first.header("x-cache"), first.body.len()), (200, "MISS", 4 * MIB + 1));
    app.get(&format!("/api/tts/{}", first.header("x-phrase-hash"))).await.problem(404, "not-found", "");
    assert_eq!(app.post("/api/tts", &hello()).await.header("x-cache"), "MISS");
    app.voice.speak_bytes(4 * MIB);
    app.post("/api/tts", &hello()).await;
    assert_eq!(app.post("/api/tts", &hello()).await.header("x-cache"), "HIT");
    app.finish().await;
}

#[tokio::test]
async fn a_full_cache_still_speaks() {
    let app = Rtvoice::with(&[("TTS_MAX_BYTES", "100"), ("TTS_L1_BYTES", "0")]);
    for _ in 0..2 {
        let answer = app.post("/api/tts", &hello()).await;
        assert_eq!((answer.status, answer.header("x-cache")), (200, "MISS"));
    }
    app.finish().await;
}

#[tokio::test]
async fn without_the_voice_the_cached_is_still_served() {
    let app = Rtvoice::start();
    let hash = app.post("/api/tts", &hello()).await.header("x-phrase-hash").to_owned();
    app.voice.switch.fail(Fault::Away);
    app.app.audio.invalidate_all();
    assert_eq!(app.post("/api/tts", &hello()).await.header("x-cache"), "HIT");
    assert_eq!(app.get(&format!("/api/tts/{hash}")).await.status, 200);
    app.post("/api/tts", &json!({"text": "something else"})).await.problem(503, "unavailable", "");
    app.voice.switch.heal();
    assert_eq!(app.post("/api/tts", &json!({"text": "something else"})).await.header("x-cache"), "MISS", "the failed claim was given up");
    app.finish().await;
}

#[tokio::test]
async fn without_the_state_store_it_still_speaks() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    let answer = app.post("/api/tts", &hello()).await;
    assert_eq!((answer.status, answer.header("x-cache")), (200, "MISS"));
    assert_eq!(app.post("/api/tts", &hello()).await.header("x-cache"), "HIT", "from memory");
    assert_eq!(app.get(&format!("/api/tts/{}", answer.header("x-phrase-hash"))).await.status, 200);
    app.get(&format!("/api/tts/{}", "a".repeat(64))).await.problem(503, "unavailable", "");
    app.finish().await;
}
