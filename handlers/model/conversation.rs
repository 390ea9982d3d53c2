//! What a conversation consists of: entries of history, and the facts that a reply may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::CallStatus;
use super::ids::{CallId, UserId};
use super::time::Timestamp;
use crate::error::{Error, Result};

/// One turn as it stands in the history: what the user said and what was answered. An entry that came from a legacy
/// layout may have one side only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Flat")]
pub struct Entry {
    /// The client's id of the turn; `legacy-N` for a migrated one.
    pub turn_id: String,
    /// When the turn was taken.
    pub at: Timestamp,
    /// Its revision, 0 at first: a later turn may show that something in this one was personal. It stands beside the
    /// entry, never in its JSON.
    #[serde(skip)]
    pub rev: u32,
    /// What was said and answered.
    #[serde(flatten)]
    pub words: Words,
    /// The words, sealed: the bytes of an envelope; they are empty then. It stands beside the entry, never in its JSON.
    #[serde(skip)]
    pub sealed: Option<Vec<u8>>,
    /// Who answered: `openai`, `scripted`, `fallback`, `legacy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// BCP 47 tag of what the user said, where the recogniser told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The recogniser's confidence, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The trace of the request that brought it: 32 hexadecimal characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// An entry's JSON, field by field: a turn reads a window of them, and a flattened struct is read by way of a map.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flat {
    turn_id: String,
    at: Timestamp,
    user: Option<String>,
    assistant: Option<String>,
    said: Option<String>,
    spoken: Option<String>,
    #[serde(default)]
    private: bool,
    source: Option<String>,
    language: Option<String>,
    confidence: Option<f64>,
    trace_id: Option<String>,
}

impl From<Flat> for Entry {
    fn from(flat: Flat) -> Self {
        let Flat { turn_id, at, user, assistant, said, spoken, private, source, language, confidence, trace_id } = flat;
        let words = Words { user, assistant, said, spoken, private };
        Self { turn_id, at, rev: 0, words, sealed: None, source, language, confidence, trace_id }
    }
}

/// `source` of an entry whose words were refused.
pub const REFUSED: &str = "refused";

impl Entry {
    /// True where the words are not what was sealed for this turn, and were left out.
    pub fn is_refused(&self) -> bool {
        self.source.as_deref() == Some(REFUSED)
    }
}

/// The words of a turn: what is sealed wherever a turn rests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// What the user said, each detected value replaced by its label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What was answered, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// What the user really said, where that differs and `STORE_PII` is `encrypted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What was really answered, where that differs: the same turn id gets the same answer again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken: Option<String>,
    /// True where the answer's audio is for this call alone: it holds something personal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl Words {
    /// The words without what was really said, which is kept only where the settings want it.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { said: None, spoken: None, ..self }
    }

    /// True where nothing was said or answered.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The reply as the caller heard it.
    pub fn reply(&self) -> &str {
        self.spoken.as_deref().or(self.assistant.as_deref()).unwrap_or_default()
    }
}

/// The last entries of a conversation with their numbers, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// Numbers, one for each entry.
    pub seqs: Vec<u64>,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// Everything a turn reads, from one round trip.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Where the call stands; none where it is unknown. Of its session a turn needs nothing else but the key.
    pub status: Option<CallStatus>,
    /// The wrapped key of what is sealed; none where nothing is.
    pub key: Option<String>,
    /// True where the call is archived.
    pub archived: bool,
    /// The context: one JSON text per key; our own keys begin with `_`.
    pub context: BTreeMap<String, String>,
    /// The last entries of the history.
    pub window: Window,
    /// The number and entry that this turn id already has.
    pub saved: Option<(u64, Entry)>,
    /// The authentication state.
    pub auth: Option<AuthState>,
}

/// The facts that the context keeps of the profile.
pub const PROFILE_KEY: &str = "_profile";
/// Set when a context had expired while its history lived: when it was rebuilt, milliseconds since 1970.
pub const REBUILT_KEY: &str = "_rebuiltAt";
/// Most keys of a context, our own not counted.
pub const CONTEXT_KEYS: usize = 64;
/// Most bytes of a context, keys and JSON values together, our own not counted.
pub const CONTEXT_BYTES: usize = 16 * 1024;

/// A change of the context by RFC 7396 on the top level: checked, split into what is set and what is removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextPatch {
    /// Keys with their new values as JSON texts.
    pub set: Vec<(String, String)>,
    /// Keys to remove.
    pub delete: Vec<String>,
}

impl ContextPatch {
    /// Checks a patch: an object of at most 64 keys and 16 KiB; keys of 1 to 128 characters that do not begin with
    /// `_`; `user_id` a user id.
    pub fn parse(patch: serde_json::Map<String, Value>) -> Result<Self> {
        if patch.len() > CONTEXT_KEYS {
            return Err(Error::input("context", format!("must have at most {CONTEXT_KEYS} keys")));
        }
        let mut parsed = Self::default();
        let mut bytes = 0;
        for (key, value) in patch {
            if key.is_empty() || key.len() > 128 || key.starts_with('_') || key.chars().any(char::is_control) {
                return Err(Error::input("context", "keys must be 1 to 128 bytes and must not begin with '_' or hold control characters"));
            }
            if key == "user_id" && !value.is_null() {
                let id = value.as_str().ok_or_else(|| Error::input("context.user_id", "must be a string"))?;
                UserId::parse(id).map_err(|e| Error::input("context.user_id", e.detail))?;
            }
            if value.is_null() {
                bytes += key.len();
                parsed.delete.push(key);
            } else {
                let text = value.to_string();
                bytes += key.len() + text.len();
                parsed.set.push((key, text));
            }
        }
        if bytes > CONTEXT_BYTES {
            return Err(Error::input("context", format!("must be at most {CONTEXT_BYTES} bytes")));
        }
        Ok(parsed)
    }

    /// The user that the patch names.
    pub fn user(&self) -> Option<UserId> {
        let (_, json) = self.set.iter().find(|(key, _)| key == "user_id")?;
        serde_json::from_str::<String>(json).ok().and_then(|id| UserId::parse(id).ok())
    }

    /// True where the patch removes the user.
    pub fn removes_user(&self) -> bool {
        self.delete.iter().any(|key| key == "user_id")
    }
}

/// Whom the session names as its user from now on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UserChange {
    /// The same as before.
    #[default]
    Keep,
    /// This one: an id, or the token that stands for it.
    Set(String),
    /// The caller behind the first phone participant.
    Remove,
}

/// One turn to commit: decided and done in one script.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnCommit {
    /// The call.
    pub call: CallId,
    /// The entry; its turn id decides whether the turn is new.
    pub entry: Entry,
    /// Earlier entries by number that are replaced, each by its next revision; they are sent again.
    pub revisions: Vec<(u64, Entry)>,
    /// Changes of the context.
    pub patch: ContextPatch,
    /// Change of the session's user.
    pub user: UserChange,
    /// The wrapped key of what is sealed here; none where nothing is.
    pub key: Option<String>,
    /// When it is committed.
    pub now: Timestamp,
}

impl TurnCommit {
    /// A turn whose patch names the user, with nothing to revise and nothing sealed.
    pub fn new(call: CallId, entry: Entry, patch: ContextPatch, now: Timestamp) -> Self {
        let user = match patch.user() {
            Some(user) => UserChange::Set(user.to_string()),
            None if patch.removes_user() => UserChange::Remove,
            None => UserChange::Keep,
        };
        Self { call, entry, revisions: Vec::new(), patch, user, key: None, now }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to the caller: a box would cost an allocation a turn")]
pub enum Committed {
    /// It took effect; its number.
    New(u64),
    /// The turn id was known: its number and entry. Nothing changed.
    Known(u64, Entry),
    /// The call has ended or is archived; nothing changed.
    Ended,
    /// The context would pass its limits; nothing changed.
    ContextFull,
    /// The call's values are sealed under another key than the turn's; nothing changed.
    Rekey,
    /// An entry to be revised has been revised by another turn, or is gone; nothing changed.
    Stale,
}

/// The authentication state of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct AuthState {
    /// Whether the caller is who they say.
    pub authenticated: bool,
    /// How it was shown, such as `pin` or `voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How strong it is, such as `basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Whom it showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Failed attempts so far.
    #[serde(default)]
    pub failed_attempts: u32,
    /// True once too many attempts failed; until the state expires.
    #[serde(default)]
    pub locked: bool,
}

/// A conversation in memory during one turn: loaded from the state, changed, and handed back as one commit.
#[derive(Debug, Clone)]
pub struct ConversationManager {
    call: CallId,
    loaded: Loaded,
    patch: ContextPatch,
    entry: Option<Entry>,
    revisions: Vec<(u64, Entry)>,
}

impl ConversationManager {
    /// Takes what the state port loaded.
    pub fn load(call: CallId, loaded: Loaded) -> Self {
        Self { call, loaded, patch: ContextPatch::default(), entry: None, revisions: Vec::new() }
    }

    /// The entries that a reply may look back on.
    pub fn history(&self) -> &[Entry] {
        &self.loaded.window.entries
    }

    /// The same with their numbers.
    pub fn window(&self) -> &Window {
        &self.loaded.window
    }

    /// All that the context holds, our own keys too: one JSON text per key.
    pub fn context(&self) -> &BTreeMap<String, String> {
        &self.loaded.context
    }

    /// The authentication state.
    pub fn auth(&self) -> Option<&AuthState> {
        self.loaded.auth.as_ref()
    }

    /// The facts of the user's profile, where they are known.
    pub fn profile(&self) -> Option<Value> {
        serde_json::from_str(self.loaded.context.get(PROFILE_KEY)?).ok()
    }

    /// Notes a change of the context.
    pub fn update_context(&mut self, patch: ContextPatch) {
        self.patch = patch;
    }

    /// Adds the turn that was just taken.
    pub fn append_to_history(&mut self, entry: Entry) {
        self.entry = Some(entry);
    }

    /// Notes earlier entries, by number, that this turn has shown to hold something personal.
    pub fn revise(&mut self, revisions: Vec<(u64, Entry)>) {
        self.revisions = revisions;
    }

    /// What is to be committed; none where nothing was appended.
    pub fn into_commit(self, now: Timestamp) -> Option<TurnCommit> {
        Some(TurnCommit { revisions: self.revisions, ..TurnCommit::new(self.call, self.entry?, self.patch, now) })
    }
}
