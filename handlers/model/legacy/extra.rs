//! The archive's `legacy` section: everything of a legacy call that is no turn.
//!
//! Shape: `importedAt`, `keys` (name, type, generation), `messages` (system prompts, tool traffic, context lines; each
//! with the number of legacy turns before it), and, only where there is something: `memory` and `latency` by key
//! and field,
//! `dtmf`, `parts` (`call:{id}:*`), `browserSession`, `fields` (unknown ones), `unreadable` (raw texts). What callers
//! typed on the keypad to be let in is replaced by its length.

use serde_json::{Map, Value};

use super::facts::{Facts, split};
use super::source::Found;
use crate::model::time::Timestamp;

/// Puts the section together.
pub(super) fn section(found: &Found, messages: Vec<Value>, facts: &Facts, now: Timestamp) -> Map<String, Value> {
    let (mut memory, mut latency) = (Map::new(), Map::new());
    for (key, memories) in &found.memories {
        let (kept, timings) = split(memories);
        memory.extend((!kept.is_empty()).then(|| (key.clone(), Value::Object(kept))));
        latency.extend((!timings.is_empty()).then(|| (key.clone(), Value::Object(timings))));
    }
    let carried = facts.context.iter().map(|(name, _)| Value::String(name.clone())).collect();
    let mut section = Map::new();
    section.insert("importedAt".to_owned(), Value::String(now.to_string()));
    section.insert("keys".to_owned(), Value::Array(found.keys.clone()));
    section.insert("messages".to_owned(), Value::Array(messages));
    let optional = [
        ("memory", Value::Object(memory)),
        ("inContext", Value::Array(carried)),
        ("latency", Value::Object(latency)),
        ("dtmf", Value::Object(found.dtmf.clone())),
        ("parts", Value::Object(found.parts.clone())),
        ("browserSession", found.browser.clone().map_or(Value::Null, Value::String)),
        ("fields", Value::Array(found.fields.clone())),
        ("unreadable", Value::Array(found.unreadable.clone())),
    ];
    for (name, value) in optional {
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            section.insert(name.to_owned(), value);
        }
    }
    section
}
