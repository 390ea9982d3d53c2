//! Handing spans and metrics to whoever collects them: OTLP over HTTP in JSON, and Application Insights. Both are optional.
//!
//! In: finished spans, through a bounded queue that nobody waits for, and the metrics as they are. Out: one request for each kind
//! every 10 s, because the process may be killed at any time and says no farewell. What a collector does not take at the second
//! try is left out. Nothing personal is in a span: names of functions, ids of traces and calls, times.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::ExportConfig;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::model::trace::{SpanId, TraceId};
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::exchange::Limits;
use crate::ports::identity::Identity;
use crate::ports::running;
use crate::telemetry::Figures;

mod insights;
mod otlp;

/// Between two lots.
pub const EVERY: Duration = Duration::from_secs(10);
/// Spans that wait at most.
const WAITING: usize = 8_192;
/// Scope of tokens for Application Insights.
pub const SCOPE: &str = "https://monitor.azure.com/.default";
const LIMITS: Limits = Limits { service: "the collector", deadline: Duration::from_secs(5), attempt: Duration::from_secs(3), body: 64 * 1024 };

/// One finished piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What was done: the function, or a part of it.
    pub name: &'static str,
    /// False for a part of an invocation.
    pub whole: bool,
    /// The trace.
    pub trace: TraceId,
    /// Its own id.
    pub span: SpanId,
    /// What it is a part of.
    pub parent: Option<SpanId>,
    /// The host's id of the invocation; empty where there is none.
    pub invocation: String,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it failed, by the name of the kind; none where it did not.
    pub error: Option<&'static str>,
}

/// Where spans wait, and who takes them.
pub struct Export {
    collectors: Vec<Collector>,
    waiting: Mutex<Vec<Span>>,
    began: Timestamp,
    source: Source,
}

/// Who tells: what counts from the start of a process must be told apart from what another one counts.
struct Source {
    /// The app and its environment.
    app: String,
    /// This process alone.
    instance: String,
}

enum Collector {
    Otlp {
        http: reqwest::Client,
        endpoint: String,
        headers: Vec<(String, String)>,
    },
    Insights {
        http: reqwest::Client,
        endpoint: String,
        key: String,
        identity: Option<Identity>,
        /// The metrics of the last lot that was taken: it adds up what it is told.
        last: Mutex<Figures>,
    },
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Export")
    }
}

impl Export {
    /// The collectors that the settings name. `app` is what the app is called there, `identity` makes tokens where the
    /// settings want them.
    pub fn new(config: &ExportConfig, http: &reqwest::Client, identity: Option<Identity>, app: String, began: Timestamp) -> Self {
        let mut collectors = Vec::new();
        if let Some(endpoint) = &config.otlp_endpoint {
            let headers = config.otlp_headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
            collectors.push(Collector::Otlp { http: http.clone(), endpoint: endpoint.clone(), headers });
        }
        if let Some(insights) = &config.insights {
            let key = insights.key.expose().to_owned();
            collectors.push(Collector::Insights { http: http.clone(), endpoint: insights.endpoint.clone(), key, identity, last: Mutex::default() });
        }
        let source = Source { app, instance: SystemClock.new_id() };
        Self { collectors, waiting: Mutex::default(), began, source }
    }

    /// Whether anybody collects.
    pub fn is_on(&self) -> bool {
        !self.collectors.is_empty()
    }

    /// Keeps a part of what is running, which began then and ends now; how long it took.
    pub fn part(&self, name: &'static str, began: Instant, now: impl FnOnce() -> Timestamp) -> Duration {
        let took = began.elapsed();
        if self.is_on()
            && let Some(running) = running::current()
        {
            let (context, millis) = (running.context(), i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
            self.keep(|| Span {
                name,
                whole: false,
                trace: context.trace,
                span: context.next().span,
                parent: Some(context.span),
                invocation: running.invocation().to_owned(),
                began: now().plus_millis(-millis),
                took,
                error: None,
            });
        }
        took
    }

    /// Keeps a finished span for the next lot; too many are left out.
    pub fn keep(&self, span: impl FnOnce() -> Span) {
        if !self.is_on() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.push(span());
        }
    }

    /// Hands over what waits, and the metrics as they are.
    pub async fn hand_over(&self, figures: &Figures, now: Timestamp) {
        let spans = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for collector in &self.collectors {
            if let Err(e) = self.to(collector, &spans, figures, now).await {
                tracing::warn!(error = e.chain(), spans = spans.len(), "a collector did not take what there was");
            }
        }
    }

    async fn to(&self, collector: &Collector, spans: &[Span], figures: &Figures, now: Timestamp) -> Result<()> {
        match collector {
            Collector::Otlp { http, endpoint, headers } => {
                let send = |path: &str, body: Value| {
                    let request = headers.iter().fold(http.post(format!("{endpoint}{path}")), |request, (name, value)| request.header(name, value));
                    post(request.header("Content-Type", "application/json").body(body.to_string()))
                };
                let traces = if spans.is_empty() { Ok(()) } else { send("/v1/traces", otlp::traces(spans, &self.source)).await };
                // Whoever refuses the one may take the other.
                send("/v1/metrics", otlp::metrics(figures, &self.source, self.began, now)).await.and(traces)
            }
            Collector::Insights { http, endpoint, key, identity, last } => {
                let mut request = http.post(format!("{endpoint}/v2.1/track")).header("Content-Type", "application/x-json-stream");
                if let Some(identity) = identity {
                    request = request.header("Authorization", format!("Bearer {}", identity.token(SCOPE).await?));
                }
                let more = figures.since(&last.lock().unwrap_or_else(PoisonError::into_inner));
                post(request.body(insights::lines(spans, &more, key, &self.source, now))).await?;
                figures.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
                Ok(())
            }
        }
    }
}

/// One request, tried twice where that may help.
async fn post(request: reqwest::RequestBuilder) -> Result<()> {
    LIMITS
        .twice(|| async {
            let again = request.try_clone().ok_or_else(|| LIMITS.broken("nothing: its request cannot be sent twice"))?;
            let response = LIMITS.send(again).await?;
            let status = response.status();
            if status.is_success() { Ok(()) } else { Err(LIMITS.refusal(status, response.headers())) }
        })
        .await
}
