//! TranscriptWriter: from the queue into the record. In: one message of a lane. Out: a turn document, or a whole archive.
//!
//! A store that is away must not burn the broker's delivery count: the writer waits with back-off for up to 30 s, then
//! sends a copy scheduled 1 to 5 minutes ahead and lets the original go. Only what can never be read fails, and ends in
//! the dead-letter queue.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::error::{Disposition, Error, Kind, Result};
use crate::host::envelope::Envelope;
use crate::model::call::{CallChange, Effect, Outcome};
use crate::model::time::Timestamp;
use crate::model::transcript::{ArchivedTurn, StartedMessage, TranscriptMessage, TurnMessage};
use crate::ports::running;
use crate::steps::{archive, archiving, events, outbox};
use crate::telemetry::label::Only;
use crate::telemetry::metric::{QUEUE_DEFERRED, QUEUE_LAG};

/// Longest that one try may take; with the patience it stays below the function's deadline.
const LONGEST: Duration = Duration::from_secs(80);
/// How often a message is put off for a failure that is no outage.
const FAILURES: u32 = 12;
/// Name of the trigger's binding.
pub const BINDING: &str = "message";
/// How long the writer waits for a store before it puts a message off.
const PATIENCE: Duration = Duration::from_secs(30);
/// First pause; each further one is twice as long, up to the longest: a store that is there again is found within seconds.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause where the store names none.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Longest that a message is put off, in minutes; the first time it is one.
const FURTHEST_MINUTES: u32 = 5;

/// Writes what one message says.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    let message = TranscriptMessage::parse(&envelope.binary(BINDING)?.bytes)?;
    lag(&app, &envelope);
    running::about(message.call());
    let began = Instant::now();
    let mut pause = PAUSE;
    loop {
        match bounded(write(&app, &message)).await {
            // The person was erased: nothing of this turn may be kept, and nothing of it can be read.
            Err(e) if e.kind == Kind::Erased => {
                tracing::info!("a message of an erased person is dropped");
                return Ok(());
            }
            Err(e) if may_pass(&e, &message) => {
                let pause_now = e.retry_after.unwrap_or(pause).max(pause);
                if began.elapsed() + pause_now > PATIENCE {
                    return defer(&app, message, &e).await;
                }
                tracing::debug!(error = e.chain(), "a store is away: waiting");
                tokio::time::sleep(pause_now).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

/// Counts how long the message was on its way. The host gives UTC without an offset; what was scheduled counts from then.
fn lag(app: &App, envelope: &Envelope) {
    let Some(text) = envelope.metadata_text("EnqueuedTimeUtc") else { return };
    let Some(enqueued) = Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}Z"))) else { return };
    app.metrics.record(QUEUE_LAG, Only, u64::try_from(app.clock.now().since(enqueued)).unwrap_or_default());
}

/// Whether a later try may succeed. What is neither the message's fault nor a store's absence (a container that is being
/// restored, an answer that nobody expected) is tried for about an hour before it counts as a failure.
fn may_pass(error: &Error, message: &TranscriptMessage) -> bool {
    // No wait makes it what was sealed. The state has the turn still, and the archive takes it from there.
    if error.kind == Kind::Tampered {
        return false;
    }
    match error.kind.row().disposition {
        Disposition::Retry => true,
        Disposition::Fail => message.deferrals() < FAILURES,
        Disposition::Reject => false,
    }
}

/// An archive that takes too long is put off like one that cannot be written: it goes on where it stopped.
async fn bounded(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(LONGEST, work).await.unwrap_or_else(|_| Err(Error::deadline("the archive", LONGEST)))
}

async fn write(app: &App, message: &TranscriptMessage) -> Result<()> {
    match &outbox::opened(app, message.clone()).await? {
        TranscriptMessage::Turn(turn) => write_turn(app, turn).await,
        TranscriptMessage::CallStarted(started) => start(app, started).await,
        TranscriptMessage::CallEnded(ended) => archiving::archive(app, &ended.call_connection_id, Some(ended)).await,
    }
}

/// Sends a copy for later, so that the original can be completed.
async fn defer(app: &App, message: TranscriptMessage, reason: &Error) -> Result<()> {
    let minutes = (message.deferrals() + 1).min(FURTHEST_MINUTES);
    let later = app.clock.now().plus_millis(i64::from(minutes) * 60_000);
    let copy = message.deferred();
    outbox::send(app, &copy, Some(later)).await?;
    app.metrics.count(QUEUE_DEFERRED, Only);
    tracing::warn!(error = reason.chain(), minutes, deferrals = copy.deferrals(), "a store is away: the message is put off");
    Ok(())
}

/// One turn: part of the archive where there is one already, else a document of its own. It is never written beside an archive
/// that is known to be there: until it were merged it would stand in the record twice, for as long as the state store is away.
async fn write_turn(app: &App, message: &TurnMessage) -> Result<()> {
    let turn = ArchivedTurn { seq: message.seq, rev: message.rev, degraded: message.degraded, entry: message.entry.clone(), transcript: None, key: None };
    let call = &message.call_connection_id;
    if archive::exists(app, call).await? {
        return archiving::take_in(app, call, turn).await;
    }
    archive::keep_turn(app, call, &turn).await?;
    // Whoever has archived the call meanwhile may have looked for turns before this one was there.
    let exists = match archive::exists(app, call).await {
        Err(e) if e.kind == Kind::Erased => {
            archive::drop_turn(app, call, &turn).await?;
            return Err(e);
        }
        exists => exists?,
    };
    if exists || (message.seq.is_none() && open(app, message).await? == Outcome::Archived) {
        return archiving::archive(app, call, None).await;
    }
    Ok(())
}

/// Opens the call of a turn that was answered without the state store, which may have heard of the call by nothing else:
/// in the open set, the idle limit ends it. Where the store is still away a copy comes back for it: the turn is kept, and
/// waiting here would hold up the lane for as long as the outage lasts.
async fn open(app: &App, message: &TurnMessage) -> Result<Outcome> {
    let (call, at, now) = (message.call_connection_id.clone(), message.entry.at, app.clock.now());
    let change = CallChange { call, event_id: None, at, now, effect: Effect::Note, fields: Vec::new(), key: None };
    match events::apply(app, &change).await {
        Err(e) if e.is_transient() => defer(app, TranscriptMessage::Turn(message.clone()), &e).await.map(|()| Outcome::Applied),
        result => result,
    }
}

/// A call that was connected while the state store was away.
async fn start(app: &App, started: &StartedMessage) -> Result<()> {
    let mut fields = Vec::new();
    for (name, value) in
        [(crate::model::call::field::SERVER_CALL_ID, &started.server_call_id), (crate::model::call::field::CORRELATION_ID, &started.correlation_id)]
    {
        fields.extend(value.clone().map(|value| (name, value)));
    }
    let change = CallChange {
        call: started.call_connection_id.clone(),
        event_id: started.event_id.clone(),
        at: started.at,
        now: app.clock.now(),
        effect: Effect::Connect,
        fields,
        key: None,
    };
    events::apply(app, &change).await.map(drop)
}
