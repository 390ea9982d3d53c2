//! What the demo found, for people and as JSON.

use serde::Serialize;
use serde_json::Value;

/// Everything that the demo read back.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Turns that were answered with 200, each turn id once.
    pub turns: usize,
    /// Turns in the archive.
    pub archived: usize,
    /// Repeated deliveries that changed nothing.
    pub duplicates_absorbed: usize,
    /// Spoken replies that came from the cache.
    pub tts_hits: u64,
    /// Spoken replies that were synthesised.
    pub tts_misses: u64,
    /// Messages left in the outbox.
    pub outbox_left: usize,
    /// Messages that could not be read.
    pub dead_lettered: u64,
    /// Milliseconds from CallConnected to its acknowledgement.
    pub setup_ms: f64,
    /// Milliseconds of a turn as the caller's side sees it.
    pub turn_ms: Percentiles,
    /// Milliseconds from CallDisconnected to the archive.
    pub archive_ms: f64,
    /// Whether all of it holds.
    pub ok: bool,
    /// The call.
    pub call_connection_id: String,
    /// What does not hold, in words.
    pub problems: Vec<String>,
    /// The archived conversation: number, caller, agent, cache.
    #[serde(skip)]
    pub conversation: Vec<(String, String, String, String)>,
    /// Median, 95th percentile and maximum per stage, as the analytics document has them.
    #[serde(skip)]
    pub stages: Value,
    /// Where things were stored: what, where, how many.
    #[serde(skip)]
    pub places: Vec<(String, String)>,
    /// The folder that stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// Median, 95th percentile and maximum, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 95th percentile, by the nearest rank.
    pub p95: f64,
    /// Maximum.
    pub max: f64,
}

impl Percentiles {
    /// Of these values; zero where there are none.
    pub fn of(millis: Vec<f64>) -> Self {
        let value = crate::model::analytics::percentiles(millis);
        let get = |name: &str| value.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        Self { p50: get("p50"), p95: get("p95"), max: get("max") }
    }
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let mut table = comfy_table::Table::new();
        table.load_style();
        table.set_header(["#", "caller", "agent", "speech"]);
        for (number, caller, agent, cache) in &self.conversation {
            table.add_row([number, caller, agent, cache]);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "Call {}\n{table}\n", self.call_connection_id);
        let _ = writeln!(out, "answered {} turns, archived {}, in order and once each", self.turns, self.archived);
        let _ = writeln!(out, "repeated deliveries absorbed: {}", self.duplicates_absorbed);
        let _ = writeln!(out, "spoken replies: {} from the cache, {} synthesised", self.tts_hits, self.tts_misses);
        let _ = writeln!(out, "left in the outbox: {}, dead-lettered: {}", self.outbox_left, self.dead_lettered);
        let _ = writeln!(
            out,
            "call set-up {:.1} ms; turn p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms; archive after {:.1} ms",
            self.setup_ms, self.turn_ms.p50, self.turn_ms.p95, self.turn_ms.max, self.archive_ms
        );
        for stage in ["load", "reply", "commit", "speech"] {
            let get = |name: &str| self.stages.pointer(&format!("/{stage}/{name}")).and_then(Value::as_f64).unwrap_or(0.0);
            let _ = writeln!(out, "  {stage:<7} p50 {:>7.2} ms  p95 {:>7.2} ms  max {:>7.2} ms", get("p50"), get("p95"), get("max"));
        }
        let _ = writeln!(out, "\nstored:");
        for (what, place) in &self.places {
            let _ = writeln!(out, "  {what:<14} {place}");
        }
        match &self.kept {
            Some(folder) => {
                let _ = writeln!(out, "\nkept in {folder}; look again with EMBEDDED_PATH={folder}/rtvoice.db rtvoice transcript {}", self.call_connection_id);
            }
            None => {
                let _ = writeln!(out, "\nthe stores were in a temporary folder and are gone (--keep keeps them)");
            }
        }
        for problem in &self.problems {
            let _ = writeln!(out, "DOES NOT HOLD: {problem}");
        }
        let _ = writeln!(out, "{}", if self.ok { "all of it holds" } else { "something does not hold" });
        out
    }
}

trait Style {
    fn load_style(&mut self);
}

impl Style for comfy_table::Table {
    fn load_style(&mut self) {
        self.load_preset(comfy_table::presets::UTF8_FULL_CONDENSED).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    }
}
