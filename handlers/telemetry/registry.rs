//! The registry: one cell for each number of each metric, all made when the process starts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::figures::{Figures, Series};
use super::histogram::{self, BUCKETS, Spread};
use super::label::Label;
use super::metric::{Counter, Gauge, Histogram, Kind, Metric, Row};

/// Cells of one series of a histogram: its buckets and its sum.
const WIDTH: usize = BUCKETS + 1;
/// Cells of one series of a gauge: its value, and whether it was set since that was last asked for.
const GAUGE: usize = 2;

/// All metrics of a process.
pub struct Metrics {
    cells: Box<[AtomicU64]>,
    /// Where the cells of each metric begin.
    places: Box<[usize]>,
    on: bool,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Cells of one series.
const fn width(row: Row) -> usize {
    match row.kind {
        Kind::Histogram => WIDTH,
        Kind::Gauge => GAUGE,
        Kind::Counter => 1,
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let (mut places, mut cells) = (Vec::with_capacity(Metric::ALL.len()), Vec::new());
        for metric in Metric::ALL {
            let row = metric.row();
            places.push(cells.len());
            // A gauge that nobody has set has no value.
            let empty = |n: usize| if row.kind == Kind::Gauge && n.is_multiple_of(GAUGE) { f64::NAN.to_bits() } else { 0 };
            cells.extend((0..row.values.len() * width(row)).map(|n| AtomicU64::new(empty(n))));
        }
        Self { cells: cells.into(), places: places.into(), on: true }
    }
}

impl Metrics {
    /// Metrics that count nothing, for measurements.
    pub fn off() -> Self {
        Self { on: false, ..Self::default() }
    }

    /// Counts one.
    pub fn count<L: Label>(&self, counter: Counter<L>, label: L) {
        self.add(counter, label, 1);
    }

    /// Counts so many.
    pub fn add<L: Label>(&self, counter: Counter<L>, label: L, more: u64) {
        if self.on {
            self.cell(counter.0, label.index()).fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Takes over a count that is kept elsewhere.
    pub fn raise<L: Label>(&self, counter: Counter<L>, label: L, total: u64) {
        if self.on {
            self.cell(counter.0, label.index()).fetch_max(total, Ordering::Relaxed);
        }
    }

    /// Sets a gauge.
    pub fn set<L: Label>(&self, gauge: Gauge<L>, label: L, value: f64) {
        if !self.on {
            return;
        }
        let first = label.index() * GAUGE;
        self.cell(gauge.0, first).store(value.to_bits(), Ordering::Relaxed);
        self.cell(gauge.0, first + 1).store(1, Ordering::Release);
    }

    /// The gauges that were set since this was last asked.
    pub fn just_set(&self) -> Vec<Series> {
        let gauges = Metric::ALL.iter().filter(|metric| metric.row().kind == Kind::Gauge);
        let series = gauges.flat_map(|metric| (0..metric.row().values.len()).map(|place| (*metric, place)));
        let set = series.filter(|(metric, place)| self.cell(*metric, place * GAUGE + 1).swap(0, Ordering::Acquire) != 0);
        set.map(|(metric, place)| Series { metric, place: u8::try_from(place).unwrap_or(u8::MAX) }).collect()
    }

    /// A gauge's value; none where nobody has set it.
    pub fn value<L: Label>(&self, gauge: Gauge<L>, label: L) -> Option<f64> {
        let value = f64::from_bits(self.cell(gauge.0, label.index() * GAUGE).load(Ordering::Relaxed));
        value.is_finite().then_some(value)
    }

    /// What was counted so far.
    pub fn total<L: Label>(&self, counter: Counter<L>, label: L) -> u64 {
        self.cell(counter.0, label.index()).load(Ordering::Relaxed)
    }

    /// Keeps one value, in the metric's unit.
    pub fn record<L: Label>(&self, histogram: Histogram<L>, label: L, value: u64) {
        if !self.on {
            return;
        }
        let first = label.index() * WIDTH;
        self.cell(histogram.0, first + histogram::bucket(value)).fetch_add(1, Ordering::Relaxed);
        self.cell(histogram.0, first + BUCKETS).fetch_add(value, Ordering::Relaxed);
    }

    /// Keeps one time, for metrics in microseconds.
    pub fn time<L: Label>(&self, histogram: Histogram<L>, label: L, took: Duration) {
        self.record(histogram, label, u64::try_from(took.as_micros()).unwrap_or(u64::MAX >> 1));
    }

    /// The values of one series of a histogram so far.
    pub fn spread<L: Label>(&self, histogram: Histogram<L>, label: L) -> Spread {
        self.read_spread(histogram.0, label.index())
    }

    /// Everything as it is now; what is zero or unset is left out.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for metric in Metric::ALL {
            let row = metric.row();
            for place in 0..row.values.len() {
                let series = Series { metric: *metric, place: u8::try_from(place).unwrap_or(u8::MAX) };
                match row.kind {
                    Kind::Counter => {
                        let count = self.cell(*metric, place).load(Ordering::Relaxed);
                        if count > 0 {
                            figures.counts.insert(series, count);
                        }
                    }
                    Kind::Gauge => {
                        let value = f64::from_bits(self.cell(*metric, place * GAUGE).load(Ordering::Relaxed));
                        if value.is_finite() {
                            figures.gauges.insert(series, value);
                        }
                    }
                    Kind::Histogram => {
                        let spread = self.read_spread(*metric, place);
                        if !spread.buckets.is_empty() {
                            figures.spreads.insert(series, spread);
                        }
                    }
                }
            }
        }
        figures
    }

    fn read_spread(&self, metric: Metric, place: usize) -> Spread {
        let read = |offset: usize| self.cell(metric, place * WIDTH + offset).load(Ordering::Relaxed);
        let bucket = |n: usize| Some((u16::try_from(n).ok()?, Some(read(n)).filter(|count| *count > 0)?));
        Spread { buckets: (0..BUCKETS).filter_map(bucket).collect(), sum: read(BUCKETS) }
    }

    fn cell(&self, metric: Metric, offset: usize) -> &AtomicU64 {
        &self.cells[self.places[metric as usize] + offset]
    }
}
