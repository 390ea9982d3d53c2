//! OTLP in its JSON encoding (opentelemetry-proto 1.x): ids in hexadecimal, 64-bit numbers as strings, times in nanoseconds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Source, Span};
use crate::model::time::Timestamp;
use crate::telemetry::histogram::{BUCKETS, lowest};
use crate::telemetry::metric::{Kind, Row, Unit};
use crate::telemetry::{Figures, Metric, Series, Spread};

/// Kind of a span that answers a request.
const SERVER: u8 = 2;
/// Kind of a span that is a part of one.
const INTERNAL: u8 = 1;
/// Sums and histograms count from the start of the process.
const CUMULATIVE: u8 = 2;

fn nanos(at: Timestamp) -> String {
    (i128::from(at.millis()) * 1_000_000).to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn resource(source: &Source) -> Value {
    let attributes = [
        attribute("service.name", "rtvoice"),
        attribute("service.namespace", &source.app),
        attribute("service.instance.id", &source.instance),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
    ];
    json!({ "attributes": attributes })
}

/// The body for `/v1/traces`.
pub(super) fn traces(spans: &[Span], source: &Source) -> Value {
    let one = |span: &Span| {
        let end = i128::from(span.began.millis()) * 1_000_000 + i128::try_from(span.took.as_nanos()).unwrap_or_default();
        let mut attributes = vec![attribute("faas.name", span.name), attribute("faas.invocation_id", &span.invocation)];
        attributes.extend(span.error.map(|kind| attribute("error.type", kind)));
        json!({
            "traceId": span.trace, "spanId": span.span, "parentSpanId": span.parent.map(|parent| parent.to_string()).unwrap_or_default(), "name": span.name,
            "kind": if span.whole { SERVER } else { INTERNAL },
            "startTimeUnixNano": nanos(span.began), "endTimeUnixNano": end.to_string(), "attributes": attributes,
            "status": { "code": if span.error.is_some() { 2 } else { 1 } },
        })
    };
    let spans: Vec<Value> = spans.iter().map(one).collect();
    json!({ "resourceSpans": [{ "resource": resource(source), "scopeSpans": [{ "scope": { "name": "rtvoice" }, "spans": spans }] }] })
}

/// The unit as UCUM writes it.
const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::One => "1",
        Unit::Micros | Unit::Millis | Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::Percent | Unit::Ratio => "1",
        Unit::PerMinute => "1/min",
    }
}

/// The body for `/v1/metrics`.
pub(super) fn metrics(figures: &Figures, source: &Source, began: Timestamp, now: Timestamp) -> Value {
    let mut points: BTreeMap<Metric, Vec<Value>> = BTreeMap::new();
    let (start, at) = (nanos(began), nanos(now));
    let point = |series: Series| {
        let row = series.metric.row();
        let labels = if row.label.is_empty() { Vec::new() } else { vec![attribute(row.label, series.value())] };
        json!({ "attributes": labels, "startTimeUnixNano": start, "timeUnixNano": at })
    };
    for (series, count) in &figures.counts {
        let mut point = point(*series);
        point["asInt"] = json!(count.to_string());
        points.entry(series.metric).or_default().push(point);
    }
    for (series, value) in &figures.gauges {
        let mut point = point(*series);
        point["asDouble"] = json!(value * series.metric.row().unit.exposed().1);
        points.entry(series.metric).or_default().push(point);
    }
    for (series, spread) in &figures.spreads {
        let mut point = point(*series);
        histogram(&mut point, series.metric.row(), spread);
        points.entry(series.metric).or_default().push(point);
    }
    let metrics: Vec<Value> = points.into_iter().map(|(metric, points)| told(metric.row(), points)).collect();
    json!({ "resourceMetrics": [{ "resource": resource(source), "scopeMetrics": [{ "scope": { "name": "rtvoice" }, "metrics": metrics }] }] })
}

fn told(row: Row, points: Vec<Value>) -> Value {
    let mut metric = json!({ "name": format!("rtvoice.{}", row.name), "description": row.help, "unit": unit(row.unit) });
    match row.kind {
        Kind::Counter => metric["sum"] = json!({ "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points }),
        Kind::Gauge => metric["gauge"] = json!({ "dataPoints": points }),
        Kind::Histogram => metric["histogram"] = json!({ "aggregationTemporality": CUMULATIVE, "dataPoints": points }),
    }
    metric
}

/// One bucket for each doubling, like the text for Prometheus.
fn histogram(point: &mut Value, row: Row, spread: &Spread) {
    let scale = row.unit.exposed().1;
    let edges: Vec<u64> = (8..BUCKETS).step_by(8).map(lowest).collect();
    let (mut before, mut counts) = (0, Vec::with_capacity(edges.len() + 1));
    for edge in &edges {
        let below = spread.below(*edge);
        counts.push((below - before).to_string());
        before = below;
    }
    counts.push((spread.count() - before).to_string());
    point["count"] = json!(spread.count().to_string());
    point["sum"] = json!(spread.sum as f64 * scale);
    point["bucketCounts"] = json!(counts);
    point["explicitBounds"] = json!(edges.iter().map(|edge| *edge as f64 * scale).collect::<Vec<_>>());
}
