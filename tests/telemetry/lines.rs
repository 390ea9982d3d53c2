//! Log lines name calls by their tokens, and only lines that are written cost anything.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rtvoice::host::line::{Line, name_calls};
use rtvoice::model::ids::CallId;
use rtvoice::ports::running::{self, Running};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

/// Where lines go.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_call_is_named_where_a_line_is_written_and_nowhere_else() {
    static NAMED: AtomicUsize = AtomicUsize::new(0);
    name_calls(|id| {
        NAMED.fetch_add(1, Ordering::SeqCst);
        format!("token-of-{}", id.len())
    });
    let page = Page::default();
    let to = page.clone();
    // As the program sets it up.
    let lines = tracing_subscriber::fmt::layer().event_format(Line).with_writer(move || to.clone());
    let subscriber = tracing_subscriber::registry().with(tracing_subscriber::EnvFilter::new("info")).with(lines);
    let running = Running::new("ConversationTurn", Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "invocation-1");
    let about = || {
        running::about(&CallId::parse("call-1").unwrap());
        tracing::debug!("not written");
        assert_eq!(NAMED.load(Ordering::SeqCst), 0, "nothing is written yet");
        tracing::warn!(call_id = "call-22", error = "a \"call_id\":\"quoted\" thing", "one");
        assert_eq!(NAMED.load(Ordering::SeqCst), 2, "that of the span and that of the event");
        // No id, and no escape from the line either.
        tracing::warn!(call_id = "x\"y\\z", number = 7, "two");
    };
    tracing::subscriber::with_default(subscriber, || running::within(running, about));
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((&lines[0]["call"], &lines[0]["span"]["call"]), (&"token-of-7".into(), &"token-of-6".into()));
    let span = |field: &str| lines[0]["span"][field].as_str().unwrap().to_owned();
    assert_eq!((span("trace_id"), span("invocation_id")), ("0af7651916cd43dd8448eb211c80319c".to_owned(), "invocation-1".to_owned()));
    assert_eq!((&lines[1]["message"], &lines[1]["number"], &lines[1]["level"]), (&"two".into(), &7.into(), &"WARN".into()));
    assert_eq!(lines[0]["error"], "a \"call_id\":\"quoted\" thing", "what only looks like it is left alone");
    assert!(!text.contains("call-1") && !text.contains("call-22") && lines.iter().all(|line| line["call_id"].is_null()), "{text}");
}
