//! What the caller of the demo says.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};

/// A call's script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Script {
    /// The caller's made-up number, in E.164.
    #[serde(default = "number")]
    pub caller: String,
    /// What the caller says, turn by turn: at least six, so that there is something to repeat.
    pub turns: Vec<Line>,
}

/// One turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What the caller says.
    pub text: String,
    /// BCP 47 tag of it.
    #[serde(default)]
    pub language: Option<String>,
}

/// A number that belongs to nobody.
fn number() -> String {
    "+14255550123".to_owned()
}

impl Script {
    /// The script that is built in.
    pub fn builtin() -> Result<Self> {
        Self::from_json(include_str!("call.json"))
    }

    /// Reads a script file: `{"caller"?: "+1...", "turns": [{"text": "...", "language"?: "en-US"}]}`.
    pub fn load(path: &Path) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| {
            Error::new(
                Kind::Setting,
                format!("--script must name a readable script ({}: {e}), for example {{\"turns\":[{{\"text\":\"Hello\"}}]}}", path.display()),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
        Self::from_json(&text).map_err(|e| wrong(&e.detail))
    }

    fn from_json(text: &str) -> Result<Self> {
        let script: Self = serde_json::from_str(text).map_err(|e| Error::new(Kind::Setting, e.to_string()))?;
        if script.turns.len() < 6 {
            return Err(Error::new(Kind::Setting, "turns must be at least six"));
        }
        Ok(script)
    }
}
