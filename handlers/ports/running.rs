//! What is running: the function and the trace of an invocation, for whatever happens on its behalf.
//!
//! The W3C trace context comes in with a request or an event, is kept for the invocation, and is handed on with everything that
//! is sent. None of these functions is async: a future that waits inside another one is copied into it, and a turn is large.

use std::sync::Arc;

use crate::model::trace::is_valid;

/// One invocation.
#[derive(Debug, Clone)]
pub struct Running {
    /// The function.
    pub function: &'static str,
    /// Trace id, else the host's invocation id; empty where there is neither.
    pub correlation: Arc<str>,
    /// Trace context to hand on.
    traceparent: Option<Arc<str>>,
}

impl Running {
    /// An invocation with this trace context (one that is not valid is dropped) and this id.
    pub fn new(function: &'static str, traceparent: Option<&str>, invocation: &str) -> Self {
        let traceparent = traceparent.filter(|text| is_valid(text));
        let trace = traceparent.and_then(|text| text.split('-').nth(1));
        Self { function, correlation: trace.unwrap_or(invocation).into(), traceparent: traceparent.map(Into::into) }
    }
}

tokio::task_local! {
    static CURRENT: Option<Running>;
}

/// The invocation that is running, if one is.
pub fn current() -> Option<Running> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// The trace context of what is running.
pub fn traceparent() -> Option<String> {
    current()?.traceparent.as_deref().map(str::to_owned)
}

/// Runs work as part of an invocation.
pub fn scope<F: Future>(running: Running, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Some(running), work)
}

/// Runs work as part of the same invocation, under the trace context of what it is about; one that is not valid is dropped.
pub fn traced<F: Future>(traceparent: Option<&str>, work: F) -> impl Future<Output = F::Output> {
    let running = current().unwrap_or_else(|| Running::new("", None, ""));
    CURRENT.scope(Some(Running { traceparent: traceparent.filter(|text| is_valid(text)).map(Into::into), ..running }), work)
}

/// The same work, as part of the invocation that is running now, wherever it will be polled.
pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current(), work)
}
