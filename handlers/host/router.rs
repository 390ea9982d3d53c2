//! What the Functions host talks to: forwarded requests on their routes, envelopes on `POST /{function}`.
//!
//! Every invocation has a span of its trace, a deadline, a seat (but Ready, Health, Metrics and Dashboard), and a task of its own: a client that
//! hangs up does not stop it halfway, and a panic in it is an answer like any other failure. Where there is no seat it is
//! refused before its body is read; the seat is taken after it, so that a slow body costs none.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request as HttpRequest, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use super::admission::{Key, Room};
use super::envelope::{self, Envelope};
use super::failpoint;
use super::http::{Request, json_response, method_not_allowed, problem, read_body, read_off};
use crate::app::App;
use crate::error::{Disposition, Error, Kind, Result};
use crate::functions::{self, Face, Function};
use crate::ports::export::Span as Finished;
use crate::ports::running::{self, Running};
use crate::steps::breach;
use crate::telemetry::label::InvocationOutcome;
use crate::telemetry::metric::{ERRORS, INVOCATIONS};
use crate::telemetry::storm::DONE;

/// Prefix of forwarded routes; a test holds host.json to it.
pub const PREFIX: &str = "api";
/// Most bytes of an envelope.
const ENVELOPE_LIMIT: usize = 4 << 20;
/// An invocation waits for its seat for at most this part of its deadline.
const WAIT: u32 = 5;
/// Say how the app does, also when nothing else gets through.
const ALWAYS: [&str; 4] = ["Dashboard", "Health", "Metrics", "Ready"];
/// Their bodies tell which call they are for.
const EVENTS: &str = "CallEvents";

/// Everything that the handler answers.
pub fn router(app: App) -> Router {
    Router::new().fallback(dispatch).with_state(Arc::new(app))
}

async fn dispatch(State(app): State<Arc<App>>, request: HttpRequest<Body>) -> Response {
    let path = request.uri().path();
    if path == "/" {
        // The host's readiness probe and its ping: cheap and unlogged.
        return json_response(StatusCode::OK, &serde_json::json!({}));
    }
    let app = App::clone(&app);
    let watched = app.clone();
    let result = match path.strip_prefix('/').and_then(|p| p.strip_prefix(PREFIX)).and_then(|p| p.strip_prefix('/')) {
        Some(route) => {
            let route = route.to_owned();
            forwarded(app, &route, request).await
        }
        None => enveloped(app, request).await,
    };
    breach::watch(&watched, &result);
    result.unwrap_or_else(|e| problem(&e))
}

/// A request to an HTTP function, as the client sent it.
async fn forwarded(app: App, route: &str, request: HttpRequest<Body>) -> Result<Response> {
    let (function, params) = find(request.method(), route)?;
    let (parts, body) = request.into_parts();
    let invocation = invocation_id(&parts.headers);
    http(app, function, invocation, params, parts, Payload::Stream(body)).await
}

enum Payload {
    Stream(Body),
    Whole(Bytes),
}

async fn http(app: App, function: &'static Function, invocation: String, params: Params, parts: Parts, payload: Payload) -> Result<Response> {
    let Face::Http { route, methods, limit, run } = function.face else { return Err(not_found()) };
    if !methods.contains(&parts.method) {
        return Ok(method_not_allowed(&methods_on(route)));
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let Parts { method, headers, .. } = parts;
    let room = Arc::clone(&app.admission.interactive);
    let key = key(function, &params, &[], &room);
    let body = match payload {
        Payload::Stream(body) => admitted_body(&room, key, &headers, body, limit).await?,
        Payload::Whole(body) if body.len() <= limit => body,
        Payload::Whole(_) => return Err(Error::new(Kind::TooLarge, format!("must be at most {limit} bytes")).in_field("body")),
    };
    let trace = trace(&headers);
    let key = if function.name == EVENTS { self::key(function, &params, &body, &room) } else { key };
    let request = Request { method, params, query, headers, body };
    invoke(app.clone(), function, key.map(|key| (room, key)), invocation, trace, run(app, request)).await
}

/// The body of an invocation for which there is a place now; without a place it is not waited for.
async fn admitted_body(room: &Room, key: Option<Key>, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes> {
    if let Some(Err(refusal)) = key.map(|key| room.look(Some(key))) {
        read_off(headers, body, room, key);
        return Err(refusal);
    }
    read_body(body, limit, room, key).await
}

/// Whom an invocation of an HTTP function is for: what its first parameter names; for events the call that their body names
/// first; else whoever uses its route. None for what is always answered.
fn key(function: &Function, params: &[(&'static str, String)], body: &[u8], room: &Room) -> Option<Key> {
    let named = || params.first().map(|(_, value)| value.as_bytes()).or_else(|| call_in(body));
    if ALWAYS.contains(&function.name) { None } else { Some(named().map_or_else(|| room.route(function.name), |id| room.one(id))) }
}

/// The first `"callConnectionId":"…"` of a body, found without parsing it: a wrong one costs its sender a place alone.
fn call_in(body: &[u8]) -> Option<&[u8]> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("\"callConnectionId\"")?;
    let (id, _) = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(id.as_bytes())
}

/// An envelope: the function's name is the whole path.
async fn enveloped(app: App, request: HttpRequest<Body>) -> Result<Response> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let function = functions::ALL.iter().find(|f| f.name == name).ok_or_else(not_found)?;
    if request.method() != Method::POST {
        return Ok(method_not_allowed(&[Method::POST]));
    }
    let (parts, body) = request.into_parts();
    let (room, key) = match function.face {
        Face::Trigger { .. } => (&app.admission.background, Some(app.admission.background.trigger(function.name))),
        // Its parameters stand in the envelope.
        Face::Http { .. } => (&app.admission.interactive, key(function, &[], &[], &app.admission.interactive)),
    };
    let room = Arc::clone(room);
    let envelope = Envelope::parse(&admitted_body(&room, key, &parts.headers, body, ENVELOPE_LIMIT).await?)?;
    match function.face {
        Face::Trigger { run } => {
            let trace = match trace(&parts.headers) {
                (None, _) => (envelope.traceparent(), envelope.tracestate()),
                trace => trace,
            };
            invoke(app.clone(), function, key.map(|key| (room, key)), invocation_id(&parts.headers), trace, run(app, envelope)).await?;
            Ok(super::http::response(StatusCode::OK, "application/json", envelope::answer_empty()))
        }
        Face::Http { .. } => {
            let response = unwrapped(app, function, invocation_id(&parts.headers), &envelope).await.unwrap_or_else(|e| problem(&e));
            wrapped(response).await
        }
    }
}

/// Name of the HTTP trigger's binding.
pub const HTTP_BINDING: &str = "req";
/// Name of the HTTP output's binding.
pub const HTTP_OUTPUT: &str = "res";

/// An HTTP request inside an envelope, as the host sends it with forwarding off. Its path must be the function's own:
/// the host has checked the key of that function alone.
async fn unwrapped(app: App, named: &'static Function, invocation: String, envelope: &Envelope) -> Result<Response> {
    let (parts, body) = envelope.http(HTTP_BINDING)?.into_parts();
    let route = route_of(&parts.uri).ok_or_else(not_found)?;
    let (function, params) = find(&parts.method, &route).ok().filter(|(function, _)| function.name == named.name).ok_or_else(not_found)?;
    http(app, function, invocation, params, parts, Payload::Whole(body)).await
}

/// A response inside an envelope.
async fn wrapped(response: Response) -> Result<Response> {
    use http_body_util::BodyExt as _;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::internal)?.to_bytes();
    let answer = envelope::answer_http(HTTP_OUTPUT, &axum::http::Response::from_parts(parts, body));
    Ok(super::http::response(StatusCode::OK, "application/json", answer))
}

fn route_of(uri: &Uri) -> Option<String> {
    uri.path().strip_prefix('/')?.strip_prefix(PREFIX)?.strip_prefix('/').map(str::to_owned)
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "there is nothing at this path")
}

/// Names and values of a route's parameters, percent-decoded, in its order.
pub type Params = Vec<(&'static str, String)>;

/// A function's route, cut into its segments once.
struct Pattern {
    function: &'static Function,
    methods: &'static [Method],
    segments: Vec<Segment>,
    /// How many at its end may be left out.
    optional: usize,
}

enum Segment {
    Is(&'static str),
    Names(&'static str),
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| functions::ALL.iter().filter_map(Pattern::of).collect());

impl Pattern {
    fn of(function: &'static Function) -> Option<Self> {
        let Face::Http { route, methods, .. } = function.face else { return None };
        let named = |part: &'static str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let segments = route.split('/').map(|part| named(part).map_or(Segment::Is(part), |name| Segment::Names(name.trim_end_matches('?')))).collect();
        Some(Self { function, methods, segments, optional: route.rsplit('/').take_while(|part| part.ends_with("?}")).count() })
    }

    /// How well a path fits, if it does: the fewest parameters first, then whether the method is one of the function's.
    fn fit(&self, method: &Method, path: &[&str]) -> Option<(usize, bool)> {
        if path.len() > self.segments.len() || path.len() + self.optional < self.segments.len() {
            return None;
        }
        let mut named = 0;
        for (part, segment) in self.segments.iter().zip(path) {
            match part {
                Segment::Is(text) if !text.eq_ignore_ascii_case(segment) => return None,
                Segment::Is(_) => {}
                Segment::Names(_) => named += 1,
            }
        }
        Some((named, !self.methods.contains(method)))
    }

    fn params(&self, path: &[&str]) -> Params {
        let named = self.segments.iter().zip(path).filter_map(|(part, segment)| match part {
            // Lossy: a character that is not UTF-8 becomes one that no identifier allows.
            Segment::Names(name) => Some((*name, percent_decode_str(segment).decode_utf8_lossy().into_owned())),
            Segment::Is(_) => None,
        });
        named.collect()
    }
}

/// The function whose route matches, with its parameters: of several routes the one with the fewest parameters, of several
/// functions on it the one that has the method, else any, which then refuses the method.
fn find(method: &Method, path: &str) -> Result<(&'static Function, Params)> {
    let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let fitting = PATTERNS.iter().filter_map(|pattern| pattern.fit(method, &path).map(|order| (order, pattern)));
    fitting.min_by_key(|(order, _)| *order).map(|(_, pattern)| (pattern.function, pattern.params(&path))).ok_or_else(not_found)
}

/// All methods that functions have on one route.
fn methods_on(route: &str) -> Vec<Method> {
    let on_it = functions::ALL.iter().filter_map(|function| match function.face {
        Face::Http { route: other, methods, .. } if other == route => Some(methods),
        _ => None,
    });
    on_it.flatten().cloned().collect()
}

/// Runs one invocation: seat, span, deadline (from when it began to wait), panic guard, outcome.
async fn invoke<T: Send + 'static>(
    app: App,
    function: &'static Function,
    place: Option<(Arc<Room>, Key)>,
    invocation: String,
    (traceparent, tracestate): (Option<String>, Option<String>),
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (began, started, deadline) = (Instant::now(), app.clock.now(), function.deadline);
    let seat = match place {
        Some((room, key)) => Some(room.enter(key, deadline / WAIT).await?),
        None => None,
    };
    let running = Running::new(function.name, traceparent.as_deref(), &invocation).with_state(tracestate.as_deref());
    let guarded = running::scope(running.clone(), tokio::time::timeout_at(began + deadline, failpoint::watch(function.name, work)));
    let seated = async move {
        let _seat = seat;
        guarded.await
    };
    let result = match tokio::spawn(seated).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::deadline("the function", deadline)),
        Err(e) => Err(Error::internal(if e.is_panic() { "the function panicked" } else { "the function was stopped" })),
    };
    let took = began.elapsed();
    app.export.keep(|| Finished {
        name: function.name,
        whole: true,
        trace: running.context().trace,
        span: running.context().span,
        parent: running.came().map(|came| came.span),
        invocation,
        began: started,
        took,
        error: result.as_ref().err().map(|e| e.kind.row().slug),
    });
    running::within(running, || outcome(&app, function.name, took, &result));
    result
}

fn outcome<T>(app: &App, function: &str, took: Duration, result: &Result<T>) {
    let metrics = &app.metrics;
    match result {
        Ok(_) => {
            metrics.count(INVOCATIONS, InvocationOutcome::Done);
            if app.config.telemetry && !ALWAYS.contains(&function) {
                tracing::info!(target: DONE, function, millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "done");
            }
        }
        Err(e) => {
            let row = e.kind.row();
            let refused = row.disposition == Disposition::Reject;
            metrics.count(INVOCATIONS, if refused { InvocationOutcome::Refused } else { InvocationOutcome::Failed });
            metrics.count(ERRORS, e.kind);
            let (metric, error) = (row.metric, e.chain());
            match row.level {
                tracing::Level::ERROR => tracing::error!(function, metric, page = row.page, error, "failed"),
                tracing::Level::WARN => tracing::warn!(function, metric, error, "failed"),
                _ => tracing::info!(function, metric, error, "refused"),
            }
        }
    }
}

/// The host's invocation id: in forwarding mode it is appended, so a client's own comes first and is not taken.
fn invocation_id(headers: &HeaderMap) -> String {
    let last = headers.get_all("x-azure-functions-invocationid").iter().next_back().and_then(|v| v.to_str().ok());
    last.map(|id| id.rsplit(',').next().unwrap_or(id).trim().chars().take(64).collect()).unwrap_or_default()
}

/// `traceparent`, and `tracestate`, which may stand on several lines.
fn trace(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let states: Vec<&str> = headers.get_all("tracestate").iter().filter_map(|state| state.to_str().ok()).collect();
    (text(headers, "traceparent"), (!states.is_empty()).then(|| states.join(",")))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Longest deadline of all functions.
pub fn longest_deadline() -> Duration {
    functions::ALL.iter().map(|f| f.deadline).max().unwrap_or_default()
}
