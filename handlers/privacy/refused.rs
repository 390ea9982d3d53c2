//! What was refused: sealed values and wraps that are not what was sealed at their place.
//!
//! Each is one security event in the log, without any value, and is counted here; whoever watches for breaches drains the
//! last of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Kind};

/// Most refusals that are kept until somebody drains them; older ones are counted alone.
const KEPT: usize = 256;

/// One refused value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `redis`, `cosmos`, `queue`, or `wrap` and `keys` for a key itself.
    pub store: &'static str,
    /// Which value of its document, hash or message.
    pub field: String,
    /// Whose it claimed to be: a token or a call id.
    pub subject: String,
    /// True where it is what was sealed there for an older revision: only somebody who kept it can have put it back.
    pub replayed: bool,
}

/// Counts refusals; one for the whole process.
#[derive(Debug, Default)]
pub struct Refusals {
    count: AtomicU64,
    last: Mutex<VecDeque<Refusal>>,
}

impl Refusals {
    /// Refusals since the process began.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes the refusals since the last drain, at most the last 256, oldest first.
    pub fn drain(&self) -> Vec<Refusal> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Notes a refusal: `Tampered`.
    pub fn refuse(&self, store: &'static str, field: &str, subject: &str) -> Error {
        self.noted(store, field, subject, false)
    }

    /// The same for a value that was sealed for an older revision of what it was put for.
    pub fn refuse_replay(&self, store: &'static str, field: &str, subject: &str) -> Error {
        self.noted(store, field, subject, true)
    }

    fn noted(&self, store: &'static str, field: &str, subject: &str, replayed: bool) -> Error {
        tracing::error!(security_event = "envelope_refused", store, field, replayed, "a sealed value was refused");
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(Refusal { store, field: field.to_owned(), subject: subject.to_owned(), replayed });
        Error::new(Kind::Tampered, "a stored value is not what was stored there")
    }
}
