//! `rtvoice replay FILE`: requests that were recorded, sent again to a running handler or host, in their order.
//!
//! In: JSON lines `{"at"?,"method","path","headers"?,"body"?,"status"?}`, `at` in RFC 3339. Out: a line for each whose status is not
//! the recorded one (without one: not 2xx), and counts. Repeated as they are, requests are duplicates and change nothing; with
//! `--fresh` every call, event and turn gets a new id, so that they happen once more. Bodies of answers are not told: they quote
//! callers. A line that is none stops it before anything is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::target::Target;
use super::told::Told;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::clock::{Clock as _, SystemClock};

/// Longest that one request may take.
const REQUEST: Duration = Duration::from_secs(60);
/// Bytes of a file, at most.
pub const FILE: u64 = 256 << 20;
/// Longest pause between two requests.
const PAUSE: Duration = Duration::from_secs(3600);
/// Results that are told one by one, at most.
const SHOWN: usize = 100;

/// Send recorded requests again
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "A line of the file is {\"at\"?,\"method\",\"path\",\"headers\"?,\"body\"?,\"status\"?}. A function key is taken from the environment:\n\
                        RTVOICE_FUNCTION_KEY.\n\
                        Exit codes: 0 each was answered as recorded (2xx where that is not recorded), 1 one was not, 2 wrong usage or file."
)]
pub struct ReplayArgs {
    /// The file, JSON lines
    pub file: PathBuf,
    /// Where to
    #[arg(long, value_name = "URL", default_value = "http://localhost:7071")]
    pub target: String,
    /// How fast against the times in the file: 1 as it was, 10 ten times as fast; 0 without a pause
    #[arg(long, default_value_t = 0.0, value_parser = speed)]
    pub speed: f64,
    /// Give every call, event and turn a new id
    #[arg(long)]
    pub fresh: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

fn speed(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|speed| (0.0..=10_000.0).contains(speed)).ok_or_else(|| "must be a number from 0 to 10000".to_owned())
}

/// One recorded request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// When it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers besides the content type and the key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// The body, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The status that it was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What a replay came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Requests.
    pub sent: u64,
    /// Those that were answered as expected.
    pub as_expected: u64,
    /// Answers by status; 0: none came.
    pub statuses: BTreeMap<u16, u64>,
    /// The first of those that were not: line, expected and actual status.
    pub others: Vec<Other>,
}

/// A request that was answered otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// Line of the file.
    pub line: usize,
    /// What was expected; none: 2xx.
    pub expected: Option<u16>,
    /// What came; none: no answer.
    pub status: Option<u16>,
}

/// Runs the command.
pub async fn run(args: &ReplayArgs) -> Result<Told> {
    let mut recorded = read(&args.file)?;
    if args.fresh {
        freshen(&mut recorded);
    }
    let replayed = replay(&Target::from_env(&args.target, REQUEST)?, &recorded, args.speed).await?;
    Told::new(args.json, &replayed, replayed.sent == replayed.as_expected, || text(&replayed))
}

/// Reads a file of recorded requests, with their lines.
pub fn read(file: &Path) -> Result<Vec<(usize, Recorded)>> {
    let wrong = |reason: String| Error::input("FILE", format!("must be a file of recorded requests ({reason})"));
    let size = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.len();
    if size > FILE {
        return Err(wrong(format!("it has {size} bytes, and {FILE} are allowed")));
    }
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())).filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            let request: Recorded = serde_json::from_str(line).map_err(|e| wrong(format!("line {number}: {e}")))?;
            if request.path.starts_with('/') { Ok((number, request)) } else { Err(wrong(format!("line {number}: path must begin with a slash"))) }
        })
        .collect()
}

/// Gives every call, event and turn a new id: the old one with the same few characters at its end.
fn freshen(recorded: &mut [(usize, Recorded)]) {
    let mark = &SystemClock.new_id()[..8];
    let mut ids = BTreeSet::new();
    for (_, request) in recorded.iter() {
        ids.extend(request.path.strip_prefix("/api/calls/").and_then(|rest| rest.split_once('/')).map(|(call, _)| call.to_owned()));
        if let Some(body) = &request.body {
            collect(body, &mut ids);
        }
    }
    // A longer id first: a shorter one may stand in it.
    let mut ids: Vec<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    ids.sort_by_key(|id| std::cmp::Reverse(id.len()));
    for (_, request) in recorded {
        let segments = request.path.split('/').map(|part| if ids.iter().any(|id| id == part) { format!("{part}-{mark}") } else { part.to_owned() });
        request.path = segments.collect::<Vec<_>>().join("/");
        if let Some(body) = &mut request.body {
            rename(body, &ids, mark);
        }
    }
}

/// Ids of calls, events and turns in a body.
fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        Value::Object(fields) => {
            for name in ["callConnectionId", "turnId"] {
                ids.extend(fields.get(name).and_then(Value::as_str).map(str::to_owned));
            }
            // An event has an id beside its data.
            if let Some(data) = fields.get("data") {
                ids.extend(fields.get("id").and_then(Value::as_str).map(str::to_owned));
                collect(data, ids);
            }
        }
        _ => {}
    }
}

fn rename(value: &mut Value, ids: &[String], mark: &str) {
    match value {
        Value::String(text) => {
            let last = text.rsplit('/').next().unwrap_or_default();
            // An id alone, or at the end of a source or a subject.
            if ids.iter().any(|id| id == last) {
                *text = format!("{text}-{mark}");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, ids, mark)),
        Value::Object(fields) => fields.values_mut().for_each(|value| rename(value, ids, mark)),
        _ => {}
    }
}

/// Sends the requests one after the other. Fails where a request is none.
pub async fn replay(target: &Target, recorded: &[(usize, Recorded)], speed: f64) -> Result<Replayed> {
    let mut replayed = Replayed::default();
    let mut before: Option<Timestamp> = None;
    for (line, request) in recorded {
        if let (true, Some(at), Some(before)) = (speed > 0.0, request.at, before) {
            let millis = at.since(before).max(0) as f64 / speed;
            tokio::time::sleep(Duration::from_secs_f64(millis / 1000.0).min(PAUSE)).await;
        }
        before = request.at.or(before);
        let status = match target.send(&request.method, &request.path, &request.headers, request.body.as_ref()).await {
            Ok(answer) => Some(answer.status),
            Err(e) if e.is_transient() => None,
            Err(e) => return Err(e),
        };
        replayed.sent += 1;
        *replayed.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        let expected = match (request.status, status) {
            (Some(expected), Some(status)) => expected == status,
            (None, Some(status)) => (200..300).contains(&status),
            (_, None) => false,
        };
        if expected {
            replayed.as_expected += 1;
        } else if replayed.others.len() < SHOWN {
            replayed.others.push(Other { line: *line, expected: request.status, status });
        }
    }
    Ok(replayed)
}

fn text(replayed: &Replayed) -> String {
    let mut lines: Vec<String> = replayed
        .others
        .iter()
        .map(|other| {
            let expected = other.expected.map_or_else(|| "2xx".to_owned(), |status| status.to_string());
            let came = other.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            format!("line {}: expected {expected}, came {came}", other.line)
        })
        .collect();
    let statuses: Vec<String> =
        replayed.statuses.iter().map(|(status, n)| if *status == 0 { format!("{n} unanswered") } else { format!("{n} times {status}") }).collect();
    lines.push(format!("{} requests, {} answered as expected ({})", replayed.sent, replayed.as_expected, statuses.join(", ")));
    lines.join("\n")
}
