//! What of a turn may be kept, sent on and told to the agent: the words with each personal value replaced by its label.
//!
//! A value that the caller splits over turns shows with its last part only: the entries that hold the earlier parts are then
//! revised. Pure; the detector is `privacy::detect`.

use serde_json::Value;

use crate::config::StorePii;
use crate::model::conversation::{Entry, Window, Words};
use crate::ports::state::sealed::REFUSED;
use crate::privacy::detect::{Role, Said, Span, detect, detect_across, mask};

/// Earlier turns that a value may reach back over.
const REACH: usize = 4;
/// Earlier entries that one turn revises, at most.
const REVISED: usize = 3;
/// Shortest text of a profile or a context that counts as quoted, in bytes.
const QUOTED: usize = 4;

/// A caller's words in the light of what was said before.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The words, masked.
    pub text: String,
    /// What was found in them.
    pub found: Vec<Span>,
    /// Earlier entries by number that hold parts of the same values, as their next revision.
    pub revisions: Vec<(u64, Entry)>,
}

/// Masks what a caller says now, and what it shows of earlier turns.
pub fn hear(window: &Window, text: &str, store: StorePii) -> Heard {
    let from = window.entries.len().saturating_sub(REACH);
    let recent = &window.entries[from..];
    let mut said = Vec::with_capacity(2 * recent.len() + 1);
    for entry in recent {
        said.push(Said { role: Role::Caller, text: entry.words.user.as_deref().unwrap_or_default() });
        said.push(Said { role: Role::Agent, text: entry.words.assistant.as_deref().unwrap_or_default() });
    }
    said.push(Said { role: Role::Caller, text });
    let mut spans = detect_across(&said);
    let found = spans.pop().unwrap_or_default();
    let mut revisions: Vec<(u64, Entry)> = spans
        .chunks(2)
        .zip(recent)
        .zip(&window.seqs[from..])
        .filter(|((spans, entry), _)| entry.source.as_deref() != Some(REFUSED) && spans.iter().any(|spans| !spans.is_empty()))
        .map(|((spans, entry), seq)| (*seq, revised(entry, &spans[0], spans.get(1).map_or(&[], Vec::as_slice), store)))
        .collect();
    let surplus = revisions.len().saturating_sub(REVISED);
    revisions.drain(..surplus);
    Heard { text: mask(text, &found), found, revisions }
}

fn revised(entry: &Entry, user: &[Span], assistant: &[Span], store: StorePii) -> Entry {
    let masked = |text: &Option<String>, spans: &[Span]| text.as_ref().map(|text| mask(text, spans));
    let kept = |original: &Option<String>, text: &Option<String>, spans: &[Span]| match store {
        StorePii::Encrypted if !spans.is_empty() => original.clone().or_else(|| text.clone()),
        StorePii::Masked if !spans.is_empty() => None,
        _ => original.clone(),
    };
    let words = Words {
        user: masked(&entry.words.user, user),
        assistant: masked(&entry.words.assistant, assistant),
        said: kept(&entry.words.said, &entry.words.user, user),
        spoken: kept(&entry.words.spoken, &entry.words.assistant, assistant),
        private: entry.words.private || !assistant.is_empty(),
    };
    Entry { rev: entry.rev + 1, words, ..entry.clone() }
}

/// Masks what the agent answers.
pub fn masked(text: &str) -> String {
    mask(text, &detect(text))
}

/// The same of every text in a JSON value.
pub fn masked_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text),
        Value::Array(items) => items.iter_mut().for_each(masked_json),
        Value::Object(fields) => fields.values_mut().for_each(masked_json),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a reply repeats a text out of this JSON value.
pub fn quotes(reply: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() >= QUOTED && reply.to_lowercase().contains(&text.to_lowercase()),
        Value::Array(items) => items.iter().any(|item| quotes(reply, item)),
        Value::Object(fields) => fields.values().any(|field| quotes(reply, field)),
        Value::Number(number) => {
            let digits = number.to_string();
            digits.len() >= QUOTED && reply.contains(&digits)
        }
        Value::Null | Value::Bool(_) => false,
    }
}
