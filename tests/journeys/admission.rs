//! More than can be done: what is too much is refused at once, and everybody else is served as before. Over real
//! connections; whoever must stay in the app for the time of a test is held by the agent, or takes a seat itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rtvoice::error::Kind;
use rtvoice::host::admission::{Admission, Key, Room, Seat};
use rtvoice::host::server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::harness::app::{PATIENCE, Rtvoice};
use crate::harness::process::eventually;

/// The real server around an app.
pub struct Server {
    rt: Rtvoice,
    pub address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<rtvoice::error::Result<()>>,
}

impl Server {
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let rt = Rtvoice::with(settings);
        let listener = server::bind(0).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(server::serve(rt.app.clone(), listener, stop.clone()));
        Self { rt, address, stop, serving }
    }

    pub fn interactive(&self) -> &Arc<Room> {
        &self.rt.app.admission.interactive
    }

    fn background(&self) -> &Arc<Room> {
        &self.rt.app.admission.background
    }

    pub async fn turn(&self, call: &str, turn: &str, text: &str) -> Answer {
        post(self.address, &format!("/api/calls/{call}/turns"), &json!({"turnId": turn, "text": text, "speak": false}).to_string()).await
    }

    /// A turn that goes on for as long as the agent is held; its answer is awaited elsewhere.
    fn held(&self, call: &str, turn: &str) -> tokio::task::JoinHandle<Answer> {
        let (address, path) = (self.address, format!("/api/calls/{call}/turns"));
        let body = json!({"turnId": turn, "text": "hold the line", "speak": false}).to_string();
        tokio::spawn(async move { post(address, &path, &body).await })
    }

    async fn events(&self, call: &str) -> Answer {
        let event = self.rt.cloud_event("PlayCompleted", call, "event-1", json!({}));
        post(self.address, "/api/calls/events", &json!([event]).to_string()).await
    }

    async fn relay(&self) -> Answer {
        post(self.address, "/OutboxRelay", &json!({"Data": {"timer": {"IsPastDue": false}}, "Metadata": {}}).to_string()).await
    }

    pub async fn finish(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
        self.rt.finish().await;
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    body: String,
}

impl Answer {
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status: {text:?}"));
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    #[track_caller]
    pub fn refused(&self) {
        assert_eq!(self.status, 503, "{self:?}");
        assert!(self.head.contains("\r\nretry-after: 1\r\n") && self.head.contains("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["type"], "urn:rtvoice:problem:throttled", "{self:?}");
    }

    #[track_caller]
    pub fn bad(&self, field: &str) {
        assert_eq!((self.status, self.json()["field"].as_str()), (400, Some(field)), "{self:?}");
    }
}

pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Reads to the end of the connection.
pub async fn answer(stream: &mut TcpStream) -> Answer {
    let mut text = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("an answer").unwrap();
    Answer::parse(&text)
}

pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(address).await;
    stream.write_all(request).await.unwrap();
    answer(&mut stream).await
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
}

pub async fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    exchange(address, format!("{}{body}", head(path, body.len())).as_bytes()).await
}

pub fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
}

/// A turn of which the head has come and a part of the body.
pub async fn slow_turn(address: SocketAddr, call: &str) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(format!("{}{{", head(&format!("/api/calls/{call}/turns"), 64 << 10)).as_bytes()).await.unwrap();
    stream
}

/// Waits until a room is as full as this: running and waiting.
async fn full(room: &Room, in_flight: usize, waiting: usize) {
    let look = async || (room.gauge().in_flight == in_flight && room.gauge().waiting == waiting).then_some(());
    eventually("the room is that full", || format!("{:?}", room.gauge()), look).await;
}

/// Takes seats for somebody.
async fn seats(room: &Arc<Room>, key: Key, count: usize) -> Vec<Seat> {
    join_all((0..count).map(|_| room.enter(key, PATIENCE))).await.into_iter().map(Result::unwrap).collect()
}

/// Takes all seats of a room, for one another each.
pub async fn all_seats(room: &Arc<Room>, count: usize) -> Vec<Seat> {
    join_all((0..count).map(|n| room.enter(room.one(format!("somebody-{n}").as_bytes()), PATIENCE))).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limits_it_is_503_before_the_body_is_read_and_the_others_go_on() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "4")]).await;
    let talks: Vec<_> = (0..20).map(|n| server.held(&format!("call-{n}"), "t1")).collect();
    full(server.interactive(), 16, 4).await;
    // One byte of a long body has come, and no more will.
    let mut late = slow_turn(server.address, "call-late").await;
    let mut refusal = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, late.read(&mut refusal)).await.expect("an answer at once").unwrap();
    Answer::parse(&refusal[..read]).refused();
    server.turn("call-late", "t1", "hello").await.refused();
    server.events("call-late").await.refused();
    // The host's probe, who asks how it does, and what does not stand in this queue.
    assert_eq!(get(server.address, "/").await.status, 200);
    let health = get(server.address, "/api/health").await.json();
    let room = &health["details"]["admission"]["value"]["interactive"];
    assert_eq!((&room["inFlight"], &room["waiting"], &room["maxInFlight"], &room["maxWaiting"]), (&json!(16), &json!(4), &json!(16), &json!(4)));
    assert_eq!(room["refused"], 3);
    assert_eq!(server.relay().await.status, 200);
    server.rt.agent.let_go();
    for talk in talks {
        assert_eq!(talk.await.unwrap().status, 200);
    }
    assert_eq!(server.turn("call-late", "t1", "hello").await.status, 200);
    drop(late);
    full(server.interactive(), 0, 0).await;
    assert_eq!(server.interactive().gauge().keys, 0, "a key takes memory while it is there");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_one_call_leaves_the_others_their_seats() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "32"), ("MAX_WAITING", "32")]).await;
    let flood: Vec<_> = (0..100).map(|n| server.held("call-1", &format!("t{n}"))).collect();
    full(server.interactive(), 8, 0).await;
    let look = async || (server.interactive().gauge().refused >= 92).then_some(());
    eventually("the flood is refused", || format!("{:?}", server.interactive().gauge()), look).await;
    assert_eq!(server.turn("call-2", "t1", "hello").await.status, 200);
    assert_eq!(server.events("call-2").await.status, 200);
    server.events("call-1").await.refused();
    server.rt.agent.let_go();
    let answers = join_all(flood).await.into_iter().map(Result::unwrap);
    let (taken, refused): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
    assert_eq!((taken.len(), refused.len()), (8, 92));
    refused.iter().for_each(Answer::refused);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_a_person_a_worker_a_phrase_and_a_route() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "32"), ("MAX_WAITING", "0")]).await;
    let room = server.interactive();
    let user = format!("u1-{}", "0".repeat(32));
    for (id, path) in [(user.as_str(), format!("/api/users/{user}")), ("hash", "/api/tts/hash".to_owned()), ("call-1", "/api/calls/call-1/worker".to_owned())] {
        let held = seats(room, room.one(id.as_bytes()), 8).await;
        get(server.address, &path).await.refused();
        drop(held);
        assert!(get(server.address, &path).await.status < 500, "{path}");
    }
    let held = seats(room, room.route("TtsCache"), 16).await;
    post(server.address, "/api/tts", r#"{"text":"hello"}"#).await.refused();
    assert_eq!(server.turn("call-2", "t1", "hello").await.status, 200, "half of the seats are for others");
    drop(held);
    assert_eq!(post(server.address, "/api/tts", r#"{"text":"hello"}"#).await.status, 200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_and_background_work_have_rooms_of_their_own() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "0")]).await;
    let held = all_seats(server.background(), 8).await;
    server.relay().await.refused();
    assert_eq!(server.turn("call-1", "t1", "hello").await.status, 200);
    drop(held);
    let held = all_seats(server.interactive(), 16).await;
    server.turn("call-1", "t2", "hello").await.refused();
    assert_eq!(server.relay().await.status, 200);
    // An HTTP function in an envelope stands in the queue of HTTP functions.
    let request = json!({"Method": "GET", "Url": "http://x/api/calls/call-1/worker", "Headers": {}});
    let envelope = json!({"Data": {"req": request}, "Metadata": {}}).to_string();
    post(server.address, "/CallWorker", &envelope).await.refused();
    drop(held);
    assert_eq!(post(server.address, "/CallWorker", &envelope).await.status, 200);
    server.finish().await;
}

#[tokio::test(start_paused = true)]
async fn seats_are_given_in_order_and_not_waited_for_for_ever() {
    let room = Admission::new(16, 64).interactive;
    let mut held = all_seats(&room, 16).await;
    let last = |n: usize| {
        tokio::spawn({
            let room = Arc::clone(&room);
            async move { room.enter(room.one(&[u8::try_from(n).unwrap()]), Duration::from_secs(5)).await }
        })
    };
    let mut waiting = Vec::new();
    for n in 0..3 {
        waiting.push(last(n));
        full(&room, 16, n + 1).await;
    }
    held.pop();
    let first = waiting.remove(0).await.unwrap();
    assert!(first.is_ok() && waiting.iter().all(|w| !w.is_finished()), "the first in the queue");
    for late in waiting {
        let error = late.await.unwrap().unwrap_err();
        assert_eq!((error.kind, error.retry_after), (Kind::Throttled, Some(Duration::from_secs(1))));
    }
    drop((first, held));
    let gauge = room.gauge();
    assert_eq!((gauge.in_flight, gauge.waiting, gauge.keys, gauge.refused), (0, 0, 0, 2));
    // A flood of messages leaves places to the timers.
    let background = Admission::new(16, 64).background;
    let messages: Vec<_> = join_all((0..40).map(|_| {
        let background = Arc::clone(&background);
        async move { background.enter(background.trigger("TranscriptWriter"), Duration::from_secs(5)).await }
    }))
    .await;
    assert_eq!(messages.iter().filter(|m| m.is_ok()).count(), 8);
    assert_eq!(background.gauge().refused, 32);
    drop(messages);
    assert_eq!((background.gauge().keys, background.gauge().in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_ready_at_once_where_nearly_all_places_are_taken_or_somebody_was_refused() {
    for (waiting, patient) in [(0, 0), (16, 12)] {
        let admission = Admission::new(16, waiting);
        let room = Arc::clone(&admission.interactive);
        let held = all_seats(&room, 16).await;
        let others: Vec<_> = (0..patient)
            .map(|n: u8| {
                let room = Arc::clone(&room);
                tokio::spawn(async move { room.enter(room.one(&[n]), PATIENCE).await })
            })
            .collect();
        full(&room, 16, patient.into()).await;
        if waiting == 0 {
            assert!(!admission.interactive.is_pressed(), "all run, and nobody waits");
            assert!(room.enter(room.one(b"one more"), PATIENCE).await.is_err());
        }
        assert!(admission.interactive.is_pressed(), "{waiting}");
        others.iter().for_each(tokio::task::JoinHandle::abort);
        full(&room, 16, 0).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!admission.interactive.is_pressed(), "{waiting}");
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_turns_before_it_hurts_and_returns() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "16")]).await;
    let held = all_seats(server.interactive(), 16).await;
    let mut waiting: Vec<_> = (0..8u8)
        .map(|n| {
            let room = Arc::clone(server.interactive());
            tokio::spawn(async move { room.enter(room.one(&[n]), PATIENCE).await })
        })
        .collect();
    full(server.interactive(), 16, 8).await;
    let not_ready = async || (get(server.address, "/api/ready").await.status == 503).then_some(());
    eventually("it says that it is not ready", || format!("{:?}", server.interactive().gauge()), not_ready).await;
    assert_eq!(get(server.address, "/api/ready").await.json(), json!({"status": "unhealthy"}));
    let health = get(server.address, "/api/health").await;
    let (status, health) = (health.status, health.json());
    assert_eq!((status, &health["status"], &health["details"]["admission"]["status"]), (503, &json!("unhealthy"), &json!("unhealthy")));
    let admission = &health["details"]["admission"];
    assert_eq!(admission["value"]["interactive"]["waiting"], 8);
    assert!(admission["hint"].is_string() && admission["since"].is_string() && admission["limit"].is_object(), "{admission}");
    for (left, status) in [(4, 503), (3, 200)] {
        while waiting.len() > left {
            waiting.pop().unwrap().abort();
        }
        full(server.interactive(), 16, left).await;
        assert_eq!(get(server.address, "/api/ready").await.status, status, "{left} wait");
    }
    assert_eq!(get(server.address, "/api/ready").await.json(), json!({"status": "healthy"}));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    drop(held);
    full(server.interactive(), 0, 0).await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_leaves_the_queue() {
    let server = Server::with(&[("MAX_IN_FLIGHT", "16"), ("MAX_WAITING", "4")]).await;
    let held = all_seats(server.interactive(), 16).await;
    let mut gone = connect(server.address).await;
    let body = json!({"turnId": "t1", "text": "hello"}).to_string();
    gone.write_all(format!("{}{body}", head("/api/calls/call-1/turns", body.len())).as_bytes()).await.unwrap();
    full(server.interactive(), 16, 1).await;
    drop(gone);
    full(server.interactive(), 16, 0).await;
    drop(held);
    server.finish().await;
}
