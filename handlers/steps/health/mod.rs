//! Health: whether the app serves, and how each thing that it depends on does.
//!
//! In: one look at all of it, good for 5 s and shared by all who ask; documents and queue, where a look costs money, at most every
//! 30 s. Out: named checks, each with status, value, limit, since when and a hint, and their aggregate. Without the state store for
//! more than 5 s, without anything that keeps turns, with a state store that may evict calls where production's rules hold,
//! or without keys the app is `unhealthy`; anything else that is amiss makes it `degraded`. While too many wait for their turn
//! it is degraded and, for as long as that lasts, not ready.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Kind, Result};
use crate::model::time::Timestamp;

mod checks;
mod posture;

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(5);
/// How long a look at documents and queue is good, and one that found the state store unfit.
const RARE: Duration = Duration::from_secs(30);
/// How long a look may take.
const LOOK: Duration = Duration::from_millis(2500);
/// How long the state store may be away before the app counts as unhealthy.
const GRACE: Duration = Duration::from_secs(5);

/// How one dependency was found: well, or the safe words for why not.
type Found = std::result::Result<(), String>;

/// How a check or the whole app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Healthy,
    /// Not as it should be, and calls go on.
    Degraded,
    /// It does not do its work.
    Unhealthy,
}

impl Status {
    /// As it stands in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    fn of(well: bool, else_: Self) -> Self {
        if well { Self::Healthy } else { else_ }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    name: &'static str,
    status: Status,
    /// What was measured.
    value: Value,
    /// What it is held to.
    limit: Value,
    /// What to do where it is not healthy, in words of ours.
    hint: &'static str,
    backend: Option<&'static str>,
    reason: Option<String>,
    /// What it makes of the app at the worst.
    weight: Status,
}

impl Check {
    fn new(name: &'static str, status: Status, value: Value, limit: Value, hint: &'static str) -> Self {
        Self { name, status, value, limit, hint, backend: None, reason: None, weight: Status::Degraded }
    }

    fn on(self, backend: &'static str) -> Self {
        Self { backend: Some(backend), ..self }
    }

    fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    fn weighing(self, weight: Status) -> Self {
        Self { weight, ..self }
    }

    fn view(&self, since: Timestamp) -> Value {
        let mut view = json!({ "status": self.status.name(), "value": self.value, "limit": self.limit, "since": since, "hint": null });
        if self.status != Status::Healthy {
            view["hint"] = json!(self.hint);
        }
        if let Some(backend) = self.backend {
            view["backend"] = json!(backend);
        }
        if let Some(reason) = &self.reason {
            view["reason"] = json!(reason);
        }
        if self.weight == Status::Healthy {
            view["informsOnly"] = json!(true);
        }
        view
    }
}

/// What health remembers between looks.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, Report)>,
    documents_and_queue: Option<(Instant, Found, Found)>,
    state_away_since: Option<Instant>,
    fitness: Option<(Instant, Fitness)>,
    tls: Option<(Instant, std::result::Result<&'static str, String>)>,
    /// Since when each check has its status.
    since: BTreeMap<&'static str, (Status, Timestamp)>,
}

/// Whether the state store is set up to keep what it is given.
#[derive(Debug)]
enum Fitness {
    Fit,
    /// Why not, in safe words.
    Unfit(String),
    /// It could not be asked.
    Unknown,
}

/// One look at all dependencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// One member per check, and `admission`.
    pub details: Value,
    /// False where others had better take what comes next.
    pub ready: bool,
}

impl Report {
    /// 503 where it is unhealthy or not ready, else 200.
    pub fn http_status(&self) -> u16 {
        if self.status == "unhealthy" || !self.ready { 503 } else { 200 }
    }
}

/// The last look, or a new one where it is older than 5 s, with how full it is now.
pub async fn report(app: &App) -> Report {
    let mut report = looked(app).await;
    let admission = app.admission.detail();
    if report.status == "healthy" && admission["status"] != "healthy" {
        report.status = "degraded";
    }
    report.ready = app.admission.is_ready();
    report.details["admission"] = admission;
    report
}

/// Many who ask at once share one look.
async fn looked(app: &App) -> Report {
    let mut seen = app.health.seen.lock().await;
    if let Some((at, report)) = &seen.last
        && at.elapsed() < FRESH
    {
        return report.clone();
    }
    let report = look(app, &mut seen).await;
    seen.last = Some((Instant::now(), report.clone()));
    report
}

async fn look(app: &App, seen: &mut Seen) -> Report {
    let Seen { documents_and_queue, tls, .. } = seen;
    let (state, others, encryption, tls) =
        tokio::join!(timed(app.state.ping()), self::documents_and_queue(app, documents_and_queue), checks::encryption(app), posture::negotiated(app, tls));
    let (documents, queue) = others;
    let (state, took) = state;
    let away_too_long = away_too_long(&mut seen.state_away_since, state.is_ok());
    let (state, unfit) = match state {
        Ok(()) => unfit(app, &mut seen.fitness).await.map_or((Ok(()), false), |reason| (Err(reason), true)),
        Err(reason) => {
            // Who comes back may be another.
            seen.fitness = None;
            (Err(reason), false)
        }
    };
    // Without both no turn can be kept: each would be answered 503.
    let nothing_keeps_turns = state.is_err() && queue.is_err();
    let fatal = away_too_long || nothing_keeps_turns || (unfit && app.config.guarded);
    let checks = [
        checks::connectivity(app, &state, took, fatal),
        checks::memory(app),
        checks::expiration(app),
        encryption,
        checks::baseline(app).await,
        posture::posture(app, tls),
        checks::documents(app, &documents),
        checks::queue(app, &queue),
        checks::speech(app),
        checks::replies(app),
    ];
    assembled(app, seen, &checks)
}

/// The checks with since when they are as they are, and what they make of the app.
fn assembled(app: &App, seen: &mut Seen, checks: &[Check]) -> Report {
    let now = app.clock.now();
    let (mut details, mut status) = (Map::new(), Status::Healthy);
    for check in checks {
        let since = match seen.since.get(check.name) {
            Some((before, since)) if *before == check.status => *since,
            _ => now,
        };
        seen.since.insert(check.name, (check.status, since));
        status = status.max(check.status.min(check.weight));
        details.insert(check.name.to_owned(), check.view(since));
    }
    Report { status: status.name(), details: Value::Object(details), ready: true }
}

/// The reason is the error's safe detail; its sources stay in the log.
async fn checked(check: impl Future<Output = Result<()>>) -> Found {
    match tokio::time::timeout(LOOK, check).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => {
            tracing::warn!(error = e.chain(), "a dependency does not serve");
            Err(e.detail)
        }
        Err(_) => Err("did not answer in time".to_owned()),
    }
}

/// The same, with how long it took.
async fn timed(check: impl Future<Output = Result<()>>) -> (Found, Duration) {
    let began = Instant::now();
    (checked(check).await, began.elapsed())
}

async fn documents_and_queue(app: &App, seen: &mut Option<(Instant, Found, Found)>) -> (Found, Found) {
    if let Some((at, documents, queue)) = seen
        && at.elapsed() < RARE
    {
        return (documents.clone(), queue.clone());
    }
    let (documents, queue) = tokio::join!(checked(app.documents.check()), checked(app.queue.check()));
    *seen = Some((Instant::now(), documents.clone(), queue.clone()));
    (documents, queue)
}

/// Why the state store must not be used, where it is so.
async fn unfit(app: &App, seen: &mut Option<(Instant, Fitness)>) -> Option<String> {
    let known = seen.as_ref().is_some_and(|(at, fitness)| matches!(fitness, Fitness::Fit) || at.elapsed() < RARE);
    if !known {
        let fitness = match tokio::time::timeout(LOOK, app.state.check()).await {
            Ok(Ok(())) => Fitness::Fit,
            Ok(Err(e)) if e.kind == Kind::Setting => {
                tracing::error!(error = e.chain(), "the state store is set up wrong");
                Fitness::Unfit(e.detail)
            }
            Ok(Err(e)) => {
                tracing::warn!(error = e.chain(), "how the state store is set up cannot be seen");
                Fitness::Unknown
            }
            Err(_) => Fitness::Unknown,
        };
        *seen = Some((Instant::now(), fitness));
    }
    match seen {
        Some((_, Fitness::Unfit(reason))) => Some(reason.clone()),
        _ => None,
    }
}

fn away_too_long(since: &mut Option<Instant>, serves: bool) -> bool {
    if serves {
        *since = None;
        return false;
    }
    since.get_or_insert_with(Instant::now).elapsed() > GRACE
}
