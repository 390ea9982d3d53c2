//! Which keys of the state store one operation touched: of which kinds they are, and whose.
//!
//! In: the keys, one after another, as the operation is put together. Out: the first one, the kinds of all of them as bits,
//! and one key of each further owner. An operation on one call costs one allocation, as many keys as it has. Who owns a key
//! stands in its name: `…:{data type}:{identifier}:{component}`, or in one of the names of an earlier generation.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Data type and component of every kind of key; the last two are legacy keys, and keys that are not ours.
const PLACES: [(&str, &str); 19] = [
    ("call", "session"),
    ("call", "events"),
    ("call", "worker"),
    ("call", "summary"),
    ("conversation", "context"),
    ("conversation", "history"),
    ("conversation", "turns"),
    ("conversation", "outbox"),
    ("conversation", "auth"),
    ("cache", "profile"),
    ("system", "calls"),
    ("system", "canary"),
    ("worker", "affinity"),
    ("worker", "heartbeat"),
    ("cache", "tts"),
    ("system", "open"),
    ("system", "index"),
    ("legacy", "other"),
    ("other", "other"),
];
/// Each of them as an entry names it.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| PLACES.iter().map(|(data_type, component)| format!("{data_type}:{component}")).collect());
/// Those that hold nothing of a caller.
const IMPERSONAL: std::ops::Range<usize> = 12..17;
const LEGACY: usize = 17;
const OTHER: usize = 18;
/// Parts of a key's name, from its end: component or identifier, identifier or kind, data type, environment, prefix.
const PARTS: usize = 5;

/// Whose a key is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// A call's.
    Call(&'a str),
    /// A person's; the token.
    User(&'a str),
    /// Nobody's alone.
    Nobody,
}

/// What one operation touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    first: Option<Box<str>>,
    /// One key of each owner that is not the first one's.
    also: Vec<Box<str>>,
    places: u32,
}

impl Keys {
    /// Adds a key.
    pub fn add(&mut self, key: &str) {
        let parts = parts(key);
        self.places |= 1 << place(parts);
        let Some(first) = &self.first else {
            self.first = Some(key.into());
            return;
        };
        let whose = owner(parts);
        // The keys of one owner follow each other; what comes twice all the same is told once when it is written.
        if whose != Owner::Nobody && whose != owner_of(first) && self.also.last().is_none_or(|last| whose != owner_of(last)) {
            self.also.push(key.into());
        }
    }

    /// True where there is none.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether any of them holds something of a caller.
    pub fn is_personal(&self) -> bool {
        let impersonal = IMPERSONAL.fold(0, |bits, place| bits | 1 << place);
        self.places & !impersonal != 0
    }

    /// How many owners there are besides the first one.
    pub(super) fn more(&self) -> usize {
        self.also.len()
    }

    /// The first key with its data type and component.
    pub(super) fn first(&self) -> Option<(&'static str, &'static str, &str)> {
        let key = self.first.as_deref()?;
        let (data_type, component) = PLACES[place(parts(key))];
        Some((data_type, component, key))
    }

    /// The kinds of all keys.
    pub(super) fn places(&self) -> impl Iterator<Item = Cow<'static, str>> {
        NAMES.iter().enumerate().filter(|(n, _)| self.places & (1 << n) != 0).map(|(_, name)| Cow::Borrowed(name.as_str()))
    }

    /// Whose they are.
    pub(super) fn owners(&self) -> impl Iterator<Item = Owner<'_>> {
        self.first.iter().chain(&self.also).map(|key| owner_of(key))
    }
}

/// The parts of a name from its end, up to five; how many there are.
type Parts<'a> = ([&'a str; PARTS], usize);

fn parts(key: &str) -> Parts<'_> {
    let (mut parts, mut count, mut end) = ([""; PARTS], 0, key.len());
    for at in memchr::memrchr_iter(b':', key.as_bytes()).take(PARTS - 1) {
        parts[count] = &key[at + 1..end];
        (count, end) = (count + 1, at);
    }
    parts[count] = &key[..end];
    (parts, count + 1)
}

fn place(([last, before, data_type, ..], count): Parts<'_>) -> usize {
    if count < PARTS {
        return LEGACY;
    }
    // The kind of a cached value stands before its identifier.
    let component = if data_type == "cache" { before } else { last };
    PLACES.iter().position(|place| *place == (data_type, component)).unwrap_or(OTHER)
}

fn owner_of(key: &str) -> Owner<'_> {
    owner(parts(key))
}

fn owner(([last, before, data_type, ..], count): Parts<'_>) -> Owner<'_> {
    let call = match (count, data_type, before, last) {
        (PARTS, "call" | "conversation", id, _) => id.trim_start_matches('{').trim_end_matches('}'),
        (PARTS, "cache", "profile", user) => return Owner::User(user),
        (PARTS, "system", user, "calls") => return user.strip_prefix("user-").map_or(Owner::Nobody, Owner::User),
        (3, "call", id, _) | (2, _, id, "hist") | (2, _, "session" | "call_session_map" | "dtmf_sequence" | "dtmf_validation", id) => {
            id.strip_prefix("media_").unwrap_or(id)
        }
        _ => return Owner::Nobody,
    };
    Owner::Call(call)
}
