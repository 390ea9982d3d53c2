//! `rtvoice pii`.

use std::io::{BufReader, BufWriter};
use std::process::ExitCode;

use rtvoice::ops::pii::{self, PiiArgs};

/// Bytes read and written at once.
const BUFFER: usize = 1 << 16;

pub(crate) fn run(arguments: &PiiArgs) -> ExitCode {
    let mut input = BufReader::with_capacity(BUFFER, std::io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    match pii::run(arguments.command, &mut input, &mut output, &mut std::io::stderr().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}
