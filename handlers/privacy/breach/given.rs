//! What somebody gave with an action: fields that are taken one by one, and of which none may be left.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Most characters of a text.
const TEXT: usize = 8000;
/// Most members of a list.
const LIST: usize = 200;

/// Named values.
#[derive(Debug, Clone, Default)]
pub struct Given(Map<String, Value>);

impl Given {
    /// These fields.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Takes a field of any shape; `needs` says which. Null counts as missing.
    pub fn take<T: DeserializeOwned>(&mut self, field: &'static str, needs: &str) -> Result<Option<T>> {
        let Some(value) = self.0.remove(field).filter(|v| !v.is_null()) else { return Ok(None) };
        if !is_bounded(&value) {
            return Err(Error::input(field, format!("must have texts of at most {TEXT} characters and lists of at most {LIST} members")));
        }
        serde_json::from_value(value).map(Some).map_err(|_| Error::input(field, needs))
    }

    /// Takes a text that is not empty.
    pub fn text(&mut self, field: &'static str) -> Result<Option<String>> {
        let text: Option<String> = self.take(field, "must be a text")?;
        match text.as_deref().map(str::trim) {
            Some("") => Err(Error::input(field, "must not be empty")),
            other => Ok(other.map(str::to_owned)),
        }
    }

    /// Takes a text that must be there.
    pub fn needed(&mut self, field: &'static str) -> Result<String> {
        self.text(field)?.ok_or_else(|| Error::input(field, "must be there, a text"))
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        match self.0.into_iter().find(|(_, v)| !v.is_null()) {
            None => Ok(()),
            Some((name, _)) if name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                Err(Error::input(name, "is not a field of this action"))
            }
            Some(_) => Err(Error::input("body", "must not have fields that are not known")),
        }
    }
}

fn is_bounded(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= TEXT,
        Value::Array(members) => members.len() <= LIST && members.iter().all(is_bounded),
        Value::Object(fields) => fields.len() <= LIST && fields.values().all(is_bounded),
        _ => true,
    }
}
