//! One message of a legacy conversation: an OpenAI chat message, at times with a time of its own.

use chrono::NaiveDateTime;
use serde_json::{Map, Value};

use crate::model::time::Timestamp;

/// One message; all that was read of it stands in `json`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// The message as it was, its time included.
    pub json: Map<String, Value>,
    /// `system`, `user`, `assistant`, `tool`, or whatever stood there.
    pub role: String,
    /// What was said; none where nothing was.
    pub text: Option<String>,
    /// When, where the message tells.
    pub at: Option<Timestamp>,
    /// Whose list it stood in.
    pub agent: Option<String>,
}

impl Message {
    /// A message out of JSON; none where it is no object or has no role.
    pub fn read(value: &Value, agent: Option<&str>) -> Option<Self> {
        let json = value.as_object()?.clone();
        let role = json.get("role")?.as_str()?.to_owned();
        let text = json.get("content").and_then(said).filter(|text| !text.trim().is_empty());
        let at = json.get("ts").or_else(|| json.get("timestamp")).and_then(time);
        Some(Self { role, text, at, agent: agent.map(str::to_owned), json })
    }

    /// Whether both are the same message, kept twice: the same role and words, and no differing tool traffic.
    pub fn same(&self, other: &Self) -> bool {
        let agree = |name: &str| match (self.get(name), other.get(name)) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        let told = self.text.is_some() || self.role == "user" || self.get("content") == other.get("content");
        self.role == other.role && self.text == other.text && told && agree("tool_calls") && agree("tool_call_id") && agree("name")
            // Without words, the tool calls are all there is: both must have them.
            && (self.text.is_some() || self.get("tool_calls").is_some() == other.get("tool_calls").is_some())
    }

    /// Adds what only the other copy tells.
    pub fn enrich(&mut self, other: Self) {
        self.at = self.at.or(other.at);
        self.agent = self.agent.take().or(other.agent);
        for (name, value) in other.json {
            if self.get(&name).is_none() {
                self.json.insert(name, value);
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.json.get(name).filter(|value| !value.is_null())
    }
}

/// The words of a `content`: a text, or the text parts of a list; anything else as its JSON.
fn said(content: &Value) -> Option<String> {
    match content {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let words: Option<Vec<&str>> = parts.iter().map(|part| part.as_str().or_else(|| part.get("text")?.as_str())).collect();
            Some(words.map_or_else(|| content.to_string(), |words| words.concat()))
        }
        other => Some(other.to_string()),
    }
}

/// A time: RFC 3339, the same without an offset (then UTC), or seconds since 1970 (milliseconds above 10^11).
fn time(value: &Value) -> Option<Timestamp> {
    if let Some(number) = value.as_f64() {
        let millis = if number > 1e11 { number } else { number * 1000.0 };
        // A clock that counts from the machine's start is no time of day.
        return if (1e12..1e13).contains(&millis) { Some(Timestamp::from_millis(millis.round() as i64)) } else { None };
    }
    let text = value.as_str()?;
    Timestamp::parse(text).or_else(|| {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"));
        naive.ok().map(|naive| Timestamp::from_millis(naive.and_utc().timestamp_millis()))
    })
}
