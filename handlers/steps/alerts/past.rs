//! Episodes that are over: one document each in `metrics`, under the day that they ended (`2026-03-02-alerts`), for the weekly report.
//!
//! In: what the instance that told of it knows. Out: the documents, and the list of them for a day. A record that is away gets them
//! later; what waits is bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Writes what waits. Where the record does not take it, it goes on waiting.
pub(super) async fn keep(app: &App) {
    let waiting = std::mem::take(&mut *app.alerts.past.waiting());
    for (place, document) in waiting.iter().enumerate() {
        if let Err(e) = in_time(app.documents.put(Container::Metrics, document, Condition::Always)).await {
            tracing::debug!(error = e.chain(), "an episode that is over is kept later");
            let mut now_waiting = app.alerts.past.waiting();
            now_waiting.splice(0..0, waiting[place..].iter().cloned());
            now_waiting.truncate(WAITING);
            return;
        }
    }
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
