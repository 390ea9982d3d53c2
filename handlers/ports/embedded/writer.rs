//! Writing to the file: one transaction after the other, and those that wait share the next commit.
//!
//! A commit costs a flush of the disk, whatever it holds. Whoever finds nobody writing writes at once; whatever comes
//! meanwhile waits, runs in the order in which it came, and is made durable by one flush. Each piece of work still stands or
//! falls alone: one that fails is rolled back to its savepoint. Where the commit fails all of its group fail, `Unavailable`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Pieces of work of one commit at most: other processes wait for the file as long as it runs.
const GROUP: usize = 32;

/// The connection that writes, and what waits for it.
pub(super) struct Writer {
    connection: Mutex<Connection>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    /// Whether somebody writes what waits.
    led: bool,
}

impl Writer {
    pub const fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(connection), waiting: Mutex::new(Waiting { jobs: VecDeque::new(), led: false }) }
    }

    /// The connection, once nobody writes.
    pub fn connection(&self) -> MutexGuard<'_, Connection> {
        // After a panic the connection is as good as before: its transaction was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` and waits until it is durable. It runs even where nobody waits any more.
    pub async fn write<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let leads = {
            let mut waiting = self.waiting();
            waiting.jobs.push_back(Box::new(Write { work: Some(work), result: None, answer }));
            !std::mem::replace(&mut waiting.led, true)
        };
        if leads {
            // Made here: it gives the lead back also where the runtime ends before it runs.
            let lead = Lead { writer: Arc::clone(self), done: false };
            tokio::task::spawn_blocking(move || lead.write_all());
        }
        answered.await.unwrap_or_else(|_| Err(Error::internal("a write to the embedded file was given up")))
    }

    /// What is to be written next; nobody leads any more where there is nothing.
    fn next_group(&self) -> Vec<Box<dyn Job>> {
        let mut waiting = self.waiting();
        let count = waiting.jobs.len().min(GROUP);
        waiting.led = count > 0;
        waiting.jobs.drain(..count).collect()
    }
}

/// Whoever writes until nothing waits.
struct Lead {
    writer: Arc<Writer>,
    done: bool,
}

impl Lead {
    fn write_all(mut self) {
        loop {
            // Given back in between: others need the connection, too.
            let mut connection = self.writer.connection();
            let mut group = self.writer.next_group();
            if group.is_empty() {
                // From here on somebody else may lead.
                self.done = true;
                return;
            }
            let committed = commit(&mut connection, &mut group);
            drop(connection);
            for job in group {
                job.answer(committed.as_ref().err());
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.done {
            // A panic, or the end of the runtime: whoever waits is told so, and the next one leads.
            let mut waiting = self.writer.waiting();
            waiting.led = false;
            waiting.jobs.clear();
        }
    }
}

/// Runs a group and commits what succeeded.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let mut tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut first = true;
    for job in group {
        if first {
            // Nothing stands before it: what takes it back is the transaction itself.
            first = !job.run(&tx);
            if first {
                tx.rollback()?;
                tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            }
            continue;
        }
        tx.prepare_cached("SAVEPOINT job")?.execute([])?;
        if !job.run(&tx) {
            tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        tx.prepare_cached("RELEASE job")?.execute([])?;
    }
    tx.commit()
}

/// One piece of work with whoever waits for it.
trait Job: Send {
    /// Runs it; false where it failed and must leave no trace.
    fn run(&mut self, tx: &Transaction<'_>) -> bool;

    /// Tells what came of it, once its group was committed, or was not.
    fn answer(self: Box<Self>, failed: Option<&rusqlite::Error>);
}

struct Write<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> Result<T> + Send,
{
    fn run(&mut self, tx: &Transaction<'_>) -> bool {
        // A defect fails its own work alone: the transaction takes back what it wrote, and the others go on.
        let guarded = |work: F| catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| Err(Error::internal("a write to the embedded file panicked")));
        self.result = self.work.take().map(guarded);
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failed: Option<&rusqlite::Error>) {
        let result = match (self.result, failed) {
            // What failed by itself says why.
            (Some(Err(e)), _) => Err(e),
            (_, Some(e)) => Err(Error::unavailable("the embedded store", e.to_string())),
            (Some(result), None) => result,
            (None, None) => Err(Error::internal("a write to the embedded file did not run")),
        };
        // Whoever asked may have stopped waiting.
        let _ = self.answer.send(result);
    }
}
