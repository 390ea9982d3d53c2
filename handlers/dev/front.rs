//! The face of the local host: the routes of the Functions host on `http://localhost:{port}`.
//!
//! Pure HTTP functions get the request as it came (same method, path, query, headers and body); Event Grid and `/admin`
//! become envelopes. The root shows the dashboard. A known path with a wrong method goes to the handler too, whose answer is 405. The host's own
//! answers: 401 without a fitting key, 404 for an unknown path, 413 above 100 MB, 500 where the handler fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::child::{self, Handler};
use super::keys::{Door, Keys};
use super::log::LogSink;
use super::settings::Settings;
use super::{admin, eventgrid};
use crate::error::{Error, Kind, Result};
use crate::host::compose::guid;
use crate::host::link::{HOST_VERSION, HOST_VERSION_HEADER, HandlerLink, INVOCATION_ID, Invoker};
use crate::host::manifest::{AuthLevel, Function, Manifest};
use crate::ports::clock::Clock;

/// The host's own limit of a request's body.
pub(super) const MAX_BODY: usize = 104_857_600;

/// The route of the page that the root shows.
const DASHBOARD: &str = "dashboard";

/// Headers that concern one connection alone.
const HOP_BY_HOP: [&str; 9] =
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "expect"];

/// Runs functions in the handler that lives now.
#[derive(Debug)]
pub struct Runner {
    /// The handler's process.
    pub handler: Handler,
    /// The client for this machine.
    pub client: reqwest::Client,
    /// functionTimeout; none for no limit.
    pub timeout: Option<Duration>,
}

#[async_trait]
impl Invoker for Runner {
    async fn invoke(&self, function: &str, id: &str, envelope: &Value) -> Result<()> {
        let ready = self.handler.ready().await?;
        let link = HandlerLink::new(self.client.clone(), ready.port, self.timeout);
        let verdict = link.invoke(function, id, envelope).await;
        self.judge(ready, &verdict);
        verdict
    }

    async fn available(&self) {
        let mut state = self.handler.state();
        if state.wait_for(|s| matches!(s, child::State::Ready(_))).await.is_err() {
            // The handler has ended for good: there will be none.
            std::future::pending::<()>().await;
        }
    }
}

impl Runner {
    /// An invocation over functionTimeout costs the handler its life, as with the real host.
    fn judge<T>(&self, ready: child::Ready, verdict: &Result<T>) {
        if verdict.as_ref().is_err_and(|e| e.kind == Kind::Deadline) {
            self.handler.restart(ready.start);
        }
    }

    /// Hands on a request as it is.
    async fn forward(&self, request: reqwest::RequestBuilder, ready: child::Ready) -> Result<reqwest::Response> {
        let sent = async { request.send().await.map_err(|e| Error::unavailable("the handler", e.without_url())) };
        let verdict = match self.timeout {
            None => sent.await,
            Some(limit) => tokio::time::timeout(limit, sent).await.unwrap_or_else(|_| Err(Error::deadline("the handler", limit))),
        };
        self.judge(ready, &verdict);
        verdict
    }
}

/// Everything that answers requests.
pub struct Front {
    /// The app's files.
    pub manifest: Manifest,
    /// The app's settings.
    pub settings: Settings,
    /// `http://localhost:{port}`.
    pub url: String,
    /// The keys, where they are asked for.
    pub keys: Option<Keys>,
    /// Who runs functions.
    pub invoker: Arc<Runner>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Where lines go.
    pub log: LogSink,
    /// Runs by hand that nobody waits for.
    pub background: TaskTracker,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Front({})", self.url)
    }
}

/// The routes as a service.
pub fn router(front: Arc<Front>) -> axum::Router {
    axum::Router::new().fallback(answer).with_state(front)
}

async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    if path.is_empty() {
        return front.root(parts, body).await;
    }
    if let Some(extension) = after(&path, "runtime/webhooks") {
        return match (extension.trim_end_matches('/').eq_ignore_ascii_case("eventgrid"), front.refuse(Door::EventGrid, &parts)) {
            (false, _) => StatusCode::NOT_FOUND.into_response(),
            (true, Some(refusal)) => refusal,
            (true, None) => eventgrid::webhook(&front, &parts.method, &parts.uri, &parts.headers, &body).await,
        };
    }
    if let Some(rest) = after(&path, "admin") {
        return match front.refuse(Door::Admin, &parts) {
            Some(refusal) => refusal,
            None => admin::answer(&front, &parts.method, rest, &body).await,
        };
    }
    front.api(&path, parts, body).await
}

/// The path after its first segments, compared in any case; none where it begins otherwise.
fn after<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() {
        return Some(path);
    }
    path.get(..prefix.len()).filter(|p| p.eq_ignore_ascii_case(prefix))?;
    path[prefix.len()..].strip_prefix('/')
}

impl Front {
    /// The URL of a route template.
    pub fn http_url(&self, route: &str) -> String {
        match self.prefix() {
            "" => format!("{}/{route}", self.url),
            prefix => format!("{}/{prefix}/{route}", self.url),
        }
    }

    /// The handler's state, as `/admin/host/status` names it.
    pub fn state(&self) -> &'static str {
        match *self.invoker.handler.state().borrow() {
            child::State::Starting => "Initialized",
            child::State::Ready(_) => "Running",
            child::State::Ended | child::State::Failed(_) => "Error",
        }
    }

    fn prefix(&self) -> &str {
        self.manifest.host.extensions.http.route_prefix.trim_matches('/')
    }

    fn refuse(&self, door: Door, parts: &request::Parts) -> Option<Response> {
        let opens = self.keys.as_ref().is_none_or(|keys| keys.opens(door, &parts.headers, &parts.uri));
        (!opens).then(|| StatusCode::UNAUTHORIZED.into_response())
    }

    /// The root shows the dashboard, where the app has one; else it says what the real host does.
    async fn root(&self, mut parts: request::Parts, body: Bytes) -> Response {
        let path = if self.prefix().is_empty() { DASHBOARD.to_owned() } else { format!("{}/{DASHBOARD}", self.prefix()) };
        let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let shows = matches!(parts.method, Method::GET | Method::POST) && self.manifest.by_route("GET", DASHBOARD).is_some();
        match format!("/{path}{query}").parse().ok().filter(|_| shows) {
            Some(uri) => {
                parts.uri = uri;
                self.api(&path, parts, body).await
            }
            None => "The local host of this function app is running.".into_response(),
        }
    }

    async fn api(&self, path: &str, parts: request::Parts, body: Bytes) -> Response {
        let route = after(path, self.prefix()).map(|rest| rest.trim_end_matches('/'));
        let Some(function) = route.and_then(|route| self.manifest.by_route(parts.method.as_str(), route)).filter(|f| !self.settings.is_disabled(f)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if let Some(refusal) = self.refuse(Door::Function(function.auth_level().unwrap_or(AuthLevel::Admin)), &parts) {
            return refusal;
        }
        match self.exchange(parts, body).await {
            Ok(response) => response,
            Err(error) => self.failed(function, &error),
        }
    }

    fn failed(&self, function: &Function, error: &Error) -> Response {
        self.log.host(format!("{}: {}", function.name, error.chain()));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }

    async fn exchange(&self, parts: request::Parts, body: Bytes) -> Result<Response> {
        let ready = self.invoker.handler.ready().await?;
        let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let url = format!("http://127.0.0.1:{}{target}", ready.port);
        let mut headers = end_to_end(&parts.headers);
        // The length is written anew with the body.
        headers.remove(header::CONTENT_LENGTH);
        let id = HeaderValue::from_str(&guid(&self.clock.new_id())).map_err(Error::internal)?;
        headers.insert(HeaderName::from_static(INVOCATION_ID), id);
        headers.insert(HeaderName::from_static(HOST_VERSION_HEADER), HeaderValue::from_static(HOST_VERSION));
        let mut request = self.invoker.client.request(parts.method.clone(), url).headers(headers);
        if !body.is_empty() || !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            request = request.body(body);
        }
        let answer = self.invoker.forward(request, ready).await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = end_to_end(answer.headers());
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }
}

/// The headers without those of the connection, and without those that `Connection` names.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> =
        headers.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(|n| n.trim().to_ascii_lowercase()).collect();
    let keep = |name: &HeaderName| !HOP_BY_HOP.contains(&name.as_str()) && !named.iter().any(|n| n == name.as_str());
    let mut kept = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| keep(name)) {
        kept.append(name.clone(), value.clone());
    }
    kept
}
