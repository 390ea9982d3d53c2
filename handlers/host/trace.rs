//! W3C trace context: taken from what comes in, kept for the invocation, handed on with everything that is sent.

tokio::task_local! {
    static CURRENT: Option<String>;
}

/// True for a `traceparent` of version 00 with ids that are not all zero (W3C Trace Context).
pub fn is_valid(text: &str) -> bool {
    let hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        ["00", trace, span, flags] => hex(trace, 32) && hex(span, 16) && hex(flags, 2) && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'),
        _ => false,
    }
}

/// The trace context of the invocation that is running.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Runs work under a trace context; one that is not valid is dropped.
pub async fn scope<T>(traceparent: Option<String>, work: impl Future<Output = T>) -> T {
    CURRENT.scope(traceparent.filter(|t| is_valid(t)), work).await
}
