//! What is running: the function and the trace of an invocation, for whatever happens on its behalf.

use std::sync::Arc;

/// One invocation.
#[derive(Debug, Clone)]
pub struct Running {
    /// The function.
    pub function: &'static str,
    /// Trace id, else the host's invocation id; empty where there is neither.
    pub correlation: Arc<str>,
}

impl Running {
    /// An invocation with this trace context (already checked) and this id.
    pub fn new(function: &'static str, traceparent: Option<&str>, invocation: &str) -> Self {
        let trace = traceparent.and_then(|text| text.split('-').nth(1));
        Self { function, correlation: trace.unwrap_or(invocation).into() }
    }
}

tokio::task_local! {
    static CURRENT: Running;
}

/// The invocation that is running, if one is.
pub fn current() -> Option<Running> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs work as part of an invocation.
pub async fn scope<T>(running: Running, work: impl Future<Output = T>) -> T {
    CURRENT.scope(running, work).await
}

/// The same work, as part of the invocation that is running now, wherever it will be polled.
pub fn inherit<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let running = current();
    async move {
        match running {
            Some(running) => CURRENT.scope(running, work).await,
            None => work.await,
        }
    }
}
