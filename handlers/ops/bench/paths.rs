//! `rtvoice bench paths`: whole paths beside their limits.
//!
//! In: which rows, and how long each arm is measured. Out: a [`Report`], as a table or as JSON, and as a file for
//! `rtvoice plan`. Each row cleans up what it made. A goal that is not met is told, and is no failure of the run.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::report::{Report, Row};
use super::stage::Stage;
use super::{audio, call, envelope, growth, machine, memory, pure, script, start, telemetry, turns};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::ports::clock::{Clock as _, SystemClock};

/// Measure whole paths beside their limits
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Needs the Redis of the settings (REDIS_HOST), a single server, best one of its own; everything else is the run's own. \
                  Exit codes: 0 measured, whether goals are met or not, 1 failed, 2 wrong usage or setting.")]
pub struct PathsArgs {
    /// Seconds of each measured arm
    #[arg(long, default_value_t = 4.0, value_parser = seconds)]
    pub seconds: f64,
    /// Only these rows
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROW,..")]
    pub only: Vec<RowName>,
    /// Turns of the long call in the row growth
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(40..=20_000))]
    pub long_turns: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write the same to a file, for rtvoice plan
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds)).ok_or_else(|| "must be a number from 0.1 to 600".to_owned())
}

/// The measurements, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowName {
    /// Turns at 64 concurrent against the bare Redis client, privacy off and on
    Turns,
    /// Turn 2,000 beside turn 10
    Growth,
    /// HTTP alone against a bare axum handler
    Http,
    /// Turns in envelopes against plain requests
    Envelope,
    /// The commit script against the same commands in MULTI
    Script,
    /// A phrase of 160 KiB, and turns while phrases are fetched
    Tts,
    /// The archive of a call of 50 turns
    Archive,
    /// From exec to the first answer
    Start,
    /// Memory of the process and of a call in Redis
    Memory,
    /// Turns with metrics, traces and alerts against turns without
    Telemetry,
    /// Envelopes, masking and sealing against the least that their work takes
    Pure,
    /// What one call costs each store, for rtvoice plan
    Call,
}

impl RowName {
    /// As `--only` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Growth => "growth",
            Self::Http => "http",
            Self::Envelope => "envelope",
            Self::Script => "script",
            Self::Tts => "tts",
            Self::Archive => "archive",
            Self::Start => "start",
            Self::Memory => "memory",
            Self::Telemetry => "telemetry",
            Self::Pure => "pure",
            Self::Call => "call",
        }
    }
}

/// Measures; the text to print.
pub async fn run(config: &Config, arguments: &PathsArgs, progress: &(dyn Fn(&str) + Sync)) -> Result<String> {
    let report = measure(config, arguments, progress).await?;
    let json = serde_json::to_string_pretty(&report).map_err(Error::internal)?;
    if let Some(file) = &arguments.save {
        std::fs::write(file, format!("{json}\n")).map_err(|e| Error::new(Kind::Setting, "--save must name a file that can be written").because(e))?;
    }
    Ok(if arguments.json { json } else { report.table() })
}

async fn measure(config: &Config, arguments: &PathsArgs, progress: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let mut report = Report { date: SystemClock.now(), machine: machine::machine(), seconds: arguments.seconds, rows: Vec::new(), per_call: None };
    for name in RowName::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(name) {
            continue;
        }
        progress(&format!("measuring {}", name.as_str()));
        let stage = Stage::open(config, Duration::from_secs_f64(arguments.seconds)).await?;
        let measured = one(*name, &stage, arguments, &mut report).await;
        // What was made is removed also where a row failed; its failure is the one to tell.
        let closed = stage.close().await;
        report.rows.extend(measured?);
        closed?;
    }
    Ok(report)
}

async fn one(name: RowName, stage: &Stage, arguments: &PathsArgs, report: &mut Report) -> Result<Vec<Row>> {
    match name {
        RowName::Turns => turns::rows(stage).await,
        RowName::Growth => growth::rows(stage, u64::from(arguments.long_turns)).await,
        RowName::Http => envelope::http(stage).await,
        RowName::Envelope => envelope::enveloped(stage).await,
        RowName::Script => script::rows(stage).await,
        RowName::Tts => audio::rows(stage).await,
        RowName::Archive => call::archive(stage).await,
        RowName::Start => start::rows(stage).await,
        RowName::Memory => memory::rows(stage).await,
        RowName::Telemetry => telemetry::rows(stage).await,
        RowName::Pure => pure::rows(stage).await,
        RowName::Call => {
            let cost = call::per_call(stage).await?;
            let what = format!("a call of {} turns, everything of it", cost.turns);
            let row = Row::new(name, what, cost.handler_cpu_micros, "µs of processor time").note(format!(
                "{:.0} round trips to Redis, {:.0} messages, {:.0} operations on documents, about {:.0} request units",
                cost.redis_operations, cost.queue_messages, cost.document_operations, cost.request_units
            ));
            report.per_call = Some(cost);
            Ok(vec![row])
        }
    }
}
