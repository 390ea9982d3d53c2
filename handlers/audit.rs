//! `rtvoice audit`: whether the audit log is as it was written.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rtvoice::app::App;
use rtvoice::error::{Error, Result};
use rtvoice::ports::audit::Note;
use rtvoice::steps::audit::{self, Verified};
use rtvoice::steps::breach::{self, SecurityEvent};
use serde_json::json;

/// Look at the audit log, in the documents that the settings name.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 it is as it was written, 1 something is not or it could not be read, 2 wrong usage or setting.")]
pub(crate) struct Arguments {
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find every edit, deletion, reordering and truncation of the audit log
    #[command(after_help = "Reads the whole log; it may be written meanwhile. A finding opens an incident (see `rtvoice breach`).\n\
                            Exit codes: 0 it is as it was written, 1 something is not or it could not be read, 2 wrong usage or setting.")]
    Verify,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Command::Verify = arguments.command;
    let json = arguments.json;
    let config = match super::store_settings() {
        Ok(config) if config.privacy => config,
        Ok(_) => return super::wrong_setting("PRIVACY must be on: without it there is no audit log, for example PRIVACY=on"),
        Err(code) => return code,
    };
    super::command(config, "error", verify, |(verified, incident)| {
        let code = if verified.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        super::out::say(&text(&verified, incident.as_deref(), json), code)
    })
}

async fn verify(app: App) -> Result<(Verified, Option<String>)> {
    let verified = audit::verify(&app).await?;
    let outcome = if verified.findings.is_empty() { "ok" } else { "findings" };
    app.audit.note(Note::new("audit.verify").store("documents").named("audit").count(verified.entries).outcome(outcome)).await?;
    let mut incident = None;
    if !verified.findings.is_empty() {
        let facts = format!("rtvoice audit verify: {} findings", verified.findings.len());
        incident = breach::reported(&app, SecurityEvent::AuditBreak, &facts).await.unwrap_or_else(|e: Error| {
            super::out::warn(&format!("rtvoice: the incident could not be opened: {}", e.chain()));
            None
        });
        super::tell(&app).await;
    }
    Ok((verified, incident))
}

fn text(verified: &Verified, incident: Option<&str>, json: bool) -> String {
    if json {
        let mut body = json!(verified);
        body["incident"] = json!(incident);
        return body.to_string();
    }
    let mut lines: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
    lines.push(format!("{} streams with {} entries: {} findings", verified.streams, verified.entries, verified.findings.len()));
    if verified.expired > 0 {
        lines.push(format!("{} streams are at the end of their retention and were not checked", verified.expired));
    }
    lines.extend(verified.head.iter().map(|head| format!("newest head {head}")));
    lines.extend(incident.map(|incident| format!("incident {incident}")));
    lines.join("\n")
}
