//! Episodes that are over: one document each in `metrics`, under the day that they ended (`2026-03-02-alerts`), for the weekly report.
//!
//! In: what the instance that told of it knows. Out: the documents, and the list of them for a day. A record that is away gets them
//! later; what waits is bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use serde_json::{Value, json};

use super::away::in_time;
use super::{Episode, Rule};
use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container};

/// Behind the day in the partition, so that the hours of a day are not mixed with its episodes.
const PARTITION: &str = "-alerts";
/// Documents that wait at most.
const WAITING: usize = 200;
/// Documents that one round writes, all at once.
const AT_ONCE: usize = 8;
const DAY_MS: i64 = 86_400_000;
/// Documents of one page.
const PAGE: usize = 500;

/// An episode that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// The rule's name.
    pub rule: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
}

/// What the record has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Past {
    waiting: Mutex<Vec<Value>>,
}

impl Past {
    fn waiting(&self) -> MutexGuard<'_, Vec<Value>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is over now.
    pub(super) fn over(&self, app: &App, rule: &Rule, episode: &Episode) {
        let now = app.clock.now();
        // One that another version opened may have no id.
        let id = if episode.id.is_empty() { app.clock.new_id() } else { episode.id.clone() };
        let document = json!({
            "id": id, "day": partition(&now.day()), "type": "alertOver", "at": now, "rule": rule.name, "level": rule.level, "since": episode.since,
            "until": now, "value": episode.value,
        });
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING {
            waiting.remove(0);
        }
        waiting.push(document);
    }
}

fn partition(day: &str) -> String {
    format!("{day}{PARTITION}")
}

/// Writes the first of what waits: a slow record may not hold up the next round. Where it does not take them they go on waiting.
pub(super) async fn keep(app: &App) {
    let first: Vec<Value> = {
        let mut waiting = app.alerts.past.waiting();
        let count = waiting.len().min(AT_ONCE);
        waiting.drain(..count).collect()
    };
    let written = first.iter().map(|document| in_time(app.documents.put(Container::Metrics, document, Condition::Always)));
    let mut left: Vec<Value> = Vec::new();
    for (document, written) in first.iter().zip(join_all(written).await) {
        if let Err(e) = written {
            tracing::debug!(error = e.chain(), "an episode that is over is kept later");
            left.push(document.clone());
        }
    }
    let mut waiting = app.alerts.past.waiting();
    waiting.splice(0..0, left);
    waiting.truncate(WAITING);
}

/// Whether it was told that an episode is over, as far as the record has it. Errors: those of the record.
pub(super) async fn is_over(app: &App, episode: &Episode) -> Result<bool> {
    let now = app.clock.now();
    for day in [now.day(), now.plus_millis(-DAY_MS).day()] {
        if in_time(app.documents.get(Container::Metrics, &partition(&day), &episode.id)).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The episodes that ended on a day. Errors: those of the record.
pub async fn of_day(app: &App, day: &str) -> Result<Vec<Over>> {
    let (partition, mut all, mut from) = (partition(day), Vec::new(), None::<String>);
    loop {
        let page = app.documents.list(Container::Metrics, &partition, "", from.as_deref(), PAGE).await?;
        all.extend(page.documents.iter().filter_map(|document| {
            let time = |name: &str| Timestamp::parse(document.body[name].as_str()?);
            Some(Over { rule: document.body["rule"].as_str()?.to_owned(), since: time("since")?, until: time("until")? })
        }));
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
}

/// The episodes that are open on the board: rule, and since when. Errors: those of the board.
pub async fn open(app: &App) -> Result<Vec<(String, Timestamp)>> {
    let episodes = app.board.episodes().await?;
    Ok(episodes.into_iter().map(|(rule, text)| (rule, super::episode(&text).since)).collect())
}
