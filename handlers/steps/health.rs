//! Whether the app serves: the state of each dependency. The state store is looked at anew at most once a second, the
//! others, where a look costs money, at most every 30 s. A state store that may evict calls counts as unfit: unhealthy
//! where production's rules hold, degraded elsewhere; it is asked when it first answers and after every outage.
//! While too many wait for their turn the app is degraded and, for as long as that lasts, not ready.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Kind, Result};

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(1);
/// How long a look at documents and queue is good, and one that found the state store unfit.
const RARE: Duration = Duration::from_secs(30);
/// How long a look may take.
const LOOK: Duration = Duration::from_millis(2500);
/// How long the state store may be away before the app counts as unhealthy.
const GRACE: Duration = Duration::from_secs(5);

/// How one dependency was found: well, or the safe words for why not.
type Found = std::result::Result<(), String>;

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
    /// One member per dependency, and `admission`.
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

/// The last look, or a new one where it is older than a second, with how full it is now.
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
    let (state, (documents, queue)) = tokio::join!(checked(app.state.ping()), documents_and_queue(app, &mut seen.documents_and_queue));
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
    let unhealthy = away_too_long || nothing_keeps_turns || (unfit && app.config.guarded);
    let mut details = Map::new();
    let mut all = true;
    for (name, backend, result) in [
        ("state", if app.config.redis.is_some() { "redis" } else { "embedded" }, &state),
        ("documents", if app.config.cosmos.is_some() { "cosmos" } else { "embedded" }, &documents),
        ("queue", if app.config.service_bus.is_some() { "service-bus" } else { "embedded" }, &queue),
    ] {
        all &= result.is_ok();
        let status = if result.is_ok() { "healthy" } else { "unhealthy" };
        let mut detail = json!({ "status": status, "backend": backend });
        if let Err(reason) = result {
            detail["reason"] = json!(reason);
        }
        details.insert(name.to_owned(), detail);
    }
    details.insert("speech".to_owned(), json!({ "status": "healthy", "backend": app.speech.name() }));
    details.insert("replies".to_owned(), json!({ "status": "healthy", "backend": app.replies.name() }));
    let status = match (unhealthy, all) {
        (true, _) => "unhealthy",
        (false, true) => "healthy",
        (false, false) => "degraded",
    };
    Report { status, details: Value::Object(details), ready: true }
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
