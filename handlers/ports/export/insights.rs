//! The lines that Application Insights takes at `/v2.1/track`: one JSON envelope a line, requests and metrics.

use serde_json::{Value, json};

use super::{Source, Span};
use crate::model::time::Timestamp;
use crate::telemetry::Figures;

/// All of it, a line each. Application Insights adds up and averages what it is told: the figures are those since the last lot.
pub(super) fn lines(spans: &[Span], figures: &Figures, key: &str, source: &Source, now: Timestamp) -> String {
    let mut lines: Vec<String> = spans.iter().map(|span| request(span, key, source).to_string()).collect();
    let metric = |name: String, label: &str, value: f64, count: u64| {
        let properties = if label.is_empty() { json!({}) } else { json!({ "label": label }) };
        let data = json!({ "ver": 2, "metrics": [{ "name": name, "kind": 0, "value": value, "count": count }], "properties": properties });
        envelope("Metric", "MetricData", now, (key, source), json!({}), data).to_string()
    };
    for (series, count) in &figures.counts {
        lines.push(metric(format!("rtvoice.{}", series.metric.row().name), series.value(), *count as f64, 1));
    }
    for (series, value) in &figures.gauges {
        lines.push(metric(format!("rtvoice.{}", series.metric.row().name), series.value(), value * series.metric.row().unit.exposed().1, 1));
    }
    for (series, spread) in &figures.spreads {
        let scale = series.metric.row().unit.exposed().1;
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            let value = spread.quantile(share).unwrap_or_default() * scale;
            lines.push(metric(format!("rtvoice.{}.{name}", series.metric.row().name), series.value(), value, 1));
        }
    }
    lines.join("\n")
}

fn envelope(kind: &str, base: &str, at: Timestamp, (key, source): (&str, &Source), operation: Value, data: Value) -> Value {
    let mut tags = json!({ "ai.cloud.role": "rtvoice", "ai.cloud.roleInstance": format!("{}/{}", source.app, source.instance) });
    if let (Some(tags), Some(operation)) = (tags.as_object_mut(), operation.as_object()) {
        tags.extend(operation.clone());
    }
    json!({
        "name": format!("Microsoft.ApplicationInsights.{kind}"), "time": at, "iKey": key, "tags": tags, "data": { "baseType": base, "baseData": data },
    })
}

fn request(span: &Span, key: &str, source: &Source) -> Value {
    let millis = span.took.as_millis();
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    let mut data = json!({
        "ver": 2, "id": span.span, "name": span.name, "duration": format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1000),
        "success": span.error.is_none(), "properties": { "invocationId": span.invocation },
    });
    let mut operation = json!({ "ai.operation.id": span.trace, "ai.operation.name": span.name });
    if let Some(parent) = &span.parent {
        operation["ai.operation.parentId"] = json!(parent);
    }
    if !span.whole {
        data["type"] = json!("InProc");
        return envelope("RemoteDependency", "RemoteDependencyData", span.began, (key, source), operation, data);
    }
    data["responseCode"] = json!(span.error.unwrap_or("ok"));
    envelope("Request", "RequestData", span.began, (key, source), operation, data)
}
