//! Alerts: judging the rules over the figures of all instances, and telling of what begins and ends.
//!
//! In: a view of the figures, every 5 s. An episode is opened and closed on the board, so that one instance alone tells of it; while
//! the board is away each goes by its own figures and episodes, which it hands over when the board is back. A rule that is silent
//! opens nothing. Out: notices, tried again for an hour where a sink did not take them, and the hook to scale out.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::app::App;
use crate::error::{Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::board::Board;
use crate::ports::board::local::LocalBoard;
use crate::ports::notices::{Notice, Sink, What};
use crate::ports::running;
use crate::steps::watch::{Reach, View};
use crate::telemetry::label::{Only, Worked};
use crate::telemetry::metric::{ALERT_NOTICES, ALERT_ROUNDS, ALERTS_FIRING};

pub mod rule;
pub mod signal;

pub use rule::{Hook, Level, RULES, Rule};

/// Silences all rules.
pub const ALL: &str = "*";
/// How long a round waits until its notices are taken.
const AWAITED: Duration = Duration::from_secs(3);
/// Milliseconds for which a notice that was not taken is tried again.
const TRYING: i64 = 3_600_000;

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Its id.
    pub id: String,
    /// Since when it fires.
    pub since: Timestamp,
    /// What the signal was when it began.
    pub value: f64,
}

/// What the alerts remember.
#[derive(Default)]
pub struct Alerts {
    own: LocalBoard,
    told: [ToTell; Sink::ALL.len()],
}

/// What one sink is to be told.
#[derive(Default)]
struct ToTell {
    fresh: std::sync::Mutex<Vec<Notice>>,
    /// Held while it is told.
    untold: Mutex<Untold>,
}

impl ToTell {
    fn fresh(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a sink has not taken yet.
#[derive(Default)]
struct Untold {
    notices: Vec<Notice>,
    /// It is left alone until then.
    not_before: Timestamp,
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Alerts")
    }
}

/// How a rule stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The rule.
    pub rule: &'static Rule,
    /// What its signal is now.
    pub value: f64,
    /// Its episode, where it fires.
    pub episode: Option<Episode>,
    /// Until when it is silent.
    pub silent_until: Option<Timestamp>,
}

/// Judges all rules once, and tells of what has changed.
pub async fn judge(app: &App, view: &View) {
    let all = judged(app, view, app.board.as_ref()).await;
    app.metrics.count(ALERT_ROUNDS, if all.is_ok() && view.shared { Worked::Ok } else { Worked::Failed });
    if let Err(e) = all {
        tracing::debug!(error = e.chain(), "alerts are judged by this instance alone");
        // It does not fail.
        let _ = judged(app, view, &app.alerts.own).await;
    }
    tell_untold(app).await;
}

async fn judged(app: &App, view: &View, board: &dyn Board) -> Result<()> {
    hand_over(app, board).await?;
    let mut firing = 0.0;
    for standing in standings(app, view, board).await? {
        let Standing { rule, value, episode, silent_until } = standing;
        match episode {
            None if value > rule.threshold && silent_until.is_none() => {
                firing += 1.0;
                let episode = Episode { id: app.clock.new_id(), since: app.clock.now(), value };
                let text = serde_json::to_string(&episode).unwrap_or_default();
                if board.open(&rule.name, &text).await? {
                    begun(app, rule, &episode).await;
                }
            }
            None => {}
            Some(episode) => {
                let value = signal::measure(rule, view, rule.clear, reach(app));
                if value > rule.resolve {
                    firing += 1.0;
                } else if board.close(&rule.name, &app.clock.new_id()).await? {
                    notify(app, notice(app, rule, &episode, What::Resolved, value));
                }
            }
        }
    }
    app.metrics.set(ALERTS_FIRING, Only, firing);
    Ok(())
}

/// How all rules stand now, with the episodes that this instance opened while the board did not take them.
pub async fn now(app: &App, view: &View) -> Vec<Standing> {
    let own = &app.alerts.own;
    let mut standings = match standings(app, view, app.board.as_ref()).await {
        Ok(standings) => standings,
        // It does not fail.
        Err(_) => standings(app, view, own).await.unwrap_or_default(),
    };
    let mine = own.episodes().await.unwrap_or_default();
    for standing in standings.iter_mut().filter(|standing| standing.episode.is_none()) {
        standing.episode = mine.get(&standing.rule.name).map(|text| episode(text));
    }
    standings
}

/// How all rules stand.
pub async fn standings(app: &App, view: &View, board: &dyn Board) -> Result<Vec<Standing>> {
    let (episodes, silences) = (board.episodes().await?, board.silences().await?);
    let now = app.clock.now();
    let silent = |name: &str| silences.get(name).or_else(|| silences.get(ALL)).map(|(until, _)| *until).filter(|until| *until > now);
    let standing = |rule: &'static Rule| Standing {
        rule,
        value: signal::measure(rule, view, rule.window, reach(app)),
        episode: episodes.get(&rule.name).map(|text| episode(text)),
        silent_until: silent(&rule.name),
    };
    Ok(RULES.iter().map(standing).collect())
}

/// An episode as it stands on the board. One that another version wrote counts, whatever it says.
fn episode(text: &str) -> Episode {
    serde_json::from_str(text).unwrap_or(Episode { id: String::new(), since: Timestamp::default(), value: 0.0 })
}

/// In the pace of the alerts.
fn reach(app: &App) -> Reach {
    let Reach { down, up } = app.watch.reach();
    Reach { down: down.mul_f64(app.windows.pace()), up: up.mul_f64(app.windows.pace()) }
}

/// Episodes that this instance opened while the board was away are the board's from now on. They were told of.
async fn hand_over(app: &App, board: &dyn Board) -> Result<()> {
    let own: &dyn Board = &app.alerts.own;
    if std::ptr::addr_eq(std::ptr::from_ref(board), std::ptr::from_ref(own)) {
        return Ok(());
    }
    let mine: BTreeMap<String, String> = own.episodes().await?;
    for (rule, text) in mine {
        board.open(&rule, &text).await?;
        own.close(&rule, "").await?;
    }
    Ok(())
}

async fn begun(app: &App, rule: &'static Rule, episode: &Episode) {
    notify(app, notice(app, rule, episode, What::Fires, episode.value));
    if rule.hook == Some(Hook::ScaleOut)
        && let Some(hook) = &app.notices.scale_out
    {
        let body = serde_json::json!({ "type": "scale-out", "rule": rule.name, "episode": episode.id, "value": episode.value, "unit": rule.unit });
        match hook.tell(&episode.id, &body).await {
            Ok(()) => tracing::info!(rule = rule.name, "the scale-out hook was called"),
            Err(e) => tracing::error!(rule = rule.name, error = e.chain(), page = true, "the scale-out hook was not taken"),
        }
    }
}

fn notice(app: &App, rule: &Rule, episode: &Episode, what: What, value: f64) -> Notice {
    Notice {
        what,
        rule: rule.name.clone(),
        level: rule.level.name(),
        episode: episode.id.clone(),
        value,
        threshold: rule.threshold,
        unit: rule.unit.clone(),
        since: episode.since,
        at: app.clock.now(),
        meaning: rule.meaning.clone(),
        runbook: format!("docs/OPERATIONS.md#{}", rule.runbook),
        source: format!("{}/{}", app.config.app_prefix, app.config.environment.as_str()),
    }
}

/// Into the log at once, and to the sinks.
fn notify(app: &App, notice: Notice) {
    let (alert, level, value, threshold) = (notice.rule.as_str(), notice.level, notice.value, notice.threshold);
    match notice.what {
        What::Fires => {
            let page = level == Level::P0.name();
            tracing::error!(alert, level, value, threshold, episode = notice.episode, runbook = notice.runbook, page, "an alert fires");
        }
        What::Resolved => tracing::warn!(alert, level, value, threshold, episode = notice.episode, "an alert is resolved"),
    }
    for (sink, to_tell) in Sink::ALL.into_iter().zip(&app.alerts.told) {
        if app.notices.wants(sink, &notice) {
            to_tell.fresh().push(notice.clone());
        }
    }
}

/// Tells each sink what it has not taken yet, in order: what one episode says must not overtake itself. None waits for another,
/// and one that takes long is left to it: the next round must judge in time.
async fn tell_untold(app: &App) {
    let tellings = Sink::ALL.map(|sink| {
        let app = app.clone();
        app.tasks.clone().spawn(running::inherit(async move { tell(&app, sink).await }))
    });
    // What is under way goes on.
    let _ = tokio::time::timeout(AWAITED, futures::future::join_all(tellings)).await;
}

/// A sink that is away costs a round one attempt; one that refuses something gets what is told of other rules.
async fn tell(app: &App, sink: Sink) {
    let Some(to_tell) = app.alerts.told.get(sink as usize) else { return };
    // While it is being told, what is fresh waits for the next round.
    let Ok(mut untold) = to_tell.untold.try_lock() else { return };
    untold.notices.append(&mut to_tell.fresh());
    let now = app.clock.now();
    if now < untold.not_before {
        return;
    }
    let mut left: Vec<Notice> = Vec::new();
    let mut away = false;
    for notice in std::mem::take(&mut untold.notices) {
        if away || left.iter().any(|waiting| waiting.rule == notice.rule) {
            left.push(notice);
            continue;
        }
        match app.notices.tell(sink, &notice).await {
            Ok(()) => app.metrics.count(ALERT_NOTICES, Worked::Ok),
            Err(e) => {
                app.metrics.count(ALERT_NOTICES, Worked::Failed);
                tracing::warn!(alert = notice.rule, sink = sink.name(), error = e.chain(), "a notice was not taken");
                away = matches!(e.kind, Kind::Unavailable | Kind::Throttled | Kind::Deadline);
                untold.not_before = now.plus_millis(sink.pause());
                left.push(notice);
            }
        }
    }
    left.retain(|notice| now.since(notice.at) < TRYING);
    untold.notices = left;
}
