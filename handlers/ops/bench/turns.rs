//! Turns at 64 concurrent: over HTTP through a handler, against the bare client that sends the same commands.
//!
//! Both arms play on calls of the same shape: connected, the window of history full. The handler plays first, so that what
//! the bare client sends is as large as what the handler sent.

use std::sync::Arc;

use serde_json::json;

use super::handler::Handler;
use super::report::{Goal, Row};
use super::stage::{BLOCKS, CONCURRENT, Stage};
use super::wire::{Taken, Wire, closed, find, post};
use super::{RowName, SAID};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::model::ids::{CallId, TurnId};
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::state::redis::{BareRedis, Template};

/// Turns that a call has behind it when it is measured: the window of any agent is full, and every phrase is cached.
pub(super) const BEHIND: u64 = 20;

/// One caller: a connection and a call.
pub(super) struct Caller {
    wire: Wire,
    /// The call.
    pub(super) call: CallId,
    /// Turns taken.
    pub(super) taken: u64,
    /// Answers whose phrase was in the cache.
    pub(super) hits: u64,
    /// Answers without the state store, which did not answer in time.
    pub(super) degraded: u64,
    /// Hash of the last phrase.
    pub(super) hash: String,
    enveloped: bool,
}

/// The body of a turn.
pub(super) fn turn_body(number: u64) -> String {
    let text = SAID[(number % SAID.len() as u64) as usize];
    format!(r#"{{"turnId":"t{number}","text":"{text}","language":"en-US","context":{{"session_metadata":{{"turn":{number},"channel":"phone"}}}}}}"#)
}

/// Connects a call as ACS does.
pub(super) async fn connect(wire: &mut Wire, call: &CallId) -> Result<()> {
    event(wire, call, "CallConnected").await
}

/// An event of a call at the callback URI.
pub(super) async fn event(wire: &mut Wire, call: &CallId, name: &str) -> Result<()> {
    let at = SystemClock.now();
    let data = json!({ "callConnectionId": call, "serverCallId": "bench-server-call", "correlationId": "bench-correlation" });
    let event = json!([{ "specversion": "1.0", "id": format!("{call}-{name}"), "source": "calling/callConnections/bench", "type": format!("Microsoft.Communication.{name}"), "time": at, "data": data }]);
    let (status, _) = wire.exchange(&post("/api/calls/events", &event.to_string())).await?;
    if status == 200 { Ok(()) } else { Err(Error::new(Kind::Unavailable, format!("an event was answered {status}"))) }
}

impl Caller {
    /// Connects and opens a call.
    pub(super) async fn new(handler: &Handler, number: usize) -> Result<Self> {
        let call = CallId::parse(format!("bench-{number}-{}", SystemClock.new_id()))?;
        let mut wire = Wire::open(handler.port).await?;
        connect(&mut wire, &call).await?;
        Ok(Self { wire, call, taken: 0, hits: 0, degraded: 0, hash: String::new(), enveloped: false })
    }

    /// As many callers, each with so many turns behind it.
    pub(super) async fn many(handler: &Handler, count: usize, turns: u64) -> Result<Vec<Self>> {
        let mut callers = Vec::with_capacity(count);
        for number in 0..count {
            callers.push(tokio::spawn({
                let new = Self::new(handler, number).await?;
                async move {
                    let mut caller = new;
                    while caller.taken < turns {
                        caller = caller.turn().await?;
                    }
                    Ok::<_, Error>(caller)
                }
            }));
        }
        let mut ready = Vec::with_capacity(count);
        for caller in callers {
            ready.push(caller.await.map_err(Error::internal)??);
        }
        Ok(ready)
    }

    /// Sends its turns inside the host's envelope from now on.
    pub(super) fn in_envelopes(mut self, enveloped: bool) -> Self {
        self.enveloped = enveloped;
        self
    }

    fn request(&self) -> Vec<u8> {
        let (path, body) = (format!("/api/calls/{}/turns", self.call), turn_body(self.taken + 1));
        if !self.enveloped {
            return post(&path, &body);
        }
        let request = json!({ "Url": format!("http://localhost:7071{path}"), "Method": "POST", "Query": {}, "Headers": { "Content-Type": ["application/json"], "Host": ["localhost:7071"] }, "Params": { "callConnectionId": self.call }, "Body": body });
        post("/ConversationTurn", &json!({ "Data": { "req": request }, "Metadata": {} }).to_string())
    }

    /// One turn. Fails where it is not answered as it should be.
    pub(super) async fn turn(mut self) -> Result<Self> {
        let request = self.request();
        let (status, body) = self.wire.exchange(&request).await?;
        // Inside an envelope the answer is JSON in JSON, with escaped quotes.
        let said = |what: &str| find(body, what.as_bytes()).is_some() || (self.enveloped && find(body, what.replace('"', "\\\"").as_bytes()).is_some());
        if status != 200 {
            return Err(Error::new(Kind::Unavailable, format!("a turn was answered {status}")));
        }
        self.degraded += u64::from(!said(r#""degraded":false"#));
        self.hits += u64::from(said(r#""cache":"hit""#));
        if let Some(at) = find(body, br#""hash":""#)
            && let Some(Ok(hash)) = body.get(at + 8..at + 72).map(std::str::from_utf8)
        {
            hash.clone_into(&mut self.hash);
        }
        self.taken += 1;
        Ok(self)
    }
}

/// A sentence on turns that were answered without the state store; empty where there are none.
pub(super) fn degraded(callers: &[Caller]) -> String {
    match callers.iter().map(|caller| caller.degraded).sum::<u64>() {
        0 => String::new(),
        some => format!("; {some} turns were answered without the state store, which was too slow"),
    }
}

/// A caller of the bare client.
struct BareCaller {
    redis: Arc<BareRedis>,
    like: Arc<Template>,
    hash: Arc<str>,
    call: CallId,
    taken: u64,
}

impl BareCaller {
    async fn turn(mut self) -> Result<Self> {
        self.taken += 1;
        self.redis.turn(&self.call, &TurnId::parse(format!("t{}", self.taken))?, &self.like, &self.hash).await?;
        Ok(self)
    }
}

async fn bare_callers(arm: &Config, like: &Caller) -> Result<Vec<BareCaller>> {
    let redis = Arc::new(BareRedis::connect(arm).await?);
    let (template, hash) = (Arc::new(redis.template(&like.call).await?), Arc::from(like.hash.as_str()));
    let mut callers = Vec::new();
    for number in 0..CONCURRENT {
        let call = CallId::parse(format!("bare-{number}-{}", SystemClock.new_id()))?;
        let mut caller = BareCaller { redis: Arc::clone(&redis), like: Arc::clone(&template), hash: Arc::clone(&hash), call, taken: 0 };
        while caller.taken < BEHIND {
            caller = caller.turn().await?;
        }
        callers.push(caller);
    }
    Ok(callers)
}

/// What an arm came to.
struct Arm {
    handler: Taken,
    bare: Taken,
    cpu_micros: f64,
    hits: f64,
    degraded: String,
}

async fn arm(stage: &Stage, privacy: bool) -> Result<Arm> {
    let settings = stage.arm(if privacy { "turns-on" } else { "turns-off" }, privacy);
    let handler = stage.serve(&settings, &[]).await?;
    let mut callers = Caller::many(&handler, CONCURRENT, BEHIND).await?;
    let mut bare = bare_callers(&settings, &callers[0]).await?;
    let before: u64 = callers.iter().map(|caller| caller.hits).sum();
    let (mut of_handler, mut of_bare, mut cpu) = (Taken::default(), Taken::default(), std::time::Duration::ZERO);
    for block in 0..BLOCKS * 2 {
        // Handler first, bare second, then the other way round.
        if (block + block / 2) % 2 == 0 {
            let used = handler.cpu()?;
            let (taken, back) = closed(callers, stage.block(), Caller::turn).await?;
            cpu += handler.cpu()?.saturating_sub(used);
            of_handler.add(taken);
            callers = back;
        } else {
            let (taken, back) = closed(bare, stage.block(), BareCaller::turn).await?;
            of_bare.add(taken);
            bare = back;
        }
    }
    let hits: u64 = callers.iter().map(|caller| caller.hits).sum::<u64>() - before;
    let degraded = degraded(&callers);
    handler.stop().await?;
    let count = of_handler.count().max(1) as f64;
    Ok(Arm { handler: of_handler, bare: of_bare, cpu_micros: cpu.as_secs_f64() * 1e6 / count, hits: hits as f64 / count, degraded })
}

/// The rows of both arms.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (privacy, name, share, most) in [(false, "privacy off", 0.6, 50.0), (true, "privacy on", 0.5, 80.0)] {
        let mut arm = arm(stage, privacy).await?;
        let limit = "bare Redis client, same commands";
        rows.push(
            Row::new(RowName::Turns, format!("turns at 64 concurrent, {name}"), arm.handler.rate(), "per second")
                .limit(arm.bare.rate(), limit)
                .goal(Goal::Share(share))
                .note(format!(
                    "queue: Service Bus over plain HTTP to a sink in this process; {:.0} % of the phrases were cached{}",
                    arm.hits * 100.0,
                    arm.degraded
                )),
        );
        rows.push(Row::new(RowName::Turns, format!("the same, p50, {name}"), arm.handler.millis(50.0), "ms").limit(arm.bare.millis(50.0), limit));
        rows.push(
            Row::new(RowName::Turns, format!("the same, p99, {name}"), arm.handler.millis(99.0), "ms")
                .limit(arm.bare.millis(99.0), limit)
                .goal(Goal::Most(5.0)),
        );
        rows.push(
            Row::new(RowName::Turns, format!("processor time of the handler, {name}"), arm.cpu_micros, "µs per turn")
                .goal(Goal::Most(most))
                .note("user and system time of the process, work after the answer included"),
        );
    }
    Ok(rows)
}
