//! Calls that an earlier generation of the voice agent left in Redis, read into the shapes of this one.
//!
//! In: [`LegacyRaw`], every legacy key of one call as it was found. Out: [`LegacyCall`], one ordered conversation
//! without doubles, the facts that go on in the context, session fields, and everything else as JSON for the
//! archive's `legacy` section. Never fails: what cannot be understood is kept there as raw text.
//!
//! The generations share their key names and are told apart by field names: v0 has `history` (a list) and `context`,
//! v1 `histories` (a list for each agent) and `context`, v2 `corememory` and `chat_history` (either form).

mod extra;
mod facts;
mod merge;
mod message;
mod source;
mod turns;

use std::collections::BTreeMap;

use serde_json::Value;

use super::conversation::Entry;
use super::ids::UserId;
use super::time::Timestamp;

/// What part a legacy key plays in its call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `session:{id}`, hash: written by the callbacks, and by everything in calls without a second hash.
    Session,
    /// `session:media_{id}`, hash: written by the media stream.
    Media,
    /// `session:{mapped}`, hash: written by the media stream of a call that a browser began.
    Browser,
    /// `{id}:hist`, list of JSON messages with times; also under the ids of the other hashes.
    Hist,
    /// `call_session_map:{id}`, string: the id of the browser's session.
    Map,
    /// `call:{id}:{part}`, of any type: `recording`, `participants`, `media_streaming_status` or `session`.
    Part(String),
    /// `dtmf_sequence:{id}`, string of tones.
    DtmfSequence,
    /// `dtmf_validation:{id}`, stream.
    DtmfValidation,
}

/// What a key holds. Bytes that are not UTF-8 stand as `base64:` and their encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A string.
    Text(String),
    /// A hash.
    Hash(BTreeMap<String, String>),
    /// A list.
    List(Vec<String>),
    /// A set.
    Set(Vec<String>),
    /// A sorted set with its scores.
    Sorted(Vec<(String, String)>),
    /// A stream: ids with their fields.
    Stream(Vec<(String, Vec<(String, String)>)>),
    /// A type that is not read; its name. Such a key is never given a TTL.
    Unread(String),
}

impl Content {
    /// The type as Redis names it.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
            Self::Stream(_) => "stream",
            Self::Unread(name) => name,
        }
    }
}

/// One legacy key as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyKey {
    /// Its name.
    pub name: String,
    /// Its part.
    pub role: Role,
    /// Seconds it has left; none where it lives for ever.
    pub ttl: Option<u64>,
    /// What it holds.
    pub content: Content,
}

impl LegacyKey {
    /// Why the key cannot be taken for what its name says; none where it can.
    fn misfit(&self) -> Option<String> {
        let expected = match self.role {
            Role::Session | Role::Media | Role::Browser => "hash",
            Role::Hist => "list",
            Role::Map | Role::DtmfSequence => "string",
            Role::DtmfValidation => "stream",
            Role::Part(_) if matches!(self.content, Content::Unread(_)) => "type that can be read",
            Role::Part(_) => return None,
        };
        let found = self.content.type_name();
        if found == expected { None } else { Some(format!("{} is a {found}, not a {expected}", self.name)) }
    }
}

/// All legacy keys of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LegacyRaw {
    /// The keys that are there.
    pub keys: Vec<LegacyKey>,
}

impl LegacyRaw {
    /// Why there is nothing to migrate, though there are keys; none where there is. Nothing is a call that has only
    /// keys of wrong types, or only a map to a session that is gone.
    pub fn refusal(&self) -> Option<String> {
        let mut misfits = Vec::new();
        for key in &self.keys {
            match key.misfit() {
                Some(reason) => misfits.push(reason),
                None if key.role == Role::Map => {}
                None => return None,
            }
        }
        Some(if misfits.is_empty() { "only a map to a session that is gone".to_owned() } else { misfits.join("; ") })
    }

    /// The browser's session that the call is mapped to.
    pub fn browser(&self) -> Option<&str> {
        self.keys.iter().find_map(|key| match (&key.role, &key.content) {
            (Role::Map, Content::Text(id)) => Some(id.as_str()),
            _ => None,
        })
    }

    /// Names of the keys whose content is taken over: those that may go.
    pub fn migrated_keys(&self) -> Vec<String> {
        self.keys.iter().filter(|key| !matches!(key.content, Content::Unread(_))).map(|key| key.name.clone()).collect()
    }

    /// The same, only those that would live for ever: left so by a migration that was stopped halfway.
    pub fn lasting_keys(&self) -> Vec<String> {
        let lasting = self.keys.iter().filter(|key| key.ttl.is_none() && !matches!(key.content, Content::Unread(_)));
        lasting.map(|key| key.name.clone()).collect()
    }
}

/// One legacy call in today's shapes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LegacyCall {
    /// The conversation in order: `legacy-1`, `legacy-2`, … Every user message and every assistant message without
    /// a user's before it is one entry.
    pub entries: Vec<Entry>,
    /// Facts for the context: names with JSON texts, within [`CARRIED_KEYS`] and [`CARRIED_BYTES`].
    pub context: Vec<(String, String)>,
    /// `inbound` or `outbound`, where known.
    pub direction: Option<String>,
    /// The user that the facts name, where they do.
    pub user: Option<UserId>,
    /// The wrapped key of what is sealed here; none where nothing is.
    pub key: Option<String>,
    /// The user behind the call's phone number.
    pub phone_user: Option<UserId>,
    /// True where the call was marked disconnected.
    pub ended: bool,
    /// Everything that is neither a turn nor kept elsewhere; a JSON object.
    pub extra: serde_json::Map<String, Value>,
    /// How many fields could not be understood and are kept as they were.
    pub unreadable: usize,
}

impl LegacyCall {
    /// Reads the keys of one call. `now` is the time of entries whose messages have none: the last gets `now`, each
    /// before it a millisecond less.
    ///
    /// Order: the lists of messages with times come first, then the hash of the callbacks, of the media stream, of
    /// the browser; within a hash the agents as they first stand in its JSON, which is the order in which they first
    /// spoke, unless every message has a time. A message that stands in two of these in the same order is one.
    pub fn read(raw: &LegacyRaw, now: Timestamp) -> Self {
        let mut found = source::Found::default();
        let mut keys: Vec<&LegacyKey> = raw.keys.iter().collect();
        keys.sort_by_key(|key| (key.role != Role::Hist, &key.role, &key.name));
        for key in keys {
            found.take(key);
        }
        let mut conversation = Vec::new();
        for sequences in std::mem::take(&mut found.sources) {
            merge::absorb(&mut conversation, sequences);
        }
        let told = turns::tell(conversation, now);
        let facts = facts::Facts::of(&found.memories);
        let unreadable = found.unreadable.len();
        let extra = extra::section(&found, told.rest, &facts, now);
        Self {
            entries: told.entries,
            context: facts.context,
            direction: facts.direction,
            user: facts.user,
            key: None,
            phone_user: facts.phone_user,
            ended: facts.ended,
            extra,
            unreadable,
        }
    }
}

pub use facts::{CARRIED_BYTES, CARRIED_KEYS};
