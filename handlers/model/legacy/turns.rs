//! A legacy conversation told as turns.
//!
//! A user message and the next assistant message with words make one entry; a user message without an answer and an
//! assistant message without a question make one each. System prompts, tool traffic, the empty user message that
//! follows each tool call, and the agents' context lines are no turns: they go to the archive's `legacy` section.

use serde_json::{Map, Value, json};

use super::message::Message;
use crate::model::conversation::{Entry, Words};
use crate::model::time::Timestamp;

/// Who answered a migrated turn.
const SOURCE: &str = "legacy";

/// A conversation told.
pub(super) struct Told {
    /// Its turns.
    pub entries: Vec<Entry>,
    /// What is no turn, in order.
    pub rest: Vec<Value>,
}

/// One turn before it has its time.
struct Draft {
    at: Option<Timestamp>,
    user: Option<String>,
    assistant: Option<String>,
}

/// Tells the conversation.
pub(super) fn tell(conversation: Vec<Message>, now: Timestamp) -> Told {
    let (mut drafts, mut rest): (Vec<Draft>, _) = (Vec::new(), Vec::new());
    let mut unanswered = false;
    for message in conversation {
        match (message.role.as_str(), &message.text) {
            ("user", Some(text)) => {
                drafts.push(Draft { at: message.at, user: Some(text.clone()), assistant: None });
                unanswered = true;
            }
            // Nothing was said: the reference put one of these after every tool call.
            ("user", None) if message.json.keys().all(|name| matches!(name.as_str(), "role" | "content" | "ts" | "timestamp")) => {}
            ("assistant", Some(text)) if !is_context_line(text) => {
                match drafts.last_mut() {
                    Some(draft) if unanswered => draft.assistant = Some(text.clone()),
                    _ => drafts.push(Draft { at: message.at, user: None, assistant: Some(text.clone()) }),
                }
                unanswered = false;
                if message.json.keys().any(|name| !matches!(name.as_str(), "role" | "content" | "ts" | "timestamp")) {
                    rest.push(aside(drafts.len(), without_content(message)));
                }
            }
            _ => rest.push(aside(drafts.len(), message)),
        }
    }
    Told { entries: number(drafts, now), rest }
}

/// The line that an agent added about its caller on every turn: `Authenticated caller: NAME (Policy: ID) | ...`.
fn is_context_line(text: &str) -> bool {
    let about = || {
        let (name, rest) = text.strip_prefix("Authenticated caller: ")?.split_once(" (Policy: ")?;
        let (policy, facts) = rest.split_once(") | ")?;
        Some(!name.is_empty() && !policy.contains('|') && !facts.is_empty() && !text.contains('\n'))
    };
    about() == Some(true)
}

/// The words of the message are in its entry.
fn without_content(mut message: Message) -> Message {
    message.json.remove("content");
    message
}

/// A message that is no turn, with the number of legacy turns before it or begun by it.
fn aside(after: usize, message: Message) -> Value {
    let mut fields = Map::new();
    fields.insert("after".to_owned(), json!(after));
    if let Some(agent) = message.agent {
        fields.insert("agent".to_owned(), Value::String(agent));
    }
    fields.insert("message".to_owned(), Value::Object(message.json));
    Value::Object(fields)
}

/// Gives the drafts ids and times that rise with them. One without a time of its own follows the one before it by a
/// millisecond; those before the first time precede it; without any time the last one stands at `now`.
fn number(drafts: Vec<Draft>, now: Timestamp) -> Vec<Entry> {
    let place = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    let first = drafts.iter().enumerate().find_map(|(index, draft)| Some((index, draft.at?)));
    let (index, at) = first.unwrap_or((drafts.len().saturating_sub(1), now));
    let mut next = at.plus_millis(-place(index));
    let mut entries = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.into_iter().enumerate() {
        let at = draft.at.map_or(next, |at| at.max(next));
        next = at.plus_millis(1);
        entries.push(Entry {
            turn_id: format!("legacy-{}", index + 1),
            at,
            words: Words { user: draft.user, assistant: draft.assistant, ..Words::default() },
            source: Some(SOURCE.to_owned()),
            ..Entry::default()
        });
    }
    entries
}
