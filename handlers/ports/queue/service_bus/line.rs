//! Who may send now, and what goes together: what comes while a request is under way leaves as one batch with the next,
//! so that many turns cost few requests. A request that takes long, or many who wait, open further ones beside it.
//!
//! In: messages, each with somebody who waits. Out: single messages while there is little to send, batches beyond it.
//! A batch is taken or refused as a whole; one that is refused for what it holds is sent message by message, so that
//! nobody fails for a neighbour. A partitioned queue takes no batch of several sessions ("Partitioned queues and topics",
//! Service Bus documentation): where single messages pass that did not pass together, no batch is tried again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::post::{DEADLINE, Post, batch_item};
use crate::error::{Error, Kind, Result};
use crate::ports::queue::Message;

/// Requests that are under way at once, at most.
const UNDER_WAY: usize = 4;
/// How many wait before a further request goes beside those that are under way.
const CROWD: usize = 16;
/// How long somebody waits before a further request goes: a round trip within a region takes less.
const PATIENCE: Duration = Duration::from_millis(25);
/// Most messages of a batch.
const MESSAGES: usize = 100;
/// Most bytes of a batch: below the 256 KiB that the broker's standard tier takes.
const BYTES: usize = 192 * 1024;

/// The line before one queue.
pub(super) struct Line {
    post: Post,
    state: Mutex<State>,
    /// False once the queue has shown that it takes no batches.
    batches: AtomicBool,
}

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

/// A message and who waits for it.
struct Waiting {
    message: Message,
    /// As it stands in a batch.
    item: String,
    answer: oneshot::Sender<Result<()>>,
}

/// The place of a request that is under way. When it ends, whoever waits goes next.
struct Place(Arc<Line>);

impl Drop for Place {
    fn drop(&mut self) {
        let next = self.0.next();
        // Without a runtime the process is ending: those who wait are told by their channels.
        if let (false, Ok(runtime)) = (next.is_empty(), Handle::try_current()) {
            let place = Self(Arc::clone(&self.0));
            runtime.spawn(place.carry(next));
        }
    }
}

impl Line {
    pub(super) fn new(post: Post) -> Arc<Self> {
        Arc::new(Self { post, state: Mutex::default(), batches: AtomicBool::new(true) })
    }

    /// How requests are sent.
    pub(super) const fn post(&self) -> &Post {
        &self.post
    }

    /// Sends a message, alone or with others.
    pub(super) async fn send(self: &Arc<Self>, message: &Message) -> Result<()> {
        if !self.batches.load(Ordering::Relaxed) {
            return self.post.one(message).await;
        }
        if let Some(place) = self.place(1) {
            let sent = self.post.one(message).await;
            drop(place);
            return sent;
        }
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { message: message.clone(), item: batch_item(message)?, answer };
        if self.wait(waiting) {
            self.open();
        }
        let answer = match timeout(PATIENCE, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.open();
                answered.await
            }
        };
        answer.unwrap_or_else(|_| Err(Error::new(Kind::Unavailable, "Service Bus is out of reach").because("the process is ending")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place where fewer than so many requests are under way.
    fn place(self: &Arc<Self>, most: usize) -> Option<Place> {
        let mut state = self.state();
        (state.under_way < most).then(|| {
            state.under_way += 1;
            Place(Arc::clone(self))
        })
    }

    /// Joins those who wait. True where a request should go for them: there are many, or none is under way any more that would
    /// come by.
    fn wait(&self, waiting: Waiting) -> bool {
        let mut state = self.state();
        state.waiting.push_back(waiting);
        state.under_way == 0 || state.waiting.len() >= CROWD
    }

    /// Sends what waits in a place of its own, where one is free.
    fn open(self: &Arc<Self>) {
        // A place that is given up at once takes along whoever waits.
        drop(self.place(UNDER_WAY));
    }

    /// What goes next in the place that comes free; empty where nobody waits, and the place is given up.
    fn next(&self) -> Vec<Waiting> {
        let most = if self.batches.load(Ordering::Relaxed) { MESSAGES } else { 1 };
        let mut state = self.state();
        let (mut next, mut bytes) = (Vec::new(), 2);
        while let Some(first) = state.waiting.front() {
            // Nobody waits for it any more: it stays in the outbox.
            if first.answer.is_closed() {
                state.waiting.pop_front();
                continue;
            }
            bytes += first.item.len() + 1;
            if !next.is_empty() && (next.len() >= most || bytes > BYTES) {
                break;
            }
            next.extend(state.waiting.pop_front());
        }
        if next.is_empty() {
            state.under_way -= 1;
        }
        next
    }

    /// Sends what goes together.
    async fn together(&self, messages: &[Waiting]) -> Vec<Result<()>> {
        if let [alone] = messages {
            return vec![self.post.one(&alone.message).await];
        }
        let sent = self.post.batch(messages.iter().map(|waiting| waiting.item.as_str())).await;
        match sent {
            Err(e) if e.kind == Kind::BadInput => {
                let mut each = Vec::with_capacity(messages.len());
                for waiting in messages {
                    // Whoever gave up meanwhile holds up nobody: the outbox has the message.
                    let given_up = waiting.answer.is_closed();
                    each.push(if given_up { Err(Error::deadline("Service Bus", DEADLINE)) } else { self.post.one(&waiting.message).await });
                }
                if each.iter().all(Result::is_ok) {
                    tracing::warn!(error = e.chain(), "the queue takes no batches: messages are sent one by one from now on");
                    self.batches.store(false, Ordering::Relaxed);
                }
                each
            }
            sent => messages.iter().map(|_| sent.as_ref().map_err(same).copied()).collect(),
        }
    }
}

impl Place {
    async fn carry(self, messages: Vec<Waiting>) {
        let results = self.0.together(&messages).await;
        for (waiting, result) in messages.into_iter().zip(results) {
            // Whoever gave up is served by the outbox.
            let _ = waiting.answer.send(result);
        }
    }
}

/// The same failure once more, for another message of the batch.
fn same(e: &Error) -> Error {
    Error { kind: e.kind, detail: e.detail.clone(), field: e.field.clone(), retry_after: e.retry_after, source: Some(e.chain().into()) }
}
