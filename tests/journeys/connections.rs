//! Hostile and careless clients: slow bodies, idle connections, heads that are too large, JSON that is too deep. Each is refused
//! cheaply, holds no seat, and leaves the others served.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures::stream::{self, Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::admission::{Answer, Server, all_seats, answer, connect, exchange, head, post, slow_turn};
use crate::harness::app::{Answer as InApp, PATIENCE, Rtvoice};
use crate::harness::port::free_port;
use crate::harness::process::{Handler, eventually};

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_408() {
    let server = Server::with(&[]).await;
    let mut slow = slow_turn(server.address, "call-1").await;
    let refusal = answer(&mut slow).await;
    assert_eq!((refusal.status, refusal.json()["field"].as_str()), (408, Some("body")), "{refusal:?}");
    assert_eq!(server.interactive().gauge().bodies, 0);
    server.finish().await;
}

/// Waits until bodies on their way take so many KiB.
async fn held(rt: &Rtvoice, kib: usize) {
    let room = &rt.app.admission.interactive;
    let look = async || (room.gauge().bodies == kib).then_some(());
    eventually("bodies are being read", || format!("{:?}", room.gauge()), look).await;
}

/// Seats for few, and nobody waits for one. These bodies come through the router, on a clock that goes on only where nothing else does: so
/// none is given up before all are there, however busy the machine is.
fn few_seats() -> Rtvoice {
    Rtvoice::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "0")])
}

/// A request whose body begins so and goes on with `rest`; its answer.
fn begun(rt: &Rtvoice, path: &str, start: &'static str, rest: impl Stream<Item = Bytes> + Send + 'static) -> JoinHandle<InApp> {
    let body = stream::iter([Bytes::from_static(start.as_bytes())]).chain(rest).map(Ok::<_, Infallible>);
    tokio::spawn(rt.send(Method::POST, path, &[("content-type", "application/json")], Body::from_stream(body)))
}

/// So many turns of which a byte has come, and no more comes.
fn slow_turns(rt: &Rtvoice, calls: impl Iterator<Item = String>) -> Vec<JoinHandle<InApp>> {
    calls.map(|call| begun(rt, &format!("/api/calls/{call}/turns"), "{", stream::pending())).collect()
}

/// Ends requests whose client goes away.
async fn gone(requests: Vec<JoinHandle<InApp>>) {
    for request in requests {
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled(), "it was still being read");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_hold_no_seat_and_what_has_come_of_them() {
    let rt = few_seats();
    let slow = slow_turns(&rt, (0..64).map(|n| format!("call-{n}")));
    held(&rt, 64 * 4).await;
    assert_eq!(rt.app.admission.interactive.gauge().in_flight, 0);
    assert_eq!(rt.turn("call-0", "t1", "hello").await.status, 200);
    gone(slow).await;
    held(&rt, 0).await;
    rt.finish().await;
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_of_one_call_or_of_events_leave_others_their_memory() {
    let rt = few_seats();
    let one_call = |count| std::iter::repeat_n("call-0".to_owned(), count);
    let turns = slow_turns(&rt, one_call(64));
    held(&rt, 64 * 4).await;
    let refused = slow_turns(&rt, one_call(1)).remove(0).await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:?}");
    let events = (0..64).map(|_| begun(&rt, "/api/calls/events", "[", stream::pending())).collect();
    held(&rt, 128 * 4).await;
    // A turn of another call, of which the rest comes once its start is being read.
    let (rest, body) = futures::channel::oneshot::channel();
    let late = begun(&rt, "/api/calls/call-1/turns", "{", stream::once(body).map(|rest| rest.unwrap_or_default()));
    held(&rt, 129 * 4).await;
    rest.send(Bytes::from_static(br#""turnId": "late", "text": "hello"}"#)).unwrap();
    assert_eq!(late.await.unwrap().status, 200, "neither the call nor the events took what is the others'");
    gone(turns).await;
    gone(events).await;
    rt.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_refused_keeps_its_connection() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "0")]).await;
    let held = all_seats(server.interactive(), 16).await;
    let mut stream = connect(server.address).await;
    let body = vec![b' '; 60_000];
    let head = head("/api/calls/call-1/turns", body.len()).replace("Connection: close\r\n", "");
    for _ in 0..3 {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.expect("the connection was cut");
        let mut text = Vec::new();
        while !text.ends_with(b"}") {
            let mut buffer = [0; 4096];
            let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").unwrap();
            assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&text));
            text.extend_from_slice(&buffer[..read]);
        }
        Answer::parse(&text).refused();
    }
    drop((stream, held));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431() {
    let server = Server::with(&[]).await;
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(70 << 10));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(200));
    for head in [large, many] {
        let mut stream = connect(server.address).await;
        // It may be refused before all of it is sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut status = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut status)).await.expect("an answer").unwrap();
        assert_eq!(&status, b"HTTP/1.1 431");
    }
    let sound = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {}\r\n\r\n", "x".repeat(32 << 10));
    assert_eq!(exchange(server.address, sound.as_bytes()).await.status, 200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_json_is_400() {
    let server = Server::with(&[]).await;
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [200, 30_000] {
        post(server.address, "/api/calls/call-1/turns", &deep(levels)).await.bad("body");
        post(server.address, "/api/calls/call-1/turns", &format!(r#"{{"turnId":"t1","text":"hello","context":{{"k":{}}}}}"#, deep(levels))).await.bad("body");
        post(server.address, "/api/calls/events", &deep(levels)).await.bad("body");
        post(server.address, "/CallConnected", &format!(r#"{{"Data":{{"event":{}}},"Metadata":{{}}}}"#, deep(levels))).await.bad("body");
        // JSON in JSON in JSON, and the same as base64.
        let once = Value::String(deep(levels)).to_string();
        let twice = Value::String(once.clone()).to_string();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, deep(levels));
        for nested in [once, twice, format!("\"{base64}\"")] {
            post(server.address, "/CallConnected", &format!(r#"{{"Data":{{"event":{nested}}},"Metadata":{{}}}}"#)).await.bad("Data.event");
        }
    }
    server.finish().await;
}

/// The program with few files to open, ended by its id.
struct Few {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Few {
    /// With this many, of which 256 are not for connections.
    async fn start(files: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {files} && exec \"$0\" serve"), env!("CARGO_BIN_EXE_rtvoice")])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string())
            .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))
            .env("EMBEDDED_PATH", folder.path().join("rtvoice.db"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let few = Self { child, address, _folder: folder };
        eventually("it binds", String::new, async || TcpStream::connect(address).await.ok()).await;
        few
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks on a connection that stays open; none where it has been closed.
async fn ask(stream: &mut TcpStream) -> Option<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
    let mut buffer = [0; 1024];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer or the end").ok()?;
    buffer[..read].starts_with(b"HTTP/1.1 200").then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_is_closed_at_once_and_the_others_stay() {
    const MOST: usize = 40;
    let few = Few::start(256 + MOST).await;
    let mut open = Vec::new();
    for n in 0..MOST {
        let stream = eventually(
            "there is room",
            || n.to_string(),
            async || {
                let mut stream = connect(few.address).await;
                ask(&mut stream).await.map(|()| stream)
            },
        );
        open.push(stream.await);
    }
    for _ in 0..3 {
        assert!(ask(&mut connect(few.address).await).await.is_none(), "{MOST} are open");
    }
    for stream in &mut open {
        assert!(ask(stream).await.is_some(), "those that are open stay");
    }
    open.pop();
    eventually("there is room again", String::new, async || ask(&mut connect(few.address).await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_leave_a_turn_its_answer() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = files.maximum.unwrap_or(u64::MAX);
    let raised = rustix::process::Rlimit { current: Some(most.min(20_000)), maximum: files.maximum };
    if files.current.is_some_and(|now| now < most.min(20_000)) {
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    }
    let count = usize::try_from(most.saturating_sub(4_000).min(10_000)).unwrap();
    if count < 10_000 {
        eprintln!("{most} files may be open here: {count} idle connections");
    }
    let handler = Handler::start(Vec::new()).await;
    let address = SocketAddr::from(([127, 0, 0, 1], handler.port().unwrap()));
    let mut idle = Vec::with_capacity(count);
    for n in 0..count {
        let mut stream = connect(address).await;
        // Some say nothing at all, and some never end what they began.
        if n % 2 == 0 {
            stream.write_all(b"POST /api/calls/call-1/turns HTTP/1.1\r\nHost:").await.unwrap();
        }
        idle.push(stream);
    }
    let turn = json!({"turnId": "t1", "text": "hello", "speak": false});
    let answer = handler.send("POST", "/api/calls/call-1/turns", Some(&turn)).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    // They are all still there.
    for silent in [1, count / 2 + 1, count - 1].map(|n| n - (1 - n % 2)) {
        ask(&mut idle[silent]).await.expect("it was open and is answered");
    }
}
