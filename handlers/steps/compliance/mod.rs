//! The compliance report: what every container holds by age, what is there against the rules of retention, how erasures
//! stand, which keys there are, what the last exposure scan found, which keys of the state store would stay for ever, and
//! the heads of the audit log.
//!
//! In: a walk over all stores, bounded in time; what was not reached is said (`complete`). Out: one JSON object, kept in
//! `analytics` under its day for as long as figures are kept. It holds counts, kinds and times, nothing of anybody.

mod count;
mod registers;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use self::count::Count;
use self::registers::{Erasures, Heads, Keys};
use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::documents::retained::rule;
use crate::ports::documents::{Condition, Container};
use crate::ports::state::legacy::ScanCursor;
use crate::privacy::retention::DAY_MS;
use crate::steps::patience::patiently;
use crate::steps::{exposure, retention};
use crate::telemetry::label::Only;
use crate::telemetry::metric::COMPLIANCE_VIOLATIONS;

/// Documents of one page.
const PAGE: usize = 500;
/// Keys of the state store that are looked at, at most.
const KEYS: u64 = 200_000;
/// Longest that the look at the state store may take.
const STATE: Duration = Duration::from_secs(20);

/// The stored report of a day (`YYYY-MM-DD`).
pub async fn stored(app: &App, day: &str) -> Result<Option<Value>> {
    Ok(app.documents.get(Container::Analytics, day, &id(day)).await?.map(|document| document.body))
}

fn id(day: &str) -> String {
    format!("compliance-{day}")
}

/// Makes the report of today within `limit`, about, and keeps it; an earlier one of the same day is replaced.
pub async fn make(app: &App, limit: Duration) -> Result<Value> {
    let began = Instant::now();
    let now = app.clock.now();
    let yesterday = now.plus_millis(-DAY_MS).day();
    let mut seen = Seen::default();
    let (mut containers, mut complete) = (serde_json::Map::new(), true);
    for container in Container::ALL {
        let count = walk(app, container, now, began, limit, &mut seen).await?;
        complete &= count.complete;
        seen.violations += count.violations();
        containers.insert(container.name().to_owned(), count.view());
    }
    let state = state(app).await?;
    let exposure = exposure::last(app).await?;
    let findings = exposure.as_ref().and_then(|scan| scan["found"].as_u64()).unwrap_or(0);
    let violations = seen.violations + seen.erasures.late + state.found.values().sum::<u64>() + findings;
    let day = now.day();
    let report = json!({
        "id": id(&day),
        "day": day,
        "type": "compliance",
        "madeAt": now,
        "complete": complete && state.complete,
        "violations": violations,
        "containers": containers,
        "purgedYesterday": retention::figures(app, &yesterday).await?,
        "erasures": seen.erasures,
        "keys": seen.keys,
        "exposure": exposure,
        "state": { "looked": state.looked, "complete": state.complete, "withoutTtl": state.found.values().sum::<u64>(), "places": state.found },
        "audit": seen.heads.view(),
    });
    app.documents.put(Container::Analytics, &report, Condition::Always).await?;
    app.metrics.set(COMPLIANCE_VIOLATIONS, Only, violations as f64);
    if violations > 0 {
        tracing::warn!(violations, "the compliance report has something to say");
    }
    Ok(report)
}

/// What the walk over the containers gathers besides counts.
#[derive(Default)]
struct Seen {
    violations: u64,
    erasures: Erasures,
    keys: Keys,
    heads: Heads,
}

/// Counts one container, page by page, for as long as there is time.
async fn walk(app: &App, container: Container, now: Timestamp, began: Instant, limit: Duration, seen: &mut Seen) -> Result<Count> {
    let mut count = Count::default();
    let mut from = None::<String>;
    while began.elapsed() < limit {
        let page = patiently(|| app.documents.scan(container, from.as_deref(), PAGE)).await?;
        for document in &page.documents {
            count.add(rule(&app.config.retention, container, &document.body), document, now);
            match container {
                Container::Erasures => seen.erasures.add(&document.body, now),
                Container::Keys => seen.keys.add(&document.body),
                Container::Audit => seen.heads.add(&document.body),
                _ => {}
            }
        }
        match page.next {
            Some(next) => from = Some(next),
            None => {
                count.complete = true;
                break;
            }
        }
    }
    Ok(count)
}

/// Keys of the state store that would stay for ever.
#[derive(Default)]
struct Lasting {
    looked: u64,
    complete: bool,
    found: BTreeMap<String, u64>,
}

async fn state(app: &App) -> Result<Lasting> {
    let began = Instant::now();
    let mut lasting = Lasting::default();
    let mut cursor = ScanCursor::default();
    while began.elapsed() < STATE && lasting.looked < KEYS {
        let page = match patiently(|| app.state.unexpiring(cursor.clone())).await {
            Ok(page) => page,
            // The record's part of the report is worth having without this one.
            Err(e) if e.is_transient() => {
                tracing::warn!(error = e.chain(), "the report goes without the state store");
                return Ok(lasting);
            }
            Err(e) => return Err(e),
        };
        lasting.looked += page.looked;
        for place in page.found {
            *lasting.found.entry(place.to_string()).or_default() += 1;
        }
        match page.next {
            Some(next) => cursor = next,
            None => {
                lasting.complete = true;
                break;
            }
        }
    }
    Ok(lasting)
}
