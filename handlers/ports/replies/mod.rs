//! The agent: a turn of a conversation goes in, a reply comes out.

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;
use crate::model::conversation::Entry;

pub mod azure;
pub mod scripted;
pub mod spoken;

/// Everything a reply may use. Borrowed from the loaded conversation; nothing is copied.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// What the user just said.
    pub text: &'a str,
    /// BCP 47 tag of it, where known.
    pub language: Option<&'a str>,
    /// The last entries, oldest first, bounded by `HISTORY_WINDOW`.
    pub history: &'a [Entry],
    /// The authentication state as JSON, where there is one: `{"authenticated","method","level",...}`.
    pub auth: Option<&'a Value>,
    /// Facts from the user's profile as JSON, where the user is known.
    pub profile: Option<&'a Value>,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What to say; 1 to 4000 characters.
    pub text: String,
    /// Who said it: `openai` or `scripted`.
    pub source: &'static str,
}

/// The line that is spoken when no reply can be had; its source is `fallback`.
pub const FALLBACK: &str = "I'm sorry, I did not get that. Could you say it again, please?";

/// An agent.
#[async_trait]
pub trait Replies: Send + Sync + 'static {
    /// Answers one turn within 8 s in all, with at most one retry inside. An error means that the caller should use
    /// [`FALLBACK`]: `Deadline`, `Throttled`, `Unavailable`, `Denied`, `BadInput` where a content filter refused, or
    /// `Internal` where the service does not take the request or answers with something that is no reply.
    async fn reply(&self, prompt: Prompt<'_>) -> Result<Reply>;

    /// Which agent it is, for health and the demo: `openai` or `scripted`.
    fn name(&self) -> &'static str;
}
