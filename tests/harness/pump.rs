//! Plays the Functions host for the Service Bus stand-in: takes what it accepted, lane by lane and in order, and posts
//! the envelopes to a handler; again at once after a failure, and after ten deliveries to TranscriptDeadLetter.
//!
//! While the handler is down nothing is delivered and nothing counted. Scheduled messages wait until they are due, or
//! until [`Pump::release_scheduled`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rtvoice::host::compose::{self, Invocation};
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::queue::Message;
use rtvoice::ports::queue::embedded::Delivery;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::process::Handler;
use super::service_bus::{Accepted, QUEUE, ServiceBus};

/// Deliveries before a message goes to the dead letters.
const MOST: u32 = 10;
/// How often the pump looks.
const LOOK: Duration = Duration::from_millis(5);

/// What became of the deliveries so far.
#[derive(Default)]
struct Shared {
    paused: AtomicBool,
    early: AtomicBool,
    taken: AtomicUsize,
    completed: AtomicUsize,
    failed: AtomicUsize,
    dead: AtomicUsize,
}

/// The running pump; it ends when dropped.
pub struct Pump {
    shared: Arc<Shared>,
    bus: Arc<ServiceBus>,
    task: JoinHandle<()>,
}

impl Pump {
    /// Starts to deliver what the stand-in has and gets.
    pub fn start(bus: &Arc<ServiceBus>, handler: &Arc<Handler>) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(run(Arc::clone(&shared), Arc::clone(bus), Arc::clone(handler)));
        Self { shared, bus: Arc::clone(bus), task }
    }

    /// Starts no further delivery until [`Self::go_on`].
    pub fn pause(&self) {
        self.shared.paused.store(true, SeqCst);
    }

    /// Delivers again.
    pub fn go_on(&self) {
        self.shared.paused.store(false, SeqCst);
    }

    /// Delivers scheduled messages at once from now on.
    pub fn release_scheduled(&self) {
        self.shared.early.store(true, SeqCst);
    }

    /// Deliveries that the host would call failures.
    pub fn failed(&self) -> usize {
        self.shared.failed.load(SeqCst)
    }

    /// Messages that were parked by TranscriptDeadLetter.
    pub fn dead(&self) -> usize {
        self.shared.dead.load(SeqCst)
    }

    /// Whether everything that the stand-in has was delivered.
    pub fn is_idle(&self) -> bool {
        let accepted = self.bus.accepted().len();
        self.shared.taken.load(SeqCst) == accepted && self.shared.completed.load(SeqCst) + self.dead() == accepted
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>, bus: Arc<ServiceBus>, handler: Arc<Handler>) {
    let mut lanes: HashMap<String, (UnboundedSender<Accepted>, tokio_util::task::AbortOnDropHandle<()>)> = HashMap::new();
    let (mut seen, mut waiting) = (0, Vec::<Accepted>::new());
    loop {
        let accepted = bus.accepted();
        waiting.extend_from_slice(&accepted[seen..]);
        seen = accepted.len();
        shared.taken.store(seen, SeqCst);
        for message in std::mem::take(&mut waiting) {
            if message.scheduled.as_deref().is_some_and(in_future) && !shared.early.load(SeqCst) {
                waiting.push(message);
                continue;
            }
            let lane = lanes.entry(message.session_id.clone()).or_insert_with(|| {
                let (to, from) = unbounded_channel();
                let task = tokio::spawn(lane(Arc::clone(&shared), Arc::clone(&handler), from));
                (to, tokio_util::task::AbortOnDropHandle::new(task))
            });
            lane.0.send(message).expect("a running lane");
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn in_future(http_date: &str) -> bool {
    let at = chrono::NaiveDateTime::parse_from_str(http_date, "%a, %d %b %Y %H:%M:%S GMT").expect("a date");
    at.and_utc().timestamp_millis() > SystemClock.now().millis()
}

async fn lane(shared: Arc<Shared>, handler: Arc<Handler>, mut messages: UnboundedReceiver<Accepted>) {
    while let Some(message) = messages.recv().await {
        let mut count = 1;
        loop {
            while shared.paused.load(SeqCst) || handler.port().is_none() {
                tokio::time::sleep(LOOK).await;
            }
            let function = if count > MOST { "TranscriptDeadLetter" } else { "TranscriptWriter" };
            if deliver(&handler, function, &message, count).await {
                if count > MOST { &shared.dead } else { &shared.completed }.fetch_add(1, SeqCst);
                break;
            }
            if handler.has_died() {
                // The host notices too, and delivers nothing until it has started another.
                tokio::time::sleep(LOOK).await;
                continue;
            }
            shared.failed.fetch_add(1, SeqCst);
            count += 1;
        }
    }
}

async fn deliver(handler: &Handler, function: &str, message: &Accepted, count: u32) -> bool {
    let (id, now) = (SystemClock.new_id(), SystemClock.now());
    let dead = function == "TranscriptDeadLetter";
    let delivery = Delivery {
        message: Message {
            message_id: message.message_id.clone(),
            session_id: message.session_id.clone(),
            correlation_id: message.correlation_id.clone(),
            label: message.label.clone(),
            traceparent: message.traceparent.clone(),
            not_before: None,
            body: message.body.clone(),
        },
        sequence_number: 1,
        lock_token: SystemClock.new_id(),
        locked_until: now.plus_millis(60_000),
        delivery_count: count,
        enqueued_at: now,
        dead_letter_reason: dead.then(|| "MaxDeliveryCountExceeded".to_owned()),
        dead_letter_description: dead.then(|| "delivered too often".to_owned()),
    };
    let invocation = Invocation { function, binding: rtvoice::functions::transcript_writer::BINDING, now, id: &id };
    let queue = if dead { format!("{QUEUE}/$DeadLetterQueue") } else { QUEUE.to_owned() };
    handler.invoke(function, &compose::service_bus(invocation, &delivery, &queue, !dead)).await
}
