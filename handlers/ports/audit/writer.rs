//! The task that writes the log: it gathers notes for less than a second, chains and signs them, and writes them until
//! the record has taken them. A head follows at most 60 s behind, at the end of the day and when the log is closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::chain::Chain;
use super::note::Note;
use super::{AuditKeys, Message};
use crate::error::{Error, Kind, Result};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::documents::{Condition, Container, Documents, Put, Written};
use crate::privacy::audit::{Batch, HEAD, Head, Key, REGISTER, Register, Registration};
use crate::telemetry::Metrics;
use crate::telemetry::label::Only;
use crate::telemetry::metric::AUDIT_BREAKS;

/// How long notes are gathered: with its write an entry stands in the record a second after it happened.
const GATHER: Duration = Duration::from_millis(700);
/// Calls whose users are remembered.
const TIES: usize = 20_000;
/// Most entries of one document.
pub(super) const BATCH: usize = 500;
/// How far a head may be behind.
const HEADS: Duration = Duration::from_secs(60);
/// Pauses between tries, doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Tries once nobody can note anything any more.
const LAST_TRIES: u32 = 5;
/// Tries to get into the register, where others are faster.
const REGISTRATIONS: u32 = 50;

/// What the writer works with.
pub(super) struct Parts {
    pub documents: Arc<dyn Documents>,
    pub keys: Arc<dyn AuditKeys>,
    pub clock: Arc<dyn Clock>,
    /// Days for which the log is kept.
    pub days: u32,
    pub left_out: Arc<AtomicU64>,
    pub metrics: Arc<Metrics>,
    /// Somebody waits, or a batch is full.
    pub hurry: Arc<Notify>,
}

struct Writer {
    parts: Parts,
    /// The first head of a stream that is being opened, so that every try writes the same.
    opening: Option<(Head, Key, String)>,
    chain: Option<Chain>,
    headed: Instant,
    told: u64,
    ties: Ties,
}

/// Writes until all senders are gone.
pub(super) async fn run(mut receiver: mpsc::Receiver<Message>, parts: Parts) {
    let hurry = Arc::clone(&parts.hurry);
    let mut writer = Writer { parts, opening: None, chain: None, headed: Instant::now(), told: 0, ties: Ties::default() };
    loop {
        let first = match writer.head_due() {
            Some(due) => match tokio::time::timeout_at(due, receiver.recv()).await {
                Ok(message) => message,
                Err(_) => {
                    writer.head_now(false, &receiver).await;
                    continue;
                }
            },
            None => receiver.recv().await,
        };
        let Some(first) = first else {
            writer.head_now(true, &receiver).await;
            return;
        };
        let (notes, flush) = gather(first, &mut receiver, &hurry).await;
        writer.write(notes, &receiver).await;
        if let Some((close, answer)) = flush {
            if close {
                writer.head_now(true, &receiver).await;
            }
            // Whoever asked may have stopped waiting.
            let _ = answer.send(());
        }
    }
}

/// Whose calls this process has heard of, from what was noted: so that nearly every entry of a call names its person.
#[derive(Default)]
struct Ties(HashMap<Box<str>, Box<str>>);

impl Ties {
    fn learn_or_tell(&mut self, note: &mut Note) {
        let (call, person): (Box<str>, Box<str>) = match (&note.calls()[..], note.person()) {
            ([call], Some(person)) => ((*call).into(), person.into()),
            ([call], None) => {
                let person = self.0.get(*call).cloned();
                note.subject = person;
                return;
            }
            _ => return,
        };
        if self.0.len() >= TIES {
            // What is forgotten is told again by the record: the archive of a call names its user.
            self.0.clear();
        }
        self.0.insert(call, person);
    }
}

type Flush = (bool, oneshot::Sender<()>);

/// What comes within a moment, up to a full batch or to somebody who waits. It sleeps meanwhile: a note that woke it would
/// take a core from the very operation that it tells of.
async fn gather(first: Message, receiver: &mut mpsc::Receiver<Message>, hurry: &Notify) -> (Vec<Note>, Option<Flush>) {
    let until = Instant::now() + GATHER;
    let (mut notes, mut weight) = (Vec::new(), 0);
    let mut next = Some(first);
    loop {
        while let Some(message) = next {
            match message {
                Message::Note(note) => {
                    weight += note.weight();
                    notes.push(note);
                }
                Message::Flush(close, answer) => return (notes, Some((close, answer))),
            }
            if weight >= BATCH {
                return (notes, None);
            }
            next = receiver.try_recv().ok();
        }
        if receiver.is_closed() || Instant::now() >= until {
            return (notes, None);
        }
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = hurry.notified() => {}
        }
        next = receiver.try_recv().ok();
    }
}

impl Writer {
    fn head_due(&self) -> Option<Instant> {
        self.chain.as_ref().filter(|chain| chain.is_ahead()).map(|_| self.headed + HEADS)
    }

    /// Writes notes until the record has them; gives up only where the process ends and the record is away.
    async fn write(&mut self, mut notes: Vec<Note>, receiver: &mpsc::Receiver<Message>) {
        let left_out = self.parts.left_out.load(Ordering::Relaxed);
        if left_out > self.told {
            let mut note = Note::new("audit.left_out").count(left_out - self.told);
            note.at = Some(self.parts.clock.now());
            notes.push(note);
            self.told = left_out;
        }
        if notes.is_empty() {
            return;
        }
        // Once, before the first try: every try must write the same.
        notes.iter_mut().for_each(|note| self.ties.learn_or_tell(note));
        let mut pause = PAUSES.0;
        let mut tries = 0;
        let notes: Arc<[Note]> = notes.into();
        while let Err(e) = self.try_write(&notes, tries == 0).await {
            tries += 1;
            if tries == 1 || pause == PAUSES.1 {
                tracing::warn!(error = e.chain(), waiting = notes.len(), "the audit log cannot be written; trying again");
            }
            if receiver.is_closed() && tries >= LAST_TRIES {
                tracing::error!(lost = notes.len(), page = true, "the audit log ends unwritten");
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// `fresh` where none of these notes can have been written yet: only then the stream may change with the day.
    async fn try_write(&mut self, notes: &Arc<[Note]>, fresh: bool) -> Result<()> {
        let now = self.parts.clock.now();
        if fresh && self.chain.as_ref().is_some_and(|chain| chain.day != now.day()) {
            self.head(true).await?;
        }
        self.open().await?;
        let Some(chain) = self.chain.as_mut() else { return Err(Error::internal("an audit stream was not opened")) };
        // Hashing hundreds of entries and writing them down takes longer than a turn, which would wait for it.
        let (of_chain, of_notes) = (chain.clone(), Arc::clone(notes));
        let work = tokio::task::spawn_blocking(move || {
            let batch = of_chain.batch(&of_notes, now);
            to_raw_value(&batch).map(|json| (batch, json))
        });
        let (batch, json) = work.await.map_err(Error::internal)?.map_err(Error::internal)?;
        // The first try may have been written without an answer; `at` of a note is fixed, so the second one holds the same
        // entries. Only how many seconds it is kept from the write on may differ.
        let same = |stored: &Batch| stored.id == batch.id && stored.hash == batch.hash;
        let documents = self.parts.documents.as_ref();
        let document = Written { id: batch.id.clone(), partition: batch.stream.clone(), ttl: Some(batch.ttl), json };
        let taken = matches!(documents.insert(Container::Audit, &document).await?, Put::Done(_));
        if !taken && !stands(documents, &batch.stream, &batch.id, same).await? {
            self.parts.metrics.count(AUDIT_BREAKS, Only);
            tracing::error!(stream = batch.stream, seq = batch.id, page = true, "somebody else wrote into this audit stream");
            self.chain = None;
            return Err(Error::new(Kind::Conflict, "another entry stands in the place of ours"));
        }
        chain.written(&batch);
        if self.headed.elapsed() >= HEADS {
            return self.head(false).await.or_else(|e| {
                tracing::warn!(error = e.chain(), "the head of the audit log comes later");
                Ok(())
            });
        }
        Ok(())
    }

    /// Writes a head; a record that is away gets it with the next batch, or loses it with the process.
    async fn head_now(&mut self, closed: bool, receiver: &mpsc::Receiver<Message>) {
        for _ in 0..LAST_TRIES {
            match self.head(closed).await {
                Ok(()) => return,
                Err(e) => tracing::warn!(error = e.chain(), "the head of the audit log cannot be written"),
            }
            if !closed && !receiver.is_empty() {
                return;
            }
            tokio::time::sleep(PAUSES.0).await;
        }
        // Not before another minute: the notes must not wait for the head.
        self.headed = Instant::now();
    }

    async fn head(&mut self, closed: bool) -> Result<()> {
        let Some(chain) = self.chain.as_mut().filter(|chain| chain.is_ahead() || closed) else { return Ok(()) };
        let head = chain.next_head(self.parts.clock.now(), closed);
        let body = serde_json::to_value(&head).map_err(Error::internal)?;
        // This process alone writes the stream.
        self.parts.documents.put(Container::Audit, &body, Condition::Always).await?;
        // In the log as well, which is another place: whoever cuts the stream off must cut there, too.
        tracing::info!(stream = head.stream, seq = head.seq, hash = %head.hash, signature = head.signature, closed, "audit head");
        chain.head = head;
        self.headed = Instant::now();
        if closed {
            self.chain = None;
        }
        Ok(())
    }

    /// Opens a stream of today where none is open: its first head, then its place in the register. Only then entries are
    /// written, so that a registered stream always has a head, and a stream with entries is always registered.
    async fn open(&mut self) -> Result<()> {
        if self.chain.is_some() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let (head, key, day) = match self.opening.clone().filter(|(.., day)| *day == now.day()) {
            Some(opening) => opening,
            None => {
                let key = self.parts.keys.keys().await?.into_iter().next().ok_or_else(|| Error::new(Kind::Unavailable, "the audit log has no key yet"))?;
                let (instance, day) = (SystemClock.new_id(), now.day());
                let head = Head::first(&format!("{}-{day}", &instance[..12]), now, self.parts.days, &key);
                self.opening.insert((head, key, day)).clone()
            }
        };
        let documents = self.parts.documents.as_ref();
        if !put_once(documents, &head.stream, HEAD, &head, |stored| *stored == head).await? {
            self.opening = None;
            return Err(Error::new(Kind::Conflict, "an audit stream of this name exists"));
        }
        register(documents, &head, self.parts.days, &key).await?;
        self.opening = None;
        self.chain = Some(Chain::new(head, key, day));
        self.headed = Instant::now();
        Ok(())
    }
}

/// Enters a stream into the register, behind whoever was last.
async fn register(documents: &dyn Documents, head: &Head, days: u32, key: &Key) -> Result<()> {
    for _ in 0..REGISTRATIONS {
        if documents.get(Container::Audit, REGISTER, &head.stream).await?.is_some() {
            return Ok(());
        }
        let stored = documents.get(Container::Audit, REGISTER, HEAD).await?;
        let last = match &stored {
            None => None,
            Some(document) => Some(parsed::<Register>(&document.body)?.last),
        };
        if let Some(last) = &last {
            // Whoever was last may have been killed before it wrote its own document.
            put_once(documents, REGISTER, &last.id, last, |stored| stored == last).await?;
            if last.id == head.stream {
                return Ok(());
            }
        }
        let this = Registration::after(last.as_ref(), &head.stream, head.at, days, key);
        let body = serde_json::to_value(Register::ending_with(this.clone(), key)).map_err(Error::internal)?;
        let condition = stored.as_ref().map_or(Condition::Absent, |document| Condition::Matches(&document.etag));
        if let Put::Done(_) = documents.put(Container::Audit, &body, condition).await? {
            put_once(documents, REGISTER, &this.id, &this, |stored| *stored == this).await?;
            return Ok(());
        }
    }
    Err(Error::new(Kind::Throttled, "the register of the audit log is being changed by too many at once"))
}

/// Writes a document that nobody else may write. True where it stands now as it was meant to.
async fn put_once<T: Serialize + DeserializeOwned + Sync>(
    documents: &dyn Documents,
    partition: &str,
    id: &str,
    document: &T,
    same: impl Fn(&T) -> bool + Send,
) -> Result<bool> {
    let body = serde_json::to_value(document).map_err(Error::internal)?;
    if let Put::Done(_) = documents.put(Container::Audit, &body, Condition::Absent).await? {
        return Ok(true);
    }
    stands(documents, partition, id, same).await
}

/// Whether the document that stands there is the one that was meant to.
async fn stands<T: DeserializeOwned>(documents: &dyn Documents, partition: &str, id: &str, same: impl Fn(&T) -> bool + Send) -> Result<bool> {
    let stored = documents.get(Container::Audit, partition, id).await?;
    Ok(stored.is_some_and(|stored| parsed::<T>(&stored.body).is_ok_and(|stored| same(&stored))))
}

/// A document of ours.
fn parsed<T: DeserializeOwned>(body: &Value) -> Result<T> {
    T::deserialize(body).map_err(|e| Error::internal(format!("a document of the audit log is not readable at column {}", e.column())))
}
