//! `rtvoice tts`: phrases are spoken once and cached, what is personal is refused, a purge leaves nothing.

use rtvoice::ops::tts::{self, TtsArgs};
use serde_json::{Value, json};

use super::{app_on, args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::redis::RedisServer;

const PHRASES: &str = "# greetings\nThank you for calling.\n\n{\"text\":\"Guten Tag.\",\"language\":\"de-DE\"}\nPlease hold the line.\n";

async fn run(app: &Rtvoice, words: &[&str]) -> (Value, bool) {
    let told = tts::run(&app.app, &args::<TtsArgs>(words)).await.unwrap();
    (json(&told), told.good)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

async fn warms(app: Rtvoice) {
    let phrases = file(PHRASES);
    let path = phrases.path().to_str().unwrap();
    let (warmed, good) = run(&app, &["warm", path, "--json"]).await;
    assert_eq!((&warmed["cached"], &warmed["known"], good), (&json!(3), &json!(0), true), "{warmed}");
    let (again, _) = run(&app, &["warm", path, "--json"]).await;
    assert_eq!((&again["cached"], &again["known"]), (&json!(0), &json!(3)));
    let answer = app.post("/api/tts", &json!({ "text": "Thank you for calling." })).await;
    assert_eq!((answer.status, answer.header("x-cache")), (200, "HIT"), "a caller hears what was warmed");

    let (stats, _) = run(&app, &["stats", "--json"]).await;
    assert_eq!(stats["phrases"], 3);
    assert!((3 * 640..4096).contains(&stats["bytes"].as_u64().unwrap()), "{stats}");
    let (purged, _) = run(&app, &["purge", "--json"]).await;
    assert_eq!(purged["removed"], 3);
    assert_eq!(run(&app, &["stats", "--json"]).await.0["phrases"], 0);
    assert_eq!(run(&app, &["warm", path, "--json"]).await.0["cached"], 3, "nothing of it is left");
    app.finish().await;
}

#[tokio::test]
async fn phrases_are_warmed_counted_and_purged() {
    warms(Rtvoice::start()).await;
}

#[tokio::test]
async fn phrases_are_warmed_counted_and_purged_on_redis() {
    let server = RedisServer::single();
    warms(app_on(&server.settings())).await;
}

#[tokio::test]
async fn what_is_personal_is_refused_and_a_voice_that_is_away_is_told() {
    let app = Rtvoice::start();
    let personal = file("Your number is 425 555 0123.\nThank you.\n");
    let (warmed, good) = run(&app, &["warm", personal.path().to_str().unwrap(), "--json"]).await;
    assert_eq!((&warmed["cached"], good), (&json!(1), false));
    assert!(warmed["failed"][0].as_str().unwrap().starts_with("line 1: text must hold nothing personal"), "{warmed}");
    assert!(!warmed.to_string().contains("0123"));

    app.voice.switch.fail(Fault::Away);
    let other = file("Good morning.\n");
    let (warmed, good) = run(&app, &["warm", other.path().to_str().unwrap(), "--json"]).await;
    assert_eq!((warmed["failed"].as_array().unwrap().len(), good), (1, false));
    app.voice.switch.heal();
    assert_eq!(run(&app, &["warm", other.path().to_str().unwrap(), "--json"]).await.0["cached"], 1, "its claim was given up");

    for bad in ["", "{\"text\":1}", "{\"phrase\":\"x\"}"] {
        let error = tts::run(&app.app, &args(&["warm", file(bad).path().to_str().unwrap()])).await.unwrap_err();
        assert_eq!(error.kind, rtvoice::error::Kind::BadInput, "{bad:?}");
    }
    app.finish().await;
}
