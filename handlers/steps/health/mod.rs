//! Health: whether the app serves, and how each thing that it depends on does.
//!
//! In: one look at all of it, good for 5 s and shared by all who ask; documents and queue, where a look costs money, at most every
//! 30 s; while the state store is away a look each second. Out: named checks, each with status, value, limit, since when and a hint,
//! and their aggregate. Without the state store for more than 5 s, without anything that keeps turns, with a state store that may
//! evict calls where production's rules hold, without keys, or while too many callers wait for their turn the app is `unhealthy`;
//! anything else that is amiss makes it `degraded`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{Kind, Result};
use crate::model::time::Timestamp;

mod checks;
mod posture;

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(5);
/// The same while the state store is away, and between two signs of its life.
const AGAIN: Duration = Duration::from_secs(1);
/// After how long without a look nobody can be looking any more.
const LOST: Duration = Duration::from_secs(60);
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
    /// Held by whoever looks.
    looking: tokio::sync::Mutex<Kept>,
    /// What whoever asks finds there, without waiting for a look.
    known: Mutex<Known>,
}

impl Watch {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one look hands to the next one.
#[derive(Debug, Default)]
struct Kept {
    documents_and_queue: Option<(Instant, Found, Found)>,
    fitness: Option<(Instant, Fitness)>,
    tls: Option<(Instant, std::result::Result<&'static str, String>)>,
    spoken: Option<(Instant, posture::Spoken)>,
}

#[derive(Debug, Default)]
struct Known {
    last: Option<Arc<Looked>>,
    /// When the first of the looks began that have found the state store away since it last answered.
    away_since: Option<Instant>,
    /// Since when each check has its status.
    since: BTreeMap<&'static str, (Status, Timestamp)>,
}

impl Known {
    /// Since when the check is as it is.
    fn since(&mut self, check: &Check, now: Timestamp) -> Timestamp {
        let since = match self.since.get(check.name) {
            Some((before, since)) if *before == check.status => *since,
            _ => now,
        };
        self.since.insert(check.name, (check.status, since));
        since
    }
}

/// What one look found.
#[derive(Debug)]
struct Looked {
    at: Instant,
    state_answers: bool,
    checks: Vec<(Check, Timestamp)>,
}

impl Looked {
    /// While the state store is away it is looked for again and again.
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.state_answers { FRESH } else { AGAIN }
    }

    /// What the checks make of the app.
    fn status(&self, away_too_long: bool) -> Status {
        let worst = |status: Status, (check, _): &(Check, Timestamp)| status.max(check.status.min(check.weight));
        let status = self.checks.iter().fold(Status::Healthy, worst);
        if away_too_long { Status::Unhealthy } else { status }
    }
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

/// What is known of all dependencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// One member per check.
    pub details: Value,
}

/// 503 where the app is unhealthy, else 200.
pub fn http_status(status: &str) -> u16 {
    if status == Status::Unhealthy.name() { 503 } else { 200 }
}

/// The last look, or a new one where it is older than 5 s, with how full it is now.
pub async fn report(app: &App) -> Report {
    let looked = looked(app, Looked::is_fresh).await;
    let now = app.clock.now();
    let (status, admission) = judged(app, &looked);
    let since = app.health.known().since(&admission, now);
    let checks = looked.checks.iter().map(|(check, since)| (check, *since)).chain([(&admission, since)]);
    let details: Map<String, Value> = checks.map(|(check, since)| (check.name.to_owned(), check.view(since))).collect();
    Report { status: status.name(), details: Value::Object(details) }
}

/// What the last look makes of the app, with how full it is now. It costs nothing: nobody is asked where there was a look before.
pub async fn status(app: &App) -> &'static str {
    let looked = looked(app, |last| last.at.elapsed() < LOST).await;
    judged(app, &looked).0.name()
}

fn judged(app: &App, looked: &Looked) -> (Status, Check) {
    let away_too_long = app.health.known().away_since.is_some_and(|since| since.elapsed() > GRACE);
    let admission = checks::admission(app);
    (looked.status(away_too_long).max(admission.status.min(admission.weight)), admission)
}

/// Looks whenever the last look is over, and sees each second whether the state store is there; until `stop`.
pub async fn keep_looking(app: &App, stop: &CancellationToken) {
    loop {
        // First a pause: an instance that starts has callers waiting.
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(AGAIN) => {} }
        glance(app).await;
    }
}

/// One sign of life of the state store; a whole look where it differs from the last one, or that one is over.
async fn glance(app: &App) {
    let began = Instant::now();
    let last = app.health.known().last.clone().filter(|last| last.is_fresh());
    let answers = match last {
        Some(_) => tokio::time::timeout(LOOK, app.board.probe()).await.is_ok_and(|result| result.is_ok()),
        None => true,
    };
    match last {
        Some(last) if last.state_answers == answers => {}
        _ => drop(look_anew(app, began, |last| last.at >= began).await),
    }
}

/// The last look where it will do, else a new one.
async fn looked(app: &App, will_do: impl Fn(&Looked) -> bool) -> Arc<Looked> {
    let last = app.health.known().last.clone();
    match last.filter(|last| will_do(last)) {
        Some(last) => last,
        None => look_anew(app, Instant::now(), will_do).await,
    }
}

/// Many who ask at once share one look. `since`: when there was the first doubt.
async fn look_anew(app: &App, since: Instant, will_do: impl Fn(&Looked) -> bool) -> Arc<Looked> {
    let mut kept = app.health.looking.lock().await;
    let last = app.health.known().last.clone();
    if let Some(last) = last.filter(|last| will_do(last)) {
        return last;
    }
    look(app, &mut kept, since).await
}

async fn look(app: &App, kept: &mut Kept, began: Instant) -> Arc<Looked> {
    let Kept { documents_and_queue, tls, spoken, .. } = kept;
    let (state, load, others, encryption, tls, spoken) = tokio::join!(
        timed(app.state.ping()),
        checks::measured(app),
        self::documents_and_queue(app, documents_and_queue),
        checks::encryption(app),
        posture::negotiated(app, tls),
        posture::spoken(app, spoken)
    );
    let (documents, queue) = others;
    let (state, took) = state;
    let state_answers = state.is_ok();
    {
        let mut known = app.health.known();
        known.away_since = if state_answers { None } else { Some(known.away_since.unwrap_or(began)) };
    }
    let (state, unfit) = match state {
        Ok(()) => unfit(app, &mut kept.fitness).await.map_or((Ok(()), false), |reason| (Err(reason), true)),
        Err(reason) => {
            // Who comes back may be another.
            kept.fitness = None;
            (Err(reason), false)
        }
    };
    // Without both no turn can be kept: each would be answered 503.
    let nothing_keeps_turns = state.is_err() && queue.is_err();
    let fatal = nothing_keeps_turns || (unfit && app.config.guarded);
    let checks = vec![
        checks::connectivity(app, &state, took, fatal),
        checks::memory(app, &load),
        checks::expiration(app, &load),
        encryption,
        checks::baseline(app).await,
        posture::posture(app, tls, spoken),
        checks::documents(app, &documents),
        checks::queue(app, &queue),
        checks::speech(app),
        checks::replies(app),
    ];
    let now = app.clock.now();
    let mut known = app.health.known();
    let checks = checks.into_iter().map(|check| (known.since(&check, now), check)).map(|(since, check)| (check, since)).collect();
    let looked = Arc::new(Looked { at: Instant::now(), state_answers, checks });
    known.last = Some(Arc::clone(&looked));
    looked
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
