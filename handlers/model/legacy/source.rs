//! What the keys of a legacy call hold: messages by source, memories, and what is neither.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::message::Message;
use super::{Content, LegacyKey, Role};

/// Fields of a session hash that hold messages, with the generation that wrote them.
const CHATS: [(&str, &str); 3] = [("chat_history", "v2"), ("histories", "v1"), ("history", "v0")];
/// Fields of a session hash that hold facts.
const MEMORIES: [&str; 2] = ["corememory", "context"];

/// All that was found, sorted out but not yet merged.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// For each source its sequences of messages.
    pub sources: Vec<Vec<Vec<Message>>>,
    /// Facts by the key and field they stand in; later ones count for more.
    pub memories: Vec<(String, Map<String, Value>)>,
    /// What each key was: name, type, generation.
    pub keys: Vec<Value>,
    /// What stood in no known field: key, field, text.
    pub fields: Vec<Value>,
    /// What stood in a known place and could not be understood: key, field, text.
    pub unreadable: Vec<Value>,
    /// `call:{id}:*` by part.
    pub parts: Map<String, Value>,
    /// Tones and their validation.
    pub dtmf: Map<String, Value>,
    /// The browser's session.
    pub browser: Option<String>,
}

impl Found {
    /// Sorts out one key.
    pub fn take(&mut self, key: &LegacyKey) {
        let mut generation = None;
        match (&key.role, &key.content) {
            (Role::Session | Role::Media | Role::Browser, Content::Hash(fields)) => {
                for (field, text) in fields {
                    generation = self.field(&key.name, field, text).or(generation);
                }
            }
            (Role::Hist, Content::List(items)) => {
                generation = Some("hist");
                self.list(&key.name, items);
            }
            (Role::Map, Content::Text(id)) => self.browser = Some(id.clone()),
            (Role::DtmfSequence, Content::Text(tones)) => {
                self.dtmf.insert("sequence".to_owned(), super::facts::removed(tones.len()));
            }
            (Role::DtmfValidation, content @ Content::Stream(_)) => {
                self.dtmf.insert("validation".to_owned(), plain(content));
            }
            (Role::Part(part), content) => {
                self.parts.insert(part.clone(), plain(content));
            }
            (_, content) => self.unreadable.push(json!({ "key": key.name, "type": content.type_name(), "content": plain(content) })),
        }
        self.keys.push(json!({ "key": key.name, "type": key.content.type_name(), "generation": generation }));
    }

    /// One field of a session hash; the generation that it tells.
    fn field(&mut self, key: &str, field: &str, text: &str) -> Option<&'static str> {
        if let Some((_, generation)) = CHATS.iter().find(|(name, _)| *name == field) {
            match serde_json::from_str::<Chat>(text) {
                Ok(chat) => self.chat(key, field, chat),
                Err(_) => self.unreadable.push(json!({ "key": key, "field": field, "text": text })),
            }
            return Some(generation);
        }
        if MEMORIES.contains(&field) {
            match serde_json::from_str(text) {
                Ok(Value::Object(facts)) => self.memories.push((format!("{key} {field}"), facts)),
                Ok(Value::Null) => {}
                _ => self.unreadable.push(json!({ "key": key, "field": field, "text": text })),
            }
            return (field == "corememory").then_some("v2");
        }
        self.fields.push(json!({ "key": key, "field": field, "text": text }));
        None
    }

    fn chat(&mut self, key: &str, field: &str, chat: Chat) {
        let mut sequences: Vec<Vec<Message>> = Vec::new();
        for (agent, messages) in chat.0 {
            let Value::Array(messages) = messages else {
                if !messages.is_null() {
                    self.unreadable.push(json!({ "key": key, "field": field, "agent": agent, "text": messages.to_string() }));
                }
                continue;
            };
            let mut sequence = Vec::with_capacity(messages.len());
            for message in &messages {
                match Message::read(message, agent.as_deref()) {
                    Some(message) => sequence.push(message),
                    None => self.unreadable.push(json!({ "key": key, "field": field, "agent": agent, "text": message.to_string() })),
                }
            }
            sequences.push(sequence);
        }
        if sequences.len() > 1 && sequences.iter().flatten().all(|message| message.at.is_some()) {
            let mut all: Vec<Message> = sequences.into_iter().flatten().collect();
            all.sort_by_key(|message| message.at);
            sequences = vec![all];
        }
        self.sources.push(sequences);
    }

    fn list(&mut self, key: &str, items: &[String]) {
        let mut sequence = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match serde_json::from_str(item).ok().and_then(|value| Message::read(&value, None)) {
                Some(message) => sequence.push(message),
                None => self.unreadable.push(json!({ "key": key, "index": index, "text": item })),
            }
        }
        self.sources.push(vec![sequence]);
    }
}

/// A key's content as JSON.
fn plain(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!(text),
        Content::Hash(fields) => json!(fields),
        Content::List(items) | Content::Set(items) => json!(items),
        Content::Sorted(members) => json!(members.iter().map(|(member, score)| json!({ "member": member, "score": score })).collect::<Vec<_>>()),
        Content::Stream(entries) => {
            // Fields of a stream entry may repeat, so they stay a list of pairs.
            json!(entries.iter().map(|(id, fields)| json!({ "id": id, "fields": fields })).collect::<Vec<_>>())
        }
        Content::Unread(_) => Value::Null,
    }
}

/// A field of messages: agents in the order in which they stand in the text, or one list without an agent.
struct Chat(Vec<(Option<String>, Value)>);

impl<'de> Deserialize<'de> for Chat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChatVisitor)
    }
}

struct ChatVisitor;

impl<'de> Visitor<'de> for ChatVisitor {
    type Value = Chat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages, or one for each agent")
    }

    fn visit_unit<E>(self) -> Result<Chat, E> {
        Ok(Chat(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Chat, A::Error> {
        let mut messages = Vec::new();
        while let Some(message) = seq.next_element()? {
            messages.push(message);
        }
        Ok(Chat(vec![(None, Value::Array(messages))]))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chat, A::Error> {
        let mut agents = Vec::new();
        while let Some((agent, messages)) = map.next_entry()? {
            agents.push((Some(agent), messages));
        }
        Ok(Chat(agents))
    }
}
