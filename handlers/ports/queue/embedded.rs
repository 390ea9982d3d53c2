//! The embedded queue: one SQLite file instead of a broker, with the broker's rules.
//!
//! In: messages, durable when `send` returns, duplicates by id dropped for ten minutes. Out, for the local host:
//! deliveries under a lock with an owner token and an expiry, one at a time per lane, counted; after ten the message
//! goes to the dead letters. Several handles and processes may share the file: a lock whose owner died is given back by whoever
//! lives (`holder`), within a second or so, and where that cannot be told it runs out.
//! Fails with `Unavailable` where the file cannot be read or written.

mod holder;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::{Description, Message, Queue};
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;
use crate::ports::embedded::Embedded;
use holder::Holder;
use table::Side;

/// Deliveries of one message before it goes to the dead letters.
pub const MAX_DELIVERIES: u32 = 10;

/// How long an id is remembered for duplicate detection.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// How long the local host holds a message, renewed while it is worked on.
const LOCK: Duration = Duration::from_secs(60);

/// Time that one `send` may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often [`Changes`] looks for what other processes wrote.
const POLL: Duration = Duration::from_millis(50);

/// How often it is looked whose process is gone.
const GONE: Duration = Duration::from_secs(1);

/// The queue on one file; clones share everything.
#[derive(Clone)]
pub struct EmbeddedQueue {
    embedded: Embedded,
    clock: Arc<dyn Clock>,
    changed: watch::Sender<()>,
    held: Arc<Mutex<Held>>,
}

/// How an opener of the queue is known to the others.
#[derive(Debug, Default)]
struct Held {
    /// None until it takes its first message, and where files cannot be locked.
    holder: Option<Arc<Holder>>,
    asked: bool,
    /// When it last looked for those that are gone.
    looked: Option<Instant>,
}

impl std::fmt::Debug for EmbeddedQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedQueue")
    }
}

/// A message in the hands of one deliverer, until `locked_until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message as it was sent.
    pub message: Message,
    /// Position in the queue: grows with every message sent, over all lanes.
    pub sequence_number: i64,
    /// Proof of the lock; empty in a message that was only peeked at.
    pub lock_token: String,
    /// When the lock runs out unless renewed.
    pub locked_until: Timestamp,
    /// Which delivery this is, from 1. Goes on counting in the dead letters.
    pub delivery_count: u32,
    /// When the message entered the queue; for a scheduled one, when it fell due.
    pub enqueued_at: Timestamp,
    /// Why it is a dead letter, as a name: `MaxDeliveryCountExceeded`.
    pub dead_letter_reason: Option<String>,
    /// Why it is a dead letter, in words.
    pub dead_letter_description: Option<String>,
}

/// How many messages stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Due and not locked; those behind a locked message of their lane included.
    pub active: u64,
    /// Being delivered.
    pub locked: u64,
    /// Not yet due.
    pub scheduled: u64,
    /// Dead letters, locked or not.
    pub dead: u64,
    /// When the oldest message that is active or locked entered the queue.
    pub oldest: Option<Timestamp>,
}

impl QueueStats {
    /// Messages not yet done with, dead letters apart.
    pub const fn pending(&self) -> u64 {
        self.active + self.locked + self.scheduled
    }
}

impl EmbeddedQueue {
    /// Opens the queue on the file, making its tables where needed.
    pub fn open(embedded: Embedded, clock: Arc<dyn Clock>) -> Result<Self> {
        embedded.prepare(table::SCHEMA)?;
        Ok(Self { embedded, clock, changed: watch::Sender::new(()), held: Arc::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who we are to the others; none where files cannot be locked, and then our locks run out as they always did.
    async fn holder(&self) -> Option<Arc<Holder>> {
        {
            let held = self.held();
            if held.asked {
                return held.holder.clone();
            }
        }
        let this = self.clone();
        let made = spawn_blocking(move || {
            let mut held = this.held();
            if !std::mem::replace(&mut held.asked, true) {
                match Holder::new(this.embedded.path(), || this.clock.new_id()) {
                    Ok(holder) => held.holder = Some(Arc::new(holder)),
                    Err(e) => tracing::warn!(error = %e, "the embedded queue cannot tell who is alive: locks of a process that was killed run out"),
                }
            }
            held.holder.clone()
        });
        made.await.ok().flatten()
    }

    /// Gives back the locks of those that are gone, at most once a second; whether there were any.
    async fn free_gone(&self) -> Result<bool> {
        {
            let mut held = self.held();
            if held.looked.is_some_and(|at| at.elapsed() < GONE) {
                return Ok(false);
            }
            held.looked = Some(Instant::now());
        }
        let embedded = self.embedded.clone();
        let gone = spawn_blocking(move || holder::gone(embedded.path())).await.map_err(Error::internal)?;
        let gone = gone.unwrap_or_else(|e| {
            tracing::debug!(error = %e, "who holds locks on the embedded queue cannot be seen");
            Vec::new()
        });
        let mut freed = 0;
        for gone in gone {
            let name = gone.name.clone();
            freed += self.embedded.write(move |tx| table::free(tx, &name)).await?;
            gone.forget();
        }
        if freed > 0 {
            tracing::info!(freed, "messages that a process held when it ended are free again");
            self.changed.send_replace(());
        }
        Ok(freed > 0)
    }

    /// Takes all of these messages or none, as a batch of Service Bus.
    pub async fn send_all(&self, messages: Vec<Message>) -> Result<()> {
        messages.iter().try_for_each(Message::check)?;
        let clock = Arc::clone(&self.clock);
        let write = self.embedded.write(move |tx| {
            let now = clock.now();
            messages.iter().try_fold(false, |any, message| Ok(table::insert(tx, now, message, DUPLICATE_WINDOW)? || any))
        });
        if timeout(DEADLINE, write).await.map_err(|_| Error::deadline("the embedded queue", DEADLINE))?? {
            self.changed.send_replace(());
        }
        Ok(())
    }

    /// Locks up to `max` messages for `lock`, at most one per lane: the first of the lane that is due. A lane with a
    /// live lock is passed over. A message that has had its ten deliveries goes to the dead letters instead.
    pub async fn receive(&self, max: usize, lock: Duration) -> Result<Vec<Delivery>> {
        self.lock(Side::Live, max, lock).await
    }

    /// Locks up to `max` dead letters for `lock`, the oldest first. They have no lanes, and no number of deliveries
    /// takes them further: an abandoned one comes again.
    pub async fn receive_dead(&self, max: usize, lock: Duration) -> Result<Vec<Delivery>> {
        self.lock(Side::Dead, max, lock).await
    }

    async fn lock(&self, side: Side, max: usize, lock: Duration) -> Result<Vec<Delivery>> {
        self.free_gone().await?;
        let (clock, holder) = (Arc::clone(&self.clock), self.holder().await);
        let token = move |id: String| holder.as_ref().map_or_else(|| id.clone(), |holder| holder.token(&id));
        let work = move |tx: &rusqlite::Transaction<'_>| table::lock(tx, side, clock.now(), (max, lock), || token(clock.new_id()));
        let (taken, buried) = self.embedded.write(work).await?;
        if buried > 0 {
            self.changed.send_replace(());
        }
        Ok(taken)
    }

    /// Takes a delivered message off the queue. False, and no change, where the lock was lost.
    pub async fn complete(&self, delivery: &Delivery) -> Result<bool> {
        self.settle(delivery, table::complete).await
    }

    /// Gives a message back, to be delivered again at once; after its tenth delivery it goes to the dead letters.
    /// False, and no change, where the lock was lost.
    pub async fn abandon(&self, delivery: &Delivery) -> Result<bool> {
        self.settle(delivery, table::abandon).await
    }

    /// Holds the lock until `lock` from now. False, and no change, where it was lost.
    pub async fn renew(&self, delivery: &Delivery, lock: Duration) -> Result<bool> {
        let (clock, sequence, token) = (Arc::clone(&self.clock), delivery.sequence_number, delivery.lock_token.clone());
        self.embedded.write(move |tx| table::renew(tx, clock.now(), sequence, &token, lock)).await
    }

    async fn settle(&self, delivery: &Delivery, settle: fn(&rusqlite::Transaction<'_>, Timestamp, i64, &str) -> Result<bool>) -> Result<bool> {
        let (clock, sequence, token) = (Arc::clone(&self.clock), delivery.sequence_number, delivery.lock_token.clone());
        let held = self.embedded.write(move |tx| settle(tx, clock.now(), sequence, &token)).await?;
        if held {
            // The lane is free again: its next message may go out.
            self.changed.send_replace(());
        }
        Ok(held)
    }

    /// How many messages stand where.
    pub async fn stats(&self) -> Result<QueueStats> {
        let clock = Arc::clone(&self.clock);
        self.embedded.read(move |tx| table::stats(tx, clock.now())).await
    }

    /// The file behind it.
    pub fn file(&self) -> &Embedded {
        &self.embedded
    }

    /// Up to `max` dead letters, the oldest first, without locking them: they cannot be completed by this.
    pub async fn peek_dead(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut letters = self.embedded.read(move |tx| table::peek_dead(tx, max)).await?;
        for letter in &mut letters {
            letter.lock_token.clear();
        }
        Ok(letters)
    }

    /// Starts to watch for work. Whatever happens after this call is noticed, so: watch first, then receive until
    /// there is nothing, then wait with [`Changes::next`], then receive again.
    pub async fn changes(&self) -> Result<Changes> {
        let noticed = self.changed.subscribe();
        let looked_at = self.clock.now();
        let version = self.embedded.read_as_writer(table::data_version).await?;
        Ok(Changes { queue: self.clone(), noticed, version, looked_at })
    }
}

/// Tells a deliverer when a message may have become deliverable.
#[derive(Debug)]
pub struct Changes {
    queue: EmbeddedQueue,
    noticed: watch::Receiver<()>,
    version: i64,
    looked_at: Timestamp,
}

impl Changes {
    /// Waits until something may be deliverable that was not before: at once after a change through this handle or
    /// its clones; within 50 ms after a write by another process, a scheduled message's time or the end of a lock, and within
    /// about a second after the end of a process that held one. It
    /// returns after `at_most` in any case, and may return for nothing.
    pub async fn next(&mut self, at_most: Duration) -> Result<()> {
        let end = Instant::now() + at_most;
        loop {
            let pause = end.saturating_duration_since(Instant::now()).min(POLL);
            tokio::select! {
                // The sender lives in `self.queue`, so this ends with a change only.
                _ = self.noticed.changed() => return Ok(()),
                () = sleep(pause) => {}
            }
            if self.look().await? || self.queue.free_gone().await? || Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// True where another connection wrote or time made something deliverable since the last look.
    async fn look(&mut self) -> Result<bool> {
        let (clock, from) = (Arc::clone(&self.queue.clock), self.looked_at);
        let work = move |tx: &rusqlite::Transaction<'_>| {
            let now = clock.now();
            Ok((table::data_version(tx)?, table::ripened(tx, from, now)?, now))
        };
        let (version, ripened, now) = self.queue.embedded.read_as_writer(work).await?;
        let written = std::mem::replace(&mut self.version, version) != version;
        self.looked_at = now;
        Ok(written || ripened)
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn send(&self, message: &Message) -> Result<()> {
        self.send_all(vec![message.clone()]).await
    }

    async fn check(&self) -> Result<()> {
        timeout(DEADLINE, self.stats()).await.map_err(|_| Error::deadline("the embedded queue", DEADLINE))?.map(drop)
    }

    async fn describe(&self) -> Result<Description> {
        let stats = timeout(DEADLINE, self.stats()).await.map_err(|_| Error::deadline("the embedded queue", DEADLINE))??;
        Ok(Description {
            sessions: true,
            duplicate_window: Some(DUPLICATE_WINDOW),
            lock: LOCK,
            max_deliveries: MAX_DELIVERIES,
            life: None,
            active: stats.active + stats.locked,
            scheduled: stats.scheduled,
            dead: stats.dead,
        })
    }
}
