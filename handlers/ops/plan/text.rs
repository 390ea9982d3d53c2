//! A plan for reading.

use std::fmt::Write as _;

use super::Plan;
use crate::ops::bench::number;

fn gigabytes(bytes: f64) -> String {
    format!("{} GB", number(bytes / 1e9))
}

/// The plan as lines.
pub(super) fn text(plan: &Plan) -> String {
    let needs = &plan.needs;
    let (functions, redis, queue, lanes, cosmos) = (&needs.functions, &needs.redis, &needs.queue, &needs.lanes, &needs.cosmos);
    let mut rows = vec![
        (
            "calls",
            format!(
                "{} at once, {} begin each second, {} turns each second",
                number(needs.concurrent_calls),
                number(needs.calls_per_second),
                number(needs.turns_per_second)
            ),
        ),
        (
            "instances",
            format!(
                "{} for HTTP and {} for the queue, {} MB each ({} cores busy, {} turns in flight; the default quota allows {})",
                number(functions.http_instances),
                number(functions.queue_instances),
                number(functions.instance_megabytes),
                number(functions.busy_cores),
                number(functions.turns_in_flight),
                number(functions.quota_instances)
            ),
        ),
        (
            "Redis",
            format!(
                "{} ({} of it summaries of seven days), {} operations/s, {} shards ({} by memory at 70 %, {} by operations)",
                gigabytes(redis.bytes),
                gigabytes(redis.summary_bytes),
                number(redis.operations.round()),
                number(redis.shards),
                number(redis.shards_by_memory),
                number(redis.shards_by_operations)
            ),
        ),
        (
            "queue",
            format!(
                "{} messages/s, {} MB/s each way, {} messaging units (4 MB/s each, of which sessions and duplicate detection are taken to leave {:.0} %)",
                number(queue.messages.round()),
                number(queue.bytes / 1e6),
                number(queue.units),
                queue.unit_share * 100.0
            ),
        ),
        (
            "lanes",
            format!(
                "QUEUE_LANES must be at least {} ({} busy at once, {} s of the writer a call); set to {}: {}",
                number(lanes.needed),
                number(lanes.busy),
                number(lanes.writer_seconds_per_call),
                number(lanes.configured),
                lanes.reason
            ),
        ),
        (
            "Cosmos DB",
            format!("{} RU/s, {} physical partitions, {} stored", number(cosmos.request_units.round()), number(cosmos.partitions), gigabytes(cosmos.bytes)),
        ),
    ];
    for (container, bytes) in &cosmos.stored_bytes {
        rows.push(("", format!("{container} {}", gigabytes(*bytes))));
    }
    for (place, bottleneck) in needs.bottlenecks.iter().enumerate() {
        let name = if place == 0 { "ends first" } else { "then" };
        rows.push((name, format!("{} at {} calls: {}", bottleneck.what, number(bottleneck.at_calls), bottleneck.remedy)));
    }
    let cost = &plan.cost;
    for line in &cost.lines {
        let price = line.price.price.map_or_else(|| "no price".to_owned(), |price| format!("{price} {}", cost.currency));
        let amount = line.amount.map_or_else(|| "not in the sum".to_owned(), |amount| format!("{} {}", number(amount.round()), cost.currency));
        let dated = line.price.date.as_ref().map(|date| format!(" of {date}")).unwrap_or_default();
        rows.push((
            "a month",
            format!("{}: {} × {price} per {} = {amount} ({}{dated})", line.name, number(line.quantity.round()), line.price.unit, line.price.source),
        ));
    }
    rows.push(("sum", format!("{} {} a month", number(cost.sum.round()), cost.currency)));
    if !cost.without_price.is_empty() {
        rows.push(("", format!("without {}: their prices are not known", cost.without_price.join(", "))));
    }
    rows.push(("", cost.note.clone()));
    rows.push(("measured", format!("{}, {} build", plan.benchmark_date, plan.benchmark_build)));
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<11}{value}");
    }
    text.truncate(text.trim_end().len());
    text
}
