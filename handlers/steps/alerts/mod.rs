//! Alerts: judging the rules over the figures of all instances, and telling of what begins and ends.
//!
//! In: a view of the figures, every 5 s. An episode is opened and closed on the board, so that one instance alone tells of it; while
//! the board is away the record stands in for it (`away`). A rule that is silent opens nothing. Out: notices and calls of the hook
//! to scale out, tried again where they were not taken (`telling`), and a document for each episode that is over (`past`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::board::{Board, Silence};
use crate::ports::notices::{Notice, What};
use crate::steps::watch::{Reach, View};
use crate::telemetry::label::{Only, Worked};
use crate::telemetry::metric::{ALERT_ROUNDS, ALERTS_FIRING};

mod away;
pub mod past;
pub mod rule;
pub mod signal;
mod telling;

pub use rule::{Hook, Level, RULES, Rule};

/// Silences all rules.
pub const ALL: &str = "*";

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
    away: away::Away,
    told: telling::ToTell,
    past: past::Past,
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
    /// A silence to come: its beginning and its end.
    pub silent_later: Option<(Timestamp, Timestamp)>,
}

/// What the board says of alerts, or said last.
#[derive(Debug, Clone, Default)]
struct Known {
    episodes: BTreeMap<String, Episode>,
    silences: BTreeMap<String, Silence>,
}

impl Known {
    async fn on(board: &dyn Board) -> Result<Self> {
        let (episodes, silences) = (board.episodes().await?, board.silences().await?);
        Ok(Self { episodes: episodes.into_iter().map(|(rule, text)| (rule, episode(&text))).collect(), silences })
    }

    fn standings(&self, app: &App, view: &View) -> Vec<Standing> {
        let now = app.clock.now();
        let of = |name: &str| [name, ALL].into_iter().filter_map(|name| self.silences.get(name)).collect::<Vec<_>>();
        let standing = |rule: &'static Rule| {
            let silences = of(&rule.name);
            Standing {
                rule,
                value: signal::measure(rule, view, reach(app)),
                episode: self.episodes.get(&rule.name).cloned(),
                silent_until: silences.iter().filter(|silence| silence.holds(now)).map(|silence| silence.until).max(),
                silent_later: silences.iter().filter_map(|silence| silence.later(now)).min(),
            }
        };
        RULES.iter().map(standing).collect()
    }
}

/// Judges all rules once, and tells of what has changed.
pub async fn judge(app: &App, view: &View) {
    let all = judged(app, view).await;
    app.metrics.count(ALERT_ROUNDS, if all.is_ok() && view.shared { Worked::Ok } else { Worked::Failed });
    if let Err(e) = all {
        tracing::debug!(error = e.chain(), "the board is away: alerts are agreed on in the record");
        away::judge(app, view).await;
    }
    telling::tell_untold(app).await;
    past::keep(app).await;
}

async fn judged(app: &App, view: &View) -> Result<()> {
    let board = app.board.as_ref();
    let mut known = Known::on(board).await?;
    if away::hand_over(app, &known).await? {
        known = Known::on(board).await?;
    }
    app.alerts.away.remember(&known, app.clock.now());
    let mut firing = 0.0;
    for standing in known.standings(app, view) {
        let Standing { rule, value, episode, silent_until, .. } = standing;
        match episode {
            None if value > rule.threshold && silent_until.is_none() => {
                firing += 1.0;
                let episode = Episode { id: app.clock.new_id(), since: app.clock.now(), value };
                let text = serde_json::to_string(&episode).unwrap_or_default();
                if board.open(&rule.name, &text).await? {
                    app.alerts.away.opened(&rule.name, &episode);
                    begun(app, rule, &episode);
                }
            }
            None => {}
            Some(episode) => {
                let value = signal::measure_end(rule, view, reach(app));
                if value > rule.resolve {
                    firing += 1.0;
                } else if board.close(&rule.name, &app.clock.new_id()).await? {
                    app.alerts.away.closed(&rule.name);
                    ended(app, rule, &episode, value);
                }
            }
        }
    }
    app.metrics.set(ALERTS_FIRING, Only, firing);
    Ok(())
}

/// How all rules stand now, also while the board is away.
pub async fn now(app: &App, view: &View) -> Vec<Standing> {
    match Known::on(app.board.as_ref()).await {
        Ok(mut known) => {
            // What was agreed on while it was away, and was not handed over yet.
            if app.alerts.away.is_away() {
                app.alerts.away.known().episodes.into_iter().for_each(|(rule, episode)| {
                    known.episodes.entry(rule).or_insert(episode);
                });
            }
            known.standings(app, view)
        }
        Err(_) => app.alerts.away.known().standings(app, view),
    }
}

/// How all rules stand by the board, and while that is away by what the instances agreed on in the record; whether it is the board's
/// word. Errors: those of the record, and of a board that refuses.
pub async fn standings(app: &App, view: &View) -> Result<(Vec<Standing>, bool)> {
    match Known::on(app.board.as_ref()).await {
        Ok(known) => Ok((known.standings(app, view), true)),
        Err(e) if e.is_transient() => Ok((away::in_record(app).await?.standings(app, view), false)),
        Err(e) => Err(e),
    }
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

/// This instance alone has opened it.
fn begun(app: &App, rule: &'static Rule, episode: &Episode) {
    telling::notify(app, notice(app, rule, episode, What::Fires, episode.value));
}

/// This instance alone has ended it.
fn ended(app: &App, rule: &'static Rule, episode: &Episode, value: f64) {
    telling::notify(app, notice(app, rule, episode, What::Resolved, value));
    app.alerts.past.over(app, rule, episode);
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
        scales_out: rule.hook == Some(Hook::ScaleOut),
    }
}
