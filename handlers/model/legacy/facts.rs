//! What a legacy call remembered: which facts go on in the context, which become session fields, which are secrets.
//!
//! Into the context goes every fact of the conversation, known or not, but: the machinery of call, audio, keypad and
//! timing; tool outputs; secrets; names that the context refuses. The authentication state is not taken over: it has
//! a life of 900 s and a proof of its own, so that a call that goes on must authenticate again; `authenticated` stays
//! a fact like any other.

use serde_json::{Map, Value, json};

use crate::model::conversation::ContextPatch;
use crate::model::ids::UserId;

/// Most facts that are carried over: half of what a context may hold.
pub const CARRIED_KEYS: usize = 32;
/// Most bytes of them, names and JSON texts together.
pub const CARRIED_BYTES: usize = 8 * 1024;

/// Facts of the machinery, not of the conversation.
const MACHINERY: [&str; 14] = [
    "call_initiated_via",
    "api_version",
    "call_direction",
    "target_number",
    "caller_id",
    "caller_info",
    "call_active",
    "call_disconnected",
    "current_run_id",
    "bot_speaking",
    "tool_outputs",
    "current_agent_voice",
    "current_agent_voice_style",
    "current_agent_voice_rate",
];
/// Beginnings of names of the machinery.
const MACHINERY_PREFIXES: [&str; 4] = ["latency", "tts_interrupted", "dtmf_", "aws_connect_"];
/// What a caller typed to be let in.
const SECRETS: [&str; 4] = ["entered_pin", "aws_connect_validation_digits", "aws_connect_input_sequence", "dtmf_tone"];
/// Facts that are carried first where not all fit: those that a reply needs.
const FIRST: [&str; 6] = ["user_id", "caller_name", "policy_id", "authenticated", "claim_intent", "topic"];

/// What the memories of a call come to.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub context: Vec<(String, String)>,
    pub direction: Option<String>,
    pub user: Option<UserId>,
    pub phone_user: Option<UserId>,
    pub ended: bool,
}

impl Facts {
    /// Reads the memories; where two tell the same fact, the later one counts. One that says disconnected suffices.
    pub fn of(memories: &[(String, Map<String, Value>)]) -> Self {
        let mut all = Map::new();
        let mut ended = false;
        for (_, memory) in memories {
            ended |= memory.get("call_disconnected") == Some(&Value::Bool(true)) || memory.get("call_active") == Some(&Value::Bool(false));
            all.extend(memory.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())));
        }
        let text = |name: &str| all.get(name).and_then(Value::as_str);
        let outbound = text("call_direction") == Some("outbound");
        let number = if outbound { text("target_number") } else { text("caller_id").or_else(|| text("target_number")) };
        let direction = text("call_direction").filter(|direction| matches!(*direction, "inbound" | "outbound")).map(str::to_owned);
        let phone_user = number.and_then(phone);
        let context = carried(&all);
        let user = ContextPatch { set: context.clone(), delete: Vec::new() }.user();
        Self { context, direction, user, phone_user, ended }
    }
}

/// The user behind a number, with or without ACS's prefix for phones.
fn phone(number: &str) -> Option<UserId> {
    let number = number.trim();
    UserId::from_phone_raw_id(number).or_else(|| UserId::from_phone_raw_id(&format!("4:{number}")))
}

/// The facts for the context, as many as fit.
fn carried(all: &Map<String, Value>) -> Vec<(String, String)> {
    let mut names: Vec<&String> = all.keys().filter(|name| !is_machinery(name) && !is_secret(name)).collect();
    names.sort_by_key(|name| (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), (*name).clone()));
    let (mut context, mut bytes) = (Vec::new(), 0);
    for name in names {
        let value = &all[name];
        if value.as_object().is_some_and(Map::is_empty) {
            continue;
        }
        // The rules of a patch hold for each fact: what they refuse stays in the archive alone.
        let Ok(patch) = ContextPatch::parse(Map::from_iter([(name.clone(), value.clone())])) else { continue };
        for (name, text) in patch.set {
            let size = name.len() + text.len();
            if context.len() < CARRIED_KEYS && bytes + size <= CARRIED_BYTES {
                bytes += size;
                context.push((name, text));
            }
        }
    }
    context
}

fn is_machinery(name: &str) -> bool {
    MACHINERY.contains(&name) || MACHINERY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.contains(&name.as_str()) || name.split(['_', '-', '.']).any(|word| matches!(word, "pin" | "password" | "secret" | "ssn" | "cvv"))
}

/// What stands in the place of a secret.
pub(super) fn removed(length: usize) -> Value {
    json!({ "removed": "secret", "length": length })
}

/// One memory split for the archive: facts without secrets, and timings.
pub(super) fn split(memory: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut facts, mut timings) = (Map::new(), Map::new());
    for (name, value) in memory {
        if name.starts_with("latency") {
            timings.insert(name.clone(), value.clone());
        } else if is_secret(name) && !value.is_null() {
            let length = value.as_str().map_or_else(|| value.to_string().len(), str::len);
            facts.insert(name.clone(), removed(length));
        } else {
            facts.insert(name.clone(), value.clone());
        }
    }
    (facts, timings)
}
