//! What was not taken is told again: each sink has what it is still to be told, and none waits for another.
//!
//! In: notices. Out: each sink has them in the order of their rules' episodes, or they are an hour old; a call to scale out that is
//! not needed any more is dropped. Nothing here fails: what is not taken is logged and tried again: notices with each
//! round, mail each minute, a call to scale out ever more seldom.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;

use super::Level;
use crate::app::App;
use crate::error::Kind;
use crate::model::time::Timestamp;
use crate::ports::notices::{Notice, Sink, What};
use crate::ports::running;
use crate::telemetry::label::Worked;
use crate::telemetry::metric::ALERT_NOTICES;

/// How long a round waits until its notices are taken.
const AWAITED: Duration = Duration::from_secs(3);
/// Milliseconds for which a notice that was not taken is tried again.
const TRYING: i64 = 3_600_000;

/// What the sinks are to be told.
#[derive(Default)]
pub(super) struct ToTell([OfSink; Sink::ALL.len()]);

/// What one sink is to be told.
#[derive(Default)]
struct OfSink {
    fresh: std::sync::Mutex<Vec<Notice>>,
    /// Held while it is told.
    untold: Mutex<Untold>,
}

impl OfSink {
    fn fresh(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a sink has not taken yet.
#[derive(Default)]
struct Untold {
    notices: Vec<Notice>,
    /// It is left alone until then.
    not_before: Timestamp,
    /// Attempts in a row that it has not taken.
    failures: u32,
}

/// Into the log at once, and to the sinks.
pub(super) fn notify(app: &App, notice: Notice) {
    let (alert, level, value, threshold) = (notice.rule.as_str(), notice.level, notice.value, notice.threshold);
    match notice.what {
        What::Fires => {
            let page = level == Level::P0.name();
            tracing::error!(alert, level, value, threshold, episode = notice.episode, runbook = notice.runbook, page, "an alert fires");
        }
        What::Resolved => tracing::warn!(alert, level, value, threshold, episode = notice.episode, "an alert is resolved"),
    }
    for (sink, to_tell) in Sink::ALL.into_iter().zip(&app.alerts.told.0) {
        if app.notices.wants(sink, &notice) {
            to_tell.fresh().push(notice.clone());
        }
    }
}

/// Tells each sink what it has not taken yet, in order: what one episode says must not overtake itself. None waits for another,
/// and one that takes long is left to it: the next round must judge in time.
pub(super) async fn tell_untold(app: &App) {
    let tellings = Sink::ALL.map(|sink| {
        let app = app.clone();
        app.tasks.clone().spawn(running::inherit(async move { tell(&app, sink).await }))
    });
    // What is under way goes on.
    let _ = tokio::time::timeout(AWAITED, futures::future::join_all(tellings)).await;
}

/// A sink that is away costs a round one attempt; one that refuses something gets what is told of other rules.
async fn tell(app: &App, sink: Sink) {
    let Some(to_tell) = app.alerts.told.0.get(sink as usize) else { return };
    // While it is being told, what is fresh waits for the next round.
    let Ok(mut untold) = to_tell.untold.try_lock() else { return };
    untold.notices.append(&mut to_tell.fresh());
    sink.drop_needless(&mut untold.notices);
    let now = app.clock.now();
    if now < untold.not_before {
        return;
    }
    let mut left: Vec<Notice> = Vec::new();
    let mut away = false;
    for notice in std::mem::take(&mut untold.notices) {
        if away || left.iter().any(|waiting| waiting.rule == notice.rule) {
            left.push(notice);
            continue;
        }
        match app.notices.tell(sink, &notice).await {
            Ok(()) => {
                app.metrics.count(ALERT_NOTICES, Worked::Ok);
                untold.failures = 0;
            }
            Err(e) => {
                app.metrics.count(ALERT_NOTICES, Worked::Failed);
                // Who waits for more room should know that nobody was asked for it.
                if sink == Sink::ScaleOut && untold.failures == 0 {
                    tracing::error!(alert = notice.rule, error = e.chain(), page = true, "the scale-out hook was not taken; it is tried again");
                } else {
                    tracing::warn!(alert = notice.rule, sink = sink.name(), error = e.chain(), "a notice was not taken");
                }
                away = matches!(e.kind, Kind::Unavailable | Kind::Throttled | Kind::Deadline);
                untold.not_before = now.plus_millis(sink.pause(untold.failures));
                untold.failures = untold.failures.saturating_add(1);
                left.push(notice);
            }
        }
    }
    left.retain(|notice| now.since(notice.at) < TRYING);
    untold.notices = left;
}
