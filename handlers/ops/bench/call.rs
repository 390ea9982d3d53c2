//! Whole calls in one process: the archive of 50 turns, and what a call of 40 turns costs each store, for `rtvoice plan`.
//!
//! The queue's messages are delivered to the writer as the host delivers them, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::record::{Notes, Operation, Recorded, repeat};
use super::report::{Goal, Row};
use super::stage::Stage;
use super::turns::turn_body;
use super::wire::Taken;
use super::{RowName, machine};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::compose::{self, Invocation};
use crate::host::router::router;
use crate::model::ids::CallId;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::documents::embedded::EmbeddedDocuments;
use crate::ports::embedded::Embedded;
use crate::ports::queue::Message;
use crate::ports::queue::embedded::Delivery;
use crate::ports::state::redis::{BareRedis, ServerFigures};

/// Turns of the call whose archive is timed.
const ARCHIVED: u64 = 50;
/// Archives that are timed.
const ARCHIVES: usize = 12;
/// Turns of the call that is priced: five minutes.
const PRICED: u64 = 40;
/// Calls that are priced; the figures are their mean.
const CALLS: u32 = 10;

/// What one call costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerCall {
    /// Turns of the call.
    pub turns: u64,
    /// Processor time of the whole process, in microseconds: turns, archive and audit log, and playing the call.
    pub handler_cpu_micros: f64,
    /// Round trips to Redis: pipelines and scripts.
    pub redis_operations: f64,
    /// Commands that Redis ran for them, those inside scripts included.
    pub redis_commands: f64,
    /// Processor time of Redis, in microseconds.
    pub redis_cpu_micros: f64,
    /// Bytes to and from Redis.
    pub redis_traffic_bytes: f64,
    /// Bytes that the call takes in Redis at its end, before it is archived.
    pub redis_bytes: f64,
    /// Bytes that its summary takes in Redis for seven days after that.
    pub redis_summary_bytes: f64,
    /// Messages to the queue.
    pub queue_messages: f64,
    /// Bytes of their bodies and properties.
    pub queue_bytes: f64,
    /// Time of the writer for all its messages, in milliseconds, on embedded documents.
    pub writer_millis: f64,
    /// Reads, writes, removals and queries of documents, those of the audit log included.
    pub document_operations: f64,
    /// Those that the writer does before it answers, one after the other.
    pub writer_operations: f64,
    /// Request units, estimated.
    pub request_units: f64,
    /// Bytes that stay, by container.
    pub stored_bytes: BTreeMap<String, f64>,
}

/// An app of its own and what it is watched with.
struct Player<'a> {
    app: App,
    notes: Arc<Notes>,
    stage: &'a Stage,
    redis: BareRedis,
}

impl<'a> Player<'a> {
    async fn new(stage: &'a Stage, name: &str) -> Result<Self> {
        let arm = stage.arm(name, true);
        let mut notes = None;
        let app = App::observed(arm.clone(), Arc::new(SystemClock), |documents| {
            let (recorded, book) = Recorded::before(documents);
            notes = Some(book);
            recorded
        })?;
        stage.sink.keep(true);
        let notes = notes.ok_or_else(|| Error::internal("no documents were opened"))?;
        Ok(Self { app, notes, stage, redis: BareRedis::connect(&arm).await? })
    }

    async fn request(&self, path: &str, body: String) -> Result<()> {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).map_err(Error::internal)?;
        let response = router(self.app.clone()).oneshot(request).await.map_err(Error::internal)?;
        let status = response.status();
        response.into_body().collect().await.map_err(Error::internal)?;
        if status.is_success() { Ok(()) } else { Err(Error::new(Kind::Unavailable, format!("{path} was answered {status}"))) }
    }

    async fn event(&self, call: &CallId, name: &str) -> Result<()> {
        let data = json!({ "callConnectionId": call, "serverCallId": "bench-server-call", "correlationId": "bench-correlation" });
        let event = json!([{ "specversion": "1.0", "id": format!("{call}-{name}"), "source": "calling/callConnections/bench", "type": format!("Microsoft.Communication.{name}"), "time": SystemClock.now(), "data": data }]);
        self.request("/api/calls/events", event.to_string()).await?;
        self.settled().await;
        Ok(())
    }

    /// Waits for what is done after an answer.
    async fn settled(&self) {
        self.app.tasks.close();
        self.app.tasks.wait().await;
        self.app.tasks.reopen();
    }

    /// Plays a call up to its end, before anything of it is archived.
    async fn talk(&self, turns: u64) -> Result<CallId> {
        let call = CallId::parse(format!("bench-{}", SystemClock.new_id()))?;
        self.event(&call, "CallConnected").await?;
        for number in 1..=turns {
            self.request(&format!("/api/calls/{call}/turns"), turn_body(number)).await?;
            self.settled().await;
        }
        Ok(call)
    }

    /// Hands a message to the writer as the host does.
    async fn deliver(&self, message: Message) -> Result<()> {
        let (id, now) = (SystemClock.new_id(), SystemClock.now());
        let lock_token = SystemClock.new_id();
        let delivery = Delivery {
            message,
            sequence_number: 1,
            lock_token,
            locked_until: now.plus_millis(60_000),
            delivery_count: 1,
            enqueued_at: now,
            dead_letter_reason: None,
            dead_letter_description: None,
        };
        let invocation = Invocation { function: "TranscriptWriter", binding: "message", now, id: &id };
        let envelope = compose::service_bus(invocation, &delivery, &self.app.config.transcript_queue, true);
        self.request("/TranscriptWriter", envelope.to_string()).await?;
        self.settled().await;
        Ok(())
    }

    /// Ends a call and delivers everything; how long the last message, the end, took.
    async fn archive(&self, call: &CallId, before_the_end: impl FnOnce()) -> Result<Duration> {
        self.event(call, "CallDisconnected").await?;
        let (ends, turns): (Vec<Message>, Vec<Message>) = self.stage.sink.take().into_iter().partition(|message| message.label == "callEnded");
        for message in turns {
            self.deliver(message).await?;
        }
        let end = ends.into_iter().next().ok_or_else(|| Error::internal("the end of a call was not sent"))?;
        before_the_end();
        let began = Instant::now();
        self.deliver(end).await?;
        Ok(began.elapsed())
    }
}

/// The archive of a call of 50 turns, beside the same operations on the documents alone.
pub(super) async fn archive(stage: &Stage) -> Result<Vec<Row>> {
    let player = Player::new(stage, "archive").await?;
    let path = stage.arm("archive-bare", true).embedded_path;
    let alone = EmbeddedDocuments::open(Embedded::open(&path)?, Arc::clone(&player.app.clock))?;
    let (mut taken, mut bare, mut count) = (Taken::default(), Taken::default(), 0);
    for _ in 0..ARCHIVES {
        let call = player.talk(ARCHIVED).await?;
        player.app.audit.flush().await?;
        player.notes.take();
        let mut so_far = Vec::new();
        let time = player.archive(&call, || so_far = player.notes.take()).await?;
        taken.push(time);
        let archiving: Vec<Operation> = player.notes.take().into_iter().filter(|operation| !of_the_audit_log(operation)).collect();
        repeat(&so_far, &alone).await?;
        let began = Instant::now();
        repeat(&archiving, &alone).await?;
        bare.push(began.elapsed());
        count = archiving.len();
    }
    player.app.audit.close().await?;
    stage.sink.keep(false);
    Ok(vec![
        Row::new(RowName::Archive, "archive of a call of 50 turns, p50 of twelve", taken.millis(50.0), "ms")
            .limit(bare.millis(50.0), "the same operations on the embedded documents alone")
            .goal(Goal::Most(20.0))
            .note(format!("from callEnded at the writer to its answer, with {count} operations on the record; each write is synced to disk")),
    ])
}

fn of_the_audit_log(operation: &Operation) -> bool {
    use crate::ports::documents::Container::Audit;
    matches!(operation, Operation::Get(Audit, ..) | Operation::Put(Audit, ..) | Operation::Delete(Audit, ..) | Operation::List(Audit, ..))
}

/// What a call of 40 turns costs.
pub(super) async fn per_call(stage: &Stage) -> Result<PerCall> {
    let player = Player::new(stage, "call").await?;
    // Keys, scripts and phrases are made once, not for each call.
    let first = player.talk(PRICED).await?;
    player.archive(&first, || ()).await?;
    player.notes.take();
    let (redis, queue, cpu, kept) = (player.redis.figures().await?, stage.sink.figures(), machine::cpu(std::process::id())?, player.notes.stored());
    let mut sum = PerCall { turns: PRICED, ..PerCall::default() };
    let (mut looks, mut operations, mut writing) = (ServerFigures::default(), Vec::new(), 0);
    for _ in 0..CALLS {
        let call = player.talk(PRICED).await?;
        sum.redis_bytes += player.redis.call_bytes(&call).await?.0 as f64;
        operations.extend(player.notes.take());
        let began = Instant::now();
        player.archive(&call, || ()).await?;
        let of_the_writer = player.notes.take();
        writing += of_the_writer.iter().filter(|operation| !of_the_audit_log(operation)).count();
        operations.extend(of_the_writer);
        sum.writer_millis += began.elapsed().as_secs_f64() * 1000.0;
        sum.redis_summary_bytes += player.redis.call_bytes(&call).await?.0 as f64;
        // Our own looks: MEMORY USAGE of nine keys, twice.
        looks.reads += 2;
        looks.commands += 18;
    }
    player.app.audit.close().await?;
    let cpu = machine::cpu(std::process::id())?.saturating_sub(cpu);
    let redis = player.redis.figures().await?.since(redis);
    stage.sink.keep(false);
    let sent = stage.sink.figures();
    operations.extend(player.notes.take());
    let calls = f64::from(CALLS);
    let each = |value: f64| value / calls;
    let stored = player.notes.stored();
    Ok(PerCall {
        handler_cpu_micros: each(cpu.as_secs_f64() * 1e6),
        redis_operations: each(redis.reads.saturating_sub(looks.reads) as f64),
        redis_commands: each(redis.commands.saturating_sub(looks.commands) as f64),
        redis_cpu_micros: each(redis.cpu_micros),
        redis_traffic_bytes: each((redis.bytes_in + redis.bytes_out) as f64),
        redis_bytes: each(sum.redis_bytes),
        redis_summary_bytes: each(sum.redis_summary_bytes),
        queue_messages: each((sent.0 - queue.0) as f64),
        queue_bytes: each((sent.1 - queue.1) as f64),
        writer_millis: each(sum.writer_millis),
        document_operations: each(operations.len() as f64),
        writer_operations: each(writing as f64),
        request_units: each(operations.iter().map(Operation::request_units).sum()),
        stored_bytes: stored.into_iter().map(|(name, bytes)| (name.clone(), each((bytes - kept.get(&name).copied().unwrap_or(0).min(bytes)) as f64))).collect(),
        ..sum
    })
}
