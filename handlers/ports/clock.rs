//! Time and fresh ids, as a port: nothing else in the crate reads the system's clock or makes a random id.
//!
//! `SystemClock` is the real one; tests use `ManualClock`, which stands still until it is moved.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::model::time::Timestamp;

/// Wall-clock time and unique ids.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in UTC.
    fn now(&self) -> Timestamp;
    /// A fresh id: 32 lower-case hexadecimal characters.
    fn new_id(&self) -> String;
}

/// The system's clock and random version 4 UUIDs.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(chrono::Utc::now().timestamp_millis())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the port that makes ids")]
    fn new_id(&self) -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }
}

/// A clock that tests move by hand; its ids count up.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicI64,
    ids: AtomicU64,
}

impl ManualClock {
    /// A clock standing at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self { millis: AtomicI64::new(start.millis()), ids: AtomicU64::new(0) }
    }

    /// Moves the clock forward (or back, with a negative number of milliseconds).
    pub fn advance_millis(&self, by: i64) {
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }

    fn new_id(&self) -> String {
        format!("{:032x}", self.ids.fetch_add(1, Ordering::SeqCst))
    }
}
