//! Each `function.json` as the app ships it, and how the one that is deployed differs where the code cannot tell: who may call, when
//! a timer runs, which queue is read and by which connection.

use std::path::Path;

use serde_json::Value;

use super::Finding;
use crate::config::Config;
use crate::host::manifest::expand;

macro_rules! shipped {
    ($($name:literal)+) => {
        /// Names and files.
        pub const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../", $name, "/function.json")))),+];
    };
}

shipped! {
    "AlertEvaluator" "AuthState" "BreachClock" "BreachWorkflow" "CallConnected"
    "CallDisconnected" "CallEvents" "CallWorker" "ComplianceReport" "ComplianceReports"
    "ConversationTurn" "Dashboard" "EraseUser" "ErasureRunner" "Erasures"
    "Health" "Metrics" "OutboxRelay" "PiiScan" "Ready"
    "RetentionPurge" "SystemMetrics" "TranscriptDeadLetter" "TranscriptWriter" "TtsCache"
    "UserLookup" "UserProfile" "WeeklyReport" "WorkerAffinity" "WorkerHeartbeat"
}

/// Members that are looked at elsewhere, against the code.
const ELSEWHERE: [&str; 3] = ["route", "methods", "isSessionsEnabled"];

/// What differs under the app root. A file that is missing or cannot be read is told elsewhere.
pub fn look(root: &Path, config: Option<&Config>) -> Vec<Finding> {
    SHIPPED.iter().flat_map(|(name, shipped)| of_function(root, config, name, shipped)).collect()
}

fn of_function(root: &Path, config: Option<&Config>, name: &str, shipped: &str) -> Vec<Finding> {
    let text = std::fs::read_to_string(root.join(name).join("function.json")).unwrap_or_default();
    let (shipped, found) = (trigger(shipped), trigger(&text));
    let (Some(shipped), Some(found)) = (shipped, found) else { return Vec::new() };
    let members = shipped.as_object().into_iter().flatten().filter(|(member, _)| !ELSEWHERE.contains(&member.as_str()));
    members.filter(|(member, value)| !is_same(config, value, &found[member.as_str()])).map(|(member, value)| differs(name, member, value, &found)).collect()
}

/// The binding that starts the function.
fn trigger(text: &str) -> Option<Value> {
    let file: Value = serde_json::from_str(text).ok()?;
    let is_trigger = |binding: &&Value| binding["type"].as_str().is_some_and(|kind| kind.to_ascii_lowercase().ends_with("trigger"));
    file["bindings"].as_array()?.iter().find(is_trigger).cloned()
}

/// Names in percent signs count as the settings that they stand for; case matters to nobody who reads these files.
fn is_same(config: Option<&Config>, shipped: &Value, found: &Value) -> bool {
    let text = |value: &Value| {
        let text = value.as_str()?.to_ascii_lowercase();
        let queue = |name: &str| config.filter(|_| name == "transcript_queue").map(|config| config.transcript_queue.to_ascii_lowercase());
        Some(expand(&text, queue).unwrap_or(text))
    };
    shipped == found || (shipped.is_string() && text(shipped) == text(found))
}

fn differs(name: &str, member: &str, shipped: &Value, found: &Value) -> Finding {
    let there = &found[member];
    let there = if there.is_null() { "nothing".to_owned() } else { there.to_string() };
    let (what, fix) = (format!("{name}/function.json: {member} is {there}, not {shipped}"), format!("put back {name}/function.json as the app ships it"));
    match member {
        "authLevel" => Finding::fault("files", what, "others may call it than those who should, or those who should cannot", fix),
        "queueName" | "connection" => Finding::fault("files", what, "it reads another queue than the app writes to, or none", fix),
        "schedule" => Finding::warning("files", what, "it runs at other times than its limits, alerts and runbooks count on", fix),
        _ => Finding::fault("files", what, "the handler does not get what it expects", fix),
    }
}
