//! From the outbox to the queue: composing messages, sending them, and taking what was confirmed out again.

pub mod owed;
pub mod waiting;

use std::borrow::Cow;

use tokio::time::Instant;

use crate::app::App;
use crate::config::StorePii;
use crate::error::{Error, Kind, Result};
use crate::model::call::{Session, field};
use crate::model::conversation::Entry;
use crate::model::ids::{CallId, TurnId};
use crate::model::stages::StageTimes;
use crate::model::time::Timestamp;
use crate::model::trace::TraceContext;
use crate::model::transcript::{EndedMessage, TranscriptMessage, TurnMessage};
use crate::ports::queue::Message;
use crate::ports::running;
use crate::ports::state::keys::lane;
use crate::ports::state::{OutboxEntry, Pending};
use crate::privacy::envelope::Place;

/// Name of the end of a call in the outbox.
pub const ENDED: &str = "ended";

/// Name of a turn in the outbox.
pub fn turn_field(turn_id: &str) -> String {
    format!("t:{turn_id}")
}

/// The message that tells of one turn.
pub fn turn(call: &CallId, seq: Option<u64>, rev: u32, entry: Entry) -> TranscriptMessage {
    TranscriptMessage::Turn(TurnMessage {
        call_connection_id: call.clone(),
        rev,
        seq,
        degraded: seq.is_none(),
        deferrals: 0,
        key: None,
        transcript: None,
        entry,
    })
}

/// The message that tells of the end of a call, from its session.
pub fn ended(call: &CallId, session: &Session, fallback: Timestamp) -> TranscriptMessage {
    TranscriptMessage::CallEnded(EndedMessage {
        call_connection_id: call.clone(),
        event_id: None,
        at: session.time(field::ENDED_AT).unwrap_or(fallback),
        started_at: session.started_at(),
        reason: session.get(field::END_REASON).unwrap_or("unknown").to_owned(),
        last_seq: Some(session.last_seq()),
        deferrals: 0,
    })
}

/// What the words of a turn are called in associated data; the revision counts, so that an older one cannot stand in.
fn words_field(rev: u32) -> String {
    format!("words/{rev}")
}

/// The message with its words sealed under the call's key.
async fn sealed<'a>(app: &App, message: &'a TranscriptMessage) -> Result<Cow<'a, TranscriptMessage>> {
    let TranscriptMessage::Turn(turn) = message else { return Ok(Cow::Borrowed(message)) };
    if app.ciphers.is_off() || turn.entry.words.is_empty() {
        return Ok(Cow::Borrowed(message));
    }
    let mut turn = turn.clone();
    let cipher = app.ciphers.current(&turn.call_connection_id).await?;
    let mut words = std::mem::take(&mut turn.entry.words);
    if app.config.store_pii == StorePii::Masked {
        words = words.masked();
    }
    let words = serde_json::to_vec(&words).map_err(Error::internal)?;
    let field = words_field(turn.rev);
    turn.transcript = Some(cipher.seal_text(&Place::message(&app.config.transcript_queue, &turn.entry.turn_id, &field), &words)?);
    turn.key = Some(cipher.wrap().to_owned());
    Ok(Cow::Owned(TranscriptMessage::Turn(turn)))
}

/// The message as it was before it was sealed. `Erased` where the user's key is gone, `Tampered` where the words are not what
/// was sealed for this turn.
pub async fn opened(app: &App, message: TranscriptMessage) -> Result<TranscriptMessage> {
    let TranscriptMessage::Turn(mut turn) = message else { return Ok(message) };
    if let Some(sealed) = turn.transcript.take() {
        // A wrap that was taken away is refused like a wrong one.
        let wrap = turn.key.take().unwrap_or_default();
        let cipher = app.vault.call(&turn.call_connection_id, &wrap).await?;
        let field = words_field(turn.rev);
        let place = Place::message(&app.config.transcript_queue, &turn.entry.turn_id, &field);
        let words = cipher.open_revision_text(&place, turn.rev, words_field, &sealed)?;
        turn.entry.words = serde_json::from_slice(&words).map_err(|_| Error::internal("sealed words are not readable"))?;
    }
    Ok(TranscriptMessage::Turn(turn))
}

/// Hands a message to the queue, in the lane of its call; `Ok` means that the queue has it durably.
pub async fn send(app: &App, message: &TranscriptMessage, not_before: Option<Timestamp>) -> Result<()> {
    let call = message.call();
    let body = sealed(app, message).await?.to_json()?;
    let began = Instant::now();
    let sent = app
        .queue
        .send(&Message {
            message_id: message.message_id(),
            session_id: format!("lane-{}", lane(call, app.config.queue_lanes)),
            correlation_id: call.to_string(),
            label: message.kind().to_owned(),
            traceparent: if app.config.telemetry { running::traceparent() } else { None },
            not_before,
            body,
        })
        .await;
    app.export.part("queue.send", began, || app.clock.now());
    match &sent {
        Ok(()) => app.owed.answered(),
        // What the queue refuses for what it is, or answers as nobody knows, is the relay's each minute.
        Err(e) if matches!(e.kind, Kind::BadInput | Kind::Internal) => {}
        Err(_) => app.owed.note(call),
    }
    sent
}

/// Sends what one outbox entry holds and takes it out.
pub async fn relay(app: &App, call: &CallId, session: Option<&Session>, entry: OutboxEntry) -> Result<()> {
    let (message, rev) = match entry.pending {
        Pending::Turn { seq, rev, entry } => (turn(call, Some(seq), rev, entry), rev),
        Pending::Ended => {
            let empty = Session { fields: std::collections::BTreeMap::new() };
            (ended(call, session.unwrap_or(&empty), entry.since), 0)
        }
    };
    // In the trace of the request that brought the turn, not in that of whoever finds it waiting.
    let trace = match &message {
        TranscriptMessage::Turn(turn) => turn.entry.trace_id.as_deref().and_then(TraceContext::of_trace),
        _ => None,
    };
    running::traced(trace.map(|context| context.to_string()).as_deref(), None, send(app, &message, None)).await?;
    app.state.settle(call, &entry.field, rev, None).await
}

/// Sends the end of a call off the caller's path. Where it fails the outbox still has it, and the relay sends it.
pub fn send_ended(app: &App, call: CallId, session: Session) {
    let app_ = app.clone();
    app.spawn(async move {
        let message = ended(&call, &session, app_.clock.now());
        if let Err(e) = send(&app_, &message, None).await {
            return tracing::warn!(error = e.chain(), "callEnded stays in the outbox");
        }
        if let Err(e) = app_.state.settle(&call, ENDED, 0, None).await {
            tracing::warn!(error = e.chain(), "callEnded was sent and stays in the outbox");
        }
    });
}

/// Sends a revised turn off the caller's path and takes it out of the outbox. Where it fails the outbox still has it.
pub fn send_revision(app: &App, call: CallId, seq: u64, entry: Entry) {
    let app_ = app.clone();
    app.spawn(async move {
        let (field, rev) = (turn_field(&entry.turn_id), entry.rev);
        if let Err(e) = send(&app_, &turn(&call, Some(seq), rev, entry), None).await {
            return tracing::warn!(error = e.chain(), "a revised turn stays in the outbox");
        }
        if let Err(e) = app_.state.settle(&call, &field, rev, None).await {
            tracing::warn!(error = e.chain(), "a revised turn was sent and stays in the outbox");
        }
    });
}

/// Takes a sent turn out of the outbox and keeps its stage times.
pub async fn settle_turn(app: &App, call: &CallId, turn: &TurnId, stages: StageTimes) {
    if let Err(e) = app.state.settle(call, &turn_field(turn.as_str()), 0, Some((turn, stages))).await {
        tracing::warn!(error = e.chain(), "a turn was sent and stays in the outbox");
    }
}
