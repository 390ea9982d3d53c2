//! How the keeping of data stands: the days of retention, and what the last compliance report said. Two reads from the record.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::documents::Container;
use crate::privacy::retention::DAY_MS;
use crate::steps::{compliance, retention};

/// Longest that the look may take.
const LOOK: Duration = Duration::from_secs(2);

/// Retention and erasure.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keeping {
    /// Containers whose documents are kept for so many days.
    pub rules: Vec<Kept>,
    /// When the last compliance report was made; none where there is none of today or yesterday.
    pub reported_at: Option<Timestamp>,
    /// Whether it saw everything.
    pub complete: bool,
    /// Rules that it found broken.
    pub violations: u64,
    /// Erasures that were open.
    pub erasures_open: u64,
    /// Erasures that were done.
    pub erasures_closed: u64,
    /// Erasures that were open for longer than the law gives.
    pub erasures_late: u64,
    /// Whether the last purge of the day came to its end; none where there was none today.
    pub purge_complete: Option<bool>,
    /// Documents that it removed.
    pub purge_removed: u64,
    /// Why it is not known, in safe words.
    pub failed: Option<String>,
}

/// One container.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its name.
    pub container: &'static str,
    /// Days.
    pub days: u32,
    /// Documents in it, by the report.
    pub documents: Option<u64>,
    /// Documents that are there past their time, or without one.
    pub overdue: Option<u64>,
}

impl Keeping {
    /// One look. What cannot be read is named.
    pub(super) async fn look(app: &App) -> Self {
        let looked = tokio::time::timeout(LOOK, Self::read(app)).await.unwrap_or_else(|_| Err(Error::deadline("the record", LOOK)));
        looked.unwrap_or_else(|e| {
            tracing::warn!(error = e.chain(), "the dashboard goes without the compliance report");
            Self { rules: rules(app, &Value::Null), failed: Some(e.detail), ..Self::default() }
        })
    }

    async fn read(app: &App) -> Result<Self> {
        let now = app.clock.now();
        let report = match compliance::stored(app, &now.day()).await? {
            Some(report) => Some(report),
            None => compliance::stored(app, &now.plus_millis(-DAY_MS).day()).await?,
        };
        let purged = retention::figures(app, &now.day()).await?;
        let report = report.unwrap_or_default();
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let erasures = &report["erasures"];
        Ok(Self {
            rules: rules(app, &report["containers"]),
            reported_at: report["madeAt"].as_str().and_then(Timestamp::parse),
            complete: report["complete"] == true,
            violations: number(&report["violations"]),
            erasures_open: number(&erasures["open"]),
            erasures_closed: number(&erasures["closed"]),
            erasures_late: number(&erasures["late"]),
            purge_complete: purged.as_ref().map(|purged| purged.complete),
            purge_removed: purged.map_or(0, |purged| purged.removed.values().sum()),
            failed: None,
        })
    }
}

fn rules(app: &App, report: &Value) -> Vec<Kept> {
    let days = app.config.retention;
    [
        (Container::Transcripts, days.transcripts),
        (Container::Profiles, days.profiles),
        (Container::Analytics, days.analytics),
        (Container::DeadLetters, days.dead_letters),
        (Container::Audit, days.audit),
        (Container::Metrics, days.metrics),
    ]
    .map(|(container, days)| {
        let count = &report[container.name()];
        let overdue = count.is_object().then(|| ["withoutExpiry", "pastExpiry"].iter().filter_map(|name| count[*name].as_u64()).sum());
        Kept { container: container.name(), days, documents: count["documents"].as_u64(), overdue }
    })
    .into()
}
