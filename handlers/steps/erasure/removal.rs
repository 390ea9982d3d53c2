//! What each step of an erasure removes. Every one may be taken again: what is gone stays gone.

use serde_json::{Value, json};

use super::fence;
use super::model::{Call, Erasure, Reason, State, Step};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::model::transcript::HEADER_ID;
use crate::ports::audit::Note;
use crate::ports::documents::{Container, Document};
use crate::privacy::envelope::Place;
use crate::steps::archive;
use crate::steps::profile::CALL_PREFIX;

/// Documents of a listing.
const LISTED: usize = 100;

/// Takes the next step.
pub(super) async fn step(app: &App, erasure: &mut Erasure) -> Result<()> {
    match erasure.step {
        Step::Fence => fence::raise(app, erasure).await?,
        Step::Collect => collect(app, erasure).await?,
        Step::Shred => shred(app, erasure).await?,
        Step::State => state(app, erasure).await?,
        Step::Record => record(app, erasure).await?,
        Step::Queue => dead_letters(app, erasure).await?,
        Step::Verify => verify(app, erasure).await?,
        Step::End => {}
    }
    erasure.step = erasure.step.next();
    app.audit.note(Note::new(format!("erasure.{}", json!(erasure.step).as_str().unwrap_or("step"))).subject(erasure.user.as_str())).await
}

/// All documents of one partition whose id begins with this.
pub(super) async fn all(app: &App, container: Container, partition: &str, prefix: &str) -> Result<Vec<Document>> {
    let (mut all, mut from) = (Vec::new(), None::<String>);
    loop {
        let page = app.documents.list(container, partition, prefix, from.as_deref(), LISTED).await?;
        all.extend(page.documents);
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
}

fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str()
}

fn time(body: &Value, field: &str) -> Option<Timestamp> {
    Timestamp::parse(text(body, field)?)
}

/// Where the value lies that must not open any more.
fn probe_place(erasure: &Erasure) -> Place<'_> {
    Place::document(Container::Erasures.name(), &erasure.id, "/probe")
}

async fn collect(app: &App, erasure: &mut Erasure) -> Result<()> {
    let mut calls: Vec<Call> = fence::past(app, &erasure.user).await?.into_iter().flat_map(|past| past.calls).collect();
    if erasure.reason == Reason::Requested {
        let live = app.state.calls_of(&erasure.user).await?;
        calls.extend(live.into_iter().map(|call_connection_id| Call { call_connection_id, day: None }));
    }
    for document in all(app, Container::Profiles, erasure.user.as_str(), CALL_PREFIX).await? {
        let before = time(&document.body, "at").is_none_or(|at| at <= erasure.requested_at);
        if let Some(call) = text(&document.body, "callConnectionId").filter(|_| before).and_then(|call| CallId::parse(call).ok()) {
            calls.push(Call { call_connection_id: call, day: text(&document.body, "day").map(str::to_owned) });
        }
    }
    // With its day a call comes after itself without one.
    calls.sort();
    calls.reverse();
    calls.dedup_by(|later, kept| later.call_connection_id == kept.call_connection_id);
    erasure.calls = calls;
    // From here on a call in progress takes no turn, also where this erasure is stopped and goes on later.
    calls_in_state(app, erasure).await?;
    if !app.vault.is_off() && has_keys(app, erasure).await? {
        erasure.probe = Some(app.vault.seal(&erasure.user, &probe_place(erasure), app.clock.new_id().as_bytes()).await?);
    }
    Ok(())
}

/// The keys of the person that this erasure destroys.
async fn keys(app: &App, erasure: &Erasure) -> Result<Vec<Document>> {
    let mut keys = all(app, Container::Keys, erasure.user.as_str(), "").await?;
    if erasure.reason == Reason::Fence {
        keys.retain(|key| time(&key.body, "created").is_none_or(|created| created <= erasure.requested_at));
    }
    Ok(keys)
}

async fn has_keys(app: &App, erasure: &Erasure) -> Result<bool> {
    Ok(erasure.reason == Reason::Requested && !keys(app, erasure).await?.is_empty())
}

async fn shred(app: &App, erasure: &mut Erasure) -> Result<()> {
    let mut destroyed = 0;
    for key in keys(app, erasure).await? {
        let id = text(&key.body, "id").unwrap_or_default();
        destroyed += u64::from(app.documents.delete(Container::Keys, erasure.user.as_str(), id, None).await?);
    }
    app.vault.forget(&erasure.user).await?;
    // An archive may have been written before anybody knew whose call it was.
    for call in &erasure.calls {
        destroyed += app.vault.shred(&app.vault.call_token(&call.call_connection_id).await?).await?;
        app.ciphers.forget(&call.call_connection_id).await;
    }
    erasure.count("keys", destroyed);
    Ok(())
}

/// Leaves a tombstone of each call in the state store.
async fn calls_in_state(app: &App, erasure: &mut Erasure) -> Result<()> {
    let tombstone = json!({ "erased": true }).to_string();
    let mut erased = 0;
    for call in &erasure.calls {
        let id = &call.call_connection_id;
        erased += u64::from(app.state.facts(id).await.map_or(true, |session| session.is_some()));
        app.state.erase_call(id, &tombstone).await?;
    }
    erasure.count("state", erased);
    Ok(())
}

async fn state(app: &App, erasure: &mut Erasure) -> Result<()> {
    calls_in_state(app, erasure).await?;
    app.state.erase_user(&erasure.user).await
}

async fn record(app: &App, erasure: &mut Erasure) -> Result<()> {
    for call in erasure.calls.clone() {
        let (documents, analytics) = transcript(app, &call).await?;
        erasure.count("transcripts", documents);
        erasure.count("analytics", analytics);
    }
    let mut profiles = 0;
    for document in profile(app, erasure).await? {
        let id = text(&document.body, "id").unwrap_or_default();
        profiles += u64::from(app.documents.delete(Container::Profiles, erasure.user.as_str(), id, None).await?);
    }
    erasure.count("profiles", profiles);
    Ok(())
}

/// What of the person's partition of profiles this erasure removes.
async fn profile(app: &App, erasure: &Erasure) -> Result<Vec<Document>> {
    let mut documents = all(app, Container::Profiles, erasure.user.as_str(), "").await?;
    if erasure.reason == Reason::Fence {
        documents.retain(|document| fence::is_behind(&document.body, erasure.requested_at));
    }
    Ok(documents)
}

/// Removes one call from the record, all but a tombstone: first the header, so that nobody archives into it meanwhile.
async fn transcript(app: &App, call: &Call) -> Result<(u64, u64)> {
    let id = call.call_connection_id.as_str();
    let header = app.documents.get(Container::Transcripts, id, HEADER_ID).await?;
    let day = call.day.clone().or_else(|| header.as_ref().and_then(|header| text(&header.body, "day")).map(str::to_owned));
    archive::bury(app, &call.call_connection_id).await?;
    let mut removed = u64::from(header.is_some());
    for document in all(app, Container::Transcripts, id, "").await? {
        let document = text(&document.body, "id").unwrap_or_default();
        if document != HEADER_ID {
            removed += u64::from(app.documents.delete(Container::Transcripts, id, document, None).await?);
        }
    }
    let analytics = match day {
        Some(day) => app.documents.delete(Container::Analytics, &day, id, None).await?,
        None => false,
    };
    Ok((removed, u64::from(analytics)))
}

/// Dead letters of the calls. What still waits in the queue is refused when it is delivered: its call has a tombstone.
async fn dead_letters(app: &App, erasure: &mut Erasure) -> Result<()> {
    let (mut from, mut removed) = (None::<String>, 0);
    let is_theirs = |body: &Value| text(body, "callConnectionId").is_some_and(|call| erasure.calls.iter().any(|c| c.call_connection_id.as_str() == call));
    loop {
        let page = app.documents.scan(Container::DeadLetters, from.as_deref(), LISTED).await?;
        for document in page.documents.iter().filter(|document| is_theirs(&document.body)) {
            let (Some(day), Some(id)) = (text(&document.body, "day"), text(&document.body, "id")) else { continue };
            removed += u64::from(app.documents.delete(Container::DeadLetters, day, id, None).await?);
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    erasure.count("deadletters", removed);
    Ok(())
}

/// Where something of the person still is; none where all is gone.
async fn left(app: &App, erasure: &Erasure) -> Result<Option<&'static str>> {
    if !keys(app, erasure).await?.is_empty() {
        return Ok(Some("keys"));
    }
    if !profile(app, erasure).await?.is_empty() {
        return Ok(Some("profiles"));
    }
    for call in &erasure.calls {
        let left = all(app, Container::Transcripts, call.call_connection_id.as_str(), "").await?;
        if left.iter().any(|document| text(&document.body, "type") != Some("erased")) {
            return Ok(Some("transcripts"));
        }
        if app.state.facts(&call.call_connection_id).await?.is_some() {
            return Ok(Some("state"));
        }
    }
    Ok(None)
}

/// Nothing of the person can be read in any store, and what was sealed for them does not open. What an archive or a turn
/// has left meanwhile, which was under way when the fence went up, is removed again.
async fn verify(app: &App, erasure: &mut Erasure) -> Result<()> {
    if left(app, erasure).await?.is_some() {
        shred(app, erasure).await?;
        state(app, erasure).await?;
        record(app, erasure).await?;
        if let Some(store) = left(app, erasure).await? {
            return Err(Error::new(Kind::Unavailable, format!("something of the person is in {store} again: the erasure goes on later")));
        }
    }
    // Another process may have destroyed the keys that are in the memory of this one.
    app.vault.forget(&erasure.user).await?;
    if let Some(probe) = &erasure.probe
        && app.vault.open(&erasure.user, &probe_place(erasure), probe).await.is_ok()
    {
        return Err(Error::new(Kind::Internal, "what was sealed for an erased person still opens"));
    }
    certify(app, erasure).await
}

async fn certify(app: &App, erasure: &mut Erasure) -> Result<()> {
    let now = app.clock.now();
    app.audit.written(Note::new("erasure.done").subject(erasure.user.as_str()).count(erasure.counts.values().sum())).await?;
    erasure.state = State::Done;
    erasure.done_at = Some(now);
    erasure.certificate = Some(json!({
        "user": erasure.user,
        "requestedAt": erasure.requested_at,
        "doneAt": now,
        "calls": erasure.calls.len(),
        "removed": erasure.counts,
        "probe": if erasure.probe.is_some() { "does not open" } else { "there was no key" },
        "bounds": {
            "liveStores": "unreadable now; keys in the memory of other processes for at most 5 minutes",
            "backups": "unreadable once the epoch key of the week is destroyed and the backups of the keys are past",
        },
    }));
    Ok(())
}
