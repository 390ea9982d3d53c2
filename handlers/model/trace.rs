//! W3C trace contexts: what one looks like, and how the next one in the same trace is made. Only such a one is logged, kept or
//! handed on.

use std::fmt;

use serde::{Serialize, Serializer};

/// A valid context of version 00 (W3C Trace Context): 16 bytes of a trace and 8 of a span, neither of them all zero, and flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span that is the parent of whatever receives it.
    pub span: SpanId,
    flags: u8,
}

/// A trace; shown as 32 lower-case hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

/// A span; shown as 16 lower-case hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(u64);

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// Reads a `traceparent`; none where it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sound = parts.next().is_none() && version == "00" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (sound && trace != 0 && span != 0).then_some(Self { trace: TraceId(trace), span: SpanId(span), flags })
    }

    /// A context in the trace of this text, which was kept without its spans; none where it is none.
    pub fn of_trace(trace: &str) -> Option<Self> {
        let id = u128::from_str_radix(trace, 16).ok().filter(|id| is_hex(trace, 32) && *id != 0)?;
        Some(Self::begin(TraceId(id)))
    }

    /// The first one of a trace that begins here.
    pub fn begin(trace: TraceId) -> Self {
        Self { trace, span: SpanId::random(), flags: SAMPLED }
    }

    /// The next one in the same trace, with a span of its own.
    #[must_use]
    pub fn next(self) -> Self {
        Self { span: SpanId::random(), ..self }
    }
}

impl TraceId {
    /// A trace of its own.
    pub fn random() -> Self {
        Self(fastrand::u128(1..))
    }

    /// The trace that an invocation without a context begins: its own id where that is a GUID, as the host's are.
    pub fn of_invocation(id: &str) -> Option<Self> {
        let mut trace = 0u128;
        let mut digits = 0;
        for c in id.chars().filter(|c| *c != '-') {
            trace = trace.checked_shl(4)? | u128::from(c.to_digit(16)?);
            digits += 1;
        }
        (digits == 32 && trace != 0).then_some(Self(trace))
    }
}

impl SpanId {
    fn random() -> Self {
        Self(fastrand::u64(1..))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        digits(&mut text[3..35], self.trace.0);
        digits(&mut text[36..52], self.span.0.into());
        digits(&mut text[53..], self.flags.into());
        written(f, &text)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        digits(&mut text, self.0);
        written(f, &text)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 16];
        digits(&mut text, self.0.into());
        written(f, &text)
    }
}

/// Writes the last digits of a number, as many as there is room for, in lower-case hexadecimal. Every message
/// has some of them.
fn digits(text: &mut [u8], mut number: u128) {
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

fn written(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// True for a `traceparent` of version 00 with ids that are not all zero.
pub fn is_valid(text: &str) -> bool {
    TraceContext::parse(text).is_some()
}

/// Most members of a `tracestate`, and most characters of it: less than that nobody may drop.
const MEMBERS: usize = 32;
const STATE_CHARS: usize = 512;

/// What tracing systems of others wrote beside the context (`tracestate`), whole, as it is handed on; none where it is not as W3C Trace
/// Context has it, is longer than 512 characters or has more than 32 members. It is never read here.
pub fn state(text: &str) -> Option<&str> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() || text.len() > STATE_CHARS {
        return None;
    }
    let mut keys: Vec<&str> = Vec::new();
    // Members may be empty.
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()) {
        let (key, value) = member.split_once('=')?;
        if keys.len() == MEMBERS || keys.contains(&key) || !is_key(key) || !is_value(value) {
            return None;
        }
        keys.push(key);
    }
    (!keys.is_empty()).then_some(text)
}

/// `key`, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let fits = |part: &str, most: usize, digit_first: bool| {
        let first = part.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || (digit_first && b.is_ascii_digit()));
        first && part.len() <= most && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b))
    };
    match key.split_once('@') {
        Some((tenant, system)) => fits(tenant, 241, true) && fits(system, 14, false),
        None => fits(key, 256, false),
    }
}

/// Printable, without the signs that part members, and no blank at its end, which was cut off.
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b',' && b != b'=')
}

fn is_hex(part: &str, len: usize) -> bool {
    part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
