//! Where the local host's lines go: its own, and those that the handler writes.

use std::sync::Arc;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The local host.
    Host,
    /// The handler's standard output.
    Stdout,
    /// The handler's standard error.
    Stderr,
}

type Take = dyn Fn(Origin, &str) + Send + Sync;

/// Takes lines; must not block for long.
#[derive(Clone)]
pub struct LogSink(Arc<Take>);

impl std::fmt::Debug for LogSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogSink")
    }
}

impl LogSink {
    /// A sink that calls `take`.
    pub fn new(take: impl Fn(Origin, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Everything to standard error, so that standard output stays free for results. The handler's lines stand as they
    /// are; the local host's own begin with `[host]`.
    pub fn stderr() -> Self {
        Self::new(|origin, line| match origin {
            Origin::Host => eprintln!("[host] {line}"),
            Origin::Stdout | Origin::Stderr => eprintln!("{line}"),
        })
    }

    /// A line of the local host.
    pub fn host(&self, line: impl AsRef<str>) {
        (self.0)(Origin::Host, line.as_ref());
    }

    /// A line of the handler.
    pub fn handler(&self, origin: Origin, line: &str) {
        (self.0)(origin, line);
    }
}
