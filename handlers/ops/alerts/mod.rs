//! `rtvoice alerts`: the rules, how they stand, silences, and rehearsals in which a rule's condition is really produced.

use clap::Subcommand;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::audit::Note;
use crate::ports::board::Silence;
use crate::steps::alerts::{self, ALL, RULES, Standing};

pub mod condition;
pub mod rehearsal;
mod slow_agent;

/// Longest silence, in minutes: a week.
const LONGEST: u64 = 7 * 24 * 60;
/// Milliseconds within which a silence must be over: what is shared of alerts lives for eight days.
const AHEAD: i64 = 8 * 86_400_000;

/// Show the rules and how they stand, silence them, or rehearse one
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done and nothing fires, 1 something fires, a rehearsal failed or something else did, 2 wrong usage or setting.")]
pub struct AlertsArgs {
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: AlertsCommand,
}

/// What can be done with alerts.
#[derive(Debug, Clone, Subcommand)]
pub enum AlertsCommand {
    /// Show all rules
    #[command(after_help = "Exit codes: 0 shown, 2 wrong usage.")]
    List,
    /// Say which alerts fire, and what each signal is; needs the Redis of the app
    #[command(after_help = "Exit codes: 0 nothing fires, 1 something does, or it failed, 2 wrong usage or setting.")]
    Status,
    /// Silence a rule, or `all`, for a time
    #[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or setting.")]
    Silence {
        /// Name of the rule, or `all`
        rule: String,
        /// For how many minutes
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
        minutes: u64,
        /// When it begins, for a maintenance that is planned, such as 2026-03-14T01:00:00Z; at once without it. It must be over within eight days
        #[arg(long, value_name = "TIME", conflicts_with = "end", value_parser = time)]
        from: Option<Timestamp>,
        /// Why, for whoever looks at it
        #[arg(long, required_unless_present = "end")]
        why: Option<String>,
        /// End the silence
        #[arg(long, conflicts_with = "why")]
        end: bool,
    },
    #[command(after_help = "Exit codes: 0 each rule fired in time and resolved, 1 one did not, or could not be rehearsed, 2 wrong usage, or no redis-server.")]
    /// Produce the condition of a rule in a stack of its own on this machine, and see the alert fire and resolve
    Test {
        /// Name of the rule, or `all`
        rule: String,
        /// How many times as fast time runs
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=120))]
        pace: u32,
    },
}

/// What a command prints.
#[derive(Debug, Clone)]
pub struct Report {
    /// Lines, or one JSON object.
    pub text: String,
    /// False where something fires.
    pub well: bool,
}

/// Shows all rules.
pub fn list(json: bool) -> Result<Report> {
    if json {
        return Ok(Report { text: serde_json::to_string(&json!({ "rules": *RULES })).map_err(Error::internal)?, well: true });
    }
    let mut table = table(&["rule", "level", "fires above", "over", "within", "ends at", "runbook"]);
    for rule in RULES.iter() {
        let over = rule.short.map_or_else(|| format!("{} s", rule.window), |short| format!("{} s and {short} s", rule.window));
        let (above, ends) = (format!("{} {}", rule.threshold, rule.unit), format!("{} {}", rule.resolve, rule.unit));
        table.add_row([rule.name.clone(), rule.level.name().to_owned(), above, over, format!("{} s", rule.within), ends, rule.runbook.clone()]);
    }
    Ok(Report { text: table.to_string(), well: true })
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    table
}

/// How the rules stand. `Setting` where the app shares nothing because its state is embedded.
pub async fn status(app: &App, json: bool) -> Result<Report> {
    shared(app)?;
    let view = app.windows.view(app.board.as_ref(), app.clock.now()).await;
    let (standings, by_board) = alerts::standings(app, &view).await?;
    let well = standings.iter().all(|standing| standing.episode.is_none());
    if json {
        let one = |s: &Standing| {
            json!({
                "rule": s.rule.name, "level": s.rule.level, "value": s.value, "threshold": s.rule.threshold, "unit": s.rule.unit,
                "firing": s.episode.is_some(), "since": s.episode.as_ref().map(|episode| episode.since), "silentUntil": s.silent_until,
                "silentLater": s.silent_later.map(|(from, until)| json!({ "from": from, "until": until })),
            })
        };
        let body: Vec<Value> = standings.iter().map(one).collect();
        return Ok(Report { text: json!({ "firing": !well, "by": if by_board { "redis" } else { "record" }, "rules": body }).to_string(), well });
    }
    let mut table = table(&["rule", "level", "state", "value", "fires above", "since", "silent"]);
    for s in &standings {
        let state = if s.episode.is_some() { "FIRES" } else { "quiet" };
        let since = s.episode.as_ref().map_or_else(String::new, |episode| episode.since.to_string());
        let silent = [s.silent_until.map(|until| format!("until {until}")), s.silent_later.map(|(from, until)| format!("from {from} until {until}"))];
        let silent = silent.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let (value, above) = (format!("{:.2} {}", s.value, s.rule.unit), format!("{}", s.rule.threshold));
        table.add_row([s.rule.name.clone(), s.rule.level.name().to_owned(), state.to_owned(), value, above, since, silent]);
    }
    let mut text = table.to_string();
    if !by_board {
        text.push_str("\nRedis is away: these are the episodes that the instances agreed on in the record; figures and silences are in Redis");
    }
    Ok(Report { text, well })
}

fn shared(app: &App) -> Result<()> {
    if app.config.redis.is_some() {
        return Ok(());
    }
    Err(Error::new(Kind::Setting, "REDIS_HOST must be set: with embedded state alerts live inside the handler alone, for example REDIS_HOST=localhost"))
}

/// A silence as it is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it begins; none: at once.
    pub from: Option<Timestamp>,
    /// For how many minutes.
    pub minutes: u64,
    /// Why.
    pub why: String,
}

fn time(text: &str) -> std::result::Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("must be a time with its zone, such as 2026-03-14T01:00:00Z")
}

/// Silences a rule, or ends its silence with none, and notes it in the audit log. `BadInput` where it would lie in the past or too
/// far ahead.
pub async fn silence(app: &App, rule: &str, asked: Option<&Asked>, json: bool) -> Result<Report> {
    shared(app)?;
    let name = if rule == "all" { ALL } else { alerts::rule::named(rule).ok_or_else(|| unknown(rule))?.name.as_str() };
    let now = app.clock.now();
    let wanted = |Asked { from, minutes, why }: &Asked| {
        let until = from.unwrap_or(now).plus_millis(i64::try_from((*minutes).min(LONGEST)).unwrap_or_default() * 60_000);
        if from.is_some_and(|from| from <= now) || until.since(now) > AHEAD {
            return Err(Error::input("from", "must lie ahead, and the silence be over within eight days"));
        }
        Ok(Silence { from: *from, until, why: why.clone() })
    };
    let silence = asked.map(wanted).transpose()?;
    app.board.silence(name, silence.as_ref()).await?;
    app.audit.note(Note::new(if silence.is_some() { "alerts.silenced" } else { "alerts.heard" }).named(format!("rule:{rule}"))).await?;
    let text = match silence {
        _ if json => json!({ "rule": rule, "silentFrom": silence.as_ref().and_then(|s| s.from), "silentUntil": silence.map(|s| s.until) }).to_string(),
        Some(Silence { from: Some(from), until, .. }) => format!("{rule} is silent from {from} until {until}"),
        Some(Silence { until, .. }) => format!("{rule} is silent until {until}"),
        None => format!("{rule} is heard again"),
    };
    Ok(Report { text, well: true })
}

fn unknown(rule: &str) -> Error {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name.as_str()).collect();
    Error::input("RULE", format!("must be all or one of {}, not {rule:?}", names.join(", ")))
}

/// The rules of this name: one, or all.
pub fn chosen(rule: &str) -> Result<Vec<&'static alerts::Rule>> {
    match rule {
        "all" => Ok(RULES.iter().collect()),
        name => alerts::rule::named(name).map(|rule| vec![rule]).ok_or_else(|| unknown(name)),
    }
}
