//! The front door of events: reads a body of one event or many, takes each, and says whether any must come again.

use serde_json::Value;

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::acs::{AcsEvent, events};
use crate::ports::running;
use crate::steps::events::{shown_type, take};
use crate::steps::parking;

/// Takes every event of a body, in order of arrival; all are read before the first is acted on. `Ok` when each was taken
/// or deliberately ignored; the first failure otherwise, after the others were tried: the sender delivers all again, and
/// those that were taken are duplicates then.
pub async fn take_all(app: &App, body: &Value) -> Result<()> {
    let events = events(body)?;
    for (place, event) in events.iter().enumerate() {
        check(event).map_err(|e| if body.is_array() { in_place(e, place) } else { e })?;
    }
    take_each(app, &events).await
}

/// The same for events of Event Grid: what can never be taken is parked, for Event Grid would deliver the whole batch
/// again for a day, and hold back the calls behind it.
pub async fn take_or_park(app: &App, body: &Value) -> Result<()> {
    let one = std::slice::from_ref(body);
    let mut sound = Vec::new();
    for event in body.as_array().map_or(one, Vec::as_slice) {
        match AcsEvent::parse(event).and_then(|parsed| check(&parsed).map(|()| parsed)) {
            Ok(parsed) => sound.push(parsed),
            Err(reason) => parking::event(app, event, &reason).await?,
        }
    }
    take_each(app, &sound).await
}

async fn take_each(app: &App, events: &[AcsEvent]) -> Result<()> {
    let mut failed: Option<Error> = None;
    for event in events {
        if let Err(e) = running::traced(event.traceparent.as_deref(), event.tracestate.as_deref(), take(app, event)).await {
            tracing::warn!(event_type = shown_type(event), error = e.chain(), "event must be delivered again");
            failed.get_or_insert(e);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The error with the event's place in the batch before its field.
fn in_place(mut error: Error, place: usize) -> Error {
    error.field = error.field.map(|field| format!("[{place}].{field}"));
    error
}

/// Whether an event that carries state names its call and has what its type needs.
fn check(event: &AcsEvent) -> Result<()> {
    if event.effect().is_some() {
        event.call()?;
    }
    Ok(())
}
