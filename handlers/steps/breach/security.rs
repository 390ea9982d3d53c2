//! Security events: what cannot happen by accident opens an incident by itself.
//!
//! Events of one kind within one clock hour join one incident. What may be a mistake counts only in bursts. The caller
//! never waits: the incident is written off its path, and what could not be written is tried again with the next event
//! and with the next tick of BreachClock.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{body, stored};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::audit::{Actor, Note};
use crate::ports::documents::{Condition, Container, Put};
use crate::privacy::breach::{Breach, Given, State};
use crate::telemetry::label::{AuthSource, Only, SecurityKind};
use crate::telemetry::metric::{AUDIT_BREAKS, AUTH_FAILURES, SECURITY_EVENTS};

/// How often an incident is written while events keep coming.
const PACE: Duration = Duration::from_secs(10);
/// Milliseconds within which a burst must come.
const BURST: i64 = 300_000;
/// Tries of a change that others keep overtaking.
const TRIES: u32 = 10;
/// How errors call the service that holds the root key.
const KEYS: &str = "Key Vault";
/// Most characters of what is told of an event.
const FACTS: usize = 200;

/// Kinds of security events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityEvent {
    /// A token that is not the holder's.
    BadToken,
    /// A sealed value that is not what was sealed at its place.
    Envelope,
    /// Something from before came back where it cannot by accident: what was sealed for an older revision of a turn, or what
    /// an erasure had removed. A copy of what is still there is none: queues and callers repeat themselves.
    Replay,
    /// A key was refused to us, or to somebody who had no right to it.
    KeyDenied,
    /// The audit log is not as it was written.
    AuditBreak,
}

impl SecurityEvent {
    const ALL: [Self; 5] = [Self::BadToken, Self::Envelope, Self::Replay, Self::KeyDenied, Self::AuditBreak];

    /// As it stands in ids and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadToken => "bad-token",
            Self::Envelope => "envelope",
            Self::Replay => "replay",
            Self::KeyDenied => "key-denied",
            Self::AuditBreak => "audit-break",
        }
    }

    const fn counted(self) -> SecurityKind {
        match self {
            Self::BadToken => SecurityKind::BadToken,
            Self::Envelope => SecurityKind::Envelope,
            Self::Replay => SecurityKind::Replay,
            Self::KeyDenied => SecurityKind::KeyDenied,
            Self::AuditBreak => SecurityKind::AuditBreak,
        }
    }

    /// How many within five minutes make an incident.
    const fn burst(self) -> usize {
        match self {
            Self::BadToken => 10,
            Self::Envelope | Self::Replay | Self::KeyDenied | Self::AuditBreak => 1,
        }
    }

    const fn nature(self) -> &'static str {
        match self {
            Self::BadToken => "Tokens that are not their holders' were tried in a burst.",
            Self::Envelope => "Sealed values were not what was sealed at their place.",
            Self::Replay => "Something from before came back where it cannot by accident.",
            Self::KeyDenied => "Access to a key was refused.",
            Self::AuditBreak => "The audit log is not as it was written.",
        }
    }
}

/// What a process remembers of security events.
#[derive(Debug, Default)]
pub struct Watch {
    kinds: Mutex<HashMap<SecurityEvent, Recent>>,
    /// Breaks of the audit log that were taken over from its writer.
    breaks: AtomicU64,
}

#[derive(Debug, Default)]
struct Recent {
    /// Times of those that made no burst yet.
    singles: VecDeque<Timestamp>,
    /// Events that no incident holds yet, and what is told of the last of them.
    pending: u64,
    facts: String,
    written: Option<Instant>,
}

impl Watch {
    fn with<T>(&self, kind: SecurityEvent, work: impl FnOnce(&mut Recent) -> T) -> T {
        work(self.kinds.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default())
    }

    /// Counts one event; true where an incident is to be written now.
    fn count(&self, kind: SecurityEvent, now: Timestamp, facts: &str) -> bool {
        self.with(kind, |recent| {
            facts[..facts.floor_char_boundary(FACTS)].clone_into(&mut recent.facts);
            recent.singles.push_back(now);
            while recent.singles.front().is_some_and(|first| now.since(*first) > BURST) {
                recent.singles.pop_front();
            }
            if recent.singles.len() < kind.burst() && recent.pending == 0 {
                return false;
            }
            recent.pending += recent.singles.len() as u64;
            recent.singles.clear();
            recent.written.is_none_or(|at| at.elapsed() >= PACE)
        })
    }

    fn take(&self, kind: SecurityEvent) -> Option<(u64, String)> {
        self.with(kind, |recent| {
            let count = std::mem::take(&mut recent.pending);
            recent.written = Some(Instant::now());
            (count > 0).then(|| (count, recent.facts.clone()))
        })
    }

    fn give_back(&self, kind: SecurityEvent, count: u64) {
        self.with(kind, |recent| {
            recent.pending += count;
            recent.written = None;
        });
    }
}

/// Something happened that should not. `facts` say what, in words of ours: never a value, an id or a caller's words.
pub fn security_event(app: &App, kind: SecurityEvent, facts: &str) {
    app.metrics.count(SECURITY_EVENTS, kind.counted());
    match kind {
        SecurityEvent::BadToken => app.metrics.count(AUTH_FAILURES, AuthSource::Token),
        // What a dependency does not accept counts where it was asked.
        SecurityEvent::KeyDenied | SecurityEvent::Envelope | SecurityEvent::Replay | SecurityEvent::AuditBreak => {}
    }
    tracing::error!(security_event = kind.name(), facts, "a security event");
    if app.security.count(kind, app.clock.now(), facts) {
        let this = app.clone();
        app.spawn(async move {
            if let Err(e) = write(&this, kind).await {
                tracing::error!(security_event = kind.name(), error = e.chain(), page = true, "an incident was not written; trying again later");
            }
        });
    }
}

/// The same for whoever can wait, such as a command that ends: the id of the incident.
pub async fn reported(app: &App, kind: SecurityEvent, facts: &str) -> Result<Option<String>> {
    app.metrics.count(SECURITY_EVENTS, kind.counted());
    app.security.count(kind, app.clock.now(), facts);
    write(app, kind).await
}

/// Looks at how an invocation ended, and takes over what the vault refused since the last look.
pub fn watch<T>(app: &App, result: &Result<T>) {
    if let Err(e) = result
        && e.kind == Kind::Denied
        && e.detail.starts_with(KEYS)
    {
        security_event(app, SecurityEvent::KeyDenied, "the service of the root key refused us");
    }

    for refusal in app.vault.refused().drain() {
        let (kind, what) = match refusal.replayed {
            true => (SecurityEvent::Replay, "an older value was put back"),
            false => (SecurityEvent::Envelope, "a value was refused"),
        };
        security_event(app, kind, &format!("{what}: {} {}", refusal.store, refusal.field));
    }
}

/// Takes over what the writer of the audit log has found since the last look, which knows of no incidents.
pub fn look_at_audit(app: &App) {
    let breaks = app.metrics.total(AUDIT_BREAKS, Only);
    for _ in app.security.breaks.swap(breaks, Ordering::Relaxed)..breaks {
        security_event(app, SecurityEvent::AuditBreak, "somebody else wrote into an audit stream of ours");
    }
}

/// Writes what is pending of all kinds.
pub async fn pending(app: &App) -> Result<()> {
    for kind in SecurityEvent::ALL {
        write(app, kind).await?;
    }
    Ok(())
}

async fn write(app: &App, kind: SecurityEvent) -> Result<Option<String>> {
    let Some((count, facts)) = app.security.take(kind) else { return Ok(None) };
    let result = incident(app, kind, count, &facts).await;
    if result.is_err() {
        app.security.give_back(kind, count);
    }
    result.map(Some)
}

/// Opens the incident of this hour, or joins it. One that was closed meanwhile is followed by another.
async fn incident(app: &App, kind: SecurityEvent, count: u64, facts: &str) -> Result<String> {
    let now = app.clock.now();
    let hour = now.utc().format("%Y%m%d%H");
    let (mut sequel, mut id) = (1, format!("inc-{}-{hour}", kind.name()));
    for _ in 0..TRIES {
        let put = match stored(app, &id).await? {
            None => app.documents.put(Container::Breaches, &body(&opened(id.clone(), kind, count, facts, now)?)?, Condition::Absent).await?,
            Some((breach, _)) if breach.state == State::Closed => {
                sequel += 1;
                id = format!("inc-{}-{hour}-{sequel}", kind.name());
                continue;
            }
            Some((mut breach, etag)) => {
                breach.join(count, now, facts);
                app.documents.put(Container::Breaches, &body(&breach)?, Condition::Matches(&etag)).await?
            }
        };
        if let Put::Done(_) = put {
            let note = Note::new(format!("security.{}", kind.name())).actor(Actor::System).named(format!("breach:{id}")).count(count);
            app.audit.note(note).await?;
            return Ok(id);
        }
    }
    Err(Error::new(Kind::Throttled, "the incident is being changed by too many at once"))
}

fn opened(id: String, kind: SecurityEvent, count: u64, facts: &str, now: Timestamp) -> Result<Breach> {
    let mut breach = Breach::detected(id, &format!("security:{}", kind.name()), now, now, super::SYSTEM);
    let Value::Object(fields) = json!({ "nature": kind.nature() }) else { return Ok(breach) };
    breach.facts.merge(&mut Given::new(fields))?;
    breach.join(count, now, facts);
    Ok(breach)
}
