//! Archiving a call: end it, read all that the state store has of it, merge, count, and only then let the state go.

use serde_json::{Value, json};

use crate::app::App;
use crate::config::StorePii;
use crate::error::{Error, Kind, Result};
use crate::model::analytics;
use crate::model::call::{CallChange, Effect};
use crate::model::conversation::Entry;
use crate::model::ids::CallId;
use crate::model::transcript::{ArchivedTurn, EndedMessage};
use crate::ports::documents::{Condition, Container};
use crate::ports::state::{Closing, Known, MESSAGES, Pending, StageTimes, Survey};
use crate::steps::archive::{self, Archived, Facts};
use crate::steps::{outbox, profile};

/// Entries of history that are read at once.
const SLICE: u64 = 200;
/// Most times that the state is read again because something was committed meanwhile.
const TRIES: u32 = 5;

/// Archives a call, again where it was archived before: the archive then takes in what came late. `ended` is the message
/// that asks for it. Every step is idempotent, so whoever stops halfway is followed by another.
pub async fn archive(app: &App, call: &CallId, ended: Option<&EndedMessage>) -> Result<()> {
    archive_with(app, call, ended, None).await
}

/// Merges one turn, which may be nowhere else, into the archive of a call that has one; what lies beside it as well.
pub async fn take_in(app: &App, call: &CallId, turn: ArchivedTurn) -> Result<()> {
    archive_with(app, call, None, Some(turn)).await
}

async fn archive_with(app: &App, call: &CallId, ended: Option<&EndedMessage>, late: Option<ArchivedTurn>) -> Result<()> {
    for _ in 0..TRIES {
        let survey = end(app, call, ended).await?;
        let mut held = if survey.is_some() { held(app, call).await? } else { Held::default() };
        held.turns.extend(late.clone());
        let legacy = if survey.is_some() { app.state.legacy_extra(call).await? } else { None };
        let session = if survey.is_some() { app.state.facts(call).await? } else { None };
        let facts = Facts { session, ended: ended.cloned(), legacy };
        let archived = archive::merge(app, call, &held.turns, &facts).await?;
        let stages = if survey.is_some() { app.state.stages(call).await? } else { Vec::new() };
        count(app, &archived, &stages).await?;
        if survey.is_none() {
            return Ok(());
        }
        if close(app, call, &archived, held).await? {
            return app.state.touch_open(call, None).await;
        }
    }
    Err(Error::new(Kind::Unavailable, "the call kept changing while it was archived"))
}

/// Makes sure that the call has ended, so that nothing more can be committed, and reads its session. None where the state
/// was already let go.
async fn end(app: &App, call: &CallId, ended: Option<&EndedMessage>) -> Result<Option<Survey>> {
    let now = app.clock.now();
    let known = app.state.register(call, now).await?;
    if known == Known::Archived {
        return Ok(None);
    }
    crate::ports::state::legacy::adopt(app.state.as_ref(), call, &known, now).await?;
    let change = CallChange {
        call: call.clone(),
        event_id: ended.and_then(|e| e.event_id.clone()),
        at: ended.map_or(now, |e| e.at),
        now,
        effect: Effect::End { reason: ended.map_or_else(|| "archived".to_owned(), |e| e.reason.clone()) },
        fields: Vec::new(),
        key: None,
    };
    app.state.apply(&change).await?;
    let mut surveys = app.state.survey(std::slice::from_ref(call)).await?;
    Ok(surveys.pop().filter(|s| !s.archived))
}

/// What the state store has of a call's turns.
#[derive(Default)]
struct Held {
    turns: Vec<ArchivedTurn>,
    /// Entries of the history among them.
    entries: u64,
    /// Turns that wait in the outbox: field, turn id and revision.
    waiting: Vec<(String, String, u32)>,
}

/// The words of an entry as they may be archived.
fn kept(app: &App, entry: Entry) -> Entry {
    match app.config.store_pii {
        StorePii::Masked => Entry { words: entry.words.masked(), ..entry },
        StorePii::Encrypted => entry,
    }
}

/// Reads the history and the outbox, both in slices.
async fn held(app: &App, call: &CallId) -> Result<Held> {
    let Held { mut turns, entries: mut read, mut waiting } = Held::default();
    loop {
        let slice = app.state.history(call, read, SLICE).await?;
        read += slice.entries.len() as u64;
        let done = slice.entries.is_empty() || read >= slice.total;
        turns.extend(slice.entries.into_iter().map(|(seq, entry)| {
            let (rev, entry) = (entry.rev, kept(app, entry));
            ArchivedTurn { seq: Some(seq), rev, degraded: false, entry, transcript: None, key: None }
        }));
        if done {
            break;
        }
    }
    for slice in app.state.outbox(call).await?.chunks(MESSAGES) {
        for message in app.state.messages(call, slice).await? {
            if let Pending::Turn { seq, rev, entry } = message.pending {
                waiting.push((message.field, entry.turn_id.clone(), rev));
                turns.push(ArchivedTurn { seq: Some(seq), rev, degraded: false, entry: kept(app, entry), transcript: None, key: None });
            }
        }
    }
    Ok(Held { turns, entries: read, waiting })
}

/// The analytics document, and the user's profile.
async fn count(app: &App, archived: &Archived, stages: &[(String, StageTimes)]) -> Result<()> {
    let header = &archived.header;
    let mut document = analytics::document(header, &archived.union, stages);
    if stages.is_empty()
        && let Some(before) = app.documents.get(Container::Analytics, &header.day, header.call_connection_id.as_str()).await?
    {
        // The state that held the stage times is gone; what was counted from it stays.
        for kept in ["stagesMs", "speech"] {
            document[kept] = before.body.get(kept).cloned().unwrap_or(Value::Null);
        }
    }
    app.documents.put(Container::Analytics, &document, Condition::Always).await?;
    let Some(user) = &header.user else { return Ok(()) };
    let mut languages: Vec<String> = Vec::new();
    for turn in archived.union.in_order() {
        if let Some(language) = &turn.entry.language
            && !languages.contains(language)
        {
            languages.push(language.clone());
        }
    }
    let turns = archived.union.len() as u64;
    profile::update(app, user, None, |profile| Ok(profile.apply_call(&header.call_connection_id, turns, header.true_end(), &languages))).await.map(drop)
}

/// Writes the summary and lets the state go, unless something there is not in the archive.
async fn close(app: &App, call: &CallId, archived: &Archived, held: Held) -> Result<bool> {
    let in_archive = held.waiting.into_iter().filter(|(_, turn, rev)| archived.union.holds(turn, *rev));
    let mut archived_fields: Vec<String> = in_archive.map(|(field, ..)| field).collect();
    archived_fields.push(outbox::ENDED.to_owned());
    let header = &archived.header;
    let summary = json!({
        "callConnectionId": header.call_connection_id,
        "turns": header.turns,
        "lastSeq": header.last_seq,
        "complete": header.complete,
        "startedAt": header.started_at,
        "endedAt": header.ended_at,
        "endReason": header.end_reason,
        "archivedAt": header.archived_at,
    });
    app.state.close(&Closing { call: call.clone(), summary: summary.to_string(), archived_fields, archived_entries: held.entries }).await
}
