//! `rtvoice alerts`.

use std::process::ExitCode;

use rtvoice::config;
use rtvoice::ops::alerts::{self, AlertsArgs, AlertsCommand, Report};

pub(crate) fn run(arguments: AlertsArgs) -> ExitCode {
    let json = arguments.json;
    let told = move |report: Report| super::out::say(&report.text, if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    match arguments.command {
        AlertsCommand::List => alerts::list(json).map_or_else(|e| super::failed(&e), told),
        AlertsCommand::Status => on_stores(async move |app| alerts::status(&app, json).await, told),
        AlertsCommand::Silence { rule, minutes, why, end } => {
            let minutes = (!end).then_some(minutes);
            on_stores(async move |app| alerts::silence(&app, &rule, minutes, why.as_deref().unwrap_or_default()).await, told)
        }
        AlertsCommand::Test { rule, pace } => test(&rule, pace, json),
    }
}

fn on_stores<W: Future<Output = rtvoice::error::Result<Report>>>(work: impl FnOnce(rtvoice::app::App) -> W, told: impl FnOnce(Report) -> ExitCode) -> ExitCode {
    match super::settings() {
        Ok(config) => super::command(config, "error", work, told),
        Err(code) => code,
    }
}

fn test(rule: &str, pace: u32, json: bool) -> ExitCode {
    super::log_to("error", super::LogTarget::Stderr);
    let progress = |line: &str| super::out::warn(line);
    let work = async {
        let mut all = Vec::new();
        for rule in alerts::chosen(rule)? {
            all.push(alerts::rehearsal::run(config::app_root(), rule, pace, &progress).await?);
        }
        Ok(all)
    };
    let all = match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(all) => all,
        Err(e) => return super::failed(&e),
    };
    let ok = all.iter().all(|rehearsed| rehearsed.ok);
    let line = |r: &alerts::rehearsal::Rehearsed| {
        format!(
            "{}: fired after {:.0} s (within {} s), over after {:.0} s: {}",
            r.rule,
            r.fired_after_s,
            r.within_s,
            r.resolved_after_s,
            if r.ok { "ok" } else { "TOO LATE" }
        )
    };
    let text = if json { serde_json::json!({ "ok": ok, "rules": all }).to_string() } else { all.iter().map(line).collect::<Vec<_>>().join("\n") };
    super::out::say(&text, if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
