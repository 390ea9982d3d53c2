//! The archive of a call: one header and its pages, switched to in one conditional write.
//!
//! Pages are written under the hash of what they hold, then the header that names them, on the condition that nobody
//! else has switched meanwhile; then what the new version no longer needs is removed. Whoever loses the race merges
//! again, and two with the same turns write the same pages. A reader therefore always finds a whole version, and an
//! archive never shrinks.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::archive::Union;
use crate::model::call::{Session, field};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::model::transcript::{ArchivedTurn, EndedMessage, HEADER_ID, Header, INLINE_BYTES, LegacyPage, PageDocument, TURN_PREFIX, turn_document};
use crate::ports::documents::{Condition, Container, Document, Put};
use crate::privacy::retention;
use crate::steps::{masking, profile};

mod seals;

/// Most times that one archiver merges again because another was faster.
const TRIES: u32 = 20;
/// How far back, in milliseconds, an end may lie that is reported for the first time: nothing waits here for longer than what was
/// parked. What lies further back is the word of a wrong clock, or of an old recording.
const LATEST: i64 = 30 * retention::DAY_MS;
/// Most bytes of one piece of a legacy section; JSON may double it.
const PIECE_BYTES: usize = 700_000;
/// Documents read in one listing.
const LISTED: usize = 100;
/// Documents removed at once.
const REMOVED: usize = 16;

/// An archived call as it stands in the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// Its header.
    pub header: Header,
    /// Version of the header.
    pub etag: String,
    /// Its turns.
    pub union: Union,
}

/// What is known of a call besides its turns.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The session, where the state store has it.
    pub session: Option<Session>,
    /// The message that ended the call.
    pub ended: Option<EndedMessage>,
    /// What a legacy layout held besides turns, JSON.
    pub legacy: Option<String>,
}

/// Reads an archived call. None where there is no header.
pub async fn read(app: &App, call: &CallId) -> Result<Option<Archived>> {
    for _ in 0..TRIES {
        let Some(document) = app.documents.get(Container::Transcripts, call.as_str(), HEADER_ID).await? else { return Ok(None) };
        if is_tombstone(&document.body) {
            return Err(Error::new(Kind::Erased, "the call was erased"));
        }
        let header = seals::open_header(app, parse(document.body)?).await?;
        let mut union = Union::default();
        let mut whole = true;
        for id in &header.pages {
            match app.documents.get(Container::Transcripts, call.as_str(), id).await? {
                Some(page) => {
                    for turn in parse::<PageDocument>(page.body)?.turns {
                        union.add(seals::open_turn(app, &header, id, turn).await?);
                    }
                }
                // Replaced while it was read: the header names other pages now.
                None => whole = false,
            }
        }
        if whole {
            return Ok(Some(Archived { header, etag: document.etag, union }));
        }
    }
    Err(Error::new(Kind::Unavailable, "the archive of the call is changing too fast to be read"))
}

/// Merges turns and facts into the call's archive, together with all turn documents. `wanted` are turns that only the
/// caller has. The archive after it; what it holds is durable when this returns.
pub async fn merge(app: &App, call: &CallId, wanted: &[ArchivedTurn], facts: &Facts) -> Result<Archived> {
    for _ in 0..TRIES {
        let before = read(app, call).await?;
        let loose = turn_documents(app, call).await?;
        let mut union = before.as_ref().map(|a| a.union.clone()).unwrap_or_default();
        let mut changed = before.is_none();
        for turn in wanted {
            changed |= union.add(turn.clone());
        }
        for (turn, _) in &loose {
            changed |= union.add(turn.clone());
        }
        if app.config.privacy {
            for turn in masking::overheard(&union.in_order(), app.config.store_pii) {
                changed |= union.add(turn);
            }
        }
        let mut header = head(call, before.as_ref().map(|a| &a.header), facts, &union, app.clock.now());
        if header.subject.is_none() {
            header.subject = Some(match &header.user {
                Some(user) => user.clone(),
                None => app.vault.call_token(call).await?,
            });
        }
        if let Some(user) = &header.user
            && before.as_ref().is_none_or(|before| before.header.user.as_ref() != Some(user))
        {
            profile::note_call(app, user, call, &header.day, app.clock.now()).await?;
        }
        if let Some(text) = &facts.legacy
            && header.legacy.is_none()
            && header.legacy_pages.is_empty()
        {
            keep_legacy(app, call, &mut header, text).await?;
        }
        if let Some(before) = &before
            && !changed
        {
            header.pages.clone_from(&before.header.pages);
            header.archived_at = before.header.archived_at;
            if header == before.header {
                remove_loose(app, call, &loose).await?;
                return Ok(Archived { header, etag: before.etag.clone(), union });
            }
        }
        if let Some(archived) = switch(app, call, before.as_ref(), header, union, changed).await? {
            remove_loose(app, call, &loose).await?;
            // A turn document that came while we were writing would otherwise stay loose.
            if turn_documents(app, call).await?.is_empty() {
                return Ok(archived);
            }
        }
    }
    Err(Error::new(Kind::Unavailable, "the archive of the call is being written by too many at once"))
}

/// Writes the pages (where turns changed) and then the header. None where another was faster.
async fn switch(app: &App, call: &CallId, before: Option<&Archived>, mut header: Header, union: Union, changed: bool) -> Result<Option<Archived>> {
    let mut fresh = Vec::new();
    if changed {
        for (number, turns) in union.pages()?.into_iter().enumerate() {
            let id = format!("page-{}-{number:05}", digest(app, &turns).await?);
            let turns = seals::seal_turns(app, &header, &id, turns).await?;
            let page = PageDocument {
                id: id.clone(),
                call_connection_id: call.clone(),
                kind: "page".to_owned(),
                ended_at: header.ended_at,
                kept_from: header.kept_from,
                turns,
            };
            app.documents.put(Container::Transcripts, &json(&page)?, Condition::Always).await?;
            fresh.push(id);
        }
        header.pages = fresh;
    }
    let condition = before.map_or(Condition::Absent, |b| Condition::Matches(&b.etag));
    let put = app.documents.put(Container::Transcripts, &json(&seals::seal_header(app, &header).await?)?, condition).await?;
    let Put::Done(etag) = put else { return Ok(None) };
    // Nobody can still want a page that only the replaced header named: an archive never goes back to what it was.
    let replaced = before.map(|b| b.header.pages.as_slice()).unwrap_or_default();
    for id in replaced.iter().filter(|id| !header.pages.contains(id)) {
        app.documents.delete(Container::Transcripts, call.as_str(), id, None).await?;
    }
    Ok(Some(Archived { header, etag, union }))
}

/// The first 16 characters of a keyed fingerprint of some turns: a plain hash of what somebody said could be guessed.
async fn digest(app: &App, turns: &[ArchivedTurn]) -> Result<String> {
    let mut print = app.vault.fingerprint(&serde_json::to_string(turns).map_err(Error::internal)?).await?;
    print.truncate(16);
    Ok(print)
}

/// The header: what was there, completed by what is known now. Nothing that was known is forgotten.
fn head(call: &CallId, before: Option<&Header>, facts: &Facts, union: &Union, now: Timestamp) -> Header {
    let session = facts.session.as_ref();
    let ended = facts.ended.as_ref();
    let known = |of: fn(&Header) -> Option<u64>| before.and_then(of);
    let last_seq = [known(|h| h.last_seq), session.map(Session::last_seq), ended.and_then(|e| e.last_seq)].into_iter().flatten().max();
    let last_seq = last_seq.map(|last| last.max(union.max_seq().unwrap_or(0)));
    let started_at = before
        .and_then(|h| h.started_at)
        .or_else(|| session.and_then(Session::started_at))
        .or_else(|| ended.and_then(|e| e.started_at))
        .or_else(|| union.in_order().first().map(|t| t.entry.at));
    let ended_at = before.and_then(|h| h.ended_at).or_else(|| session.and_then(|s| s.time(field::ENDED_AT))).or_else(|| ended.map(|e| e.at));
    let is_new = before.is_none_or(|h| h.ended_at.is_none());
    let kept_from = before.and_then(|h| h.kept_from).or_else(|| ended_at.filter(|end| is_new && now.since(*end) > LATEST).map(|_| now));
    // The beginning may be our own clock's and the end the event's.
    let started_at = started_at.map(|start| ended_at.map_or(start, |end| start.min(end)));
    let end_reason = before
        .and_then(|h| h.end_reason.clone())
        .or_else(|| session.and_then(|s| s.get(field::END_REASON)).map(str::to_owned))
        .or_else(|| ended.map(|e| e.reason.clone()));
    Header {
        id: HEADER_ID.to_owned(),
        call_connection_id: call.clone(),
        kind: "header".to_owned(),
        complete: last_seq.is_some_and(|last| union.is_complete(last)),
        last_seq,
        turns: union.len() as u64,
        pages: Vec::new(),
        started_at,
        ended_at,
        kept_from,
        end_reason,
        user: before.and_then(|h| h.user.clone()).or_else(|| session.and_then(Session::subject)),
        subject: before.and_then(|h| h.subject.clone()),
        day: before.map(|h| h.day.clone()).unwrap_or_else(|| started_at.or(ended_at).unwrap_or(now).day()),
        participant_info: participant_info(before.and_then(|h| h.participant_info.clone()), session),
        legacy: before.and_then(|h| h.legacy.clone()),
        legacy_pages: before.map(|h| h.legacy_pages.clone()).unwrap_or_default(),
        archived_at: now,
    }
}

/// Puts the legacy section into the header, or into documents of its own where it is large.
async fn keep_legacy(app: &App, call: &CallId, header: &mut Header, text: &str) -> Result<()> {
    if text.len() <= INLINE_BYTES {
        header.legacy = Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())));
        return Ok(());
    }
    let attempt = app.clock.new_id();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        let id = format!("legacy-{attempt}-{:05}", header.legacy_pages.len());
        let page = LegacyPage {
            id: id.clone(),
            call_connection_id: call.clone(),
            kind: "legacy".to_owned(),
            ended_at: header.ended_at,
            kept_from: header.kept_from,
            text: seals::seal(app, header, &id, "/text", piece).await?,
        };
        app.documents.put(Container::Transcripts, &json(&page)?, Condition::Always).await?;
        header.legacy_pages.push(id);
        rest = after;
    }
    Ok(())
}

/// What a legacy layout held besides turns; none where the call did not come from one.
pub async fn legacy(app: &App, header: &Header) -> Result<Option<Value>> {
    if header.legacy_pages.is_empty() {
        return Ok(header.legacy.clone());
    }
    let mut text = String::new();
    for id in &header.legacy_pages {
        let page = app.documents.get(Container::Transcripts, header.call_connection_id.as_str(), id).await?;
        let page = page.ok_or_else(|| Error::internal("a piece of the legacy section is gone"))?;
        text.push_str(&seals::open(app, header, id, "/text", parse::<LegacyPage>(page.body)?.text).await?);
    }
    Ok(Some(serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// Who took part and what else the session knows, as one JSON value: over what the archive knew before, because a
/// session that was forgotten and opened again knows less.
fn participant_info(before: Option<Value>, session: Option<&Session>) -> Option<Value> {
    let Some(session) = session else { return before };
    let mut info = match before {
        Some(Value::Object(info)) => info,
        _ => serde_json::Map::new(),
    };
    let own = [
        field::STATUS,
        field::LAST_SEQ,
        field::LAST_ACTIVITY,
        field::OPENED_AT,
        field::CONNECTED_AT,
        field::ENDED_AT,
        field::END_REASON,
        field::USER,
        field::PARTICIPANTS_SEQ,
    ];
    for (name, text) in &session.fields {
        if !own.contains(&name.as_str()) && !name.starts_with('_') {
            let value = serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object() || v.is_array());
            info.insert(name.clone(), value.unwrap_or_else(|| Value::String(text.clone())));
        }
    }
    Some(Value::Object(info))
}

/// Turn documents that are not archived yet, with the versions that were read.
async fn turn_documents(app: &App, call: &CallId) -> Result<Vec<(ArchivedTurn, Document)>> {
    let mut found = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = app.documents.list(Container::Transcripts, call.as_str(), TURN_PREFIX, from.as_deref(), LISTED).await?;
        for document in page.documents {
            found.push((seals::open_loose(app, call, parse(document.body.clone())?).await?, document));
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(found),
        }
    }
}

/// Removes turn documents that are in the archive now, unless a later revision has replaced one meanwhile.
async fn remove_loose(app: &App, call: &CallId, loose: &[(ArchivedTurn, Document)]) -> Result<()> {
    let remove = |(turn, document): &(ArchivedTurn, Document)| {
        let (id, etag) = (format!("{TURN_PREFIX}{}", turn.entry.turn_id), document.etag.clone());
        async move { app.documents.delete(Container::Transcripts, call.as_str(), &id, Some(&etag)).await }
    };
    stream::iter(loose).map(remove).buffer_unordered(REMOVED).try_for_each(|_| async { Ok(()) }).await
}

fn parse<T: serde::de::DeserializeOwned>(body: Value) -> Result<T> {
    // The parser's message could quote what a caller said.
    serde_json::from_value(body).map_err(|_| Error::internal("a stored transcript document is not readable"))
}

fn json<T: serde::Serialize>(document: &T) -> Result<Value> {
    serde_json::to_value(document).map_err(Error::internal)
}

/// Type of the header that an erasure leaves.
const ERASED: &str = "erased";

fn is_tombstone(header: &Value) -> bool {
    header["type"] == ERASED
}

/// What stays of an erased call in the record: that there was one, and that nothing of it may be kept.
pub async fn bury(app: &App, call: &CallId) -> Result<()> {
    let tombstone = serde_json::json!({ "id": HEADER_ID, "callConnectionId": call, "type": ERASED, "archivedAt": app.clock.now() });
    app.documents.put(Container::Transcripts, &tombstone, Condition::Always).await.map(drop)
}

/// Whether the call has an archive. `Erased` where it had one that was erased.
pub async fn exists(app: &App, call: &CallId) -> Result<bool> {
    let header = app.documents.get(Container::Transcripts, call.as_str(), HEADER_ID).await?;
    if header.as_ref().is_some_and(|header| is_tombstone(&header.body)) {
        return Err(Error::new(Kind::Erased, "the call was erased"));
    }
    Ok(header.is_some())
}

/// Keeps one turn as a document until the call is archived. A higher revision replaces a lower one, never the reverse.
pub async fn keep_turn(app: &App, call: &CallId, turn: &ArchivedTurn) -> Result<()> {
    let mut body = turn_document(call, &seals::seal_loose(app, call, turn).await?)?;
    if let Put::Done(_) = app.documents.put(Container::Transcripts, &body, Condition::Absent).await? {
        return Ok(());
    }
    let id = format!("{TURN_PREFIX}{}", turn.entry.turn_id);
    for _ in 0..TRIES {
        let Some(stored) = app.documents.get(Container::Transcripts, call.as_str(), &id).await? else {
            // Archived and removed meanwhile: the archive takes it in again.
            return app.documents.put(Container::Transcripts, &body, Condition::Always).await.map(drop);
        };
        let mut union = Union::default();
        union.add(seals::open_loose(app, call, parse(stored.body)?).await?);
        if !union.add(turn.clone()) {
            return Ok(());
        }
        if let [merged] = union.in_order()[..] {
            body = turn_document(call, &seals::seal_loose(app, call, merged).await?)?;
        }
        if let Put::Done(_) = app.documents.put(Container::Transcripts, &body, Condition::Matches(&stored.etag)).await? {
            return Ok(());
        }
    }
    Err(Error::new(Kind::Unavailable, "the turn is being written by too many at once"))
}

/// Whether this is the document of a single turn.
pub fn is_turn(body: &Value) -> bool {
    body["id"].as_str().is_some_and(|id| id.starts_with(TURN_PREFIX))
}

/// Removes the document of one turn: the call was erased.
pub async fn drop_turn(app: &App, call: &CallId, turn: &ArchivedTurn) -> Result<()> {
    let id = format!("{TURN_PREFIX}{}", turn.entry.turn_id);
    app.documents.delete(Container::Transcripts, call.as_str(), &id, None).await.map(drop)
}
