//! The Prometheus text exposition, format 0.0.4, of everything that was counted.
//!
//! Names begin with `rtvoice_` and end with their unit, times are seconds, counters end with `_total`. Histograms show one bucket
//! for each doubling: the finer ones stay inside.

use std::fmt::Write as _;

use super::figures::{Figures, Series};
use super::histogram::{Spread, lowest};
use super::metric::{Kind, Metric, Row};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text.
pub fn text(figures: &Figures) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for metric in Metric::ALL {
        let row = metric.row();
        let name = name(row);
        let kind = match row.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", row.help);
        for (place, value) in row.values.iter().enumerate() {
            let series = Series { metric: *metric, place: u8::try_from(place).unwrap_or(u8::MAX) };
            let label = if row.label.is_empty() { String::new() } else { format!("{}=\"{value}\"", row.label) };
            series_text(&mut text, (&name, &label), row, series, figures);
        }
    }
    text
}

/// The exposed name of a metric.
pub fn name(row: Row) -> String {
    let total = if row.kind == Kind::Counter { "_total" } else { "" };
    format!("rtvoice_{}{}{total}", row.name.replace('.', "_"), row.unit.exposed().0)
}

fn series_text(text: &mut String, (name, label): (&str, &str), row: Row, series: Series, figures: &Figures) {
    let labels = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
    // A String takes whatever is written to it.
    match row.kind {
        Kind::Counter => {
            let _ = writeln!(text, "{name}{labels} {}", figures.counts.get(&series).copied().unwrap_or_default());
        }
        Kind::Gauge => {
            if let Some(value) = figures.gauges.get(&series) {
                let _ = writeln!(text, "{name}{labels} {}", value * row.unit.exposed().1);
            }
        }
        Kind::Histogram => {
            if let Some(spread) = figures.spreads.get(&series) {
                histogram(text, (name, label, &labels), row.unit.exposed().1, spread);
            }
        }
    }
}

fn histogram(text: &mut String, (name, label, labels): (&str, &str, &str), scale: f64, spread: &Spread) {
    let before = if label.is_empty() { String::new() } else { format!("{label},") };
    for edge in (8..super::histogram::BUCKETS).step_by(8) {
        let _ = writeln!(text, "{name}_bucket{{{before}le=\"{}\"}} {}", lowest(edge) as f64 * scale, spread.below(lowest(edge)));
    }
    let count = spread.count();
    let _ = writeln!(text, "{name}_bucket{{{before}le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{labels} {}", spread.sum as f64 * scale);
    let _ = writeln!(text, "{name}_count{labels} {count}");
}
