//! From the outbox to the queue: composing messages, sending them, and taking what was confirmed out again.

use crate::app::App;
use crate::error::Result;
use crate::model::call::{Session, field};
use crate::model::conversation::Entry;
use crate::model::ids::{CallId, TurnId};
use crate::model::stages::StageTimes;
use crate::model::time::Timestamp;
use crate::model::transcript::{EndedMessage, TranscriptMessage, TurnMessage};
use crate::ports::queue::Message;
use crate::ports::state::keys::lane;
use crate::ports::state::{OutboxEntry, Pending};

/// Name of the end of a call in the outbox.
pub const ENDED: &str = "ended";

/// Name of a turn in the outbox.
pub fn turn_field(turn_id: &str) -> String {
    format!("t:{turn_id}")
}

/// The message that tells of one turn.
pub fn turn(call: &CallId, seq: Option<u64>, rev: u32, entry: Entry) -> TranscriptMessage {
    TranscriptMessage::Turn(TurnMessage { call_connection_id: call.clone(), rev, seq, degraded: seq.is_none(), deferrals: 0, entry })
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

/// Hands a message to the queue, in the lane of its call; `Ok` means that the queue has it durably.
pub async fn send(app: &App, message: &TranscriptMessage, not_before: Option<Timestamp>) -> Result<()> {
    let call = message.call();
    app.queue
        .send(&Message {
            message_id: message.message_id(),
            session_id: format!("lane-{}", lane(call, app.config.queue_lanes)),
            correlation_id: call.to_string(),
            label: message.kind().to_owned(),
            traceparent: crate::host::trace::current(),
            not_before,
            body: message.to_json()?,
        })
        .await
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
    send(app, &message, None).await?;
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

/// Takes a sent turn out of the outbox and keeps its stage times.
pub async fn settle_turn(app: &App, call: &CallId, turn: &TurnId, stages: StageTimes) {
    if let Err(e) = app.state.settle(call, &turn_field(turn.as_str()), 0, Some((turn, stages))).await {
        tracing::warn!(error = e.chain(), "a turn was sent and stays in the outbox");
    }
}
