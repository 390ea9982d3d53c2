//! What commands say: the one place that writes to standard output and standard error.
//!
//! In: text. A reader that goes away (`| head -1`) ends nothing and fails nothing: what was to be done is done by then, and the
//! exit code tells of that alone. An output that cannot be written for another reason, such as a full disk, is a failure.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

/// Whether the command was asked for JSON.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whoever reads the output is a program: a failure is told there, too.
pub(crate) fn for_programs() {
    JSON.store(true, Ordering::Relaxed);
}

/// A failure: one line on standard error; `{"error":"..."}` on standard output where JSON was asked for.
pub(crate) fn fail(line: &str, code: ExitCode) -> ExitCode {
    told(&format!("rtvoice: {line}"), line, code)
}

/// The same for a wrong command line, of which more is told on standard error.
pub(crate) fn wrong_line(text: &str, line: &str, code: ExitCode) -> ExitCode {
    told(text.trim_end(), line, code)
}

fn told(text: &str, line: &str, code: ExitCode) -> ExitCode {
    warn(text);
    if JSON.load(Ordering::Relaxed) {
        // The code of the failure counts, written or not.
        say(&json!({ "error": line }).to_string(), code);
    }
    code
}

/// Prints lines, with a line feed at their end; `code` where that went well, or nobody reads.
pub(crate) fn say(text: &str, code: ExitCode) -> ExitCode {
    let mut output = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match output.write_all(text.as_bytes()).and_then(|()| output.write_all(end.as_bytes())).and_then(|()| output.flush()) {
        Ok(()) => code,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => code,
        Err(e) => {
            warn(&format!("rtvoice: the output cannot be written: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error. Where that is gone there is nobody left to tell.
pub(crate) fn warn(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
