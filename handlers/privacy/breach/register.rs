//! The register as a table (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe.

use serde_json::Value;

use super::Breach;
use crate::model::time::Timestamp;

/// Columns: name, and the path of the value in the breach as JSON.
const COLUMNS: [(&str, &str); 28] = [
    ("id", "/id"),
    ("state", "/state"),
    ("source", "/source"),
    ("detectedAt", "/detectedAt"),
    ("awareAt", "/awareAt"),
    ("dueAt", "/dueAt"),
    ("occurredFrom", "/occurredFrom"),
    ("occurredTo", "/occurredTo"),
    ("type", "/type"),
    ("nature", "/nature"),
    ("systems", "/systems"),
    ("dataCategories", "/dataCategories"),
    ("subjectsLow", "/subjectsEst/low"),
    ("subjectsHigh", "/subjectsEst/high"),
    ("recordsEst", "/recordsEst"),
    ("specialCategory", "/specialCategory"),
    ("consequences", "/consequences"),
    ("measuresTaken", "/measuresTaken"),
    ("measuresPlanned", "/measuresPlanned"),
    ("risk", "/risk/level"),
    ("riskRationale", "/risk/rationale"),
    ("role", "/role"),
    ("authority", "/authority/name"),
    ("authorityRef", "/authority/ref"),
    ("delayReason", "/delayReason"),
    ("exemption", "/art34/exemption"),
    ("rootCause", "/rootCause"),
    ("lessons", "/lessons"),
];

/// The register with a line of names, as UTF-8.
pub fn csv(breaches: &[Breach]) -> String {
    let mut out = String::new();
    let names = COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    line(&mut out, names.chain(["notifiedAt", "subjectsInformedAt", "closedAt"].map(str::to_owned)));
    for breach in breaches {
        let body = serde_json::to_value(breach).unwrap_or_default();
        let cells = COLUMNS.iter().map(|(_, path)| text(body.pointer(path)));
        let at = |time: Option<Timestamp>| time.map(|t| t.to_string()).unwrap_or_default();
        let notified = breach.notifications.iter().map(|n| n.sent_at.to_string()).collect::<Vec<_>>().join("; ");
        line(&mut out, cells.chain([notified, at(breach.art34.as_ref().and_then(|a| a.sent_at)), at(breach.closed_at)]));
    }
    out
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(members)) => members.iter().map(|m| text(Some(m))).collect::<Vec<_>>().join("; "),
        Some(other) => other.to_string(),
    }
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (n, cell) in cells.enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push('"');
        // Spreadsheets skip white space before a formula.
        if cell.trim_start().starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r', '\n']) {
            out.push('\'');
        }
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
}
