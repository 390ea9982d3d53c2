//! What is running: the function and the trace of an invocation, for whatever happens on its behalf.
//!
//! The W3C trace context comes in with a request or an event, else a trace begins here; the invocation is a span of it, and that is
//! handed on with everything that is sent. None of these functions is async: a future that waits inside another one is copied
//! into it, and a turn is large.

use std::sync::Arc;

use crate::model::trace::{ids, is_valid, trace_of, traceparent as context};
use crate::ports::clock::{Clock as _, SystemClock};

/// One invocation.
#[derive(Debug, Clone)]
pub struct Running {
    /// The function.
    pub function: &'static str,
    /// Trace id that came with it, else the host's invocation id; empty where there is neither.
    pub correlation: Arc<str>,
    /// Trace context to hand on: the trace, and this invocation as the parent.
    traceparent: Arc<str>,
    /// The span that this one is a part of, where one came.
    parent: Option<Arc<str>>,
}

impl Running {
    /// An invocation with this trace context (one that is not valid is dropped) and this id.
    pub fn new(function: &'static str, traceparent: Option<&str>, invocation: &str) -> Self {
        let came = traceparent.filter(|text| is_valid(text));
        let trace = came.and_then(ids).map(|(trace, _)| trace);
        let correlation = trace.unwrap_or(invocation).into();
        let begun = || trace_of(invocation).unwrap_or_else(|| SystemClock.new_id());
        let trace = trace.map_or_else(begun, str::to_owned);
        Self { function, correlation, traceparent: context(&trace, fastrand::u64(..), came).into(), parent: came.and_then(ids).map(|(_, span)| span.into()) }
    }

    /// Its trace: 32 hexadecimal characters.
    pub fn trace_id(&self) -> &str {
        ids(&self.traceparent).map_or("", |(trace, _)| trace)
    }

    /// Its span: 16 hexadecimal characters.
    pub fn span_id(&self) -> &str {
        ids(&self.traceparent).map_or("", |(_, span)| span)
    }

    /// The span that it is a part of.
    pub fn parent_id(&self) -> Option<&str> {
        self.parent.as_deref()
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
    Some(current()?.traceparent.as_ref().to_owned())
}

/// The trace of what is running.
pub fn trace_id() -> Option<String> {
    Some(current()?.trace_id().to_owned())
}

/// Runs work as part of an invocation.
pub fn scope<F: Future>(running: Running, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Some(running), work)
}

/// Runs work as part of the same invocation, under the trace context of what it is about; without a valid one that of the
/// invocation stays.
pub fn traced<F: Future>(traceparent: Option<&str>, work: F) -> impl Future<Output = F::Output> {
    let running = current().unwrap_or_else(|| Running::new("", None, ""));
    let running = match traceparent.filter(|text| is_valid(text)) {
        Some(came) => Running { correlation: Arc::clone(&running.correlation), ..Running::new(running.function, Some(came), "") },
        None => running,
    };
    CURRENT.scope(Some(running), work)
}

/// The same work, as part of the invocation that is running now, wherever it will be polled.
pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current(), work)
}
