//! The scripted agent: deterministic, honest about itself, and configurable from a file with clear errors.

use rtvoice::error::Kind;
use rtvoice::ports::replies::scripted::ScriptedAgent;
use rtvoice::ports::replies::{Prompt, Replies as _};
use serde_json::{Value, json};

use super::{entry, says};

async fn said(agent: &ScriptedAgent, prompt: Prompt<'_>) -> String {
    let reply = agent.reply(prompt).await.unwrap();
    assert_eq!((reply.source, agent.name()), ("scripted", "scripted"));
    assert!((1..=4000).contains(&reply.text.chars().count()));
    reply.text
}

#[tokio::test]
async fn greets_first_and_says_what_it_is() {
    let agent = ScriptedAgent::builtin().unwrap();
    let first = said(&agent, says("Hello")).await;
    assert!(first.contains("scripted offline agent"), "{first}");
    let history = [entry(Some("Hello"), Some("..."))];
    let second = said(&agent, Prompt { history: &history, ..says("When are you open?") }).await;
    assert_eq!(second, "We are open from nine to five, Monday to Friday.");
}

#[tokio::test]
async fn the_same_prompt_gets_the_same_reply() {
    let (one, two) = (ScriptedAgent::builtin().unwrap(), ScriptedAgent::builtin().unwrap());
    for text in ["Hello", "xyzzy", "What is my BALANCE?", "\u{0}😀", &"word ".repeat(800)] {
        assert_eq!(said(&one, says(text)).await, said(&two, says(text)).await);
    }
}

#[tokio::test]
async fn knows_whether_the_caller_is_authenticated() {
    let agent = ScriptedAgent::builtin().unwrap();
    let (yes, no) = (json!({"authenticated": true}), json!({"authenticated": false, "locked": true}));
    let ask = says("my balance, please");
    let verified = said(&agent, Prompt { auth: Some(&yes), ..ask }).await;
    assert!(verified.contains("You are verified"), "{verified}");
    for auth in [None, Some(&no)] {
        let refused = said(&agent, Prompt { auth, ..ask }).await;
        assert!(refused.contains("have to verify you"), "{refused}");
    }
}

#[tokio::test]
async fn uses_name_and_language_of_the_profile() {
    let agent = ScriptedAgent::builtin().unwrap();
    let top = json!({"name": "Alex\u{7} Example", "language": "de-AT"});
    let nested = json!({"preferences": {"name": "Alex Example", "language": "DE"}});
    for profile in [&top, &nested] {
        let first = said(&agent, Prompt { profile: Some(profile), ..says("Hallo") }).await;
        assert!(first.starts_with("Guten Tag, Alex Example."), "{first}");
        let english = said(&agent, Prompt { profile: Some(profile), language: Some("en-GB"), ..says("Hello") }).await;
        assert!(english.starts_with("Hello Alex Example,"), "what was just said counts more: {english}");
        let unknown = said(&agent, Prompt { profile: Some(profile), language: Some("xx"), ..says("Hello") }).await;
        assert!(unknown.starts_with("Guten Tag"), "{unknown}");
    }
    for profile in [json!({"name": 7, "language": ["de"]}), json!("text"), json!({"name": "\u{0} "})] {
        assert!(said(&agent, Prompt { profile: Some(&profile), ..says("Hello") }).await.starts_with("Hello there,"));
    }
}

#[tokio::test]
async fn keywords_match_whole_words_and_the_first_rule_wins() {
    let history = [entry(Some("Hello"), None)];
    let agent = ScriptedAgent::from_json(
        &json!({"language": "en", "scripts": {"en": {"greeting": "G", "name": "N", "default": "D", "rules": [
            {"keywords": ["that's all"], "reply": "first"}, {"keywords": ["all", "café"], "reply": "second"}
        ]}}})
        .to_string(),
    )
    .unwrap();
    for (text, reply) in [("That's  ALL!", "first"), ("all of it", "second"), ("call", "D"), ("a cafe\u{301}?", "second"), ("", "D")] {
        assert_eq!(said(&agent, Prompt { history: &history, ..says(text) }).await, reply, "{text}");
    }
}

fn sound() -> Value {
    json!({"language": "en", "scripts": {"en": {"greeting": "G", "name": "N", "default": "D", "rules": [{"keywords": ["k"], "reply": "R"}]}}})
}

#[test]
fn a_wrong_file_is_refused_with_the_field_at_fault() {
    let cases: [(&str, Value, &str); 13] = [
        ("/language", json!(7), "language"),
        ("/language", json!("de"), "language"),
        ("/other", json!(1), "other"),
        ("/scripts", json!([]), "scripts"),
        ("/scripts/en", json!("x"), "scripts.en"),
        ("/scripts/e{n", json!({}), "scripts"),
        ("/scripts/en/greeting", json!(""), "scripts.en.greeting"),
        ("/scripts/en/default", json!("Hello {user}"), "scripts.en.default"),
        ("/scripts/en/rules", json!({}), "scripts.en.rules"),
        ("/scripts/en/rules/0/keywords", json!([]), "scripts.en.rules[0].keywords"),
        ("/scripts/en/rules/0/keywords", json!(["k", "Upper"]), "scripts.en.rules[0].keywords[1]"),
        ("/scripts/en/rules/0/reply", json!("x".repeat(1001)), "scripts.en.rules[0].reply"),
        ("/scripts/en/rules/0/unauthenticated", json!(null), "scripts.en.rules[0].unauthenticated"),
    ];
    assert!(ScriptedAgent::from_json(&sound().to_string()).is_ok());
    for (pointer, value, field) in cases {
        let mut file = sound();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = value;
        let error = ScriptedAgent::from_json(&file.to_string()).unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (Kind::BadInput, Some(field)), "{error}");
    }
    assert_eq!(ScriptedAgent::from_json("{").unwrap_err().field.as_deref(), Some("agent"));
}

#[test]
fn loads_a_file_from_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.json");
    assert_eq!(ScriptedAgent::load(&path).unwrap_err().kind, Kind::Setting);
    std::fs::write(&path, sound().to_string()).unwrap();
    assert!(ScriptedAgent::load(&path).is_ok());
}
