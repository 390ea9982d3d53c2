//! `rtvoice alerts`.

use std::process::ExitCode;

use rtvoice::config;
use rtvoice::error::{Kind, Result};
use rtvoice::ops::alerts::rehearsal::Rehearsed;
use rtvoice::ops::alerts::{self, AlertsArgs, AlertsCommand, Asked, Report};
use serde_json::json;

pub(crate) fn run(arguments: AlertsArgs) -> ExitCode {
    let json = arguments.json;
    let told = move |report: Report| super::out::say(&report.text, if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    match arguments.command {
        AlertsCommand::List => alerts::list(json).map_or_else(|e| super::failed(&e), told),
        AlertsCommand::Status => on_stores(async move |app| alerts::status(&app, json).await, told),
        AlertsCommand::Silence { rule, minutes, from, why, end } => {
            let asked = (!end).then(|| Asked { from, minutes, why: why.unwrap_or_default() });
            on_stores(async move |app| alerts::silence(&app, &rule, asked.as_ref(), json).await, told)
        }
        AlertsCommand::Test { rule, pace } => test(&rule, pace, json),
    }
}

fn on_stores<W: Future<Output = Result<Report>>>(work: impl FnOnce(rtvoice::app::App) -> W, told: impl FnOnce(Report) -> ExitCode) -> ExitCode {
    match super::store_settings() {
        Ok(config) => super::command(config, "error", work, told),
        Err(code) => code,
    }
}

/// One rule that cannot be rehearsed takes nothing from the others.
fn test(rule: &str, pace: u32, json: bool) -> ExitCode {
    super::log_to("error", super::LogTarget::Stderr);
    let progress = |line: &str| super::out::warn(line);
    let work = async {
        let mut all = Vec::new();
        for rule in alerts::chosen(rule)? {
            all.push((rule.name.as_str(), alerts::rehearsal::run(config::app_root(), rule, pace, &progress).await));
        }
        Ok(all)
    };
    let all = match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(all) => all,
        Err(e) => return super::failed(&e),
    };
    let ok = all.iter().all(|(_, rehearsed)| rehearsed.as_ref().is_ok_and(|rehearsed| rehearsed.ok));
    // What this machine lacks for one rule it lacks for all.
    let lacking = all.iter().any(|(_, rehearsed)| matches!(rehearsed, Err(e) if matches!(e.kind, Kind::BadInput | Kind::Setting)));
    let code = match ok {
        true => ExitCode::SUCCESS,
        false if lacking => ExitCode::from(2),
        false => ExitCode::FAILURE,
    };
    let text = if json {
        let entry = |(rule, rehearsed): &(&str, Result<Rehearsed>)| match rehearsed {
            Ok(rehearsed) => json!(rehearsed),
            Err(e) => json!({ "rule": rule, "ok": false, "error": e.chain() }),
        };
        json!({ "ok": ok, "rules": all.iter().map(entry).collect::<Vec<_>>() }).to_string()
    } else {
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    super::out::say(&text, code)
}

fn line((rule, rehearsed): &(&str, Result<Rehearsed>)) -> String {
    let r = match rehearsed {
        Ok(rehearsed) => rehearsed,
        Err(e) => return format!("{rule}: {}: FAILED", e.chain()),
    };
    let stalled = if r.stalled_s > 0.0 { format!("; the machine stood still for {:.0} s", r.stalled_s) } else { String::new() };
    let verdict = if r.ok { "ok" } else { "TOO LATE" };
    let (fired, granted, over) = (r.fired_after_s, r.granted_s, r.resolved_after_s);
    format!("{rule}: fired after {fired:.0} s (within {} s, granted {granted:.0} s for real deadlines{stalled}), over after {over:.0} s: {verdict}", r.within_s)
}
