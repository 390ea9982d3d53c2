//! `rtvoice pii detect` and `rtvoice pii mask`: the detector over lines of JSON, for scoring and for masking files.
//!
//! In: JSONL `{"id","text"}`, where `call` binds the lines of one call together and `role` may say `agent`. Out: JSONL in
//! the order of the input. A line of a call is held back while a later one may still change what is found in it, within
//! bounds, so memory does not grow with the input. A bad line is reported by its number, never by what it holds, and the
//! rest goes on. A reader that goes away ends the command quietly.

mod calls;
mod line;

use std::io::{BufRead, ErrorKind, Write};

use crate::error::{Error, Result};
use crate::privacy::detect::{Span, detect, mask};

use calls::Calls;
use line::Line;

/// Arguments of both commands: there are none.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(after_help = "Reads JSONL {\"id\",\"text\"} from standard input; \"call\" binds the lines of one call together, \"role\": \"agent\" marks the \
                        agent's. Exit codes: 0 done, 1 a line was bad or reading failed, 2 wrong usage.")]
pub struct LinesArgs {}

/// What to do with each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PiiCommand {
    /// Write what is found.
    Detect,
    /// Write the text with a label in place of each value.
    Mask,
}

/// A buffer above this many bytes is given back after its line.
const KEPT_BUFFER: usize = 1 << 20;

/// Runs a command from `input` to `output`; tells whether all lines were good. What is wrong with a line goes to
/// `complaints`, one line each.
///
/// # Errors
/// Reading failed, or writing did for another reason than that nobody reads.
pub fn run(command: PiiCommand, input: &mut dyn BufRead, output: &mut dyn Write, complaints: &mut dyn Write) -> Result<bool> {
    match work(command, input, output, complaints) {
        Ok(good) => Ok(good),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(e) => Err(Error::internal(e)),
    }
}

fn work(command: PiiCommand, input: &mut dyn BufRead, output: &mut dyn Write, complaints: &mut dyn Write) -> std::io::Result<bool> {
    let mut calls = Calls::new(command);
    let mut buffer = Vec::new();
    let mut good = true;
    let mut number = 0_u64;
    loop {
        if buffer.capacity() > KEPT_BUFFER {
            buffer = Vec::new();
        }
        buffer.clear();
        if input.read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        number += 1;
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match Line::read(&buffer) {
            Ok(line) => calls.take(line, output)?,
            Err(complaint) => {
                good = false;
                writeln!(complaints, "rtvoice: line {number}: {complaint}")?;
            }
        }
    }
    calls.finish(output)?;
    output.flush()?;
    Ok(good)
}

/// The answer to a line that stands alone.
fn alone(command: PiiCommand, id: &str, text: &str) -> Vec<u8> {
    answer(command, id, text, &detect(text))
}

/// The answer to a line, with its end.
fn answer(command: PiiCommand, id: &str, text: &str, spans: &[Span]) -> Vec<u8> {
    let mut json = Vec::with_capacity(id.len() + 32 + 64 * spans.len());
    json.extend_from_slice(b"{\"id\":");
    json.extend_from_slice(id.as_bytes());
    match command {
        PiiCommand::Detect => {
            json.extend_from_slice(b",\"spans\":[");
            places(text, spans, &mut json);
            json.extend_from_slice(b"]}\n");
        }
        PiiCommand::Mask => {
            json.extend_from_slice(b",\"text\":");
            // Writing a string to memory does not fail.
            let _ = serde_json::to_writer(&mut json, &mask(text, spans));
            json.extend_from_slice(b"}\n");
        }
    }
    json
}

/// The spans by code points.
fn places(text: &str, spans: &[Span], json: &mut Vec<u8>) {
    let (mut byte, mut point) = (0, 0);
    let mut to = |at: usize| {
        point += text.get(byte..at).map_or(0, |skipped| skipped.chars().count());
        byte = at;
        point
    };
    for (n, span) in spans.iter().enumerate() {
        let (start, end) = (to(span.start), to(span.end));
        let comma = if n > 0 { "," } else { "" };
        // Writing to memory does not fail.
        let _ = write!(json, "{comma}{{\"start\":{start},\"end\":{end},\"label\":\"{}\",\"score\":{:.2}}}", span.label.as_str(), span.score);
    }
}
