//! `rtvoice doctor`: looks at everything that a start needs and a call rests on, and says of each fault its cause and the exact fix.
//!
//! In: the settings, the files of the app root, and the services that the settings name; every call is harmless and bounded. Out:
//! findings. Looks never end each other: one that takes too long is a finding of its own. What was said in calls is not read.

mod files;
mod finding;
mod local;
mod network;
mod queue;
mod record;
mod services;
mod shipped;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

pub use finding::{Finding, Status};
pub use shipped::SHIPPED;

use super::told::{Told, table};
use crate::app::App;
use crate::config::{Config, SettingError};
use crate::error::{Error, Kind, Result};
use crate::ports::clock::SystemClock;

/// Longest that one look may take; walks stop by themselves before.
const LOOK: Duration = Duration::from_secs(30);
/// Longest that a walk over keys or calls may take.
const WALK: Duration = Duration::from_secs(20);

/// Find what is wrong, and how to mend it
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Looks at: settings; host.json and function.json against the code; names, ports and TLS of every service; tokens of the identity; each right\n\
                        by a harmless call; clocks; Redis policy, memory, persistence and keys without a life; outboxes; queue settings, as far as a sender\n\
                        may see them; containers and their expiry; parked messages; speech, replies and the mail server.\n\
                        Exit codes: 0 nothing is wrong (warnings are told), 1 something is, 2 a setting is wrong or contradictory, or wrong usage."
)]
pub struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Count warnings as faults
    #[arg(long)]
    pub strict: bool,
    /// Make no call that a service charges for (speech, replies)
    #[arg(long)]
    pub free: bool,
    /// Tell faults and warnings alone
    #[arg(long)]
    pub quiet: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ok`, `warning` or `fault`: the worst of the findings.
    pub status: Status,
    /// The findings, faults first.
    pub findings: Vec<Finding>,
}

impl Report {
    fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.status));
        let worst = findings.first().map_or(Status::Ok, |finding| finding.status);
        Self { status: worst.max(Status::Ok), findings }
    }

    /// The finding of this name that is no success; what a test looks for.
    pub fn trouble(&self, check: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check && finding.status >= Status::Warning)
    }
}

/// Where no app can be put together: what is wrong with the settings, and what the files say.
pub fn without_settings(wrong: &[SettingError], app_root: &Path) -> Report {
    let mut findings: Vec<Finding> = wrong.iter().map(setting).collect();
    findings.extend(files::look(app_root, None));
    Report::new(findings)
}

fn setting(wrong: &SettingError) -> Finding {
    Finding::fault(
        "settings",
        format!("{} is missing, wrong or contradictory", wrong.name),
        format!("{} {}", wrong.name, wrong.needs),
        format!("set {}={}", wrong.name, wrong.example),
    )
}

/// Puts the app of these settings together and looks at everything.
pub async fn examine(config: Config, args: &DoctorArgs) -> Report {
    // A look changes nothing: what is missing is told, and not made.
    match App::looking(config.clone(), Arc::new(SystemClock)) {
        Ok(app) => look(&app, args).await,
        Err(e) => {
            let mut findings = vec![Finding::fault("settings", e.detail.clone(), e.chain(), "change the setting that is named, and run this again")];
            findings.extend(files::look(&config.app_root, Some(&config)));
            Report::new(findings)
        }
    }
}

/// Looks at everything.
pub async fn look(app: &App, args: &DoctorArgs) -> Report {
    app.audit.acting_as(crate::ports::audit::Actor::Cli);
    let mut findings = vec![Finding::ok("settings", format!("sound, for {}", app.config.environment.as_str()))];
    findings.extend(local::look(&app.config));
    findings.extend(files::look(&app.config.app_root, Some(&app.config)));
    // The record comes first: keys and audit log are kept there, and its client takes seconds to come up.
    findings.extend(bounded("documents", record::look(app)).await);
    let looks: Vec<(&'static str, futures::future::BoxFuture<'_, Vec<Finding>>)> = vec![
        ("network", Box::pin(network::look(app))),
        ("identity", Box::pin(services::identity(app))),
        ("state", Box::pin(state::look(app))),
        ("ttl", Box::pin(state::lives(app))),
        ("outbox", Box::pin(state::outboxes(app))),
        ("deadletters", Box::pin(record::parked(app))),
        ("queue", Box::pin(queue::look(app))),
        ("speech", Box::pin(services::speech(app, args.free))),
        ("replies", Box::pin(services::replies(app, args.free))),
        ("keys", Box::pin(services::keys(app))),
        ("mail", Box::pin(services::mail(app))),
    ];
    let bounded = looks.into_iter().map(|(name, work)| bounded(name, work));
    findings.extend(join_all(bounded).await.into_iter().flatten());
    if let Err(e) = app.audit.close().await {
        findings.push(Finding::fault(
            "audit",
            "what was done here is not in the audit log",
            e.chain(),
            "mend the documents store and Key Vault first: the log is kept there",
        ));
    }
    Report::new(findings)
}

/// A look that may not hold up the others.
async fn bounded(name: &'static str, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let found = format!("was not looked at in {} s", LOOK.as_secs());
    let late = || vec![Finding::fault(name, found, "what it rests on is slow or away", "mend what the other findings name, and run this again")];
    tokio::time::timeout(LOOK, work).await.unwrap_or_else(|_| late())
}

/// What the command tells, and whether a setting is wrong.
pub fn tell(args: &DoctorArgs, mut report: Report) -> Result<Told> {
    let bad = if args.strict { Status::Warning } else { Status::Fault };
    let good = report.status < bad;
    if args.quiet {
        report.findings.retain(|finding| finding.status >= Status::Warning);
    }
    Told::new(args.json, &report, good, || text(&report))
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.status >= Status::Warning) {
        lines.push(format!("{}: {}: {}", finding.status, finding.check, finding.found));
        lines.extend(finding.cause.iter().map(|cause| format!("  cause: {cause}")));
        lines.extend(finding.fix.iter().map(|fix| format!("  fix:   {fix}")));
    }
    let fine = report.findings.iter().filter(|finding| finding.status < Status::Warning);
    let rows: Vec<_> = fine.map(|finding| [finding.check.to_owned(), finding.status.to_string(), finding.found.clone()]).collect();
    if !rows.is_empty() {
        lines.push(table(&["check", "", "found"], rows));
    }
    let count = |status| report.findings.iter().filter(|finding| finding.status == status).count();
    lines.push(format!("{} faults, {} warnings", count(Status::Fault), count(Status::Warning)));
    lines.join("\n")
}

/// Why a call failed and what mends it, by the kind of failure. `access` says how rights are given, `reach` how it is reached.
fn blame(check: &'static str, e: &Error, access: &str, reach: &str) -> Finding {
    let found = e.detail.clone();
    let fix = match e.kind {
        Kind::Denied => access.to_owned(),
        Kind::Unavailable | Kind::Deadline => reach.to_owned(),
        Kind::Throttled => "give it more throughput, or wait: it asked for patience".to_owned(),
        Kind::Setting => e.detail.clone(),
        _ => "see the cause; where it is a defect of ours, report it with this line".to_owned(),
    };
    Finding::fault(check, found, e.chain(), fix)
}
