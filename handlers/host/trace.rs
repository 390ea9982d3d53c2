//! W3C trace context: taken from what comes in, kept for the invocation, handed on with everything that is sent.

use crate::model::trace::is_valid;

tokio::task_local! {
    static CURRENT: Option<String>;
}

/// The trace context of the invocation that is running.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Runs work under a trace context; one that is not valid is dropped.
pub async fn scope<T>(traceparent: Option<String>, work: impl Future<Output = T>) -> T {
    CURRENT.scope(traceparent.filter(|t| is_valid(t)), work).await
}
