//! What a conversation consists of: entries of history, and the facts that a reply may use.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// One turn as it stands in the history: what the user said and what was answered. An entry that came from a legacy
/// layout may have one side only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The client's id of the turn; `legacy-N` for a migrated one.
    pub turn_id: String,
    /// When the turn was taken.
    pub at: Timestamp,
    /// What the user said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// Who answered: `openai`, `scripted`, `fallback`, `legacy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// BCP 47 tag of what the user said, where the recogniser told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The recogniser's confidence, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}
