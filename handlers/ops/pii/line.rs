//! One line of input: an id as it came, a text, and the call that it belongs to.
//!
//! In: bytes. Out: the line, or what is wrong with it in words that hold nothing of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::privacy::detect::Role;

/// A line of input.
#[derive(Debug)]
pub(super) struct Line {
    /// A string or a number, as it came.
    pub id: String,
    /// What was said.
    pub text: String,
    /// Which call it belongs to, as it came; nothing for a line that stands alone.
    pub call: Option<String>,
    /// Who said it, as far as it is told or shows.
    pub role: Role,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
}

impl Line {
    /// Reads a line.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        // What the parser says of a value may quote it.
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => "it is no JSON object with id and text, or has one of its fields twice",
            _ => "it is not JSON",
        })?;
        let id = raw.id.ok_or("it has no id")?;
        let text = raw.text.ok_or("it has no text")?;
        if !identifies(id) {
            return Err("id must be a string or a number");
        }
        let call = raw.call.filter(|call| call.get() != "null");
        if call.is_some_and(|call| !identifies(call)) {
            return Err("call must be a string or a number");
        }
        let role = raw.role.filter(|role| role.get() != "null").map(string).transpose().map_err(|()| "role must be a string")?;
        let text = string(text).map_err(|()| "text must be a string")?;
        let role = match role.as_deref() {
            Some("agent" | "assistant" | "bot" | "system") => Role::Agent,
            None if asks(&text) => Role::Agent,
            _ => Role::Caller,
        };
        Ok(Self { id: id.get().to_owned(), text: text.into_owned(), call: call.map(|call| call.get().to_owned()), role })
    }
}

/// True for what an agent asks a caller: without a role, that alone tells who spoke.
fn asks(text: &str) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    let begins = ["what", "what's", "whats", "can", "could", "may", "please", "and", "tell", "which"];
    let first = || words().next().is_some_and(|word| begins.iter().any(|begin| word.eq_ignore_ascii_case(begin)));
    (text.contains('?') || first()) && words().any(|word| word.eq_ignore_ascii_case("your"))
}

/// True for a string or a number.
fn identifies(value: &RawValue) -> bool {
    let json = value.get();
    json.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
        && (!json.starts_with('"') || plain(json).is_some() || serde_json::from_str::<Cow<'_, str>>(json).is_ok())
}

fn string(value: &RawValue) -> Result<Cow<'_, str>, ()> {
    match plain(value.get()) {
        Some(plain) => Ok(Cow::Borrowed(plain)),
        None => serde_json::from_str::<String>(value.get()).map(Cow::Owned).map_err(|_| ()),
    }
}

/// What stands in a string without escapes, which needs no second look: that it is a string was seen before.
fn plain(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"').filter(|inside| !inside.contains('\\'))
}
