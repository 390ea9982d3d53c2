//! One thing that the doctor has looked at: how it is, and where it is not well, why and how that is mended.

use serde::Serialize;

/// How it is; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
    /// It is well.
    Ok,
    /// It works, and should be changed.
    Warning,
    /// It does not work, or will not for long.
    Fault,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}

/// One finding. Nothing in it is secret or personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `state.clock`.
    pub check: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// Why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// It is well.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), cause: None, fix: None }
    }

    /// There is nothing to look at, or no right to.
    pub fn skipped(check: &'static str, found: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::ok(check, found) }
    }

    /// It should be changed.
    pub fn warning(check: &'static str, found: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Warning, cause: Some(cause.into()), fix: Some(fix.into()), ..Self::ok(check, found) }
    }

    /// It does not work.
    pub fn fault(check: &'static str, found: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Fault, ..Self::warning(check, found, cause, fix) }
    }

    /// A fault where production's rules hold, else a warning.
    #[must_use]
    pub fn softened(self, guarded: bool) -> Self {
        if guarded { self } else { Self { status: self.status.min(Status::Warning), ..self } }
    }
}
