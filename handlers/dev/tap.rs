//! What passes the front of the local host: the last event of a call is remembered, and with `--record` all of them are written
//! down as `rtvoice replay` reads them.
//!
//! In: requests and the status of their answers. Out: one JSON line each, in the order in which they came. A recording holds
//! what callers said, in clear: its file is its owner's alone, and production refuses to make one. Keys and tokens are never
//! written. What cannot be written is told once, and costs no request its answer.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::front::MAX_BODY;
use super::log::LogSink;
use crate::error::{Error, Kind, Result};
use crate::ops::replay::{FILE, Recorded};
use crate::ports::clock::{Clock, SystemClock};

/// Marks a request that this host sends itself: it is neither written down nor remembered.
pub const AGAIN: &str = "x-rtvoice-again";
/// Headers that a recording keeps: what a delivery is. None of them opens anything.
const KEPT: [&str; 7] =
    ["aeg-event-type", "aeg-delivery-count", "aeg-data-version", "aeg-metadata-version", "webhook-request-origin", "if-match", "if-none-match"];
/// Routes whose GET requests are part of a call. Others look at the app.
const READ: [&str; 4] = ["/api/calls/", "/api/users/", "/api/workers/", "/api/tts/"];

/// Stands between the server and the front; clones share it.
#[derive(Clone, Default)]
pub struct Tap(Arc<Inner>);

#[derive(Default)]
struct Inner {
    path: Option<PathBuf>,
    last: Mutex<Option<Recorded>>,
    out: Mutex<Out>,
}

/// The file, and what waits for its turn to be written.
#[derive(Default)]
struct Out {
    file: Option<File>,
    bytes: u64,
    came: u64,
    written: u64,
    waiting: BTreeMap<u64, Option<Recorded>>,
    log: Option<LogSink>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tap({:?})", self.0.path)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// A tap that remembers, and writes into this file where there is one.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { path, ..Inner::default() }))
    }

    /// Opens the file, once. `Setting` where production's rules hold (`guarded`), or where it cannot be written.
    pub(super) fn open(&self, guarded: bool, log: &LogSink) -> Result<()> {
        let (Some(path), out) = (&self.0.path, &mut *lock(&self.0.out)) else { return Ok(()) };
        if guarded {
            return Err(Error::new(Kind::Setting, "--record must not be used in prod, in staging and in Azure: a recording holds what callers say, in clear"));
        }
        if out.file.is_none() {
            let unwritable =
                |e| Error::new(Kind::Setting, format!("--record {} cannot be written, for example --record calls.jsonl", path.display())).because(e);
            let file = own(path).map_err(unwritable)?;
            out.bytes = file.metadata().map_err(unwritable)?.len();
            out.file = Some(file);
            out.log = Some(log.clone());
            log.host(format!("every request is written to {}, with what callers say, in clear", path.display()));
        }
        Ok(())
    }

    /// The last event of a call that came in.
    pub fn last(&self) -> Option<Recorded> {
        lock(&self.0.last).clone()
    }

    /// Takes a place in the order of the recording.
    fn came(&self, recorded: Option<Recorded>) -> Slot {
        if let Some(event) = recorded.as_ref().filter(|recorded| recorded.body.is_some()) {
            *lock(&self.0.last) = Some(event.clone());
        }
        let mut out = lock(&self.0.out);
        out.came += 1;
        Slot { tap: self.clone(), number: out.came, recorded }
    }
}

/// The file, for its owner alone also where it was there before.
fn own(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// A request on its way; written when it is answered, or dropped because nobody waits any more.
struct Slot {
    tap: Tap,
    number: u64,
    recorded: Option<Recorded>,
}

impl Slot {
    fn answered(mut self, status: StatusCode) {
        if let Some(recorded) = &mut self.recorded {
            recorded.status = Some(status.as_u16());
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.tap.0.out).take(self.number, self.recorded.take());
    }
}

impl Out {
    /// Writes what is due: a request waits for those that came before it.
    fn take(&mut self, number: u64, recorded: Option<Recorded>) {
        self.waiting.insert(number, recorded);
        while let Some(recorded) = self.waiting.remove(&(self.written + 1)) {
            self.written += 1;
            if let Some(line) = recorded.and_then(|recorded| serde_json::to_string(&recorded).ok()) {
                self.write(&line);
            }
        }
    }

    fn write(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        let full = self.bytes + line.len() as u64 + 1 > FILE;
        let written = if full { Err(std::io::ErrorKind::FileTooLarge.into()) } else { file.write_all(format!("{line}\n").as_bytes()) };
        self.bytes += line.len() as u64 + 1;
        if let (Err(e), Some(log)) = (written, &self.log) {
            log.host(format!("nothing more is recorded: {e}"));
            self.file = None;
        }
    }
}

/// Hands a request on, and notes it.
pub(super) async fn pass(State(tap): State<Tap>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.headers.remove(AGAIN).is_some() || !is_wanted(&parts.method, parts.uri.path()) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let slot = tap.came(recorded(&parts, &bytes));
    let answer = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    slot.answered(answer.status());
    answer
}

/// Whether a request is part of a call.
fn is_wanted(method: &Method, path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    match *method {
        Method::GET => READ.iter().any(|prefix| path.starts_with(prefix)),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => path.starts_with("/api/") || path.starts_with("/runtime/webhooks/"),
        _ => false,
    }
}

/// The request without anything that opens a door; none where its body is no JSON, which no recording can hold.
fn recorded(parts: &request::Parts, body: &[u8]) -> Option<Recorded> {
    let body = if body.is_empty() { None } else { Some(serde_json::from_slice::<Value>(body).ok()?) };
    Some(Recorded {
        at: Some(SystemClock.now()),
        method: parts.method.to_string(),
        path: keyless(&parts.uri),
        headers: kept(&parts.headers),
        body,
        status: None,
    })
}

fn kept(headers: &HeaderMap) -> Map<String, Value> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(|value| (name.to_owned(), Value::from(value)));
    KEPT.iter().filter_map(|name| value(name)).collect()
}

/// Path and query without a key.
fn keyless(uri: &Uri) -> String {
    let is_key = |pair: &&str| percent_decode_str(pair.split('=').next().unwrap_or_default()).decode_utf8_lossy().eq_ignore_ascii_case("code");
    let query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_key(pair)).collect();
    if query.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), query.join("&")) }
}

/// The same once more: its call stays, and event and turn get new ids, so that it is no duplicate.
pub(super) fn renewed(mut recorded: Recorded) -> Recorded {
    let id = || format!("again-{}", &SystemClock.new_id()[..12]);
    let renew = |event: &mut Value| {
        let Some(fields) = event.as_object_mut() else { return };
        for name in ["turnId", "id"] {
            if (name == "turnId" || fields.contains_key("data"))
                && let Some(old) = fields.get_mut(name)
            {
                *old = Value::from(id());
            }
        }
    };
    match &mut recorded.body {
        Some(Value::Array(events)) => events.iter_mut().for_each(renew),
        Some(body) => renew(body),
        None => {}
    }
    recorded
}
