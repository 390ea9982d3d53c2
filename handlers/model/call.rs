//! A call as the state port keeps it: its session, and the changes that events make to it.

use std::collections::BTreeMap;

use super::ids::{CallId, UserId, UserToken};
use super::time::Timestamp;

/// Where a call stands. `Ended` is sticky: nothing leads out of it but the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStatus {
    /// Opened by something that overtook CallConnected.
    Provisional,
    /// CallConnected was taken.
    Connected,
    /// CallDisconnected, a failure to connect, or the idle limit ended it.
    Ended,
}

impl CallStatus {
    /// As it stands in the session hash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }

    /// Reads the session's field; anything unknown counts as provisional.
    pub fn parse(text: &str) -> Self {
        match text {
            "connected" => Self::Connected,
            "ended" => Self::Ended,
            _ => Self::Provisional,
        }
    }
}

/// Fields of the session hash. Times are milliseconds since 1970.
pub mod field {
    /// `provisional`, `connected` or `ended`.
    pub const STATUS: &str = "status";
    /// When the first thing was heard of the call.
    pub const OPENED_AT: &str = "openedAt";
    /// When it was connected, by the event's own time.
    pub const CONNECTED_AT: &str = "connectedAt";
    /// When it ended, by the event's own time.
    pub const ENDED_AT: &str = "endedAt";
    /// Why it ended.
    pub const END_REASON: &str = "endReason";
    /// When the last turn or event was taken.
    pub const LAST_ACTIVITY: &str = "lastActivity";
    /// Number of the last turn; turns are numbered from 1.
    pub const LAST_SEQ: &str = "lastSeq";
    /// ACS server call id.
    pub const SERVER_CALL_ID: &str = "serverCallId";
    /// ACS correlation id.
    pub const CORRELATION_ID: &str = "correlationId";
    /// `inbound` or `outbound`, where known.
    pub const DIRECTION: &str = "direction";
    /// The participants as ACS reported them last, JSON.
    pub const PARTICIPANTS: &str = "participants";
    /// Sequence number of that report.
    pub const PARTICIPANTS_SEQ: &str = "participantsSeq";
    /// The user that the context names.
    pub const USER: &str = "user";
    /// The user behind the first phone participant.
    pub const PHONE_USER: &str = "phoneUser";
    /// The wrapped key that the call's values are sealed with.
    pub const KEY: &str = "_key";
    /// Fields of events that say nothing of a person: ids, counts and words of ours.
    pub const CLEAR: [&str; 3] = [SERVER_CALL_ID, CORRELATION_ID, DIRECTION];
    /// Whether and how the call was looked for in the legacy layouts: `none` or `imported`.
    pub const LEGACY: &str = "_legacy";
}

/// The session hash of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// All fields as stored.
    pub fields: BTreeMap<String, String>,
}

impl Session {
    /// The session in these stored fields; none where there are none.
    pub fn from_fields(fields: BTreeMap<String, String>) -> Option<Self> {
        if fields.is_empty() { None } else { Some(Self { fields }) }
    }

    /// One field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// A field that holds a time.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.get(name)?.parse().ok().map(Timestamp::from_millis)
    }

    /// Where the call stands.
    pub fn status(&self) -> CallStatus {
        self.get(field::STATUS).map_or(CallStatus::Provisional, CallStatus::parse)
    }

    /// Number of the last turn, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.get(field::LAST_SEQ).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// The user: the one that the context names, else the first phone participant.
    pub fn user(&self) -> Option<UserId> {
        let text = self.get(field::USER).or_else(|| self.get(field::PHONE_USER))?;
        UserId::parse(text).ok()
    }

    /// The token of the user, where one is known.
    pub fn subject(&self) -> Option<UserToken> {
        UserToken::parse(self.user()?.as_str()).ok()
    }

    /// When the call began: connected, else first heard of.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.time(field::CONNECTED_AT).or_else(|| self.time(field::OPENED_AT))
    }

    /// True once the legacy layouts were looked at.
    pub fn legacy_checked(&self) -> bool {
        self.fields.contains_key(field::LEGACY)
    }
}

/// What an event does to its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connects it.
    Connect,
    /// Ends it for this reason and puts `callEnded` into the outbox.
    End {
        /// Why, such as `CallDisconnected`, `AnswerFailed`, `idle`.
        reason: String,
    },
    /// Replaces the participants, unless a later report was already taken.
    Participants {
        /// ACS's sequence number.
        sequence: i64,
        /// The participants, JSON.
        participants: String,
        /// The user behind the first phone participant.
        phone_user: Option<UserId>,
    },
    /// Only the fields.
    Note,
}

/// One event applied to one call: decided and done in one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallChange {
    /// The call.
    pub call: CallId,
    /// The event's id, for deduplication within the call; none for changes of our own.
    pub event_id: Option<String>,
    /// When it happened, by the event.
    pub at: Timestamp,
    /// When it is applied.
    pub now: Timestamp,
    /// What it does.
    pub effect: Effect,
    /// Session fields it sets.
    pub fields: Vec<(&'static str, String)>,
    /// The wrapped key of what is sealed here; none where nothing is.
    pub key: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// Its event id was taken before; nothing changed.
    Duplicate,
    /// The call had ended before: kept as a note where it carries fields, nothing revived.
    AlreadyEnded,
    /// The call is archived; nothing changed.
    Archived,
    /// The call's values are sealed under another key than the change's; nothing changed.
    Rekey,
}

/// A change's outcome with the session after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What became of it.
    pub outcome: Outcome,
    /// The session after it; none where the call is archived.
    pub session: Option<Session>,
}
