//! `rtvoice pii`: personal values found and masked in lines of JSON, and looked for in the stores.

use std::io::{BufReader, BufWriter};
use std::process::ExitCode;

use clap::Subcommand;
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
        Err(e) => super::failed(&e),
    }
}

fn scan(arguments: &ScanArgs) -> ExitCode {
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(
        config,
        "warn",
        async |app| scan::run(&app, arguments).await,
        |scanned: scan::Scanned| super::out::say(scanned.text.trim_end(), if scanned.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
    )
}
