//! Error storms: of one line of the code, only so many lines reach the log in 10 s; the rest is counted and told afterwards.
//!
//! In: every event from `info` up that the filter lets through. Out: whether it is written; and now and then one line that says how many of which
//! place were left out. Places are call sites of the program, so that what is kept is bounded. Never fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines of one place that are written within [`SPAN`].
pub const MOST: u64 = 50;
/// Lines of [`DONE`] that are written within [`SPAN`].
pub const MOST_DONE: u64 = 1_000;
/// Target of the line that each invocation ends with. Of these a busy instance writes a part: what is left out is in the metrics, and not
/// told.
pub const DONE: &str = "rtvoice::done";
/// How long a count is good.
pub const SPAN: Duration = Duration::from_secs(10);

/// Counts lines by place; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    places: Arc<Mutex<HashMap<Identifier, Place>>>,
}

#[derive(Debug)]
struct Place {
    metadata: &'static Metadata<'static>,
    since: Instant,
    lines: u64,
    left_out: u64,
}

/// Lines of one place that were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// File and line.
    pub place: String,
    /// Level of the lines.
    pub level: tracing::Level,
    /// How many.
    pub lines: u64,
}

impl Storm {
    /// Counts one line; whether it may be written.
    fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(metadata.callsite()).or_insert(Place { metadata, since: now, lines: 0, left_out: 0 });
        if now - place.since >= SPAN {
            (place.since, place.lines) = (now, 0);
        }
        place.lines += 1;
        let done = metadata.target() == DONE;
        let admitted = place.lines <= if done { MOST_DONE } else { MOST };
        place.left_out += u64::from(!admitted && !done);
        admitted
    }

    /// What was left out since the last time.
    pub fn left_out(&self) -> Vec<LeftOut> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |place: &mut Place| {
            let lines = std::mem::take(&mut place.left_out);
            let at = format!("{}:{}", place.metadata.file().unwrap_or("?"), place.metadata.line().unwrap_or(0));
            (lines > 0).then(|| LeftOut { place: at, level: *place.metadata.level(), lines })
        };
        places.values_mut().filter_map(told).collect()
    }
}

impl<S: Subscriber> Layer<S> for Storm {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // Who asks for more than that wants all of it.
        *event.metadata().level() > tracing::Level::INFO || self.admits(event.metadata())
    }
}

static HERE: std::sync::OnceLock<Storm> = std::sync::OnceLock::new();

/// The one of this process, whose log is one.
pub fn here() -> &'static Storm {
    HERE.get_or_init(Storm::default)
}
