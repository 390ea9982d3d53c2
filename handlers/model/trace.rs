//! W3C trace contexts: what one looks like, and how the next one in the same trace is made. Only such a one is logged, kept or
//! handed on.

/// True for a `traceparent` of version 00 with ids that are not all zero (W3C Trace Context).
pub fn is_valid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        ["00", trace, span, flags] => is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2),
        _ => false,
    }
}

fn is_hex(part: &str, len: usize) -> bool {
    part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_id(part: &str, len: usize) -> bool {
    is_hex(part, len) && part.bytes().any(|b| b != b'0')
}

/// The trace and the span of a valid context.
pub fn ids(traceparent: &str) -> Option<(&str, &str)> {
    let mut parts = traceparent.split('-').skip(1);
    Some((parts.next()?, parts.next()?))
}

/// The trace that an invocation without a context begins: its own id where that is a GUID, as the host's are.
pub fn trace_of(invocation: &str) -> Option<String> {
    let trace: String = invocation.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    is_id(&trace, 32).then_some(trace)
}

/// A context in this trace whose parent is the span of this number; `flags` as in the context that came, else sampled.
pub fn traceparent(trace: &str, span: u64, came: Option<&str>) -> String {
    let flags = came.and_then(|came| came.rsplit('-').next()).unwrap_or("01");
    format!("00-{trace}-{:016x}-{flags}", span.max(1))
}
