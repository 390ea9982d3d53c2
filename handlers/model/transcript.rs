//! The messages between a call and its archive, and the documents that the archive consists of.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::conversation::Entry;
use super::ids::{CallId, UserToken};
use super::time::Timestamp;
use crate::error::{Error, Kind, Result};

/// A message of the transcript queue. In JSON `kind` tells which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "nearly all messages are turns")]
pub enum TranscriptMessage {
    /// One answered turn.
    Turn(TurnMessage),
    /// A call that was connected while the state store was away.
    CallStarted(StartedMessage),
    /// A call that has ended: archive it.
    CallEnded(EndedMessage),
}

/// One answered turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnMessage {
    /// The call.
    pub call_connection_id: CallId,
    /// Revision of the turn; a higher one replaces a lower one.
    #[serde(default)]
    pub rev: u32,
    /// Its number; none where it was answered without the state store.
    pub seq: Option<u64>,
    /// True where it was answered without the state store.
    #[serde(default)]
    pub degraded: bool,
    /// How often the writer has put it off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferrals: u32,
    /// The wrapped key of what is sealed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The words of the turn, sealed; they are not in the entry then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// The turn.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A call that was connected while the state store was away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartedMessage {
    /// The call.
    pub call_connection_id: CallId,
    /// Id of the event that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// When it was connected.
    pub at: Timestamp,
    /// ACS server call id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_call_id: Option<String>,
    /// ACS correlation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// How often the writer has put it off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferrals: u32,
}

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedMessage {
    /// The call.
    pub call_connection_id: CallId,
    /// Id of the event that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// When it ended.
    pub at: Timestamp,
    /// When it began, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Why it ended.
    pub reason: String,
    /// Number of its last turn; none where it ended without the state store.
    pub last_seq: Option<u64>,
    /// How often the writer has put it off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferrals: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl TranscriptMessage {
    /// Reads a message body. `Poison` where it can never be read; the detail quotes nothing of it.
    pub fn parse(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|e| {
            let sort = match e.classify() {
                serde_json::error::Category::Data => "is not a transcript message",
                _ => "is not JSON",
            };
            Error::new(Kind::Poison, format!("the message body {sort} (line {}, column {})", e.line(), e.column()))
        })
    }

    /// The message as JSON text.
    pub fn to_json(&self) -> Result<String> {
        // As much as a turn's message takes, so that it does not grow on the way.
        let mut json = Vec::with_capacity(1536);
        serde_json::to_writer(&mut json, self).map_err(Error::internal)?;
        String::from_utf8(json).map_err(Error::internal)
    }

    /// The call.
    pub fn call(&self) -> &CallId {
        match self {
            Self::Turn(m) => &m.call_connection_id,
            Self::CallStarted(m) => &m.call_connection_id,
            Self::CallEnded(m) => &m.call_connection_id,
        }
    }

    /// `turn`, `callStarted` or `callEnded`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Turn(_) => "turn",
            Self::CallStarted(_) => "callStarted",
            Self::CallEnded(_) => "callEnded",
        }
    }

    /// How often the writer has put it off.
    pub fn deferrals(&self) -> u32 {
        match self {
            Self::Turn(m) => m.deferrals,
            Self::CallStarted(m) => m.deferrals,
            Self::CallEnded(m) => m.deferrals,
        }
    }

    /// The same message, put off once more.
    #[must_use]
    pub fn deferred(mut self) -> Self {
        let count = match &mut self {
            Self::Turn(m) => &mut m.deferrals,
            Self::CallStarted(m) => &mut m.deferrals,
            Self::CallEnded(m) => &mut m.deferrals,
        };
        *count = count.saturating_add(1);
        self
    }

    /// `MessageId`: base64url SHA-256 over kind, call, turn id and revision, each preceded by its length in bytes as
    /// eight big-endian bytes. A message that was put off has an id of its own: the broker would drop its copy as a
    /// duplicate of the original.
    pub fn message_id(&self) -> String {
        use base64::Engine as _;
        let (turn, rev) = match self {
            Self::Turn(m) => (m.entry.turn_id.as_str(), m.rev),
            _ => ("", 0),
        };
        let mut parts = vec![self.kind().to_owned(), self.call().to_string(), turn.to_owned(), rev.to_string()];
        if self.deferrals() > 0 {
            parts.push(format!("deferral-{}", self.deferrals()));
        }
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hasher.finalize())
    }
}

/// One turn as the archive keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedTurn {
    /// Its number; none where it was answered without the state store.
    pub seq: Option<u64>,
    /// Its revision.
    #[serde(default)]
    pub rev: u32,
    /// True where it was answered without the state store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
    /// The turn.
    #[serde(flatten)]
    pub entry: Entry,
    /// The words of the turn, sealed; they are not in the entry then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// The wrapped key of the words, where they are sealed under the call's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The head of an archived call; document `header` of the call's partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Always `header`.
    pub id: String,
    /// The call, and the partition.
    pub call_connection_id: CallId,
    /// Always `header`.
    #[serde(rename = "type")]
    pub kind: String,
    /// True only when turns 1 to `lastSeq` are all there.
    pub complete: bool,
    /// Number of the last turn; none where nobody knows it.
    pub last_seq: Option<u64>,
    /// Turns in the pages.
    pub turns: u64,
    /// Ids of the page documents, in order.
    pub pages: Vec<String>,
    /// When the call began.
    pub started_at: Option<Timestamp>,
    /// When it ended, as it was reported.
    pub ended_at: Option<Timestamp>,
    /// From when its retention counts, where the reported end cannot be true: a wrong clock must not lose a transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The token of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserToken>,
    /// Under whose key its values are sealed: the user's, or for want of one the call's own token. Kept once it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<UserToken>,
    /// UTC day of the analytics document; kept once it is set.
    pub day: String,
    /// Who took part, and the other facts of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_info: Option<Value>,
    /// What a legacy layout held besides turns, where it is at most [`INLINE_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Value>,
    /// Ids of the documents that hold it in pieces, in order, where it is larger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legacy_pages: Vec<String>,
    /// When this version was written.
    pub archived_at: Timestamp,
}

impl Header {
    /// The end of the call, as far as it can be true: from then on its retention counts.
    pub fn true_end(&self) -> Option<Timestamp> {
        self.kept_from.or(self.ended_at)
    }
}

/// One page of an archived call: at most [`PAGE_BYTES`] of turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageDocument {
    /// `page-{hash}-{number}`: named by what it holds, so it never changes.
    pub id: String,
    /// The call, and the partition.
    pub call_connection_id: CallId,
    /// Always `page`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the call ended: the page expires with the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// As in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<Timestamp>,
    /// Its turns, in order.
    pub turns: Vec<ArchivedTurn>,
}

/// A piece of what a legacy layout held besides turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegacyPage {
    /// `legacy-{attempt}-{number}`: written once and never changed.
    pub id: String,
    /// The call, and the partition.
    pub call_connection_id: CallId,
    /// Always `legacy`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the call ended: the piece expires with the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// As in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<Timestamp>,
    /// The piece: all pieces together are one JSON text.
    pub text: String,
}

/// Most bytes of the legacy section that the header holds itself.
pub const INLINE_BYTES: usize = 256 * 1024;
/// Id of the header document.
pub const HEADER_ID: &str = "header";
/// What the ids of turn documents begin with; the turn id follows.
pub const TURN_PREFIX: &str = "turn-";
/// Most bytes of turns in one page, as JSON.
pub const PAGE_BYTES: usize = 1_000_000;

/// What the words of an archived turn are sealed for within their page; the revision counts, so that an older one cannot stand in.
pub fn words_field(turn: &str, rev: impl std::fmt::Display) -> String {
    format!("/turns/{turn}/transcript/{rev}")
}

/// The document of a turn that is not archived yet.
pub fn turn_document(call: &CallId, turn: &ArchivedTurn) -> Result<Value> {
    let mut body = serde_json::to_value(turn).map_err(Error::internal)?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("id".to_owned(), format!("{TURN_PREFIX}{}", turn.entry.turn_id).into());
        fields.insert("callConnectionId".to_owned(), call.as_str().into());
        fields.insert("type".to_owned(), "turn".into());
    }
    Ok(body)
}
