//! Lines of the log: one JSON object each, with what the event says and, as `span`, the invocation on whose behalf it was written.
//!
//! In: events, and what is running. Out: `timestamp` (RFC 3339, UTC), `level`, the event's fields, `target` and `span`. Nothing is put
//! together for an invocation that writes no line. Calls stand there as `call`, by their names: whoever reads the log must not learn the id
//! under which a call can be asked for. Fails only where the line cannot be written.

use std::fmt;
use std::sync::OnceLock;

use serde::Serializer as _;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::running::{self, Running};

type Namer = Box<dyn Fn(&str) -> String + Send + Sync>;

static NAMER: OnceLock<Namer> = OnceLock::new();

/// Names calls by this from now on. A process has one log: the first one counts.
pub fn name_calls(namer: impl Fn(&str) -> String + Send + Sync + 'static) {
    let _ = NAMER.set(Box::new(namer));
}

/// The name of a call; empty where nobody names them.
fn name(call: &str) -> Value {
    json!(NAMER.get().map(|namer| namer(call)).unwrap_or_default())
}

/// Under which events tell the id of a call.
const ID: &str = "call_id";

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut fields = Fields(vec![("timestamp", json!(SystemClock.now())), ("level", json!(metadata.level().as_str()))]);
        event.record(&mut fields);
        fields.0.push(("target", json!(metadata.target())));
        if let Some(running) = running::current() {
            fields.0.push(("span", span(&running)));
        }
        let mut line = Vec::with_capacity(512);
        serde_json::Serializer::new(&mut line).collect_map(fields.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

/// The invocation as lines show it.
fn span(running: &Running) -> Value {
    let context = running.context();
    let mut span = json!({
        "name": "invocation",
        "function": running.function(),
        "invocation_id": running.invocation(),
        "trace_id": context.trace,
        "span_id": context.span,
    });
    if let Some(call) = running.call() {
        span["call"] = name(call.as_str());
    }
    if let Some(came) = running.came() {
        span["traceparent"] = json!(came.to_string());
    }
    span
}

/// Takes an event's fields as JSON, in their order.
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // Where a line of the `log` crate stands in its source.
        if field.name().starts_with("log.") {
            return;
        }
        self.0.push(match (field.name(), &value) {
            (ID, Value::String(call)) => ("call", name(call)),
            (field, _) => (field, value),
        });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }
}
