//! Identifiers that come from outside, each refused before it can reach a key, a query or a log.
//!
//! Their clones share the text: a turn hands its own to whatever it does. All are made of `[A-Za-z0-9_.-]`: nothing in them can break out of a Redis key, a document id or a URL path.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

/// What an identifier may consist of, in words.
const ALLOWED: &str = "letters, digits, '_', '.' and '-'";

/// Checks one identifier: 1 to `max` characters of `[A-Za-z0-9_.-]`.
fn check(field: &'static str, text: &str, max: usize) -> Result<()> {
    let sound = !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if sound { Ok(()) } else { Err(Error::input(field, format!("must be 1 to {max} characters of {ALLOWED}"))) }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text if it is a sound identifier; the error names the field.
            pub fn parse(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                check($field, text, $max)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                Self::parse(Cow::<'de, str>::deserialize(deserializer)?).map_err(|e| de::Error::custom(format!(concat!($field, " {}"), e.detail)))
            }
        }
    };
}

identifier!(
    /// The `callConnectionId` that ACS gives a call: 1 to 128 characters.
    CallId, "callConnectionId", 128
);
identifier!(
    /// A client's id of one turn, the key of its idempotency: 1 to 64 characters.
    TurnId, "turnId", 64
);
identifier!(
    /// A user of the voice agent: 1 to 128 characters.
    UserId, "userId", 128
);
identifier!(
    /// A media worker: 1 to 128 characters.
    WorkerId, "workerId", 128
);

/// What stands for a user, a caller or a call in keys, ids, partition keys and logs: `u1-` (a user or a caller's number) or
/// `c1-` (a call without a known user), then 32 lower-case hexadecimal digits. Nobody without the index key can tell from it
/// whom it means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserToken(String);

impl UserToken {
    /// Takes the text if it has the shape of a token; the error names `userId`.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let sound = || {
            let (version, digits) = text.strip_prefix(['u', 'c'])?.split_once('-')?;
            let numbered = (1..=9).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
            Some(numbered && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f')))
        };
        if sound().unwrap_or_default() { Ok(Self(text)) } else { Err(Error::input("userId", "must be a token such as u1-0123456789abcdef0123456789abcdef")) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where it stands for a call whose user is not known.
    pub fn is_call(&self) -> bool {
        self.0.starts_with('c')
    }
}

impl std::fmt::Display for UserToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for UserToken {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for UserToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(|e| de::Error::custom(format!("userId {}", e.detail)))
    }
}

impl UserId {
    /// The digits of the number that this id was made of by [`UserId::from_phone_raw_id`]; none for every other id.
    pub fn phone_digits(&self) -> Option<&str> {
        self.0.strip_prefix("tel-").filter(|digits| is_number(digits))
    }

    /// The user behind a phone participant, from an ACS raw id such as `4:+14255550123`. None for anonymous callers
    /// and for participants that are not phones.
    pub fn from_phone_raw_id(raw_id: &str) -> Option<Self> {
        let number = raw_id.strip_prefix("4:")?;
        let digits: String = number.strip_prefix('+').unwrap_or(number).to_owned();
        let sound = is_number(&digits);
        // '+' may not stand in an identifier, and bare digits could be taken for another kind of id.
        if sound { Self::parse(format!("tel-{digits}")).ok() } else { None }
    }
}

/// True for 3 to 15 digits: the number of a phone without its `+`.
pub fn is_number(digits: &str) -> bool {
    (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}
