//! One exchange with a foreign HTTPS service: authenticated, bounded, and tried at most twice within a deadline.
//!
//! In: how to make one attempt. Out: its value, or the error of the last attempt. Every attempt says of its failure
//! whether another one may help; a pause that the service asks for is kept where the deadline leaves room for it.
//! Nothing of a request or of an answer gets into an error: services like to quote what they were sent.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::Instant;

use crate::config::Secret;
use crate::error::{Error, Kind, Result};
use crate::ports::http;
use crate::ports::identity::Identity;
use crate::ports::running;

/// Scope of an Entra token for every Azure AI service.
pub const COGNITIVE_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// Pause before the second attempt where the service named none.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest wait that is handed on to our own client.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What an exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Name of the service, for errors.
    pub service: &'static str,
    /// Time for everything: token, both attempts and the pause between them.
    pub deadline: Duration,
    /// Time for one attempt.
    pub attempt: Duration,
    /// Most bytes of an answer.
    pub body: usize,
}

/// The outcome of one attempt.
pub type Attempt<T> = std::result::Result<T, Failure>;

/// Why an attempt failed, and whether another one may help.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    again: bool,
}

impl Failure {
    /// Another attempt may help.
    pub fn again(error: Error) -> Self {
        Self { error, again: true }
    }

    /// Another attempt cannot help.
    pub fn last(error: Error) -> Self {
        Self { error, again: false }
    }

    /// The error, where no other attempt is made.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl Limits {
    /// Makes one attempt, and a second one where that may help and the deadline leaves it at least an eighth of the
    /// whole time. The error is that of the last attempt made.
    pub async fn twice<T, F, Fut>(&self, attempt: F) -> Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Attempt<T>>,
    {
        let end = Instant::now() + self.deadline;
        let first = match self.once(self.attempt.min(self.deadline), attempt()).await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let pause = first.error.retry_after.unwrap_or(PAUSE);
        let left = end.saturating_duration_since(Instant::now());
        if !first.again || left < pause.saturating_add(self.deadline / 8) {
            return Err(first.error);
        }
        tokio::time::sleep(pause).await;
        let left = end.saturating_duration_since(Instant::now());
        self.once(self.attempt.min(left), attempt()).await.map_err(|failure| failure.error)
    }

    async fn once<T>(&self, limit: Duration, attempt: impl Future<Output = Attempt<T>>) -> Attempt<T> {
        let late = |_| Err(Failure::again(Error::deadline(self.service, self.deadline)));
        tokio::time::timeout(limit, attempt).await.unwrap_or_else(late)
    }

    /// Sends a request, with the trace of what is running. A connection that cannot be had or breaks is worth another attempt.
    pub async fn send(&self, request: RequestBuilder) -> Attempt<Response> {
        let request = match running::traceparent() {
            Some(context) => request.header("traceparent", context),
            None => request,
        };
        let request = match running::tracestate() {
            Some(state) => request.header("tracestate", &*state),
            None => request,
        };
        request.send().await.map_err(|e| Failure::again(Error::unavailable(self.service, e.without_url())))
    }

    /// Reads an answer's body, never more of it than the limit.
    pub async fn body(&self, mut response: Response) -> Attempt<Bytes> {
        let broken = |e: reqwest::Error| Failure::again(Error::unavailable(self.service, e.without_url()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.body {
                return Err(self.broken(&format!("with more than {} bytes", self.body)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// An answer that is none: `Internal`, and worth another attempt. `how` ends the sentence "it answered ...".
    pub fn broken(&self, how: &str) -> Failure {
        Failure::again(Error::new(Kind::Internal, format!("{} answered {how}", self.service)))
    }

    /// What an unsuccessful status means where the service's own rules say nothing else: `Denied`, `Throttled` and
    /// `Unavailable` as their names say; any other status is a request of ours that the service does not take.
    pub fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let service = self.service;
        let reason = format!("status {}", status.as_u16());
        let wait = retry_after(headers);
        let waiting = |error: Error| Failure::again(Error { retry_after: wait, ..error });
        match status.as_u16() {
            401 | 403 => Failure::last(Error::new(Kind::Denied, format!("{service} refused our identity or rights")).because(reason)),
            429 => waiting(Error::new(Kind::Throttled, format!("{service} is overloaded")).because(reason)),
            408 | 500..=599 => waiting(Error::new(Kind::Unavailable, format!("{service} is failing")).because(reason)),
            _ => Failure::last(Error::new(Kind::Internal, format!("{service} did not take our request")).because(reason)),
        }
    }
}

/// `retry-after-ms`, which Azure OpenAI sends besides the standard header, else `Retry-After` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get("retry-after-ms").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse::<u64>().ok());
    millis.map(|ms| Duration::from_millis(ms).min(LONGEST_WAIT)).or_else(|| http::retry_after(headers, LONGEST_WAIT))
}

/// How we show who we are: a key in the service's own header, else an Entra token.
#[derive(Debug, Clone)]
pub struct Access {
    /// Name of the header that takes the key.
    pub key_header: &'static str,
    /// The key; none means Entra.
    pub key: Option<Secret>,
    /// Source of tokens for [`COGNITIVE_SCOPE`].
    pub identity: Option<Identity>,
}

impl Access {
    /// Adds the key or a token to a request. `Denied` where there is neither.
    pub async fn sign(&self, limits: &Limits, request: RequestBuilder) -> Attempt<RequestBuilder> {
        let (name, value) = match (&self.key, &self.identity) {
            (Some(key), _) => (HeaderName::from_static(self.key_header), key.expose().to_owned()),
            (None, Some(identity)) => {
                let token = identity.token(COGNITIVE_SCOPE).await.map_err(|e| Failure { again: e.kind == Kind::Deadline, error: e })?;
                (AUTHORIZATION, format!("Bearer {token}"))
            }
            (None, None) => return Err(Failure::last(Error::new(Kind::Denied, format!("{} has neither a key nor an identity", limits.service)))),
        };
        let unfit = |e| Failure::last(Error::new(Kind::Denied, format!("the key of {} does not fit into a header", limits.service)).because(e));
        let mut value = HeaderValue::from_str(&value).map_err(unfit)?;
        value.set_sensitive(true);
        Ok(request.header(name, value))
    }
}
