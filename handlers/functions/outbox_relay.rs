//! OutboxRelay: once a minute, what fell between. Walks the open calls, sends what has been unconfirmed for more than 5 s,
//! ends calls that have been silent for too long (CallDisconnected may never arrive), asks again for archives that never
//! came, and drops entries of the open set that have had no state for an hour; a call whose turns lie in the record
//! without an archive is ended first, so that it gets one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Result};
use crate::host::envelope::Envelope;
use crate::model::call::{CallChange, CallStatus, Effect, Session, field};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::model::transcript::TURN_PREFIX;
use crate::ports::documents::Container;
use crate::ports::state::{PARTITIONS, Survey};
use crate::steps::outbox::waiting::{self, Sending, Sent};
use crate::steps::{events, outbox};
use crate::telemetry::label::Only;
use crate::telemetry::metric::{OUTBOX_AGE, OUTBOX_DEPTH};

/// Calls that are looked at together.
const BATCH: u64 = 200;
/// Since when a message must be unconfirmed to be sent again, in milliseconds.
const UNCONFIRMED_MS: i64 = 5_000;
/// Since when an entry of the open set must be without state to be dropped, in milliseconds.
const STATELESS_MS: i64 = 3_600_000;
/// Since when an ended call must be without an archive for it to be asked for again, in milliseconds. Longer than the
/// broker's duplicate detection, which would drop the question.
const UNARCHIVED_MS: i64 = 15 * 60_000;
/// How much later than registered a call's last activity must be for the open set to learn of it, in milliseconds.
const STALE_MS: i64 = 30_000;
/// How long one walk may take; the next one goes on with what is left.
const WALK: Duration = Duration::from_secs(45);

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Walks the open calls once.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    let walk = Walk { began: Instant::now(), waiting: AtomicU64::new(0), oldest: AtomicU64::new(0) };
    let mut failed: Option<Error> = None;
    // Start elsewhere each time, so that a walk that runs out of time does not starve the same calls.
    let first = u8::try_from(app.clock.now().millis().div_euclid(60_000).rem_euclid(i64::from(PARTITIONS))).unwrap_or(0);
    for step in 0..PARTITIONS {
        if let Err(e) = partition(&app, (first + step) % PARTITIONS, &walk).await {
            tracing::warn!(error = e.chain(), "a part of the open calls could not be relayed");
            failed.get_or_insert(e);
        }
    }
    if failed.is_none() {
        app.metrics.set(OUTBOX_DEPTH, Only, walk.waiting.load(Ordering::Relaxed) as f64);
        app.metrics.set(OUTBOX_AGE, Only, walk.oldest.load(Ordering::Relaxed) as f64 / 1000.0);
    }
    failed.map_or(Ok(()), Err)
}

/// One walk: since when, what waited in the outboxes, and for how long the oldest of it did, in milliseconds.
struct Walk {
    began: Instant,
    waiting: AtomicU64,
    oldest: AtomicU64,
}

async fn partition(app: &App, partition: u8, walk: &Walk) -> Result<()> {
    let mut skip = 0;
    let mut failed = None;
    while walk.began.elapsed() < WALK {
        let calls = app.state.open_calls(partition, skip, BATCH).await?;
        if calls.is_empty() {
            break;
        }
        let mut removed = 0;
        for (survey, registered) in surveys(app, &calls, &mut failed).await? {
            if walk.began.elapsed() >= WALK {
                break;
            }
            let call = survey.call.clone();
            match relay(app, survey, registered, walk).await {
                Ok(gone) => removed += u64::from(gone),
                Err(e) => note(&mut failed, &call, e),
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
            Err(e) => note(failed, id, e),
        }
    }
    Ok(readable)
}

/// One call that cannot be relayed must not keep the others from it: the walk goes on, and fails at its end.
fn note(failed: &mut Option<Error>, call: &CallId, error: Error) {
    tracing::warn!(call_id = call.as_str(), error = error.chain(), "a call could not be relayed");
    failed.get_or_insert(error);
}

/// Does what one open call needs. True where it left its place in the open set.
async fn relay(app: &App, survey: Survey, registered: Timestamp, walk: &Walk) -> Result<bool> {
    let now = app.clock.now();
    let idle = now.since(survey.session.as_ref().and_then(|s| s.time(field::LAST_ACTIVITY)).unwrap_or(registered));
    walk.waiting.fetch_add(survey.waiting, Ordering::Relaxed);
    let Sent { ended, refused, .. } = if survey.waiting > 0 {
        let sending = Sending { least_ms: UNCONFIRMED_MS, until: walk.began + WALK, oldest_ms: &walk.oldest };
        waiting::send(app, &survey, now, sending).await?
    } else {
        Sent::default()
    };
    match &survey.session {
        None if survey.archived => return leave(app, &survey.call).await,
        None if survey.waiting == 0 && now.since(registered) > STATELESS_MS => return stateless(app, survey.call, registered).await,
        None => {}
        Some(session) if session.status() == CallStatus::Ended && !ended && idle > UNARCHIVED_MS => {
            ask_again(app, &survey.call, session, now).await?;
        }
        Some(session) if session.status() == CallStatus::Ended => {}
        Some(_) if idle > i64::try_from(app.config.call_idle_limit.as_millis()).unwrap_or(i64::MAX) => {
            tracing::warn!(call_id = survey.call.as_str(), "a call was silent for too long and is ended");
            end(app, survey.call.clone(), now, "idle").await?;
        }
        Some(_) => {}
    }
    let active = survey.session.as_ref().and_then(|s| s.time(field::LAST_ACTIVITY)).filter(|last| last.since(registered) > STALE_MS);
    if let Some(last) = active {
        // Turns do not touch the open set: it is in another slot. Moved entries come up again at the end of the walk.
        app.state.touch_open(&survey.call, Some(last)).await?;
    }
    refused.map_or(Ok(active.is_some()), Err)
}

/// The end was sent and confirmed, and yet there is no archive: the message may lie in the dead-letter queue.
async fn ask_again(app: &App, call: &CallId, session: &Session, now: Timestamp) -> Result<()> {
    tracing::warn!(call_id = call.as_str(), "an ended call has no archive: asking again");
    outbox::send(app, &outbox::ended(call, session, now), None).await
}

/// Takes a call out of the open set.
async fn leave(app: &App, call: &CallId) -> Result<bool> {
    app.state.touch_open(call, None).await?;
    Ok(true)
}

/// The state store knows nothing of the call any more. Where the record has turns of it that nobody archived, it is ended,
/// which brings the archive; else its entry is dropped.
async fn stateless(app: &App, call: CallId, registered: Timestamp) -> Result<bool> {
    match has_turns(app, &call).await {
        Ok(false) => leave(app, &call).await,
        Ok(true) => {
            tracing::warn!(call_id = call.as_str(), "the state of a call was lost: it is ended with what the record has");
            end(app, call, registered, "lost").await.map(|()| false)
        }
        // The entry stays until the record can be asked; what waits for the queue behind it must not wait for that.
        Err(e) if e.is_transient() => {
            tracing::warn!(call_id = call.as_str(), error = e.chain(), "the record is away: a call without state stays open");
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Whether the record has turns of the call that are in no archive.
async fn has_turns(app: &App, call: &CallId) -> Result<bool> {
    let mut from: Option<String> = None;
    loop {
        let page = app.documents.list(Container::Transcripts, call.as_str(), TURN_PREFIX, from.as_deref(), 1).await?;
        match page.next {
            _ if !page.documents.is_empty() => return Ok(true),
            None => return Ok(false),
            next => from = next,
        }
    }
}

async fn end(app: &App, call: CallId, at: Timestamp, reason: &str) -> Result<()> {
    let now = app.clock.now();
    let change = CallChange { call, event_id: None, at, now, effect: Effect::End { reason: reason.to_owned() }, fields: Vec::new(), key: None };
    events::apply(app, &change).await.map(drop)
}
