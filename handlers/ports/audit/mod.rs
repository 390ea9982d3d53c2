//! Writing the audit log: whatever touches personal data notes it here, and one task writes it down.
//!
//! In: [`Note`]s, into a bounded queue in memory, which costs their senders about a microsecond. Out: batches in the
//! container `audit`, at most a second later, and signed heads at most 60 s apart. While the record is away the notes
//! wait; when the queue is full, operations on personal data wait for room and then fail with `Unavailable`, and
//! what holds nothing personal is left out and counted. A process that is killed loses at most the last second.

mod chain;
mod keys;
mod note;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::{Error, Kind, Result};
use crate::ports::clock::Clock;
use crate::ports::documents::Documents;
use crate::ports::running;
use crate::privacy::audit::Key;
use crate::privacy::vault::Vault;
use crate::telemetry::Metrics;
pub use keys::Keys;
pub use note::{Actor, Note, Touched};

/// Notes that wait at most; about 25 MB.
const QUEUE: usize = 100_000;
/// How long an operation on personal data waits for room.
const ROOM: Duration = Duration::from_millis(500);
/// How long a flush may take.
const FLUSH: Duration = Duration::from_secs(5);

/// Who has the keys of the log.
#[async_trait]
pub trait AuditKeys: Send + Sync + 'static {
    /// The keys, the one to sign with first. Errors: `Unavailable` and `Denied` where they cannot be had now.
    async fn keys(&self) -> Result<Vec<Key>>;
}

/// Keys that are there.
#[async_trait]
impl AuditKeys for Vec<Key> {
    async fn keys(&self) -> Result<Vec<Key>> {
        Ok(self.clone())
    }
}

/// The key that the vault derives for the log.
#[async_trait]
impl AuditKeys for Vault {
    async fn keys(&self) -> Result<Vec<Key>> {
        Ok(vec![Key::new(&self.audit_key().await?)])
    }
}

/// What the log needs.
pub struct Parts {
    /// Where it is written.
    pub documents: Arc<dyn Documents>,
    /// What signs it.
    pub keys: Arc<dyn AuditKeys>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Share of the impersonal that is noted, 0 to 1.
    pub sample: f64,
    /// Days for which it is kept.
    pub days: u32,
    /// Notes that wait at most; none for the usual 100,000.
    pub queue: Option<usize>,
    /// Where somebody else's writing is counted.
    pub metrics: Arc<Metrics>,
}

/// The audit log of this process; clones share it.
#[derive(Clone, Default)]
pub struct Audit {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    sender: mpsc::Sender<Message>,
    /// Taken by the writer, which starts with the first note.
    idle: Mutex<Option<(mpsc::Receiver<Message>, writer::Parts)>>,
    started: OnceLock<()>,
    clock: Arc<dyn Clock>,
    keys: Arc<dyn AuditKeys>,
    actor: OnceLock<Actor>,
    sample: f64,
    turns: AtomicU64,
    left_out: Arc<AtomicU64>,
    /// Wakes the writer before its time.
    hurry: Arc<Notify>,
}

#[expect(clippy::large_enum_variant, reason = "nearly all messages are notes")]
pub(super) enum Message {
    Note(Note),
    /// Everything before it must be written; then this is answered. True closes the stream.
    Flush(bool, oneshot::Sender<()>),
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.shared.is_some() { "Audit" } else { "Audit(off)" })
    }
}

impl Audit {
    /// No log at all: for measurements, and for parts that are tested alone.
    pub const fn off() -> Self {
        Self { shared: None }
    }

    /// A log in these documents. Nothing is sent before the first note.
    pub fn new(parts: Parts) -> Self {
        let (sender, receiver) = mpsc::channel(parts.queue.unwrap_or(QUEUE).max(1));
        let (left_out, hurry) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let writer = writer::Parts {
            documents: parts.documents,
            keys: Arc::clone(&parts.keys),
            clock: Arc::clone(&parts.clock),
            days: parts.days,
            left_out: Arc::clone(&left_out),
            metrics: parts.metrics,
            hurry: Arc::clone(&hurry),
        };
        let shared = Shared {
            sender,
            idle: Mutex::new(Some((receiver, writer))),
            started: OnceLock::new(),
            clock: parts.clock,
            keys: parts.keys,
            actor: OnceLock::new(),
            sample: parts.sample,
            turns: AtomicU64::new(0),
            left_out,
            hurry,
        };
        Self { shared: Some(Arc::new(shared)) }
    }

    /// Whether anything is noted.
    pub const fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Who acts where no invocation runs; `system` unless it is said once.
    pub fn acting_as(&self, actor: Actor) {
        if let Some(shared) = &self.shared {
            // The first word stands.
            let _ = shared.actor.set(actor);
        }
    }

    /// The keys of the log, for its verification; none where it is off.
    pub async fn keys(&self) -> Result<Vec<Key>> {
        match &self.shared {
            Some(shared) => shared.keys.keys().await,
            None => Ok(Vec::new()),
        }
    }

    /// Notes that were left out for want of room since the start.
    pub fn left_out(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.left_out.load(Ordering::Relaxed))
    }

    /// Makes room for a note before the operation that it tells of. On personal data it waits, and fails with
    /// `Unavailable` where there is none: then the operation must not happen.
    pub async fn room(&self, personal: bool) -> Result<Room<'_>> {
        let Some(shared) = &self.shared else { return Ok(Room { permit: None, shared: None }) };
        shared.start();
        let permit = match shared.sender.try_reserve() {
            Ok(permit) => Some(permit),
            Err(mpsc::error::TrySendError::Full(())) if personal => Some(shared.wait().await?),
            Err(mpsc::error::TrySendError::Closed(())) if personal => return Err(full("the audit log is closed")),
            Err(_) => {
                shared.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        Ok(Room { permit, shared: Some(shared) })
    }

    /// Room for a note that is there at once; none where its maker must wait, or do without. What is not used is given back.
    pub fn room_now(&self) -> Option<Room<'_>> {
        let shared = self.shared.as_ref()?;
        shared.start();
        shared.sender.try_reserve().ok().map(|permit| Room { permit: Some(permit), shared: Some(shared) })
    }

    /// Notes one thing. Errors as [`Audit::room`]; what is not personal never fails and is sampled as the settings say.
    pub async fn note(&self, note: Note) -> Result<()> {
        if !note.personal && !self.is_sampled() {
            return Ok(());
        }
        self.room(note.personal).await?.note(note);
        Ok(())
    }

    /// Notes one thing and waits until it is written: for what an operator is about to see.
    pub async fn written(&self, note: Note) -> Result<()> {
        self.note(note).await?;
        self.flush().await
    }

    /// Whether the next impersonal operation is to be noted.
    pub fn is_sampled(&self) -> bool {
        let Some(shared) = &self.shared else { return false };
        if shared.sample >= 1.0 {
            return true;
        }
        // The n-th is taken where the share of n passes a whole number: evenly spread, without randomness.
        let n = shared.turns.fetch_add(1, Ordering::Relaxed) as f64;
        ((n + 1.0) * shared.sample).floor() > (n * shared.sample).floor()
    }

    /// Waits until everything noted so far is written. `Unavailable` where that takes longer than 5 s.
    pub async fn flush(&self) -> Result<()> {
        self.drained(false).await
    }

    /// Writes everything and closes the stream; what is noted afterwards opens another one. Does nothing where nothing was noted.
    pub async fn close(&self) -> Result<()> {
        self.drained(true).await
    }

    async fn drained(&self, close: bool) -> Result<()> {
        let Some(shared) = self.shared.as_ref().filter(|shared| shared.started.get().is_some()) else { return Ok(()) };
        let (answer, answered) = oneshot::channel();
        let work = async {
            // The queue may be full: then the writer must not sleep either.
            shared.hurry.notify_one();
            let sent = shared.sender.send(Message::Flush(close, answer)).await.is_ok();
            shared.hurry.notify_one();
            sent && answered.await.is_ok()
        };
        match tokio::time::timeout(FLUSH, work).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::internal("the writer of the audit log has ended")),
            Err(_) => Err(full("the audit log was not written in time")),
        }
    }
}

fn full(reason: &'static str) -> Error {
    Error::new(Kind::Unavailable, "the audit log takes nothing now").because(reason).retry_after(Duration::from_secs(1))
}

impl Shared {
    fn start(self: &Arc<Self>) {
        self.started.get_or_init(|| {
            if let Some((receiver, parts)) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take() {
                tokio::spawn(writer::run(receiver, parts));
            }
        });
    }

    async fn wait(&self) -> Result<mpsc::Permit<'_, Message>> {
        self.hurry.notify_one();
        match tokio::time::timeout(ROOM, self.sender.reserve()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(full("the audit log is closed")),
            Err(_) => Err(full("the queue of the audit log is full")),
        }
    }
}

/// Room for one note. Dropped unused it is given back.
pub struct Room<'a> {
    permit: Option<mpsc::Permit<'a, Message>>,
    shared: Option<&'a Arc<Shared>>,
}

impl std::fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

impl Room<'_> {
    /// Uses the room.
    pub fn note(self, mut note: Note) {
        let (Some(permit), Some(shared)) = (self.permit, self.shared) else { return };
        note.at.get_or_insert_with(|| shared.clock.now());
        if note.actor.is_none() || note.correlation.is_none() {
            match running::current() {
                Some(running) => {
                    note.actor.get_or_insert(Actor::Function(running.function()));
                    note.correlation = note.correlation.or_else(|| running.correlation());
                }
                None => drop(note.actor.get_or_insert_with(|| shared.actor.get().cloned().unwrap_or(Actor::System))),
            }
        }
        permit.send(Message::Note(note));
        let waiting = shared.sender.max_capacity() - shared.sender.capacity();
        if waiting >= writer::BATCH || 2 * waiting >= shared.sender.max_capacity() {
            shared.hurry.notify_one();
        }
    }
}
