//! One look at everything the dashboard shows. Bounded in time; what fails is left out and named.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::calls::Calls;
use super::keeping::Keeping;
use super::trends::{self, Chart, Now};
use crate::app::App;
use crate::error::Error;
use crate::model::time::Timestamp;
use crate::steps::alerts::{self, Standing};
use crate::steps::{health, watch};
use crate::telemetry::label::{Dependency, Label as _, Only, TtlKind};
use crate::telemetry::metric::{
    CIRCUIT_OPEN, CIRCUIT_OPENED, DEAD_LETTERS, EVENTS_PARKED, OUTBOX_AGE, OUTBOX_DEPTH, QUEUE_DEFERRED, QUEUE_LAG, RETENTION_REMOVED, TTL_WRITTEN,
};
use crate::telemetry::{Figures, metric};

/// Longest that the look at the open calls may take.
const LOOK: Duration = Duration::from_secs(2);
/// Seconds of the longest window.
pub(super) const SIX_HOURS: i64 = 21_600;
/// Seconds of the shortest one.
pub(super) const TEN_MINUTES: i64 = 600;

/// Everything, at one time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// When it was looked at.
    pub at: Timestamp,
    /// `{app_prefix}/{environment}`.
    pub source: String,
    /// False where the figures are of the instance that answers alone: the board does not answer.
    pub all_instances: bool,
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// The checks of health with their values, limits and hints.
    pub health: Value,
    /// Every rule with its signal now and its episode, where it fires.
    pub alerts: Vec<Standing>,
    /// What matters most, in numbers.
    pub now: Now,
    /// The last ten minutes in parts of 10 s.
    pub ten_minutes: Vec<Chart>,
    /// The last six hours in parts of 5 minutes.
    pub six_hours: Vec<Chart>,
    /// The open calls.
    pub calls: Calls,
    /// What is on its way to the record.
    pub flow: Flow,
    /// The circuits before the dependencies.
    pub circuits: Vec<Circuit>,
    /// Lives of keys as they were written in the last six hours, by policy.
    pub lives: Vec<Life>,
    /// Retention and erasure.
    pub keeping: Keeping,
    /// The same counted by all instances in the last six hours.
    pub counted: Counted,
}

/// What is on its way to the record.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Messages in outboxes.
    pub outbox_depth: Option<u64>,
    /// Seconds that the oldest of them has waited.
    pub outbox_age_s: Option<f64>,
    /// True where both are counted now, else they are what the relay last told.
    pub exact: bool,
    /// Seconds from the queue to the writer, the middle one of ten minutes.
    pub queue_lag_p50_s: Option<f64>,
    /// The same, 95 of a hundred.
    pub queue_lag_p95_s: Option<f64>,
    /// Messages put off in six hours.
    pub deferred: u64,
    /// Messages parked in six hours.
    pub dead_letters: u64,
    /// Events parked in six hours.
    pub events_parked: u64,
}

/// The circuit before one dependency.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Circuit {
    /// What it leads to.
    pub dependency: &'static str,
    /// Whether the instance that answers has it open.
    pub open: bool,
    /// How often any instance opened it in ten minutes.
    pub opened_10m: u64,
    /// How often any instance opened it in six hours.
    pub opened_6h: u64,
}

/// The lives that keys of one policy were given, in seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// The policy.
    pub policy: &'static str,
    /// How many were written.
    pub written: u64,
    /// 5 of a hundred are shorter.
    pub p05_s: f64,
    /// The middle one.
    pub p50_s: f64,
    /// 5 of a hundred are longer.
    pub p95_s: f64,
}

/// What was counted in six hours.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Erasures asked for.
    pub erasures_requested: u64,
    /// Erasures done.
    pub erasures_completed: u64,
    /// Erasures refused: a legal hold stood.
    pub erasures_refused: u64,
    /// Documents past their time that were removed.
    pub removed: u64,
    /// Personal values that the detector found.
    pub findings: u64,
}

impl Data {
    pub(super) async fn gather(app: &App, keeping: Keeping) -> Self {
        watch::look_inside(app);
        let at = app.clock.now();
        let (report, view, calls) = tokio::join!(health::report(app), app.windows.view(app.board.as_ref(), at), async {
            tokio::time::timeout(LOOK, Calls::look(app)).await.unwrap_or_else(|_| Err(Error::deadline("the state store", LOOK)))
        },);
        let (ten, six) = (view.last(TEN_MINUTES), view.last(SIX_HOURS));
        let calls = calls.unwrap_or_else(|e| {
            tracing::warn!(error = e.chain(), "the dashboard goes without the open calls");
            Calls::failed(e.detail)
        });
        let flow = Flow::of(app, &calls, &ten, &six);
        Self {
            at,
            source: format!("{}/{}", app.config.app_prefix, app.config.environment.as_str()),
            all_instances: view.shared,
            status: report.status,
            health: report.details,
            alerts: alerts::now(app, &view).await,
            now: Now::of(app, &view, &flow),
            ten_minutes: trends::charts(&view, TEN_MINUTES, 10),
            six_hours: trends::charts(&view, SIX_HOURS, 300),
            circuits: circuits(app, &ten, &six),
            lives: lives(&six),
            counted: Counted {
                erasures_requested: six.count(metric::ERASURES, crate::telemetry::label::ErasureOutcome::Requested),
                erasures_completed: six.count(metric::ERASURES, crate::telemetry::label::ErasureOutcome::Completed),
                erasures_refused: six.count(metric::ERASURES, crate::telemetry::label::ErasureOutcome::Refused),
                removed: six.all(RETENTION_REMOVED),
                findings: six.all(metric::FINDINGS),
            },
            calls,
            flow,
            keeping,
        }
    }
}

impl Flow {
    fn of(app: &App, calls: &Calls, ten: &Figures, six: &Figures) -> Self {
        let lag = ten.whole(QUEUE_LAG);
        let seconds = |share| lag.quantile(share).map(|millis| millis / 1000.0);
        let told = |gauge| ten.gauge(gauge, Only).or_else(|| app.metrics.value(gauge, Only));
        let (depth, age) = match (&calls.failed, calls.more) {
            (None, false) => (Some(calls.waiting), Some(calls.oldest_waiting_s)),
            _ => (told(OUTBOX_DEPTH).map(|depth| depth as u64), told(OUTBOX_AGE)),
        };
        Self {
            outbox_depth: depth,
            outbox_age_s: age,
            exact: calls.failed.is_none() && !calls.more,
            queue_lag_p50_s: seconds(0.5),
            queue_lag_p95_s: seconds(0.95),
            deferred: six.all(QUEUE_DEFERRED),
            dead_letters: six.all(DEAD_LETTERS),
            events_parked: six.all(EVENTS_PARKED),
        }
    }
}

fn circuits(app: &App, ten: &Figures, six: &Figures) -> Vec<Circuit> {
    let circuit = |dependency: &Dependency| Circuit {
        dependency: Dependency::VALUES[dependency.index()],
        open: app.metrics.value(CIRCUIT_OPEN, *dependency).is_some_and(|open| open > 0.0),
        opened_10m: ten.count(CIRCUIT_OPENED, *dependency),
        opened_6h: six.count(CIRCUIT_OPENED, *dependency),
    };
    Dependency::ALL.iter().map(circuit).collect()
}

fn lives(six: &Figures) -> Vec<Life> {
    let life = |kind: &TtlKind| {
        let spread = six.spread(TTL_WRITTEN, *kind);
        let (p05_s, p50_s, p95_s) = (spread.quantile(0.05)?, spread.quantile(0.5)?, spread.quantile(0.95)?);
        Some(Life { policy: TtlKind::VALUES[kind.index()], written: spread.count(), p05_s, p50_s, p95_s })
    };
    TtlKind::ALL.iter().filter_map(life).collect()
}
