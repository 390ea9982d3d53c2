//! `rtvoice pii`: personal values, found.

use std::process::ExitCode;

use clap::Subcommand;
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::ops::scan::{self, ScanArgs};

/// Find personal values.
#[derive(Subcommand)]
pub(crate) enum PiiCommand {
    /// Look for personal values that rest in clear in the stores
    Scan(ScanArgs),
}

pub(crate) fn run(command: &PiiCommand) -> ExitCode {
    match command {
        PiiCommand::Scan(arguments) => scan(arguments),
    }
}

fn scan(arguments: &ScanArgs) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to("warn", super::LogTarget::Stderr);
    let work = async { scan::run(&App::new(config)?, arguments).await };
    let outcome: Result<scan::Scanned> = super::runtime().and_then(|runtime| runtime.block_on(work));
    match outcome {
        Ok(scanned) => {
            println!("{}", scanned.text.trim_end());
            if scanned.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(e) if matches!(e.kind, Kind::Setting) => super::wrong_setting(&e.detail),
        Err(e) if matches!(e.kind, Kind::BadInput) => super::wrong_setting(&named(&e)),
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}

fn named(e: &Error) -> String {
    e.field.as_deref().map_or_else(|| e.detail.clone(), |field| format!("{field}: {}", e.detail))
}
