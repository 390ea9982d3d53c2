//! The tiles: what matters most, one number each, with what it is held to.

use super::data::Data;
use super::html::{Html, Mood};
use super::words::{count, maybe, number, percent, size, span};

/// One tile.
struct Tile {
    label: &'static str,
    value: String,
    note: String,
    mood: Mood,
}

/// Writes the tiles.
pub fn write(html: &mut Html, data: &Data) {
    html.raw("<dl class=\"tiles\">");
    for Tile { label, value, note, mood } in tiles(data) {
        html.raw("<div class=\"card tile ").raw(mood.class()).raw("\"><dt>").text(label).raw("</dt><dd class=\"value\">").text(&value);
        html.raw("</dd><dd class=\"note\">").text(&note).raw("</dd></div>");
    }
    html.raw("</dl>");
}

/// Above a limit it says so.
fn held(value: Option<f64>, limit: f64, words: String) -> (String, Mood) {
    match value {
        Some(value) if value > limit => (format!("above: {words}"), Mood::Bad),
        _ => (words, Mood::Plain),
    }
}

fn tenths(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 10.0).round() / 10.0)
}

fn tiles(data: &Data) -> [Tile; 8] {
    let (now, flow, calls) = (&data.now, &data.flow, &data.calls);
    let tile = |label, value, note, mood| Tile { label, value, note, mood };
    let open = match (&calls.failed, calls.more) {
        (Some(_), _) => "–".to_owned(),
        (None, true) => format!("{}+", calls.looked),
        (None, false) => count(calls.looked as u64),
    };
    let amiss = if now.failed > 0 {
        (format!("{} refused or failed in 5 min", now.failed), Mood::Warn)
    } else if now.degraded > 0 {
        (format!("{} degraded in 5 min", now.degraded), Mood::Warn)
    } else {
        ("none degraded or failed in 5 min".to_owned(), Mood::Plain)
    };
    let redis_95 = held(now.redis_p95_ms, 2.0, String::new()).1;
    let redis_99 = held(now.redis_p99_ms, 5.0, String::new()).1;
    // Few operations say nothing about the server.
    let slow = if now.redis_samples < 200 { Mood::Plain } else { redis_95.max(redis_99) };
    let slow_note = match (now.redis_samples, slow) {
        (..200, _) => format!("limit 2 / 5 ms; {} operations", now.redis_samples),
        (_, Mood::Bad) => "above the limit of 2 / 5 ms".to_owned(),
        _ => "within 2 / 5 ms".to_owned(),
    };
    let outbox = match (flow.outbox_depth, flow.outbox_age_s) {
        (None, _) => ("not known".to_owned(), Mood::Warn),
        (Some(_), Some(age)) if age > 60.0 => (format!("the oldest for {}: the queue does not take them", span(age)), Mood::Bad),
        (Some(0), _) => ("everything is confirmed".to_owned(), Mood::Plain),
        (Some(_), age) => (format!("the oldest for {}", span(age.unwrap_or_default())), Mood::Plain),
    };
    let memory = match now.memory_share {
        Some(share) if share > 0.85 => Mood::Bad,
        Some(share) if share > 0.70 => Mood::Warn,
        _ => Mood::Plain,
    };
    let memory_note = now.memory_bytes.map_or_else(|| "no server behind the state store".to_owned(), |bytes| format!("{}; scale out above 70 %", size(bytes)));
    let lag = held(flow.queue_lag_p95_s, 60.0, "p95 from queue to record".to_owned());
    [
        tile("Open calls", open, format!("{} set up in the last minute", now.setups_per_minute), if calls.failed.is_some() { Mood::Warn } else { Mood::Plain }),
        tile("Turns", format!("{}/s", number(now.turns_per_second)), amiss.0, amiss.1),
        tile("Turn, p95", maybe(now.turn_p95_ms, "ms"), format!("p50 {}", maybe(now.turn_p50_ms, "ms")), Mood::Plain),
        tile("Redis, p95 / p99", format!("{} / {}", maybe(tenths(now.redis_p95_ms), ""), maybe(tenths(now.redis_p99_ms), "ms")), slow_note, slow),
        tile("Phrase cache", percent(now.phrase_hits), "of phrases were cached".to_owned(), Mood::Plain),
        tile("Outbox", flow.outbox_depth.map_or_else(|| "–".to_owned(), count), outbox.0, outbox.1),
        tile("Queue", flow.queue_lag_p95_s.map_or_else(|| "–".to_owned(), span), lag.0, lag.1),
        tile("Redis memory", percent(now.memory_share), memory_note, memory),
    ]
}
