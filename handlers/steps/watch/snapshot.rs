//! The hourly snapshot: one document with the merged figures of all instances, for trends and for the weekly report.

use serde_json::{Value, json};

use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container};
use crate::telemetry::Figures;
use crate::telemetry::label::{KeyKind, Only};
use crate::telemetry::metric::{KEYS, OLDEST_KEY, ROOT_KEY_AGE};

/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;
/// Coarse slots of an hour.
const SLOTS: i64 = 12;
/// Hours of a day, and more than that.
const LISTED: usize = 100;

/// Keeps the hour before the one that is running. The document.
pub async fn keep(app: &App) -> Result<Value> {
    count_keys(app).await;
    super::look_inside(app);
    let now = app.clock.now();
    let end = Timestamp::from_millis(now.millis().div_euclid(HOUR) * HOUR);
    let start = end.plus_millis(-HOUR);
    let (mut figures, shared) = app.windows.past(app.board.as_ref(), end, SLOTS).await;
    // Gauges that nobody shared in that hour, such as those of keys, which were just counted.
    for (series, value) in app.metrics.figures().gauges {
        figures.gauges.entry(series).or_insert(value);
    }
    let body = json!({
        "id": start.utc().format("%Y-%m-%dT%H").to_string(),
        "day": start.day(),
        "type": "systemMetrics",
        "at": start,
        "until": end,
        "madeAt": now,
        "allInstances": shared,
        "figures": figures.to_json(),
    });
    app.documents.put(Container::Metrics, &body, Condition::Always).await?;
    Ok(body)
}

/// The snapshots of a day, in order, with the hour each began.
pub async fn of_day(app: &App, day: &str) -> Result<Vec<(Timestamp, Figures)>> {
    let page = app.documents.list(Container::Metrics, day, "", None, LISTED).await?;
    let snapshot = |body: &Value| Some((Timestamp::parse(body["at"].as_str()?)?, Figures::from_json(&body["figures"])));
    Ok(page.documents.iter().filter_map(|document| snapshot(&document.body)).collect())
}

/// Counts the keys of the record; a walk over all of them. Where it cannot be done the gauges stay as they were.
async fn count_keys(app: &App) {
    if app.vault.is_off() {
        return;
    }
    let status = match app.vault.status().await {
        Ok(status) => status,
        Err(e) => return tracing::warn!(error = e.chain(), "the keys could not be counted"),
    };
    let metrics = &app.metrics;
    metrics.set(KEYS, KeyKind::Epoch, status.epochs.len() as f64);
    metrics.set(KEYS, KeyKind::Index, status.index.len() as f64);
    metrics.set(KEYS, KeyKind::User, status.user_keys as f64);
    metrics.set(KEYS, KeyKind::UnderOlderRoot, status.under_older_root as f64);
    if let Some(days) = status.root_days {
        metrics.set(ROOT_KEY_AGE, Only, days as f64 * 86_400.0);
    }
    metrics.set(OLDEST_KEY, Only, status.oldest_user_key_days.unwrap_or_default() as f64 * 86_400.0);
}
