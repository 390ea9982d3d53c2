//! Runs timer functions on their six-field schedules, in UTC: one run at a time, never two ticks at once. A tick that
//! fell due during a run is skipped, and a failed one is lost until the next, as with the real host.

use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use tokio_util::sync::CancellationToken;

use super::log::LogSink;
use crate::error::{Error, Result};
use crate::host::compose::{self, Invocation, ScheduleStatus};
use crate::host::link::Invoker;
use crate::host::manifest::{TimerTrigger, schedule};
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;

/// How long it sleeps at a stretch: a laptop that slept, or a clock that was set, is noticed after this.
const STRETCH: Duration = Duration::from_secs(1);

/// From how late on, in milliseconds, a tick is past due.
const PAST_DUE: i64 = 5_000;

/// One timer function.
pub struct Timer {
    /// Name of the function.
    pub function: String,
    /// Its binding.
    pub trigger: TimerTrigger,
    /// Who runs it.
    pub invoker: Arc<dyn Invoker>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Where failures are told.
    pub log: LogSink,
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Timer({})", self.function)
    }
}

impl Timer {
    /// Runs it until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let cron = match schedule(&self.trigger.schedule) {
            Ok(cron) => cron,
            Err(reason) => return self.log.host(format!("{}: {reason}", self.function)),
        };
        let mut last = None;
        if self.trigger.run_on_startup {
            self.tick(&cron, last, false).await;
            last = Some(self.clock.now());
        }
        while let Ok(due) = next(&cron, self.clock.now()) {
            while self.clock.now() < due {
                let left = u64::try_from(due.since(self.clock.now())).unwrap_or(0);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(left).min(STRETCH)) => {}
                }
            }
            self.tick(&cron, last, self.clock.now().since(due) > PAST_DUE).await;
            last = Some(due);
        }
        self.log.host(format!("{}: the schedule {} never falls due again", self.function, self.trigger.schedule));
    }

    async fn tick(&self, cron: &Cron, last: Option<Timestamp>, is_past_due: bool) {
        let id = self.clock.new_id();
        let invocation = Invocation { function: &self.function, binding: &self.trigger.name, now: self.clock.now(), id: &id };
        let envelope = envelope(invocation, &self.trigger, cron, last, is_past_due);
        let verdict = match envelope {
            Ok(envelope) => self.invoker.invoke(&self.function, &id, &envelope).await,
            Err(error) => Err(error),
        };
        if let Err(error) = verdict {
            self.log.host(format!("{}: the tick failed and is lost: {}", self.function, error.chain()));
        }
    }
}

/// The envelope of one tick.
pub fn envelope(invocation: Invocation<'_>, trigger: &TimerTrigger, cron: &Cron, last: Option<Timestamp>, is_past_due: bool) -> Result<serde_json::Value> {
    let status = match trigger.use_monitor {
        true => Some(ScheduleStatus { last, next: next(cron, invocation.now)? }),
        false => None,
    };
    Ok(compose::timer(invocation, status, is_past_due))
}

/// The first tick after this time, on a whole second: the search itself would keep the fraction it starts from.
fn next(cron: &Cron, after: Timestamp) -> Result<Timestamp> {
    let whole = Timestamp::from_millis(after.millis().div_euclid(1000) * 1000);
    let next = cron.find_next_occurrence(&whole.utc(), false).map_err(Error::internal)?;
    Ok(Timestamp::from_millis(next.timestamp_millis()))
}
