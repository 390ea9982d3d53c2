//! HTTP/1.1 as thin as it can be, for both sides of a measurement: what the generator costs is taken from the handler's share
//! of the machine, so it parses nothing that it does not need.
//!
//! In: whole messages with `Content-Length`, over a connection that stays open. Fails with `Unavailable` where the other side
//! ends, and with `Internal` for a message that it cannot frame.

use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest head of a message.
const HEAD: usize = 64 * 1024;

/// A connection that carries whole messages.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the message that was read last.
    consumed: usize,
}

/// Where the parts of the last message lie; valid until the next one is read.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    head: Range<usize>,
    body: Range<usize>,
}

impl Wire {
    /// Connects to 127.0.0.1.
    pub(super) async fn open(port: u16) -> Result<Self> {
        TcpStream::connect(("127.0.0.1", port)).await.map(Self::over).map_err(|e| Error::unavailable("the handler", e))
    }

    /// Over a connection that there is already.
    pub(super) fn over(stream: TcpStream) -> Self {
        // Without it small answers would wait for others; where it cannot be had they do.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::with_capacity(16 * 1024), consumed: 0 }
    }

    /// The next message; none where the other side has ended.
    pub(super) async fn message(&mut self) -> Result<Option<Parts>> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > HEAD {
                return Err(Error::internal("the head of a message is too long"));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(Error::unavailable("the handler", "the connection ended within a message")) };
            }
        };
        let length = content_length(&self.buffer[..head]).ok_or_else(|| Error::internal("a message without Content-Length"))?;
        let body = head + 4..head + 4 + length;
        self.buffer.reserve(body.end.saturating_sub(self.buffer.len()));
        while self.buffer.len() < body.end {
            if self.fill().await? == 0 {
                return Err(Error::unavailable("the handler", "the connection ended within a message"));
            }
        }
        self.consumed = body.end;
        Ok(Some(Parts { head: 0..head, body }))
    }

    async fn fill(&mut self) -> Result<usize> {
        self.stream.read_buf(&mut self.buffer).await.map_err(|e| Error::unavailable("the handler", e))
    }

    /// Sends bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(|e| Error::unavailable("the handler", e))
    }

    /// Sends a request and reads its answer: status and body.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.send(request).await?;
        let parts = tokio::time::timeout(PATIENCE, self.message()).await.map_err(|_| Error::deadline("the handler", PATIENCE))??;
        let parts = parts.ok_or_else(|| Error::unavailable("the handler", "the connection ended before the answer"))?;
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        Ok((status.ok_or_else(|| Error::internal("an answer without a status"))?, &self.buffer[parts.body]))
    }

    /// The head of the last message.
    pub(super) fn head(&self, parts: &Parts) -> &[u8] {
        &self.buffer[parts.head.clone()]
    }

    /// The body of the last message.
    pub(super) fn body(&self, parts: &Parts) -> &[u8] {
        &self.buffer[parts.body.clone()]
    }
}

/// Where `what` begins in `bytes`.
pub(super) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

/// The value of a header in a head.
pub(super) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let line = head
        .split(|b| *b == b'\n')
        .find(|line| line.len() > name.len() && line[name.len()] == b':' && line[..name.len()].eq_ignore_ascii_case(name.as_bytes()))?;
    Some(std::str::from_utf8(&line[name.len() + 1..]).ok()?.trim())
}

fn content_length(head: &[u8]) -> Option<usize> {
    match header(head, "content-length") {
        Some(length) => length.parse().ok(),
        // A GET has none.
        None => head.starts_with(b"GET ").then_some(0),
    }
}

/// A request with a JSON body.
pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A request without a body.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// What a block of a measurement took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Taken {
    /// Adds a block.
    pub(super) fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.elapsed += other.elapsed;
    }

    /// Adds one time.
    pub(super) fn push(&mut self, time: Duration) {
        self.times.push(time);
        self.elapsed += time;
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.times.len()
    }

    /// How many there were each second.
    pub(super) fn rate(&self) -> f64 {
        if self.elapsed.is_zero() { 0.0 } else { self.times.len() as f64 / self.elapsed.as_secs_f64() }
    }

    /// The time, in milliseconds, that this share took at most.
    pub(super) fn millis(&mut self, percent: f64) -> f64 {
        self.times.sort_unstable();
        // At most the number of times.
        let place = (self.times.len() as f64 * percent / 100.0) as usize;
        self.times.get(place.min(self.times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }
}

/// Lets each caller take one step after the other until the time is over; they come back with what was taken.
pub(super) async fn closed<C, W>(callers: Vec<C>, time: Duration, step: impl Fn(C) -> W + Clone + Send + Sync + 'static) -> Result<(Taken, Vec<C>)>
where
    C: Send + 'static,
    W: Future<Output = Result<C>> + Send,
{
    let (began, mut running) = (Instant::now(), JoinSet::new());
    for mut caller in callers {
        let step = step.clone();
        running.spawn(async move {
            let mut times = Vec::with_capacity(4096);
            while began.elapsed() < time {
                let at = Instant::now();
                caller = step(caller).await?;
                times.push(at.elapsed());
            }
            Ok((times, caller))
        });
    }
    let (mut taken, mut back) = (Taken::default(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (times, caller): (Vec<Duration>, C) = done.map_err(Error::internal)??;
        taken.times.extend(times);
        back.push(caller);
    }
    taken.elapsed = began.elapsed();
    Ok((taken, back))
}
