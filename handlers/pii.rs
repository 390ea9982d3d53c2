//! `rtvoice pii`: personal values found and masked in lines of JSON, and looked for in the stores.

use std::io::{BufReader, BufWriter};
use std::process::ExitCode;

use clap::Subcommand;
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::ops::pii::{self, LinesArgs};
use rtvoice::ops::scan::{self, ScanArgs};

/// Find personal values.
#[derive(Subcommand)]
pub(crate) enum PiiCommand {
    /// Write {"id","spans":[{"start","end","label","score"}]} for each line, places in Unicode code points
    Detect(LinesArgs),
    /// Write {"id","text"} for each line, with [LABEL] in place of each value
    Mask(LinesArgs),
    /// Look for personal values that rest in clear in the stores
    Scan(ScanArgs),
}

pub(crate) fn run(command: &PiiCommand) -> ExitCode {
    match command {
        PiiCommand::Detect(_) => lines(pii::PiiCommand::Detect),
        PiiCommand::Mask(_) => lines(pii::PiiCommand::Mask),
        PiiCommand::Scan(arguments) => scan(arguments),
    }
}

/// Bytes read and written at once.
const BUFFER: usize = 1 << 16;

fn lines(command: pii::PiiCommand) -> ExitCode {
    let mut input = BufReader::with_capacity(BUFFER, std::io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    match pii::run(command, &mut input, &mut output, &mut std::io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
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
