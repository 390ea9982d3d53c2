//! Alerts while the board is away: episodes are agreed on in the record instead, so that one instance alone tells of them.
//!
//! In: the figures of this instance. Each rule has one document in `metrics` (partition `episodes`), changed only by whoever saw
//! its last version: who opens or ends it, tells. An instance adopts what it finds there, and what the board said last. One that was
//! opened here is over once nobody has seen it for a minute; one that the board had is ended by the board, for whoever cannot reach
//! it does not know who still can. When the board is back the first who reaches it hands everything over. Where the record
//! is away, too, each tells for itself: better twice than never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Episode, Known, Rule, Standing, begun, ended, past, reach, signal};
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container, Document, Put};
use crate::steps::watch::View;
use crate::telemetry::label::Only;
use crate::telemetry::metric::ALERTS_FIRING;

/// The partition of the documents.
const PARTITION: &str = "episodes";
/// Milliseconds between two words that a condition still holds, of all instances together.
const WORD: i64 = 20_000;
/// Milliseconds without such a word after which it is over.
const QUIET: i64 = 60_000;
/// Milliseconds after which what nobody has changed or seen is of another outage, and counts for nothing.
const STALE: i64 = 1_800_000;
/// How long the record is waited for at each step: who is slow may not hold up an alert.
const WAITED: Duration = Duration::from_secs(1);
/// How often what others change at the same time is read and written again.
const TRIES: usize = 8;
/// More than there are rules.
const LISTED: usize = 1000;

/// What has become of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    /// It fires.
    Open,
    /// It is over, and was told.
    Ended,
    /// The board has it again.
    Handed,
}

/// An episode as it is agreed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    stage: Stage,
    /// Since when it is at this stage; the later one counts.
    changed: Timestamp,
    /// When somebody last saw that the condition holds.
    seen: Timestamp,
    /// Whether the board had it: then its end is the board's.
    #[serde(default)]
    of_board: bool,
    episode: Episode,
}

impl Kept {
    fn new(stage: Stage, at: Timestamp, episode: Episode) -> Self {
        Self { stage, changed: at, seen: at, of_board: false, episode }
    }

    /// One that the board has.
    fn of_board(at: Timestamp, episode: Episode) -> Self {
        Self { of_board: true, ..Self::new(Stage::Open, at, episode) }
    }
}

/// What the record says of a rule, and in which version.
struct Agreed {
    kept: Kept,
    etag: String,
}

type Record = BTreeMap<String, Agreed>;

/// What an instance remembers for when the board is away.
#[derive(Debug, Default)]
pub(super) struct Away {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether the board was away when it was last needed.
    is_away: bool,
    kept: BTreeMap<String, Kept>,
    /// Of which the record does not say yet that the board has them again.
    unhanded: BTreeSet<String>,
    known: Known,
}

impl Away {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the board said now: that counts when it cannot be asked any more.
    pub(super) fn remember(&self, known: &Known, now: Timestamp) {
        let mut inner = self.inner();
        inner.kept = known.episodes.iter().map(|(rule, episode)| (rule.clone(), Kept::of_board(now, episode.clone()))).collect();
        inner.known = known.clone();
    }

    /// An episode that was opened on the board after it was read.
    pub(super) fn opened(&self, rule: &str, episode: &Episode) {
        self.inner().kept.insert(rule.to_owned(), Kept::of_board(episode.since, episode.clone()));
    }

    /// One that was closed there.
    pub(super) fn closed(&self, rule: &str) {
        self.inner().kept.remove(rule);
    }

    /// What fires, with the silences that were last known.
    pub(super) fn known(&self) -> Known {
        let inner = self.inner();
        let fires = inner.kept.iter().filter(|(_, kept)| kept.stage != Stage::Ended);
        Known { episodes: fires.map(|(rule, kept)| (rule.clone(), kept.episode.clone())).collect(), silences: inner.known.silences.clone() }
    }

    fn kept(&self, rule: &str) -> Option<Kept> {
        self.inner().kept.get(rule).cloned()
    }

    fn keep(&self, rule: &str, kept: Option<Kept>) {
        let mut inner = self.inner();
        match kept {
            Some(kept) => inner.kept.insert(rule.to_owned(), kept),
            None => inner.kept.remove(rule),
        };
    }

    /// Whether the board was away when it was last needed.
    pub(super) fn is_away(&self) -> bool {
        self.inner().is_away
    }
}

/// So many milliseconds of the alerts.
fn paced(app: &App, millis: i64) -> i64 {
    (millis as f64 / app.windows.pace()) as i64
}

/// Work on the record, or `Deadline`.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(WAITED, work).await.unwrap_or_else(|_| Err(Error::deadline("the record", WAITED)))
}

async fn record(app: &App) -> Result<Record> {
    let page = in_time(app.documents.list(Container::Metrics, PARTITION, "", None, LISTED)).await?;
    let now = app.clock.now();
    let agreed = |document: Document| {
        let rule = document.body["rule"].as_str()?.to_owned();
        // What another version wrote in another way is none of ours.
        let kept: Kept = serde_json::from_value(document.body["kept"].clone()).ok()?;
        Some((rule, Agreed { kept, etag: document.etag }))
    };
    let is_fresh = |(_, agreed): &(String, Agreed)| now.since(agreed.kept.seen.max(agreed.kept.changed)) < STALE;
    Ok(page.documents.into_iter().filter_map(agreed).filter(is_fresh).collect())
}

/// What fires by the record. Errors: those of the record.
pub(super) async fn in_record(app: &App) -> Result<Known> {
    let open = record(app).await?.into_iter().filter(|(_, agreed)| agreed.kept.stage == Stage::Open);
    Ok(Known { episodes: open.map(|(rule, agreed)| (rule, agreed.kept.episode)).collect(), ..Known::default() })
}

/// Writes what is to be agreed on; true where nobody was faster.
async fn agree(app: &App, rule: &str, kept: &Kept, before: Option<&Agreed>) -> Result<bool> {
    let body = json!({ "id": format!("episode-{rule}"), "day": PARTITION, "type": "alertEpisode", "at": app.clock.now(), "rule": rule, "kept": kept });
    if let Some(before) = before {
        return Ok(matches!(in_time(app.documents.put(Container::Metrics, &body, Condition::Matches(&before.etag))).await?, Put::Done(_)));
    }
    if let Put::Done(_) = in_time(app.documents.put(Container::Metrics, &body, Condition::Absent)).await? {
        return Ok(true);
    }
    // One that is stale is in the way.
    let id = format!("episode-{rule}");
    let Some(old) = in_time(app.documents.get(Container::Metrics, PARTITION, &id)).await? else { return Ok(false) };
    let seen = serde_json::from_value::<Kept>(old.body["kept"].clone()).map_or(Timestamp::default(), |kept| kept.seen.max(kept.changed));
    if app.clock.now().since(seen) < STALE {
        return Ok(false);
    }
    Ok(matches!(in_time(app.documents.put(Container::Metrics, &body, Condition::Matches(&old.etag))).await?, Put::Done(_)))
}

/// Takes over what others agreed on later, and tells them what this instance knows later; true where it told anything.
async fn merge(app: &App, record: &Record) -> Result<bool> {
    let away = &app.alerts.away;
    let mut has_told = false;
    for (rule, agreed) in record {
        match away.kept(rule) {
            None if agreed.kept.stage == Stage::Handed => {}
            Some(mine) if mine.changed > agreed.kept.changed => {
                agree(app, rule, &mine, Some(agreed)).await?;
                has_told = true;
            }
            _ => away.keep(rule, Some(agreed.kept.clone())),
        }
    }
    let mine = away.inner().kept.clone();
    for (rule, kept) in mine.iter().filter(|(rule, kept)| kept.stage == Stage::Open && !record.contains_key(*rule)) {
        agree(app, rule, kept, None).await?;
        has_told = true;
    }
    Ok(has_told)
}

/// The record, with what this instance knew before it was read.
async fn agreed(app: &App) -> Result<Record> {
    let before = record(app).await?;
    if merge(app, &before).await? { record(app).await } else { Ok(before) }
}

/// Judges all rules by what this instance has counted.
pub(super) async fn judge(app: &App, view: &View) {
    app.alerts.away.inner().is_away = true;
    let agreed = match agreed(app).await {
        Ok(agreed) => Some(agreed),
        Err(e) => {
            tracing::debug!(error = e.chain(), "alerts are judged by this instance alone");
            None
        }
    };
    let mut firing = 0.0;
    for standing in app.alerts.away.known().standings(app, view) {
        if one(app, view, &standing, agreed.as_ref()).await {
            firing += 1.0;
        }
    }
    app.metrics.set(ALERTS_FIRING, Only, firing);
}

/// Judges one; whether it fires.
async fn one(app: &App, view: &View, standing: &Standing, record: Option<&Record>) -> bool {
    let rule = standing.rule;
    let before = record.and_then(|record| record.get(&rule.name));
    match &standing.episode {
        None => standing.value > rule.threshold && standing.silent_until.is_none() && open(app, rule, standing.value, record.is_some(), before).await,
        Some(_) => {
            let value = signal::measure_end(rule, view, reach(app));
            goes_on(app, rule, value, record.is_some(), before).await
        }
    }
}

async fn open(app: &App, rule: &'static Rule, value: f64, has_record: bool, before: Option<&Agreed>) -> bool {
    let episode = Episode { id: app.clock.new_id(), since: app.clock.now(), value };
    let kept = Kept::new(Stage::Open, episode.since, episode.clone());
    // The record may have gone in between: then this instance tells.
    let is_first = !has_record || agree(app, &rule.name, &kept, before).await.unwrap_or(true);
    if is_first {
        app.alerts.away.keep(&rule.name, Some(kept));
        begun(app, rule, &episode);
    }
    // Who came second adopts it with the next round.
    true
}

/// An episode that is open; whether it goes on. It ends when nobody sees its condition any more.
async fn goes_on(app: &App, rule: &'static Rule, value: f64, has_record: bool, before: Option<&Agreed>) -> bool {
    let away = &app.alerts.away;
    let Some(mut kept) = away.kept(&rule.name) else { return false };
    let now = app.clock.now();
    let (holds, seen) = (value > rule.resolve, now.since(kept.seen));
    match kept.stage {
        Stage::Ended => return false,
        // Others tell when it is over.
        Stage::Handed => {
            if !holds {
                away.keep(&rule.name, None);
            }
            return holds;
        }
        Stage::Open => {}
    }
    if holds {
        if seen >= paced(app, WORD) {
            kept.seen = now;
            if has_record && let Err(e) = agree(app, &rule.name, &kept, before).await {
                tracing::debug!(error = e.chain(), "others learn later that a condition still holds");
            }
            away.keep(&rule.name, Some(kept));
        }
        return true;
    }
    if kept.of_board || (has_record && seen < paced(app, QUIET)) {
        return true;
    }
    let over = Kept { stage: Stage::Ended, changed: now, ..kept.clone() };
    if !has_record || agree(app, &rule.name, &over, before).await.unwrap_or(true) {
        ended(app, rule, &kept.episode, value);
        away.keep(&rule.name, Some(over));
    }
    false
}

/// The board is back: it gets what was agreed on meanwhile. True where it was away, so that it says something else now.
/// Errors: those of the board.
pub(super) async fn hand_over(app: &App, there: &Known) -> Result<bool> {
    let away = &app.alerts.away;
    if !away.is_away() {
        hand_late(app).await;
        return Ok(false);
    }
    let record = record(app).await.unwrap_or_default();
    let mut all = away.inner().kept.clone();
    for (rule, agreed) in &record {
        if all.get(rule).is_none_or(|mine| mine.changed <= agreed.kept.changed) {
            all.insert(rule.clone(), agreed.kept.clone());
        }
    }
    for (name, kept) in &all {
        match (kept.stage, there.episodes.get(name)) {
            // Others have ended it on the board meanwhile. Where the record cannot tell it is opened again: its end told twice is
            // better than never.
            (Stage::Open, None) if kept.of_board && past::is_over(app, &kept.episode).await.unwrap_or(false) => {}
            (Stage::Open, None) => {
                let text = serde_json::to_string(&kept.episode).unwrap_or_default();
                app.board.open(name, &text).await?;
            }
            (Stage::Ended, Some(old)) if old.since <= kept.changed => {
                app.board.close(name, &app.clock.new_id()).await?;
            }
            _ => {}
        }
        if record.contains_key(name)
            && let Err(e) = hand(app, name, kept.stage).await
        {
            tracing::debug!(error = e.chain(), "that the board is back is not in the record yet");
            away.inner().unhanded.insert(name.clone());
        }
    }
    away.inner().is_away = false;
    Ok(true)
}

/// Says the same of those of which it could not be said at once: else the next outage would find them as they were.
async fn hand_late(app: &App) {
    let late = std::mem::take(&mut app.alerts.away.inner().unhanded);
    for name in late {
        // Whatever the board says of it by now counts.
        if let Err(e) = hand(app, &name, Stage::Handed).await {
            tracing::debug!(error = e.chain(), "that the board is back is not in the record yet");
            app.alerts.away.inner().unhanded.insert(name);
        }
    }
}

/// Says in the record that the board has it again, also where others who cannot reach the board write there at the same time.
async fn hand(app: &App, name: &str, stage: Stage) -> Result<()> {
    for _ in 0..TRIES {
        let found = in_time(app.documents.get(Container::Metrics, PARTITION, &format!("episode-{name}"))).await?;
        let Some((now, etag)) = found.and_then(|document| Some((serde_json::from_value::<Kept>(document.body["kept"].clone()).ok()?, document.etag))) else {
            return Ok(());
        };
        if now.stage == Stage::Handed {
            return Ok(());
        }
        // Somebody has ended it, and told, since the record was read.
        if now.stage == Stage::Ended && stage == Stage::Open {
            app.board.close(name, &app.clock.new_id()).await?;
        }
        let handed = Kept { stage: Stage::Handed, changed: app.clock.now(), ..now.clone() };
        if agree(app, name, &handed, Some(&Agreed { kept: now, etag })).await? {
            return Ok(());
        }
    }
    Ok(())
}
