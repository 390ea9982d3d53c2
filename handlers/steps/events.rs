//! Taking one ACS event: what CallConnected, CallDisconnected and CallEvents have in common.

use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::acs::AcsEvent;
use crate::model::call::{CallChange, CallStatus, Effect, Outcome, Session, field};
use crate::model::conversation::PROFILE_KEY;
use crate::model::ids::{CallId, TurnId, UserToken};
use crate::model::time::Timestamp;
use crate::model::transcript::{EndedMessage, StartedMessage, TranscriptMessage};
use crate::ports::running;
use crate::ports::state::{Known, legacy};
use crate::steps::{archive, outbox, profile};
use crate::telemetry::label::{SetupOutcome, SetupStage};
use crate::telemetry::metric::{CALL_SETUPS, SETUP_STAGES};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It took effect, or its effect stood already.
    Done(Outcome),
    /// It went to the queue, because the state store is away.
    Queued,
    /// It carries no state of ours.
    Ignored,
}

/// Most characters of an event's type that the log shows: anybody may have written it.
const SHOWN_CHARS: usize = 128;

/// The event's type as the log shows it.
pub fn shown_type(event: &AcsEvent) -> &str {
    event.kind.char_indices().nth(SHOWN_CHARS).map_or(event.kind.as_str(), |(end, _)| &event.kind[..end])
}

/// Takes one event. `Ok` means that it need not be delivered again.
pub async fn take(app: &App, event: &AcsEvent) -> Result<Taken> {
    let Some(effect) = event.effect() else {
        tracing::info!(event_type = shown_type(event), "event carries no state: acknowledged");
        return Ok(Taken::Ignored);
    };
    let now = app.clock.now();
    // An event from the future would make a call look longer than it was.
    let at = event.time.filter(|time| *time <= now.plus_millis(60_000)).unwrap_or(now);
    let event_id = app.config.deduplicate.then(|| event.id.clone());
    let change = CallChange { call: event.call()?, event_id, at, now, effect, fields: event.fields(), key: None };
    running::about(&change.call);
    let began = Instant::now();
    let taken = match apply(app, &change).await {
        Err(e) if e.is_transient() => enqueue(app, &change, &e).await,
        result => result.map(Taken::Done),
    };
    if change.effect == Effect::Connect {
        set_up(app, began, &taken);
    }
    taken
}

/// Counts a call set-up. A call whose state is archived was set up long ago.
fn set_up(app: &App, began: Instant, taken: &Result<Taken>) {
    match taken {
        Ok(Taken::Done(Outcome::Archived | Outcome::Duplicate)) => {}
        Ok(_) => {
            app.metrics.count(CALL_SETUPS, SetupOutcome::Ok);
            app.metrics.time(SETUP_STAGES, SetupStage::Total, began.elapsed());
        }
        Err(_) => app.metrics.count(CALL_SETUPS, SetupOutcome::Failed),
    }
}

/// Registers the call, looks once for a legacy one, and applies the change; then what follows from it.
pub async fn apply(app: &App, change: &CallChange) -> Result<Outcome> {
    let began = Instant::now();
    let known = app.state.register(&change.call, change.now).await?;
    if change.effect == Effect::Connect {
        app.metrics.time(SETUP_STAGES, SetupStage::Register, began.elapsed());
    }
    if known == Known::Archived {
        note_late(app, change).await?;
        return Ok(Outcome::Archived);
    }
    adopt(app, &change.call, &known, change.now).await?;
    let began = Instant::now();
    let applied = app.state.apply(change).await?;
    if change.effect == Effect::Connect {
        app.metrics.time(SETUP_STAGES, SetupStage::Apply, began.elapsed());
    }
    if applied.outcome == Outcome::Archived {
        // Archived between the two steps: it must not stay in the open set.
        app.state.touch_open(&change.call, None).await?;
        note_late(app, change).await?;
    }
    let Some(session) = applied.session else { return Ok(applied.outcome) };
    match (&change.effect, applied.outcome) {
        (Effect::End { .. }, Outcome::Applied) => outbox::send_ended(app, change.call.clone(), session),
        (Effect::Connect | Effect::Participants { .. }, Outcome::Applied | Outcome::Duplicate) => {
            if let Some(user) = session.subject() {
                let (app_, call, again) = (app.clone(), change.call.clone(), applied.outcome == Outcome::Duplicate);
                app.spawn(async move { attach(&app_, &call, &user, again).await });
            }
        }
        _ => {}
    }
    Ok(applied.outcome)
}

/// Looks once for a legacy call and takes it over; one that was already marked disconnected is on its way to the archive then.
async fn adopt(app: &App, call: &CallId, known: &Known, now: Timestamp) -> Result<Option<Session>> {
    let adopted = legacy::adopt(app.state.as_ref(), call, known, now).await?;
    if let Some(session) = &adopted
        && *known == Known::Nothing
        && session.status() == CallStatus::Ended
    {
        outbox::send_ended(app, call.clone(), session.clone());
    }
    Ok(adopted)
}

/// What an event says of a call that is archived already, such as why it could not be created, goes into the archive.
async fn note_late(app: &App, change: &CallChange) -> Result<()> {
    let says_something = change.fields.iter().any(|(name, _)| ![field::SERVER_CALL_ID, field::CORRELATION_ID].contains(name));
    if !says_something || !archive::exists(app, &change.call).await? {
        return Ok(());
    }
    let fields = change.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let facts = archive::Facts { session: Session::from_fields(fields), ..archive::Facts::default() };
    archive::merge(app, &change.call, &[], &facts).await.map(drop)
}

/// Keeps the user's profile in the context; where the event came `again` only if the first delivery did not get that far.
async fn attach(app: &App, call: &CallId, user: &UserToken, again: bool) {
    if again {
        match has_profile(app, call).await {
            Ok(false) => {}
            Ok(true) => return,
            Err(e) => return tracing::warn!(error = e.chain(), "whether the call has its profile cannot be seen"),
        }
    }
    profile::attach(app, call, user).await;
}

async fn has_profile(app: &App, call: &CallId) -> Result<bool> {
    // Any turn will do: the context comes with it.
    let loaded = app.state.load(call, &TurnId::parse("-")?).await?;
    Ok(loaded.context.contains_key(PROFILE_KEY))
}

/// With the state store away, the beginning and the end of a call wait in the queue.
async fn enqueue(app: &App, change: &CallChange, reason: &Error) -> Result<Taken> {
    let message = match &change.effect {
        Effect::Connect => started(change),
        Effect::End { reason } => ended(change, reason),
        Effect::Participants { .. } | Effect::Note => return Err(again(reason)),
    };
    outbox::send(app, &message, None).await.map_err(|e| {
        tracing::warn!(error = e.chain(), "neither state store nor queue: the event must come again");
        again(reason)
    })?;
    tracing::warn!(error = reason.chain(), "state store away: the event waits in the queue");
    Ok(Taken::Queued)
}

fn again(reason: &Error) -> Error {
    Error::new(Kind::Unavailable, "the event cannot be taken now; it must be delivered again")
        .because(reason.chain())
        .retry_after(std::time::Duration::from_secs(1))
}

fn started(change: &CallChange) -> TranscriptMessage {
    let field = |name: &str| change.fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    TranscriptMessage::CallStarted(StartedMessage {
        call_connection_id: change.call.clone(),
        event_id: change.event_id.clone(),
        at: change.at,
        server_call_id: field(crate::model::call::field::SERVER_CALL_ID),
        correlation_id: field(crate::model::call::field::CORRELATION_ID),
        deferrals: 0,
    })
}

fn ended(change: &CallChange, reason: &str) -> TranscriptMessage {
    TranscriptMessage::CallEnded(EndedMessage {
        call_connection_id: change.call.clone(),
        event_id: change.event_id.clone(),
        at: change.at,
        started_at: None,
        reason: reason.to_owned(),
        last_seq: None,
        deferrals: 0,
    })
}

/// Opens a call that a turn has overtaken its CallConnected for: registers it and looks for a legacy one. The call must
/// be loaded again where this says true.
pub async fn open_provisionally(app: &App, call: &CallId, now: Timestamp) -> Result<bool> {
    let known = app.state.register(call, now).await?;
    let adopted = adopt(app, call, &known, now).await?;
    Ok(adopted.is_some() || known != Known::Nothing)
}
