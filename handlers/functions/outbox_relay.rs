//! OutboxRelay: once a minute, what fell between. Walks the open calls, sends what has been unconfirmed for more than 5 s,
//! ends calls that have been silent for too long (CallDisconnected may never arrive), asks again for archives that never
//! came, and drops entries of the open set that have had no state for an hour.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Result};
use crate::host::envelope::Envelope;
use crate::model::call::{CallChange, CallStatus, Effect, Session, field};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::{MESSAGES, PARTITIONS, Survey};
use crate::steps::{events, outbox};

/// Calls that are looked at together.
const BATCH: u64 = 200;
/// Since when a message must be unconfirmed to be sent again, in milliseconds.
const UNCONFIRMED_MS: i64 = 5_000;
/// Since when an entry of the open set must be without state to be dropped, in milliseconds.
const STATELESS_MS: i64 = 3_600_000;
/// Since when an ended call must be without an archive for it to be asked for again, in milliseconds. Longer than the
/// broker's duplicate detection, which would drop the question.
const UNARCHIVED_MS: i64 = 15 * 60_000;
/// How long one walk may take; the next one goes on with what is left.
const WALK: Duration = Duration::from_secs(45);

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Walks the open calls once.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    let began = Instant::now();
    let mut failed: Option<Error> = None;
    // Start elsewhere each time, so that a walk that runs out of time does not starve the same calls.
    let first = u8::try_from(app.clock.now().millis().div_euclid(60_000).rem_euclid(i64::from(PARTITIONS))).unwrap_or(0);
    for step in 0..PARTITIONS {
        if let Err(e) = partition(&app, (first + step) % PARTITIONS, began).await {
            tracing::warn!(error = e.chain(), "a part of the open calls could not be relayed");
            failed.get_or_insert(e);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn partition(app: &App, partition: u8, began: Instant) -> Result<()> {
    let mut skip = 0;
    let mut failed = None;
    while began.elapsed() < WALK {
        let calls = app.state.open_calls(partition, skip, BATCH).await?;
        if calls.is_empty() {
            break;
        }
        let mut removed = 0;
        for (survey, registered) in surveys(app, &calls, &mut failed).await? {
            if began.elapsed() >= WALK {
                break;
            }
            match relay(app, survey, registered, began).await {
                Ok(left) => removed += u64::from(left),
                // A store is away: the other calls would fail like this one.
                Err(e) if e.is_transient() => return Err(e),
                Err(e) => note(&mut failed, e),
            }
        }
        skip += calls.len() as u64 - removed;
    }
    failed.map_or(Ok(()), Err)
}

/// The calls with what the state store has of them. Where one cannot be read the others are read one by one.
async fn surveys(app: &App, calls: &[(CallId, Timestamp)], failed: &mut Option<Error>) -> Result<Vec<(Survey, Timestamp)>> {
    let ids: Vec<CallId> = calls.iter().map(|(call, _)| call.clone()).collect();
    match app.state.survey(&ids).await {
        Ok(surveys) => return Ok(surveys.into_iter().zip(calls.iter().map(|(_, registered)| *registered)).collect()),
        Err(e) if e.is_transient() => return Err(e),
        Err(_) => {}
    }
    let mut readable = Vec::new();
    for (id, (_, registered)) in ids.iter().zip(calls) {
        match app.state.survey(std::slice::from_ref(id)).await {
            Ok(survey) => readable.extend(survey.into_iter().map(|survey| (survey, *registered))),
            Err(e) if e.is_transient() => return Err(e),
            Err(e) => {
                tracing::error!(call_id = id.as_str(), error = e.chain(), "what the state store has of a call cannot be read");
                note(failed, e);
            }
        }
    }
    Ok(readable)
}

/// One call that fails for good must not hold up those behind it: the walk goes on, and fails at its end.
fn note(failed: &mut Option<Error>, error: Error) {
    tracing::error!(error = error.chain(), "a call could not be relayed");
    failed.get_or_insert(error);
}

/// Sends what has been unconfirmed for too long, in slices: the outbox of one call may be large.
async fn send_waiting(app: &App, survey: &Survey, now: Timestamp, began: Instant) -> Result<()> {
    let fields = app.state.outbox(&survey.call).await?;
    for slice in fields.chunks(MESSAGES) {
        for waiting in app.state.messages(&survey.call, slice).await? {
            if began.elapsed() >= WALK {
                return Ok(());
            }
            if now.since(waiting.since) >= UNCONFIRMED_MS {
                outbox::relay(app, &survey.call, survey.session.as_ref(), waiting).await?;
            }
        }
    }
    Ok(())
}

/// Does what one open call needs. True where it left the open set.
async fn relay(app: &App, survey: Survey, registered: Timestamp, began: Instant) -> Result<bool> {
    let now = app.clock.now();
    let idle = now.since(survey.session.as_ref().and_then(|s| s.time(field::LAST_ACTIVITY)).unwrap_or(registered));
    if survey.waiting > 0 {
        send_waiting(app, &survey, now, began).await?;
    }
    match &survey.session {
        None if survey.archived || (survey.waiting == 0 && now.since(registered) > STATELESS_MS) => {
            app.state.touch_open(&survey.call, None).await?;
            return Ok(true);
        }
        None => {}
        Some(session) if session.status() == CallStatus::Ended && survey.waiting == 0 && idle > UNARCHIVED_MS => {
            ask_again(app, &survey.call, session, now).await?;
        }
        Some(session) if session.status() == CallStatus::Ended => {}
        Some(_) if idle > i64::try_from(app.config.call_idle_limit.as_millis()).unwrap_or(i64::MAX) => end(app, survey.call, now).await?,
        Some(_) => {}
    }
    Ok(false)
}

/// The end was sent and confirmed, and yet there is no archive: the message may lie in the dead-letter queue.
async fn ask_again(app: &App, call: &CallId, session: &Session, now: Timestamp) -> Result<()> {
    tracing::warn!(call_id = call.as_str(), "an ended call has no archive: asking again");
    outbox::send(app, &outbox::ended(call, session, now), None).await
}

async fn end(app: &App, call: CallId, now: Timestamp) -> Result<()> {
    tracing::warn!(call_id = call.as_str(), "a call was silent for too long and is ended");
    let change = CallChange { call, event_id: None, at: now, now, effect: Effect::End { reason: "idle".to_owned() }, fields: Vec::new() };
    events::apply(app, &change).await.map(drop)
}
