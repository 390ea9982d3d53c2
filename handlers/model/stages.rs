//! How long the stages of a turn took.

/// Milliseconds that the stages of one turn took, and how its speech came about.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StageTimes {
    /// Loading the conversation.
    pub load_ms: f64,
    /// Getting the reply.
    pub reply_ms: f64,
    /// Committing.
    pub commit_ms: f64,
    /// Speech, from the cache or synthesised; none where nothing was spoken.
    pub speech_ms: Option<f64>,
    /// Whether the phrase was cached; none where nothing was spoken.
    pub speech_hit: Option<bool>,
}

/// What a `Server-Timing` header says (W3C Server Timing): names with milliseconds, of the entries that have both.
pub fn server_timing(header: &str) -> impl Iterator<Item = (&str, f64)> {
    header.split(',').filter_map(|entry| {
        let (name, duration) = entry.trim().split_once(";dur=")?;
        Some((name, duration.parse().ok().filter(|millis: &f64| millis.is_finite() && *millis >= 0.0)?))
    })
}

/// Milliseconds as text with three digits behind the point, put together from whole microseconds: a turn writes eight of them, and printing
/// a floating point number is slow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Millis(pub f64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is no time, less than none or not a number, is told as none.
        let micros = (self.0 * 1000.0).round() as u64;
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}
