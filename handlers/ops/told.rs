//! What an operators' command tells when it is done: its text, for people or as JSON, and whether the answer is good.

use std::time::Duration;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::error::{Error, Result};

/// What a command tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// For standard output.
    pub text: String,
    /// False where the exit code must be 1.
    pub good: bool,
}

impl Told {
    /// One JSON object where `json`, else the text.
    pub fn new(json: bool, value: &impl Serialize, good: bool, text: impl FnOnce() -> String) -> Result<Self> {
        let text = if json { serde_json::to_string(value).map_err(Error::internal)? } else { text() };
        Ok(Self { text, good })
    }
}

/// A table for people, never broken to the width of a terminal, so that it can be cut and searched.
pub fn table<R: IntoIterator<Item = String>>(header: &[&str], rows: impl IntoIterator<Item = R>) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// A size as people read it: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes as f64;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{scaled:.1} {}", UNITS[unit]) }
}

/// A span of time as people read it: `2 d 3 h`, `5 min`, `12 s`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The same from milliseconds; what lies in the future counts as now.
pub fn span_ms(millis: i64) -> String {
    span(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}
