//! The figures of one archived call.

use serde_json::{Value, json};

use super::archive::Union;
use super::transcript::Header;
use crate::model::stages::StageTimes;

/// Median, 95th percentile and maximum of some milliseconds, by the nearest rank; null where there are none.
pub fn percentiles(mut millis: Vec<f64>) -> Value {
    millis.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        // Nearest rank: between 1 and the number of values.
        let place = (share * millis.len() as f64).ceil() as usize;
        millis.get(place.clamp(1, millis.len().max(1)) - 1).copied()
    };
    json!({ "p50": rank(0.50), "p95": rank(0.95), "max": millis.last() })
}

/// The analytics document of a call: durations in milliseconds, turns, stage latencies in milliseconds, speech hits
/// and misses, degraded turns, end reason.
pub fn document(header: &Header, union: &Union, stages: &[(String, StageTimes)]) -> Value {
    let turns = union.in_order();
    let of = |get: fn(&StageTimes) -> Option<f64>| percentiles(stages.iter().filter_map(|(_, s)| get(s)).collect());
    let spoken = |hit: bool| stages.iter().filter(|(_, s)| s.speech_hit == Some(hit)).count();
    let duration = header.started_at.zip(header.ended_at).map(|(start, end)| end.since(start).max(0));
    let (first, last) = (turns.first().map(|t| t.entry.at), turns.last().map(|t| t.entry.at));
    let mut document = json!({
        "id": header.call_connection_id,
        "day": header.day,
        "callConnectionId": header.call_connection_id,
        "startedAt": header.started_at,
        "endedAt": header.ended_at,
        "durationMs": duration,
        "timeToFirstTurnMs": header.started_at.zip(first).map(|(start, turn)| turn.since(start).max(0)),
        "talkMs": first.zip(last).map(|(first, last)| last.since(first).max(0)),
        "endReason": header.end_reason,
        "complete": header.complete,
        "turns": turns.len(),
        "degradedTurns": turns.iter().filter(|t| t.degraded).count(),
        "fallbackReplies": turns.iter().filter(|t| t.entry.source.as_deref() == Some("fallback")).count(),
        "speech": { "hits": spoken(true), "misses": spoken(false) },
        "stagesMs": {
            "load": of(|s| Some(s.load_ms)),
            "reply": of(|s| Some(s.reply_ms)),
            "commit": of(|s| Some(s.commit_ms)),
            "speech": of(|s| s.speech_ms),
        },
    });
    if let Some(kept_from) = header.kept_from {
        document["keptFrom"] = json!(kept_from);
    }
    document
}
