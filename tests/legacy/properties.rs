//! No words are lost or doubled, whatever the tool traffic and however many records tell of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rtvoice::model::legacy::{Content, LegacyCall};
use serde_json::{Value, json};

use super::{NOW, hash, key, raw};

/// One thing that happens in a conversation.
#[derive(Debug, Clone)]
enum Step {
    User(u8),
    Assistant(u8),
    Tool,
    System,
    ContextLine,
}

fn step() -> impl Strategy<Value = Step> {
    // Few words, so that they repeat.
    prop_oneof![
        4 => (0u8..6).prop_map(Step::User),
        4 => (0u8..6).prop_map(Step::Assistant),
        2 => Just(Step::Tool),
        1 => Just(Step::System),
        1 => Just(Step::ContextLine),
    ]
}

fn messages(steps: &[Step]) -> Vec<Value> {
    let mut messages = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::User(word) => messages.push(json!({ "role": "user", "content": format!("u{word}") })),
            Step::Assistant(word) => messages.push(json!({ "role": "assistant", "content": format!("a{word}") })),
            Step::Tool => messages.extend([
                json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": format!("call_{n}"), "type": "function", "function": { "name": "f", "arguments": "{}" } }] }),
                json!({ "role": "tool", "tool_call_id": format!("call_{n}"), "name": "f", "content": "{\"ok\": true}" }),
                json!({ "role": "user", "content": "" }),
            ]),
            Step::System => messages.push(json!({ "role": "system", "content": "prompt" })),
            Step::ContextLine => messages.push(json!({ "role": "assistant", "content": "Authenticated caller: A (Policy: P) | Topic: t" })),
        }
    }
    messages
}

/// The turns by their own rule: a question and the next answer are one.
fn told(steps: &[Step]) -> Vec<(Option<String>, Option<String>)> {
    let mut turns: Vec<(Option<String>, Option<String>)> = Vec::new();
    for step in steps {
        match step {
            Step::User(word) => turns.push((Some(format!("u{word}")), None)),
            Step::Assistant(word) => match turns.last_mut() {
                Some(last) if last.1.is_none() => last.1 = Some(format!("a{word}")),
                _ => turns.push((None, Some(format!("a{word}")))),
            },
            _ => {}
        }
    }
    turns
}

fn turns(legacy: &LegacyCall) -> Vec<(Option<String>, Option<String>)> {
    legacy.entries.iter().map(|entry| (entry.words.user.clone(), entry.words.assistant.clone())).collect()
}

fn counts(words: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

fn words(legacy: &LegacyCall) -> BTreeMap<String, usize> {
    counts(legacy.entries.iter().flat_map(|entry| [entry.words.user.clone(), entry.words.assistant.clone()]).flatten())
}

fn list(messages: &[Value]) -> Content {
    Content::List(messages.iter().map(Value::to_string).collect())
}

fn session(name: &str, chat: &Value) -> rtvoice::model::legacy::LegacyKey {
    key("c1", name, None, hash(&[("chat_history", &chat.to_string())]))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_record_is_told_exactly(steps in prop::collection::vec(step(), 0..40)) {
        let legacy = LegacyCall::read(&raw([session("session:c1", &json!(messages(&steps)))]), NOW);
        prop_assert_eq!(turns(&legacy), told(&steps));
        prop_assert_eq!(legacy.unreadable, 0);
    }

    #[test]
    fn a_part_of_it_told_again_changes_nothing(steps in prop::collection::vec(step(), 0..40), from in 0usize..40, to in 0usize..40) {
        let all = messages(&steps);
        let (from, to) = (from.min(all.len()), to.min(all.len()));
        let part = &all[from.min(to)..from.max(to)];
        let keys = [session("session:c1", &json!(all)), session("session:media_c1", &json!(all)), key("c1", "c1:hist", None, list(part))];
        prop_assert_eq!(turns(&LegacyCall::read(&raw(keys), NOW)), told(&steps));
    }

    #[test]
    fn agents_and_a_whole_list_give_the_order_of_the_list(steps in prop::collection::vec(step(), 0..30), owner in prop::collection::vec(0usize..3, 120)) {
        let all = messages(&steps);
        // Distinct words: with repeated ones the agents' lists leave more than one true order.
        let all: Vec<Value> = all.into_iter().enumerate().map(|(n, mut message)| {
            if message["content"].as_str().is_some_and(|text| !text.is_empty() && !text.starts_with("Auth")) {
                message["content"] = json!(format!("{} {n}", message["content"].as_str().unwrap()));
            }
            message
        }).collect();
        let mut agents: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (message, owner) in all.iter().zip(owner) {
            agents.entry(format!("agent{owner}")).or_default().push(message.clone());
        }
        let alone = LegacyCall::read(&raw([key("c1", "c1:hist", None, list(&all))]), NOW);
        let both = LegacyCall::read(&raw([session("session:c1", &json!(agents)), key("c1", "c1:hist", None, list(&all))]), NOW);
        prop_assert_eq!(turns(&both), turns(&alone));
    }

    #[test]
    fn any_two_records_lose_nothing(a in prop::collection::vec(step(), 0..30), b in prop::collection::vec(step(), 0..30)) {
        let one = |steps: &[Step]| words(&LegacyCall::read(&raw([session("session:c1", &json!(messages(steps)))]), NOW));
        let keys = [session("session:c1", &json!(messages(&a))), session("session:media_c1", &json!(messages(&b)))];
        let both = words(&LegacyCall::read(&raw(keys), NOW));
        let (a, b) = (one(&a), one(&b));
        for word in a.keys().chain(b.keys()) {
            let (a, b) = (a.get(word).copied().unwrap_or(0), b.get(word).copied().unwrap_or(0));
            prop_assert!((a.max(b)..=a + b).contains(&both[word]), "{word}: {a} and {b} came to {}", both[word]);
        }
    }
}
