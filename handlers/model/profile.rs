//! A user's profile, and how a call changes it exactly once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ids::{CallId, UserToken};
use super::phrase::check_language;
use super::time::Timestamp;
use crate::error::{Error, Result};

/// Applied calls that a profile remembers.
const REMEMBERED: usize = 50;
/// Languages that a profile remembers.
const LANGUAGES: usize = 20;
/// Most bytes of the preferences, as JSON.
const PREFERENCES_BYTES: usize = 64 * 1024;

/// A profile document; one per user, in a partition of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Always `profile`.
    pub id: String,
    /// The user, and the partition.
    pub user: UserToken,
    /// What the user prefers; any JSON object.
    #[serde(default)]
    pub preferences: Map<String, Value>,
    /// BCP 47 tag of the language that the user prefers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Number of archived calls.
    #[serde(default)]
    pub calls: u64,
    /// Number of turns in them.
    #[serde(default)]
    pub turns: u64,
    /// When the last of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call_at: Option<Timestamp>,
    /// Languages that were heard, the latest last.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The last calls that were counted, with the turns that were counted of each.
    #[serde(default)]
    pub applied_calls: Vec<AppliedCall>,
}

/// One call that a profile has counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedCall {
    /// The call.
    pub call_connection_id: CallId,
    /// Its turns that were counted.
    pub turns: u64,
}

/// Id of the profile document in its user's partition.
pub const PROFILE_ID: &str = "profile";

impl Profile {
    /// A profile with nothing in it.
    pub fn new(user: UserToken) -> Self {
        Self {
            id: PROFILE_ID.to_owned(),
            user,
            preferences: Map::new(),
            language: None,
            calls: 0,
            turns: 0,
            last_call_at: None,
            languages: Vec::new(),
            applied_calls: Vec::new(),
        }
    }

    /// Counts a call. A second application of the same call is no change; one with more turns (they came late) counts
    /// the difference. True where something changed.
    pub fn apply_call(&mut self, call: &CallId, turns: u64, ended_at: Option<Timestamp>, languages: &[String]) -> bool {
        let before = self.clone();
        match self.applied_calls.iter_mut().find(|applied| applied.call_connection_id == *call) {
            Some(applied) => {
                self.turns += turns.saturating_sub(applied.turns);
                applied.turns = applied.turns.max(turns);
            }
            None => {
                self.calls += 1;
                self.turns += turns;
                self.applied_calls.push(AppliedCall { call_connection_id: call.clone(), turns });
                let surplus = self.applied_calls.len().saturating_sub(REMEMBERED);
                self.applied_calls.drain(..surplus);
            }
        }
        self.last_call_at = self.last_call_at.max(ended_at);
        for language in languages {
            if !self.languages.contains(language) {
                self.languages.push(language.clone());
            }
        }
        let surplus = self.languages.len().saturating_sub(LANGUAGES);
        self.languages.drain(..surplus);
        *self != before
    }

    /// Applies a JSON merge patch (RFC 7396) of `preferences` and `language`. Errors name the field.
    pub fn patch(&mut self, patch: Map<String, Value>) -> Result<()> {
        for (key, value) in patch {
            match (key.as_str(), value) {
                ("language", Value::Null) => self.language = None,
                ("language", Value::String(tag)) => {
                    check_language("language", &tag)?;
                    self.language = Some(tag);
                }
                ("language", _) => return Err(Error::input("language", "must be a language tag or null")),
                ("preferences", Value::Null) => self.preferences = Map::new(),
                ("preferences", Value::Object(change)) => merge(&mut self.preferences, change),
                ("preferences", _) => return Err(Error::input("preferences", "must be an object or null")),
                // The name is the client's own: it is not repeated.
                _ => return Err(Error::input("body", "must have no other fields than preferences and language")),
            }
        }
        if Value::from(self.preferences.clone()).to_string().len() > PREFERENCES_BYTES {
            return Err(Error::input("preferences", format!("must be at most {PREFERENCES_BYTES} bytes")));
        }
        Ok(())
    }

    /// What a client sees.
    pub fn view(&self) -> Value {
        json!({
            "userId": self.user,
            "preferences": self.preferences,
            "language": self.language,
            "calls": self.calls,
            "turns": self.turns,
            "lastCallAt": self.last_call_at,
            "languages": self.languages,
        })
    }

    /// The facts that a reply may use.
    pub fn facts(&self) -> Value {
        json!({ "preferences": self.preferences, "language": self.language, "calls": self.calls, "lastCallAt": self.last_call_at })
    }
}

/// RFC 7396: null removes, objects merge, everything else replaces.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(&key);
            }
            Value::Object(change) => {
                let slot = target.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(inner) = slot {
                    merge(inner, change);
                }
            }
            other => {
                target.insert(key, other);
            }
        }
    }
}
