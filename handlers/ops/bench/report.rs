//! The rows of a run: a figure beside its limit, and whether the goal is met. As a table and as JSON.

use serde::{Deserialize, Serialize};

use super::call::PerCall;
use crate::model::time::Timestamp;

/// The machine of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Cores that the process may use.
    pub cores: u64,
    /// What the processor calls itself.
    pub processor: String,
    /// Load average of the last minute when the run began.
    pub load_average: f64,
    /// `release` or `debug`.
    pub build: String,
    /// Version of rtvoice.
    pub version: String,
}

/// What is wanted of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// The figure is at least this share of the limit.
    Share(f64),
    /// The figure is at most so many times the limit.
    Times(f64),
    /// The figure itself is at most this.
    Most(f64),
}

/// One figure beside its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Name of the measurement, as `--only` takes it.
    pub row: String,
    /// What was measured.
    pub what: String,
    /// The figure.
    pub figure: f64,
    /// Unit of figure and limit.
    pub unit: String,
    /// What bounds it, measured in the same run; none where nothing does.
    pub limit: Option<f64>,
    /// What the limit is.
    pub limit_is: String,
    /// Figure by limit.
    pub ratio: Option<f64>,
    /// The goal in words; empty where there is none.
    pub goal: String,
    /// Whether the goal is met; none where there is none.
    pub met: Option<bool>,
    /// What else was seen.
    pub note: String,
}

impl Row {
    /// A figure without limit or goal.
    pub(super) fn new(row: super::RowName, what: impl Into<String>, figure: f64, unit: &str) -> Self {
        Self {
            row: row.as_str().to_owned(),
            what: what.into(),
            figure,
            unit: unit.to_owned(),
            limit: None,
            limit_is: String::new(),
            ratio: None,
            goal: String::new(),
            met: None,
            note: String::new(),
        }
    }

    /// The limit beside it.
    pub(super) fn limit(mut self, limit: f64, is: impl Into<String>) -> Self {
        self.limit = Some(limit);
        self.limit_is = is.into();
        self.ratio = (limit > 0.0).then(|| self.figure / limit);
        self
    }

    /// What is wanted; a share or a multiple needs the limit first.
    pub(super) fn goal(mut self, goal: Goal) -> Self {
        (self.goal, self.met) = match goal {
            Goal::Share(least) => (format!("≥ {} of the limit", number(least)), self.ratio.map(|ratio| ratio >= least)),
            Goal::Times(most) => (format!("≤ {} of the limit", number(most)), self.ratio.map(|ratio| ratio <= most)),
            Goal::Most(most) => (format!("≤ {} {}", number(most), self.unit), Some(self.figure <= most)),
        };
        self
    }

    /// What else was seen.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// A number with as many digits as mean something, as tables show it.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value.fract() == 0.0 && size < 1e15 => format!("{value:.0}"),
        _ if size >= 1000.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it was made.
    pub date: Timestamp,
    /// Where.
    pub machine: Machine,
    /// Seconds of each measured arm.
    pub seconds: f64,
    /// The rows.
    pub rows: Vec<Row>,
    /// What one call costs, where that was measured.
    pub per_call: Option<PerCall>,
}

impl Report {
    /// As a table with a line for the machine.
    pub(super) fn table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN).set_header(["row", "what", "figure", "limit", "ratio", "goal", "met"]);
        for row in &self.rows {
            let limit = row.limit.map(|limit| format!("{} ({})", number(limit), row.limit_is)).unwrap_or_default();
            let met = match row.met {
                None => "",
                Some(true) => "yes",
                Some(false) => "no",
            };
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            table.add_row([&row.row, &row.what, &format!("{} {}", number(row.figure), row.unit), &limit, &ratio, &row.goal, met]);
        }
        let machine = &self.machine;
        let mut text = format!(
            "{} · {} cores, {} · load {:.1} at the start · {} build of {} · {} s an arm\n{table}",
            self.date,
            machine.cores,
            machine.processor,
            machine.load_average,
            machine.build,
            machine.version,
            number(self.seconds)
        );
        for row in self.rows.iter().filter(|row| !row.note.is_empty()) {
            text.push_str(&format!("\n{}: {}: {}", row.row, row.what, row.note));
        }
        text
    }
}
