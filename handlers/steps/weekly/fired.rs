//! Which alerts fired in the week: how often, and for how long.
//!
//! In: the episodes that ended in it, and those that are open still. Out: one row for each rule, in the order of the rules. What
//! fired before the week counts from its beginning on. Fails as the record does; without the board open ones are left out.

use crate::app::App;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::privacy::retention::DAY_MS;
use crate::steps::alerts::past::{self, Over};
use crate::steps::alerts::rule;

/// One row for each rule that fired: name, level, times, how long together, the longest, and when the last one began.
pub(super) async fn of_week(app: &App, from: Timestamp, until: Timestamp) -> Result<Vec<[String; 6]>> {
    let mut all = Vec::new();
    // Also what ended after the week, so far.
    let mut day = from;
    while day <= app.clock.now() {
        all.extend(past::of_day(app, &day.day()).await?);
        day = day.plus_millis(DAY_MS);
    }
    match past::open(app).await {
        Ok(open) => all.extend(open.into_iter().map(|(rule, since)| Over { rule, since, until })),
        Err(e) => tracing::warn!(error = e.chain(), "alerts that still fire are missing in the weekly report"),
    }
    all.retain(|over| over.since < until && over.until > from);
    Ok(rows(&all, from, until))
}

fn rows(all: &[Over], from: Timestamp, until: Timestamp) -> Vec<[String; 6]> {
    let known: Vec<&str> = rule::RULES.iter().map(|rule| rule.name.as_str()).collect();
    // A rule that another version had.
    let mut names: Vec<&str> = all.iter().map(|over| over.rule.as_str()).filter(|name| !known.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    known.into_iter().chain(names).filter_map(|name| row(name, all, from, until)).collect()
}

fn row(name: &str, all: &[Over], from: Timestamp, until: Timestamp) -> Option<[String; 6]> {
    let of_rule: Vec<&Over> = all.iter().filter(|over| over.rule == name).collect();
    let last = of_rule.iter().map(|over| over.since).max()?;
    let lasted = |over: &Over| over.until.min(until).since(over.since.max(from)).max(0);
    let whole: i64 = of_rule.iter().map(|over| lasted(over)).sum();
    let longest = of_rule.iter().map(|over| lasted(over)).max().unwrap_or_default();
    let level = rule::named(name).map_or("–", |rule| rule.level.name());
    let began = last.utc().format("%Y-%m-%d %H:%M").to_string();
    Some([name.to_owned(), level.to_owned(), of_rule.len().to_string(), span(whole), span(longest), began])
}

/// A span of milliseconds as people read it: `45 s`, `12 min`, `2 h 5 min`.
fn span(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
