//! Log lines, with calls under their names: whoever reads the log must not learn the id under which a call can be asked for.
//!
//! In: JSON lines in which events and spans tell `call_id`. Out: the same with `call` and the call's token in its place. A line is gone
//! over when it is written and only then: an invocation that writes none pays nothing. The sequence `"call_id":"` cannot stand
//! inside of a JSON string, where its quotes would be escaped.

use std::fmt;
use std::sync::OnceLock;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Where an id begins.
const ID: &str = "\"call_id\":\"";

type Namer = Box<dyn Fn(&str) -> String + Send + Sync>;

static NAMER: OnceLock<Namer> = OnceLock::new();

/// Names calls by this from now on. A process has one log: the first one counts.
pub fn name_calls(namer: impl Fn(&str) -> String + Send + Sync + 'static) {
    let _ = NAMER.set(Box::new(namer));
}

/// Writes what `inner` writes, with calls under their names.
#[derive(Debug)]
pub struct Lines<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        named(&line, &mut writer, |id| NAMER.get().map(|namer| namer(id)))
    }
}

/// Writes a line with every id replaced by its name; nothing stands there where nobody names them.
fn named(line: &str, writer: &mut Writer<'_>, name: impl Fn(&str) -> Option<String>) -> fmt::Result {
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once(ID) {
        writer.write_str(before)?;
        // Ids of calls hold nothing that is escaped; what is none is cut off at its first quote or backslash.
        let (id, behind) = behind.split_at(behind.find(['"', '\\']).unwrap_or(behind.len()));
        match name(id) {
            Some(name) => write!(writer, "\"call\":\"{name}")?,
            None => writer.write_str("\"call\":\"")?,
        }
        rest = behind;
    }
    writer.write_str(rest)
}
