//! What a W3C trace context looks like: only such a one is logged, kept or handed on.

/// True for a `traceparent` of version 00 with ids that are not all zero (W3C Trace Context).
pub fn is_valid(text: &str) -> bool {
    let hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        ["00", trace, span, flags] => hex(trace, 32) && hex(span, 16) && hex(flags, 2) && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'),
        _ => false,
    }
}
