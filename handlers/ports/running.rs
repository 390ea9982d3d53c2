//! What is running: the function, the trace and the call of an invocation, for whatever happens on its behalf.
//!
//! The W3C trace context comes in with a request or an event, else a trace begins here; the invocation is a span of it, and that is
//! handed on with everything that is sent. Ids are numbers until somebody reads them: most invocations write no line of the log. None of
//! these functions is async: a future that waits inside another one is copied into it, and a turn is large.

use std::sync::{Arc, OnceLock};

use crate::model::ids::CallId;
use crate::model::trace::{self, TraceContext, TraceId};

/// One invocation, or the part of it that is about one event; clones share it.
#[derive(Debug, Clone)]
pub struct Running(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    function: &'static str,
    invocation: Arc<str>,
    /// Where it came from.
    came: Option<TraceContext>,
    /// What others wrote beside it, handed on as it came.
    state: Option<Arc<str>>,
    /// What is handed on: the trace, and this invocation as the parent.
    context: TraceContext,
    call: OnceLock<CallId>,
    /// Made once: each note of the audit log asks for it.
    correlation: OnceLock<Option<Arc<str>>>,
    /// The invocation that this is a part of.
    whole: Option<Running>,
}

impl Running {
    /// An invocation with this trace context (one that is not valid is dropped) and the host's id, empty where there is none.
    pub fn new(function: &'static str, traceparent: Option<&str>, invocation: &str) -> Self {
        let came = traceparent.and_then(TraceContext::parse);
        let begun = || TraceContext::begin(TraceId::of_invocation(invocation).unwrap_or_else(TraceId::random));
        let context = came.map_or_else(begun, TraceContext::next);
        Self(Arc::new(Inner {
            function,
            invocation: invocation.into(),
            came,
            state: None,
            context,
            call: OnceLock::new(),
            correlation: OnceLock::new(),
            whole: None,
        }))
    }

    /// The same with the `tracestate` that came with the context. Without a valid context, and where it is not valid itself, it is dropped
    /// whole.
    #[must_use]
    pub fn with_state(mut self, tracestate: Option<&str>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.state = inner.came.and(tracestate).and_then(trace::state).map(Into::into);
        }
        self
    }

    /// The function.
    pub fn function(&self) -> &'static str {
        self.0.function
    }

    /// The host's id of the invocation; empty where there is none.
    pub fn invocation(&self) -> &str {
        &self.0.invocation
    }

    /// The trace that came with it, else the host's invocation id; none where there is neither.
    pub fn correlation(&self) -> Option<Arc<str>> {
        let made = || match &self.0.came {
            Some(came) => Some(came.trace.to_string().into()),
            None => Some(Arc::clone(&self.0.invocation)).filter(|id| !id.is_empty()),
        };
        self.0.correlation.get_or_init(made).clone()
    }

    /// Its trace, and the span that it is.
    pub fn context(&self) -> TraceContext {
        self.0.context
    }

    /// The context that it came with.
    pub fn came(&self) -> Option<TraceContext> {
        self.0.came
    }

    /// The call that it is about, once that is known.
    pub fn call(&self) -> Option<&CallId> {
        self.0.call.get()
    }
}

tokio::task_local! {
    static CURRENT: Option<Running>;
}

/// The invocation that is running, if one is.
pub fn current() -> Option<Running> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Which call the invocation is about; the first one that is told stays.
pub fn about(call: &CallId) {
    let mut running = current();
    while let Some(Running(inner)) = running {
        inner.call.get_or_init(|| call.clone());
        running = inner.whole.clone();
    }
}

/// The trace context of what is running.
pub fn traceparent() -> Option<String> {
    Some(current()?.context().to_string())
}

/// What came beside the trace context of what is running, for whoever it is handed on to.
pub fn tracestate() -> Option<Arc<str>> {
    current()?.0.state.clone()
}

/// The trace of what is running.
pub fn trace_id() -> Option<String> {
    Some(current()?.context().trace.to_string())
}

/// Runs work as part of an invocation.
pub fn scope<F: Future>(running: Running, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Some(running), work)
}

/// Does something as part of an invocation.
pub fn within<T>(running: Running, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(Some(running), work)
}

/// Runs work as the part of the same invocation that is about one event, under the event's trace context and state; without a valid
/// context those of the invocation stay.
pub fn traced<F: Future>(traceparent: Option<&str>, tracestate: Option<&str>, work: F) -> impl Future<Output = F::Output> {
    let outer = current().unwrap_or_else(|| Running::new("", None, ""));
    let came = traceparent.and_then(TraceContext::parse);
    let context = came.map_or(outer.0.context, TraceContext::next);
    let (function, invocation) = (outer.0.function, Arc::clone(&outer.0.invocation));
    let state = if came.is_some() { tracestate.and_then(trace::state).map(Into::into) } else { outer.0.state.clone() };
    let inner =
        Inner { function, invocation, came: came.or(outer.0.came), state, context, call: OnceLock::new(), correlation: OnceLock::new(), whole: Some(outer) };
    CURRENT.scope(Some(Running(Arc::new(inner))), work)
}

/// The same work, as part of the invocation that is running now, wherever it will be polled.
pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current(), work)
}
