//! Notices a connection on which nothing is answered any more, though nobody has ended it.
//!
//! A firewall or a load balancer that forgets a connection, and a server that ends it while the news is lost, leave a socket to
//! which one can write for many minutes. The client takes time-outs for a slow server and keeps it. In: how each operation
//! ended. Out: that the connection is to be made anew.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::link::CONNECT;
use crate::error::{Kind, Result};

/// Operations without an answer after which a connection counts as dead.
const UNANSWERED: u32 = 3;
/// How long they are remembered.
const REMEMBERED: Duration = Duration::from_secs(10);

/// What was not answered of late.
#[derive(Debug)]
pub(super) struct Silence {
    /// Whether the connections to several nodes stand behind it: the answer of one says nothing of the others.
    many: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    unanswered: u32,
    since: Option<Instant>,
    /// When the connection was made: it has its time for a handshake.
    made: Option<Instant>,
}

impl Silence {
    pub(super) fn new(many: bool) -> Self {
        Self { many, inner: Mutex::default() }
    }

    /// Notes that a connection is made.
    pub(super) fn begins(&self) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = Inner { made: Some(Instant::now()), ..Inner::default() };
    }

    /// Notes how an operation ended; true where the connection is to be made anew, which is told once.
    pub(super) fn record<T>(&self, result: &Result<T>) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(result, Err(e) if e.kind == Kind::Deadline) {
            if !self.many {
                inner.unanswered = 0;
            }
            return false;
        }
        let now = Instant::now();
        if inner.made.is_some_and(|made| now - made < CONNECT) {
            return false;
        }
        if inner.unanswered == 0 || inner.since.is_none_or(|since| now - since > REMEMBERED) {
            (inner.unanswered, inner.since) = (0, Some(now));
        }
        inner.unanswered += 1;
        if inner.unanswered < UNANSWERED {
            return false;
        }
        *inner = Inner { made: Some(now), ..Inner::default() };
        true
    }
}
