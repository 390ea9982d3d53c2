//! Whether the app serves: the state of each dependency, looked at anew at most once a second.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::error::Result;

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK: Duration = Duration::from_millis(2500);
/// How long the state store may be away before the app counts as unhealthy.
const GRACE: Duration = Duration::from_secs(5);

/// What health remembers between looks.
#[derive(Debug, Default)]
pub struct Watch {
    last: Mutex<Option<(Instant, Report)>>,
    state_away_since: std::sync::Mutex<Option<Instant>>,
}

/// One look at all dependencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// One member per dependency.
    pub details: Value,
}

impl Report {
    /// 503 for `unhealthy`, else 200.
    pub fn http_status(&self) -> u16 {
        if self.status == "unhealthy" { 503 } else { 200 }
    }
}

/// The last look, or a new one where it is older than a second. Many who ask at once share one look.
pub async fn report(app: &App) -> Report {
    let mut last = app.health.last.lock().await;
    if let Some((at, report)) = &*last
        && at.elapsed() < FRESH
    {
        return report.clone();
    }
    let report = look(app).await;
    *last = Some((Instant::now(), report.clone()));
    report
}

async fn look(app: &App) -> Report {
    let (state, documents, queue) = tokio::join!(checked(app.state.ping()), checked(app.documents.check()), checked(app.queue.check()));
    let unhealthy = state_away_too_long(app, state.is_ok());
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
    Report { status, details: Value::Object(details) }
}

/// The reason is the error's safe detail; its sources stay in the log.
async fn checked(check: impl Future<Output = Result<()>>) -> std::result::Result<(), String> {
    match tokio::time::timeout(LOOK, check).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => {
            tracing::warn!(error = e.chain(), "a dependency does not serve");
            Err(e.detail)
        }
        Err(_) => Err("did not answer in time".to_owned()),
    }
}

fn state_away_too_long(app: &App, serves: bool) -> bool {
    let mut since = app.health.state_away_since.lock().unwrap_or_else(PoisonError::into_inner);
    if serves {
        *since = None;
        return false;
    }
    since.get_or_insert_with(Instant::now).elapsed() > GRACE
}
