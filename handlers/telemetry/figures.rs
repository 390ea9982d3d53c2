//! What the metrics say at one time or over one span: maps of numbers that merge over time and over instances.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::histogram::Spread;
use super::label::Label;
use super::metric::{Counter, Gauge, Histogram, Kind, Metric};

/// One metric under one value of its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The metric.
    pub metric: Metric,
    /// Place of the label's value.
    pub place: u8,
}

impl Series {
    /// The value of its label; empty where it has none.
    pub fn value(self) -> &'static str {
        self.metric.row().values.get(usize::from(self.place)).copied().unwrap_or_default()
    }

    /// The series of this text, as [`std::fmt::Display`] writes it; none where this version knows no such one.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.strip_suffix('}').and_then(|text| text.split_once('{')).unwrap_or((text, ""));
        let metric = *Metric::ALL.iter().find(|metric| metric.row().name == name)?;
        let place = metric.row().values.iter().position(|known| *known == value)?;
        Some(Self { metric, place: u8::try_from(place).ok()? })
    }

    fn of<L: Label>(metric: Metric, label: L) -> Self {
        Self { metric, place: u8::try_from(label.index()).unwrap_or(u8::MAX) }
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.metric.row().name;
        match self.value() {
            "" => f.write_str(name),
            value => write!(f, "{name}{{{value}}}"),
        }
    }
}

/// Numbers of many series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Counters.
    pub counts: BTreeMap<Series, u64>,
    /// Gauges.
    pub gauges: BTreeMap<Series, f64>,
    /// Histograms.
    pub spreads: BTreeMap<Series, Spread>,
}

impl Figures {
    /// True where it says nothing.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.gauges.is_empty() && self.spreads.is_empty()
    }

    /// Adds what came later, or elsewhere: counts and histograms add up, of a gauge the other's value stays.
    pub fn merge(&mut self, other: &Self) {
        for (series, count) in &other.counts {
            *self.counts.entry(*series).or_default() += count;
        }
        for (series, value) in &other.gauges {
            self.gauges.insert(*series, *value);
        }
        for (series, spread) in &other.spreads {
            self.spreads.entry(*series).or_default().merge(spread);
        }
    }

    /// What has come since an earlier state of the same process; gauges as they are now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |(series, count): (&Series, &u64)| {
            let more = count.saturating_sub(earlier.counts.get(series).copied().unwrap_or_default());
            (more > 0).then_some((*series, more))
        };
        let spread = |(series, spread): (&Series, &Spread)| {
            let more = earlier.spreads.get(series).map_or_else(|| spread.clone(), |earlier| spread.since(earlier));
            (!more.buckets.is_empty()).then_some((*series, more))
        };
        Self { counts: self.counts.iter().filter_map(grown).collect(), gauges: self.gauges.clone(), spreads: self.spreads.iter().filter_map(spread).collect() }
    }

    /// A counter under one label.
    pub fn count<L: Label>(&self, counter: Counter<L>, label: L) -> u64 {
        self.counts.get(&Series::of(counter.0, label)).copied().unwrap_or_default()
    }

    /// A counter over all labels.
    pub fn all<L>(&self, counter: Counter<L>) -> u64 {
        self.counts.iter().filter(|(series, _)| series.metric == counter.0).map(|(_, count)| count).sum()
    }

    /// A gauge under one label.
    pub fn gauge<L: Label>(&self, gauge: Gauge<L>, label: L) -> Option<f64> {
        self.gauges.get(&Series::of(gauge.0, label)).copied()
    }

    /// A histogram under one label.
    pub fn spread<L: Label>(&self, histogram: Histogram<L>, label: L) -> Spread {
        self.spreads.get(&Series::of(histogram.0, label)).cloned().unwrap_or_default()
    }

    /// A histogram over all labels.
    pub fn whole<L>(&self, histogram: Histogram<L>) -> Spread {
        let mut whole = Spread::default();
        self.spreads.iter().filter(|(series, _)| series.metric == histogram.0).for_each(|(_, spread)| whole.merge(spread));
        whole
    }

    /// As JSON: a member for each series, histograms with their buckets and the usual quantiles in the metric's unit.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        for (series, count) in &self.counts {
            members.insert(series.to_string(), json!(count));
        }
        for (series, value) in &self.gauges {
            members.insert(series.to_string(), json!(value));
        }
        for (series, spread) in &self.spreads {
            let buckets: Map<String, Value> = spread.buckets.iter().map(|(bucket, count)| (bucket.to_string(), json!(count))).collect();
            let quantile = |share| spread.quantile(share).map(|value| (value * 10.0).round() / 10.0);
            let body = json!({
                "count": spread.count(), "sum": spread.sum, "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99), "buckets": buckets,
            });
            members.insert(series.to_string(), body);
        }
        Value::Object(members)
    }

    /// Reads what [`Figures::to_json`] wrote; series that this version does not know are left out.
    pub fn from_json(body: &Value) -> Self {
        let mut figures = Self::default();
        for (name, value) in body.as_object().into_iter().flatten() {
            let Some(series) = Series::parse(name) else { continue };
            match series.metric.row().kind {
                Kind::Counter => figures.counts.extend(value.as_u64().map(|count| (series, count))),
                Kind::Gauge => figures.gauges.extend(value.as_f64().map(|value| (series, value))),
                Kind::Histogram => {
                    let pairs = value["buckets"].as_object().into_iter().flatten();
                    let buckets = pairs.filter_map(|(bucket, count)| Some((bucket.parse().ok()?, count.as_u64()?))).collect();
                    figures.spreads.insert(series, Spread { buckets, sum: value["sum"].as_u64().unwrap_or_default() });
                }
            }
        }
        figures
    }
}
