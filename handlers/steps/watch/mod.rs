//! Watching over the app from inside: looks at what does not count itself, shares the figures with the other instances, and has
//! the alerts judged.
//!
//! In: the metrics, the admission, the board. A round is every 5 s, off everybody's path, bounded, and fails on nothing: what
//! cannot be shared now is shared later, and meanwhile the instance goes by what it knows itself. Beside the rounds health is
//! kept looking, so that whoever asks whether the app serves finds the answer there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{Error, Result};
use crate::ports::board::ServerLoad;
use crate::steps::{alerts, breach, health};
use crate::telemetry::label::{OfLimit, Only, RoomName, Worked};
use crate::telemetry::metric::{
    IN_FLIGHT, IN_FLIGHT_USE, LINES_LEFT_OUT, REDIS_CLIENTS, REDIS_KEYS_CREATED, REDIS_KEYS_TOTAL, REDIS_KEYS_UNEXPIRING, REDIS_MEMORY, REDIS_MEMORY_SHARE,
    REDIS_PROBES, REDIS_UP, REFUSED, WAITING,
};
use crate::telemetry::storm::{self, LeftOut};
use crate::telemetry::{Figures, Series};

pub mod snapshot;
pub mod window;

pub use window::{View, Windows};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(5);
/// Between two looks at the server's own account, from which the rate of new keys is taken.
const SERVER: Duration = Duration::from_secs(30);
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);
/// Seconds for which what another instance told of a gauge stands here: keys are counted once an hour.
const TOLD: i64 = 7_800;

/// What the watch remembers.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The account that the rate of new keys is counted from.
    server: Option<(Instant, ServerLoad)>,
    /// Gauges as whichever instance told them last.
    told: BTreeMap<Series, f64>,
    down_since: Option<Instant>,
    up_since: Option<Instant>,
}

/// How long the state store has answered its probes, or not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// For how long it has not; zero where it does.
    pub down: Duration,
    /// For how long it has.
    pub up: Duration,
}

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long the state store has answered its probes, or not.
    pub fn reach(&self) -> Reach {
        let seen = self.seen();
        let since = |at: Option<Instant>| at.map_or(Duration::ZERO, |since| since.elapsed());
        Reach { down: since(seen.down_since), up: since(seen.up_since) }
    }
}

/// Rounds until `stop`; the last one shares what is left.
pub async fn run(app: App, stop: CancellationToken) {
    if !app.config.telemetry {
        return;
    }
    let every = ROUND.div_f64(app.windows.pace());
    let rounds = async {
        loop {
            // First a pause: an instance that starts has callers waiting.
            tokio::select! { () = stop.cancelled() => break, () = tokio::time::sleep(every) => {} }
            round(&app).await;
        }
    };
    tokio::join!(rounds, health::keep_looking(&app, &stop));
    share(&app).await;
}

/// Says what the log had to leave out.
fn look_at_log(app: &App) {
    for LeftOut { place, level, lines } in storm::here().left_out() {
        app.metrics.add(LINES_LEFT_OUT, Only, lines);
        tracing::warn!(place, level = level.as_str(), lines, "log lines were left out");
    }
}

/// One round.
pub async fn round(app: &App) {
    look_at_log(app);
    look_inside(app);
    breach::look_at_audit(app);
    probe(app).await;
    look_at_server(app).await;
    share(app).await;
    let view = app.windows.view(app.board.as_ref(), app.clock.now()).await;
    if view.shared {
        app.watch.seen().told = view.gauges(TOLD);
    }
    alerts::judge(app, &view).await;
}

/// What this instance has counted, with the gauges that others alone have set: a timer runs on one instance.
pub fn figures(app: &App) -> Figures {
    look_inside(app);
    let mut figures = app.metrics.figures();
    for (series, value) in &app.watch.seen().told {
        figures.gauges.entry(*series).or_insert(*value);
    }
    figures
}

/// Reads what counts itself elsewhere.
pub fn look_inside(app: &App) {
    for (room, name) in [(&app.admission.interactive, RoomName::Interactive), (&app.admission.background, RoomName::Background)] {
        let gauge = room.gauge();
        app.metrics.set(IN_FLIGHT, name, gauge.in_flight as f64);
        app.metrics.set(WAITING, name, gauge.waiting as f64);
        app.metrics.raise(REFUSED, name, gauge.refused);
    }
}

/// The share of seats that are taken, in hundredths.
fn hundredths(taken: usize, seats: usize) -> u64 {
    (taken * 100 / seats.max(1)) as u64
}

async fn probe(app: &App) {
    for (room, name) in [(&app.admission.interactive, RoomName::Interactive), (&app.admission.background, RoomName::Background)] {
        app.metrics.record(IN_FLIGHT_USE, name, hundredths(room.gauge().in_flight, room.seats()));
    }
    let result = tokio::time::timeout(PROBE, app.board.probe()).await.unwrap_or_else(|_| Err(Error::deadline("the state store", PROBE)));
    app.metrics.count(REDIS_PROBES, if result.is_ok() { Worked::Ok } else { Worked::Failed });
    app.metrics.set(REDIS_UP, Only, f64::from(u8::from(result.is_ok())));
    let mut seen = app.watch.seen();
    match result {
        Ok(()) => {
            seen.down_since = None;
            seen.up_since.get_or_insert_with(Instant::now);
        }
        Err(e) => {
            if seen.down_since.is_none() {
                tracing::warn!(error = e.chain(), "the state store does not answer its probe");
            }
            seen.up_since = None;
            seen.down_since.get_or_insert_with(Instant::now);
        }
    }
}

async fn look_at_server(app: &App) {
    let due = SERVER.div_f64(app.windows.pace());
    if app.watch.seen().server.as_ref().is_some_and(|(at, _)| at.elapsed() < due) {
        return;
    }
    if let Err(e) = measure(app).await {
        tracing::debug!(error = e.chain(), "the state store's own account cannot be read");
    }
}

/// Reads the server's own account, and sets the gauges by it; none where there is no server. Errors: those of the board.
pub async fn measure(app: &App) -> Result<Option<ServerLoad>> {
    let load = tokio::time::timeout(PROBE, app.board.server()).await.unwrap_or_else(|_| Err(Error::deadline("the state store", PROBE)))?;
    if let Some(load) = &load {
        told(app, load);
    }
    Ok(load)
}

/// Sets the gauges.
fn told(app: &App, load: &ServerLoad) {
    let metrics = &app.metrics;
    metrics.set(REDIS_MEMORY, OfLimit::Used, load.memory_used as f64);
    metrics.set(REDIS_MEMORY, OfLimit::Most, load.memory_most as f64);
    metrics.set(REDIS_MEMORY_SHARE, Only, load.memory_share());
    metrics.set(REDIS_CLIENTS, OfLimit::Used, load.clients as f64);
    metrics.set(REDIS_CLIENTS, OfLimit::Most, load.clients_most as f64);
    metrics.set(REDIS_KEYS_TOTAL, Only, load.keys as f64);
    metrics.set(REDIS_KEYS_UNEXPIRING, Only, load.unexpiring() as f64);
    let mut seen = app.watch.seen();
    let now = Instant::now();
    if let Some((at, before)) = &seen.server {
        let took = now - *at;
        if took < SERVER.div_f64(app.windows.pace()) {
            return;
        }
        let grown = (load.keys + load.gone.saturating_sub(before.gone)).saturating_sub(before.keys);
        let minutes = took.as_secs_f64() * app.windows.pace() / 60.0;
        metrics.set(REDIS_KEYS_CREATED, Only, grown as f64 / minutes.max(1.0 / 60.0));
    }
    seen.server = Some((now, load.clone()));
}

async fn share(app: &App) {
    if let Err(e) = tell(app).await {
        tracing::debug!(error = e.chain(), "the figures are shared later");
    }
}

/// Shares what was counted since the last time. Errors: those of the board.
pub async fn tell(app: &App) -> Result<()> {
    app.windows.take(&app.metrics, app.clock.now()).await;
    app.windows.share(app.board.as_ref()).await
}
