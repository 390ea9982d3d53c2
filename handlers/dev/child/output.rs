//! The handler's two streams, line by line to the log; the last lines of standard error are kept for the reason of a
//! failed start, as the Functions host does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::dev::log::{LogSink, Origin};

/// Lines of standard error that are kept.
const KEPT: usize = 3;

/// How long the streams of an ended process may take to be read to their end; a grandchild may hold them open.
const REST: Duration = Duration::from_millis(500);

/// The streams of one process.
#[derive(Debug, Default)]
pub struct Output {
    last: Arc<Mutex<VecDeque<String>>>,
    readers: JoinSet<()>,
}

impl Output {
    /// Begins to read.
    pub fn relay(&mut self, child: &mut Child, log: &LogSink) {
        if let Some(stream) = child.stdout.take() {
            self.readers.spawn(read(stream, Origin::Stdout, log.clone(), None));
        }
        if let Some(stream) = child.stderr.take() {
            self.readers.spawn(read(stream, Origin::Stderr, log.clone(), Some(Arc::clone(&self.last))));
        }
    }

    /// The last lines of standard error, in one line.
    pub async fn last_errors(&mut self) -> String {
        let rest = async { while self.readers.join_next().await.is_some() {} };
        // What a grandchild still writes is not waited for.
        let _ = timeout(REST, rest).await;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" | ")
    }
}

async fn read(stream: impl AsyncRead + Unpin, origin: Origin, log: LogSink, last: Option<Arc<Mutex<VecDeque<String>>>>) {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    // A read error means that the pipe is gone: there is nothing more to relay.
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        log.handler(origin, &text);
        if let Some(last) = &last {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            last.push_back(text);
            if last.len() > KEPT {
                last.pop_front();
            }
        }
    }
}
