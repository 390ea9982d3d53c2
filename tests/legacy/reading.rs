//! Every generation read: exact turns, facts and what is left for the archive.

use rtvoice::model::legacy::{Content, LegacyCall, LegacyRaw};
use serde_json::{Value, json};

use super::{CALL, NOW, fixture, hash, key, key_of, raw};

type Said<'a> = (Option<&'a str>, Option<&'a str>);

fn said(legacy: &LegacyCall) -> Vec<Said<'_>> {
    for (index, entry) in legacy.entries.iter().enumerate() {
        assert_eq!(entry.turn_id, format!("legacy-{}", index + 1));
        assert_eq!(entry.source.as_deref(), Some("legacy"));
    }
    assert!(legacy.entries.windows(2).all(|pair| pair[0].at < pair[1].at), "times rise");
    legacy.entries.iter().map(|entry| (entry.words.user.as_deref(), entry.words.assistant.as_deref())).collect()
}

fn fact<'a>(legacy: &'a LegacyCall, name: &str) -> Option<&'a str> {
    legacy.context.iter().find(|(key, _)| key == name).map(|(_, json)| json.as_str())
}

const NAME: &str = "My name is Alex Example, zip 00000, last four 0000.";
const THANKS: &str = "Thank you, Alex. You are verified.";
const GREETING: &str = "Hi Alex Example, this is the Claims specialist agent. I understand you're calling about new_claim. How can I help you further?";

#[test]
fn the_first_generation_has_one_list() {
    let legacy = LegacyCall::read(&raw([key_of("9c0d1e2f", &fixture("v0_session_history"))]), NOW);
    assert_eq!(said(&legacy), [(Some(NAME), Some(THANKS))]);
    assert_eq!(legacy.entries[0].at, NOW);
    assert_eq!(legacy.context, [("authenticated".to_owned(), "false".to_owned())]);
    assert_eq!((legacy.ended, legacy.unreadable, legacy.direction.as_deref()), (false, 0, None));
    let roles: Vec<_> = legacy.extra["messages"].as_array().unwrap().iter().map(|m| (m["after"].as_u64().unwrap(), m["message"]["role"].clone())).collect();
    assert_eq!(roles, [(0, json!("system")), (1, json!("assistant")), (1, json!("tool"))], "prompt, tool call, its result; the empty message is nothing");
    assert_eq!(legacy.extra["latency"]["session:9c0d1e2f context"]["latency_roundtrip"]["tts"][0]["dur"], 0.4);
    assert_eq!(legacy.extra["keys"], json!([{ "key": "session:9c0d1e2f", "type": "hash", "generation": "v0" }]));
}

#[test]
fn the_second_generation_has_a_list_for_each_agent() {
    let histories = r#"{"Zeta":[{"role":"user","content":"one"},{"role":"assistant","content":"two"}],"Alpha":[{"role":"user","content":"three"}]}"#;
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("histories", histories), ("context", "{\"topic\":\"glass\"}")]))]), NOW);
    assert_eq!(said(&legacy), [(Some("one"), Some("two")), (Some("three"), None)], "agents in the order in which they first spoke");
    assert_eq!(fact(&legacy, "topic"), Some("\"glass\""));
    assert_eq!(legacy.extra["keys"][0]["generation"], "v1");
}

#[test]
fn both_hashes_of_one_call_make_one_conversation() {
    let keys = [
        key_of(CALL, &fixture("v2_session_media")),
        key_of(CALL, &fixture("call_session_map")),
        key_of(CALL, &fixture("v2_session_callconnection_same_call")),
        key_of(CALL, &fixture("dtmf_sequence")),
        key_of(CALL, &fixture("dtmf_stream")),
    ];
    let legacy = LegacyCall::read(&raw(keys), NOW);
    assert_eq!(said(&legacy), [(Some(NAME), Some(THANKS)), (None, Some(GREETING))]);
    assert!(legacy.ended, "the callbacks' hash says disconnected");
    assert_eq!(legacy.direction.as_deref(), Some("outbound"));
    assert_eq!(legacy.phone_user.as_ref().map(ToString::to_string).as_deref(), Some("tel-14255550123"));
    let names: Vec<_> = legacy.context.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["caller_name", "policy_id", "authenticated", "claim_intent", "active_agent", "last_announced_agent"]);
    assert_eq!(fact(&legacy, "caller_name"), Some("\"Alex Example\""));
    let extra = &legacy.extra;
    assert_eq!(extra["dtmf"]["sequence"], json!({ "removed": "secret", "length": 4 }));
    assert_eq!(extra["dtmf"]["validation"][0]["id"], "1757000000000-0");
    assert_eq!(extra["browserSession"], "session_1757000000000_ab12cd");
    let memory = &extra["memory"][&format!("session:media_{CALL} corememory")];
    assert_eq!(memory["tool_outputs"]["authenticate_caller"]["policy_id"], "POL-X00001");
    assert!(memory.get("latency").is_none());
    assert_eq!(extra["keys"].as_array().unwrap().len(), 5);
}

#[test]
fn a_list_of_messages_has_times_of_its_own() {
    let legacy = LegacyCall::read(&raw([key_of("5e6f7a8b", &fixture("hist_list"))]), NOW);
    assert_eq!(said(&legacy), [(Some("Hello"), Some("Hi there"))]);
    assert_eq!(legacy.entries[0].at.to_string(), "2025-05-27T18:01:02.345Z");
}

#[test]
fn what_stands_in_hash_and_list_is_told_once() {
    let chat = r#"[{"role":"system","content":"p"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"yes"},{"role":"assistant","content":"c"},{"role":"user","content":"yes"}]"#;
    let items = [r#"{"ts":"2025-05-27T18:01:02","role":"user","content":"yes"}"#, r#"{"ts":"2025-05-27T18:01:04","role":"assistant","content":"c"}"#];
    let list = Content::List(items.map(str::to_owned).to_vec());
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("chat_history", chat)])), key("c1", "c1:hist", Some(9), list)]), NOW);
    assert_eq!(said(&legacy), [(Some("a"), Some("b")), (Some("yes"), Some("c")), (Some("yes"), None)]);
    assert_eq!(legacy.entries[1].at.to_string(), "2025-05-27T18:01:02.000Z");
    assert_eq!(legacy.entries[0].at.to_string(), "2025-05-27T18:01:01.999Z", "what has no time precedes the first that has one");
}

#[test]
fn a_list_that_tells_the_order_across_agents_is_followed() {
    let chat = r#"{"A":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"5"}],"B":[{"role":"user","content":"3"},{"role":"assistant","content":"4"}]}"#;
    let items = (1..=5).map(|n| format!(r#"{{"role":"{}","content":"{n}"}}"#, if n % 2 == 1 { "user" } else { "assistant" })).collect();
    let legacy =
        LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("chat_history", chat)])), key("c1", "c1:hist", None, Content::List(items))]), NOW);
    assert_eq!(said(&legacy), [(Some("1"), Some("2")), (Some("3"), Some("4")), (Some("5"), None)]);
}

#[test]
fn only_the_exact_context_line_is_no_turn() {
    let line = "Authenticated caller: Alex Example (Policy: POL-X00001) | Topic: glass";
    let spoken = "Authenticated caller: that is you.";
    let chat = json!([{ "role": "assistant", "content": line }, { "role": "user", "content": "hm" }, { "role": "assistant", "content": line },
        { "role": "assistant", "content": spoken }, { "role": "assistant", "content": "More." }]);
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("chat_history", &chat.to_string())]))]), NOW);
    assert_eq!(said(&legacy), [(Some("hm"), Some(spoken)), (None, Some("More."))]);
    assert_eq!(legacy.extra["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_read_is_kept_as_it_was() {
    let fields = hash(&[
        ("chat_history", "{\"A\": [{\"role\": \"user\""),
        ("corememory", "not json"),
        ("history", r#"[{"role":"user","content":"kept"}, 7]"#),
        ("odd", "x"),
    ]);
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, fields), key("c1", "c1:hist", None, Content::List(vec!["{".to_owned()]))]), NOW);
    assert_eq!(said(&legacy), [(Some("kept"), None)]);
    assert_eq!(legacy.unreadable, 4);
    let kept = legacy.extra["unreadable"].to_string();
    for text in [r#"{\"A\": [{\"role\": \"user\""#, "not json", r#""text":"7""#, r#""text":"{""#] {
        assert!(kept.contains(text), "{text} in {kept}");
    }
    assert_eq!(legacy.extra["fields"], json!([{ "key": "session:c1", "field": "odd", "text": "x" }]));
}

#[test]
fn secrets_leave_nothing_but_their_length() {
    let memory = r#"{"entered_pin":"4711","aws_connect_input_sequence":"815#","_own":1,"slots":{},"caller_id":"4:+14255550100","call_direction":"inbound","user_id":"u-1"}"#;
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("corememory", memory)]))]), NOW);
    assert_eq!(legacy.context, [("user_id".to_owned(), "\"u-1\"".to_owned())], "no secret, no name of ours, no empty slots");
    assert_eq!(legacy.user.as_ref().map(ToString::to_string).as_deref(), Some("u-1"));
    assert_eq!(legacy.phone_user.as_ref().map(ToString::to_string).as_deref(), Some("tel-14255550100"));
    let text = Value::Object(legacy.extra.clone()).to_string();
    assert!(!text.contains("4711") && !text.contains("815#"), "{text}");
    assert!(text.contains("_own"), "what the context refuses stays in the archive");
}

#[test]
fn facts_stay_within_half_of_a_context() {
    let memory: serde_json::Map<_, _> = (0..100).map(|n| (format!("fact{n:03}"), json!("x".repeat(300)))).collect();
    let legacy = LegacyCall::read(&raw([key("c1", "session:c1", None, hash(&[("corememory", &Value::Object(memory).to_string())]))]), NOW);
    let bytes: usize = legacy.context.iter().map(|(name, json)| name.len() + json.len()).sum();
    assert!((7_500..=8192).contains(&bytes), "{bytes} bytes");
    assert_eq!(legacy.extra["memory"]["session:c1 corememory"].as_object().unwrap().len(), 100);
}

#[test]
fn parts_of_any_type_are_kept_and_wrong_types_refused() {
    let parts = [
        key("c1", "call:c1:recording", None, Content::Text("on".to_owned())),
        key("c1", "call:c1:participants", None, Content::Set(vec!["4:+14255550100".to_owned()])),
        key("c1", "call:c1:media_streaming_status", None, Content::Sorted(vec![("a".to_owned(), "1".to_owned())])),
        key("c1", "call:c1:session", None, hash(&[("status", "open")])),
    ];
    let all = raw(parts);
    assert_eq!(all.refusal(), None);
    let legacy = LegacyCall::read(&all, NOW);
    assert_eq!(
        legacy.extra["parts"],
        json!({ "recording": "on", "participants": ["4:+14255550100"], "session": { "status": "open" },
        "media_streaming_status": [{ "member": "a", "score": "1" }] })
    );

    let wrong = raw([key("c1", "session:c1", None, Content::Text("hello".to_owned()))]);
    assert_eq!(wrong.refusal().as_deref(), Some("session:c1 is a string, not a hash"));
    let mixed = raw([wrong.keys[0].clone(), key("c1", "c1:hist", None, Content::List(vec![r#"{"role":"user","content":"hi"}"#.to_owned()]))]);
    assert_eq!(mixed.refusal(), None);
    let legacy = LegacyCall::read(&mixed, NOW);
    assert_eq!((legacy.entries.len(), legacy.unreadable), (1, 1));
    assert_eq!(legacy.extra["unreadable"][0]["content"], "hello");
    let unread = raw([key("c1", "call:c1:recording", None, Content::Unread("ReJSON-RL".to_owned()))]);
    assert!(unread.refusal().is_some_and(|reason| reason.contains("ReJSON-RL")));
    assert!(unread.migrated_keys().is_empty() && LegacyRaw::default().refusal().is_some());
}
