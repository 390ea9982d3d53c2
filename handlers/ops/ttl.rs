//! `rtvoice ttl audit`: how long the keys of the store have to live, and which of them would stay for ever.
//!
//! In: the store of the settings, walked with SCAN, never KEYS, each master of a cluster in turn. Out: lives by kind of key, and
//! the offenders by prefix; with `--fix` each offender gets the life of its kind, unless it got one meanwhile. Kinds alone are
//! told, never whose a key is. Keys of other apps are told as one kind, and never touched. Fails as the store does; a walk that runs out of time says that it is not whole.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::told::{Told, table};
use crate::app::App;
use crate::error::Result;
use crate::ports::state::inspect::KeyPlace;
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{KeyFacts, Left, Look};

/// How long keys live
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct TtlArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: TtlCommand,
}

/// What can be done about the lives of keys.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TtlCommand {
    /// Find keys that would stay for ever, and show how long the others live
    #[command(
        after_help = "Walks with SCAN, every master of a cluster. Keys of other apps are never touched, but one without an end is an offender, too; keys\n\
                            of the legacy layouts are left to `rtvoice migrate`.\n\
                            Exit codes: 0 every key has a life, 1 offenders are left, the walk is not whole or it failed, 2 wrong usage or setting."
    )]
    Audit(AuditArgs),
}

/// How an audit runs.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// Give each offender the life that belongs to its kind
    #[arg(long)]
    pub fix: bool,
    /// Longest that the walk may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub limit: u64,
}

/// What keys of other apps are told as.
pub const OTHERS: &str = "other apps";

/// Names of the spans that lives are counted in, with their ends in milliseconds.
const SPANS: [(&str, u64); 6] =
    [("upTo1Min", 60_000), ("upTo15Min", 900_000), ("upTo1H", 3_600_000), ("upTo3H", 10_800_000), ("upTo1D", 86_400_000), ("upTo8D", 691_200_000)];

/// Lives of the keys of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lives {
    /// Keys.
    pub keys: u64,
    /// Keys by how long they have yet to live: up to 1 min, 15 min, 1 h, 3 h, 1 d, 8 d, and longer.
    pub left: [u64; 7],
    /// Keys without an end.
    pub forever: u64,
    /// Of these, keys that were given a life.
    pub fixed: u64,
}

impl Lives {
    fn add(&mut self, key: &KeyFacts) {
        self.keys += 1;
        match key.left {
            Left::Forever => {
                self.forever += 1;
                self.fixed += u64::from(key.given.is_some());
            }
            Left::Millis(millis) => self.left[SPANS.iter().position(|(_, end)| millis <= *end).unwrap_or(SPANS.len())] += 1,
        }
    }
}

/// One kind of key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What its keys begin and end with, such as `rtvoice:prod:call:*:session`.
    pub prefix: String,
    /// Their lives.
    #[serde(flatten)]
    pub lives: Lives,
}

/// What an audit came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// Keys of this app, and legacy ones, that were looked at.
    pub looked: u64,
    /// Whether all were.
    pub complete: bool,
    /// Every kind.
    pub kinds: Vec<Row>,
    /// Kinds with keys that have no end and were given none, the most first.
    pub offenders: Vec<Row>,
    /// Keys of this app, and legacy ones, that are left without an end.
    pub left: u64,
    /// Keys that were given a life.
    pub fixed: u64,
    /// Keys of other apps.
    pub foreign: u64,
    /// Of these, keys without an end.
    pub foreign_forever: u64,
}

/// Runs the command.
pub async fn run(app: &App, args: &TtlArgs) -> Result<Told> {
    let TtlCommand::Audit(how) = &args.command;
    let audited = audit(app, how.fix, Duration::from_secs(how.limit)).await?;
    Told::new(args.json, &audited, audited.complete && audited.offenders.is_empty(), || text(&audited))
}

/// Walks over all keys for at most `limit`.
pub async fn audit(app: &App, fix: bool, limit: Duration) -> Result<Audited> {
    let began = Instant::now();
    let mut kinds: BTreeMap<KeyPlace, Lives> = BTreeMap::new();
    let mut audited = Audited { complete: true, ..Audited::default() };
    let (mut others, mut cursor) = (Lives::default(), Some(ScanCursor::default()));
    while let Some(at) = cursor {
        if began.elapsed() >= limit {
            audited.complete = false;
            break;
        }
        let page = app.state.key_page(at, Look { sizes: 0, give_lives: fix }).await?;
        for key in &page.keys {
            match &key.place {
                Some(place) => kinds.entry(place.clone()).or_default().add(key),
                None => others.add(key),
            }
        }
        cursor = page.next;
    }
    for lives in kinds.values() {
        audited.looked += lives.keys;
        audited.fixed += lives.fixed;
        audited.left += lives.forever - lives.fixed;
    }
    (audited.foreign, audited.foreign_forever) = (others.keys, others.forever);
    audited.kinds = kinds.into_iter().map(|(place, lives)| Row { prefix: prefix(app, &place), lives }).collect();
    if others.keys > 0 {
        audited.kinds.push(Row { prefix: OTHERS.to_owned(), lives: others });
    }
    audited.offenders = audited.kinds.iter().filter(|row| row.lives.forever > row.lives.fixed).cloned().collect();
    audited.offenders.sort_by_key(|row| std::cmp::Reverse(row.lives.forever - row.lives.fixed));
    Ok(audited)
}

/// What the keys of a kind look like, without any identifier.
pub fn prefix(app: &App, place: &KeyPlace) -> String {
    let root = format!("{}:{}", app.config.app_prefix, app.config.environment.as_str());
    match place.data_type {
        "legacy" => "legacy".to_owned(),
        "cache" => format!("{root}:{}:{}:*", place.data_type, place.component),
        _ => format!("{root}:{}:*:{}", place.data_type, place.component),
    }
}

fn text(audited: &Audited) -> String {
    let header = ["keys", "n", "<=1 min", "<=15 min", "<=1 h", "<=3 h", "<=1 d", "<=8 d", "more", "no end", "fixed"];
    let rows = audited.kinds.iter().map(|Row { prefix, lives }| {
        let numbers = [lives.keys].into_iter().chain(lives.left).chain([lives.forever, lives.fixed]);
        std::iter::once(prefix.clone()).chain(numbers.map(|n| n.to_string())).collect::<Vec<_>>()
    });
    let mut lines = vec![table(&header, rows)];
    for Row { prefix, lives } in &audited.offenders {
        lines.push(format!("without an end: {} of {prefix}", lives.forever - lives.fixed));
    }
    let mut last = format!("{} keys looked at: {} without an end", audited.looked, audited.left);
    if audited.fixed > 0 {
        last.push_str(&format!(", {} were given a life", audited.fixed));
    }
    lines.push(last);
    if audited.left > 0 && audited.fixed == 0 {
        lines.push("`rtvoice ttl audit --fix` gives each of them the life of its kind; `rtvoice migrate` takes over legacy ones".to_owned());
    }
    if audited.foreign > 0 {
        lines.push(format!(
            "{} keys of other apps, {} of them without an end, were left alone: this Redis must be the app's alone",
            audited.foreign, audited.foreign_forever
        ));
    }
    if !audited.complete {
        lines.push("not every key was looked at: time was up (--limit)".to_owned());
    }
    lines.join("\n")
}
