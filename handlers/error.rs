//! What went wrong, and what follows from it.
//!
//! Owns `Error` and one table: kind -> HTTP status, disposition, log level, metric, page. The `detail` of an error
//! is safe to show to a client and never holds a secret or a caller's words; the `source` stays in the log.

use std::time::Duration;

/// A failure with everything its handler needs to decide what to do.
#[derive(Debug, thiserror::Error)]
#[error("{kind:?}: {detail}")]
pub struct Error {
    /// What sort of failure it is; decides status, retry and level.
    pub kind: Kind,
    /// One sentence for the client; no internals, nothing personal.
    pub detail: String,
    /// The input field at fault, where there is one.
    pub field: Option<String>,
    /// When to come back, for `Kind::Unavailable` and `Kind::Throttled`.
    pub retry_after: Option<Duration>,
    /// The underlying failure, for the log alone.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result type of the whole crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The sorts of failure; each has one row in [`Kind::row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The input breaks a rule; `field` names it.
    BadInput,
    /// No such resource or path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The state does not allow it (a claim held by another, a locked state).
    Conflict,
    /// The call has ended or is archived.
    CallEnded,
    /// An `If-Match` that no longer matches.
    PreconditionFailed,
    /// A body that did not arrive within its time.
    Slow,
    /// A body above its limit.
    TooLarge,
    /// A content type that is not understood.
    UnsupportedMedia,
    /// A dependency is out of reach or failing; trying again may help.
    Unavailable,
    /// A dependency asked for patience.
    Throttled,
    /// A dependency refused our identity or rights.
    Denied,
    /// The deadline passed; the effect may have happened.
    Deadline,
    /// A queue message that can never be read.
    Poison,
    /// What was asked for was erased: its key is gone, and with it every copy of the value.
    Erased,
    /// A stored value is not what was stored there: moved, cut, flipped or foreign. A security event, and never our client's fault.
    Tampered,
    /// A setting is missing, wrong or contradictory.
    Setting,
    /// A defect of ours or a broken answer.
    Internal,
}

/// What the caller of a failed operation should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Try again later: nothing is wrong with the input.
    Retry,
    /// The input is at fault; trying again cannot help.
    Reject,
    /// Neither: someone must look.
    Fail,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// HTTP status of the answer.
    pub status: u16,
    /// Stable last segment of the problem's `type`.
    pub slug: &'static str,
    /// Title of the problem.
    pub title: &'static str,
    /// What follows for the operation.
    pub disposition: Disposition,
    /// Level of the log line.
    pub level: tracing::Level,
    /// Name of the counter.
    pub metric: &'static str,
    /// Whether it should wake somebody.
    pub page: bool,
}

impl Kind {
    /// The table. A new kind does not compile until it has a row.
    pub const fn row(self) -> Row {
        use Disposition::{Fail, Reject, Retry};
        use tracing::Level;
        const fn row(status: u16, slug: &'static str, title: &'static str, disposition: Disposition, level: Level, metric: &'static str, page: bool) -> Row {
            Row { status, slug, title, disposition, level, metric, page }
        }
        match self {
            Self::BadInput => row(400, "bad-input", "Bad input", Reject, Level::INFO, "error.bad_input", false),
            Self::NotFound => row(404, "not-found", "Not found", Reject, Level::INFO, "error.not_found", false),
            Self::MethodNotAllowed => row(405, "method-not-allowed", "Method not allowed", Reject, Level::INFO, "error.method", false),
            Self::Conflict => row(409, "conflict", "Conflict", Reject, Level::INFO, "error.conflict", false),
            Self::CallEnded => row(409, "call-ended", "Call ended", Reject, Level::INFO, "error.call_ended", false),
            Self::PreconditionFailed => row(412, "precondition-failed", "Precondition failed", Reject, Level::INFO, "error.precondition", false),
            Self::Slow => row(408, "slow-body", "Request timeout", Reject, Level::INFO, "error.slow_body", false),
            Self::TooLarge => row(413, "too-large", "Too large", Reject, Level::INFO, "error.too_large", false),
            Self::UnsupportedMedia => row(415, "unsupported-media-type", "Unsupported media type", Reject, Level::INFO, "error.media_type", false),
            Self::Unavailable => row(503, "unavailable", "Temporarily unavailable", Retry, Level::WARN, "error.unavailable", false),
            Self::Throttled => row(503, "throttled", "Temporarily overloaded", Retry, Level::WARN, "error.throttled", false),
            Self::Denied => row(503, "dependency-denied", "Temporarily unavailable", Retry, Level::ERROR, "error.denied", true),
            Self::Deadline => row(503, "deadline", "Deadline passed", Retry, Level::WARN, "error.deadline", false),
            Self::Poison => row(500, "unreadable-message", "Unreadable message", Reject, Level::ERROR, "error.poison", false),
            Self::Erased => row(410, "erased", "Erased", Reject, Level::INFO, "error.erased", false),
            Self::Tampered => row(500, "refused-value", "Refused value", Fail, Level::ERROR, "error.tampered", true),
            Self::Setting => row(500, "setting", "Wrong setting", Fail, Level::ERROR, "error.setting", true),
            Self::Internal => row(500, "internal", "Internal error", Fail, Level::ERROR, "error.internal", true),
        }
    }

    /// True where trying again later may help.
    pub fn is_transient(self) -> bool {
        self.row().disposition == Disposition::Retry
    }
}

impl Error {
    /// An error of this kind; `detail` must be safe to show.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, retry_after: None, source: None }
    }

    /// Bad input at a named field: `detail` says what is allowed.
    pub fn input(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Kind::BadInput, detail) }
    }

    /// A dependency out of reach, with the reason for the log.
    pub fn unavailable(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Unavailable, format!("{what} is out of reach")).because(source)
    }

    /// A dependency that did not answer within its deadline.
    pub fn deadline(what: &str, limit: Duration) -> Self {
        Self::new(Kind::Deadline, format!("{what} did not answer within {} ms", limit.as_millis()))
    }

    /// A defect of ours, with the reason for the log.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "something failed on our side").because(source)
    }

    /// Keeps the underlying failure for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the field at fault.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// True where trying again later may help.
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }

    /// The whole chain of reasons in one line, for the log.
    pub fn chain(&self) -> String {
        let mut line = self.detail.clone();
        let mut next: Option<&(dyn std::error::Error + 'static)> = self.source.as_deref().map(|e| e as _);
        while let Some(reason) = next {
            line.push_str(": ");
            line.push_str(&reason.to_string());
            next = reason.source();
        }
        line
    }
}
