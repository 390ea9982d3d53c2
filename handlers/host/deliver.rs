//! Delivers the embedded queue to a handler as the Functions host delivers Service Bus: one message at a time per
//! lane, many lanes at once, completed after a good answer and abandoned after any other.
//!
//! In: the queue and an [`Invoker`]. A lock is renewed while its function runs. A queue that cannot be read is tried
//! again each second; nothing here ends but by `stop`, and then what still runs has [`GRACE`] before it is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::host::compose::{self, Invocation};
use crate::host::link::Invoker;
use crate::host::manifest::{DataType, Manifest, ServiceBusTrigger, expand, span};
use crate::ports::clock::Clock;
use crate::ports::queue::embedded::{Changes, Delivery, EmbeddedQueue};

/// How long a message is locked before the lock must be renewed; Service Bus's usual value.
const LOCK: Duration = Duration::from_secs(60);

/// How long a wait for work lasts at most; what is missed by a wake-up is found then.
const IDLE: Duration = Duration::from_secs(5);

/// Pause after the queue itself failed, and before a dead letter that failed comes again: the broker never gives up
/// on one, so without it a handler that refuses it would be called without end.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a delivery may go on after `stop`.
pub const GRACE: Duration = Duration::from_secs(5);

/// The path suffix of a queue's dead letters.
const DEAD_LETTERS: &str = "/$DeadLetterQueue";

/// Which side of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The messages.
    Live,
    /// The dead letters.
    Dead,
}

/// One function that messages go to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub function: String,
    /// Name of its trigger's binding.
    pub binding: String,
    /// Name of the queue, for the envelope.
    pub queue: String,
    /// What it gets.
    pub source: Source,
    /// Whether its binding has sessions; the envelope then names the lane.
    pub with_session: bool,
    /// Deliveries at once.
    pub concurrency: usize,
    /// How long a lock is renewed while the function runs.
    pub renew_for: Duration,
}

impl Target {
    /// What the function of a serviceBusTrigger gets from the embedded queue; none where it listens to another queue.
    /// `lookup` fills in `%NAME%`. Fails where the binding is not `dataType: binary`: a body could then forge Metadata.
    pub fn of(
        function: &str,
        trigger: &ServiceBusTrigger,
        manifest: &Manifest,
        config: &Config,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let name = expand(&trigger.queue_name, lookup)?;
        let (queue, source) = name.strip_suffix(DEAD_LETTERS).map_or((name.as_str(), Source::Live), |queue| (queue, Source::Dead));
        if queue != config.transcript_queue {
            return Ok(None);
        }
        if trigger.data_type != Some(DataType::Binary) {
            let detail = format!("{function}/function.json: dataType: must be binary, for otherwise a body can forge Metadata");
            return Err(Error::new(Kind::Setting, detail));
        }
        let bus = &manifest.host.extensions.service_bus;
        let at_once = if trigger.is_sessions_enabled { bus.max_concurrent_sessions.unwrap_or(8) } else { bus.max_concurrent_calls.unwrap_or(16) };
        Ok(Some(Self {
            function: function.to_owned(),
            binding: trigger.name.clone(),
            queue: queue.to_owned(),
            source,
            with_session: trigger.is_sessions_enabled,
            concurrency: usize::try_from(at_once).unwrap_or(1).max(1),
            renew_for: bus.max_auto_lock_renewal_duration.as_deref().and_then(span).unwrap_or(Duration::from_secs(300)),
        }))
    }
}

/// What a delivery needs.
#[derive(Clone)]
pub struct Deliverer {
    /// The queue.
    pub queue: EmbeddedQueue,
    /// Who runs the function.
    pub invoker: Arc<dyn Invoker>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deliverer")
    }
}

impl Deliverer {
    /// Delivers to `target` until `stop`.
    pub async fn run(self, target: Target, stop: CancellationToken) {
        let (this, target) = (Arc::new(self), Arc::new(target));
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = this.rounds(&target, &mut running, &stop).await {
                tracing::warn!(function = target.function, error = error.chain(), "the embedded queue cannot be read; trying again");
                tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
            }
        }
        // Each ends by itself: what still runs after its grace is given back.
        while running.join_next().await.is_some() {}
    }

    /// Watch, receive until there is nothing, wait: in this order nothing is missed.
    async fn rounds(self: &Arc<Self>, target: &Arc<Target>, running: &mut JoinSet<()>, stop: &CancellationToken) -> Result<()> {
        let mut changes: Changes = self.queue.changes().await?;
        while !stop.is_cancelled() {
            tokio::select! { () = stop.cancelled() => return Ok(()), () = self.invoker.available() => {} }
            let free = target.concurrency.saturating_sub(running.len());
            let batch = match (free, target.source) {
                (0, _) => Vec::new(),
                (free, Source::Live) => self.queue.receive(free, LOCK).await?,
                (free, Source::Dead) => self.queue.receive_dead(free, LOCK).await?,
            };
            let found = !batch.is_empty();
            for delivery in batch {
                let (this, target, stop) = (Arc::clone(self), Arc::clone(target), stop.clone());
                running.spawn(async move { this.deliver(&target, &delivery, &stop).await });
            }
            if found {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // A lane may be free again: look for its next message.
                Some(_) = running.join_next() => while running.try_join_next().is_some() {},
                changed = changes.next(IDLE), if free > 0 => changed?,
            }
        }
        Ok(())
    }

    async fn deliver(&self, target: &Target, delivery: &Delivery, stop: &CancellationToken) {
        let id = self.clock.new_id();
        let invocation = Invocation { function: &target.function, binding: &target.binding, now: self.clock.now(), id: &id };
        let envelope = compose::service_bus(invocation, delivery, &target.queue, target.with_session);
        let verdict = tokio::select! {
            verdict = self.invoker.invoke(&target.function, &id, &envelope) => verdict,
            never = self.renew(target, delivery) => match never {},
            () = grace(stop) => Err(Error::new(Kind::Unavailable, "the delivery was still running at the end")),
        };
        let settled = match &verdict {
            Ok(()) => self.queue.complete(delivery).await,
            Err(error) => {
                let (sequence, attempt) = (delivery.sequence_number, delivery.delivery_count);
                tracing::warn!(function = target.function, sequence, attempt, error = error.chain(), "the delivery failed; the message comes again");
                if target.source == Source::Dead {
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
                }
                self.queue.abandon(delivery).await
            }
        };
        match settled {
            Ok(true) => {}
            Ok(false) => tracing::warn!(function = target.function, sequence = delivery.sequence_number, "the lock was lost; the message comes again"),
            Err(error) => tracing::warn!(function = target.function, error = error.chain(), "the message could not be settled; it comes again"),
        }
    }

    /// Keeps the lock; what it cannot keep shows when the message is settled.
    async fn renew(&self, target: &Target, delivery: &Delivery) -> std::convert::Infallible {
        let end = tokio::time::Instant::now() + target.renew_for;
        loop {
            tokio::time::sleep(LOCK / 2).await;
            if tokio::time::Instant::now() >= end {
                return std::future::pending().await;
            }
            if let Err(error) = self.queue.renew(delivery, LOCK).await {
                tracing::warn!(function = target.function, error = error.chain(), "the lock could not be renewed");
            }
        }
    }
}

/// Ends some time after `stop`.
async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}
