//! The archive's values sealed and opened: the words of each turn, who took part, and what a legacy layout held.
//!
//! What is archived is sealed under keys derived from the subject's, each value for its own place; a turn that is not
//! archived yet under its call's key, whose wrap lies beside it. Words that were tampered with come back empty, with the
//! source `refused`.

use serde_json::Value;

use crate::app::App;
use crate::config::StorePii;
use crate::error::{Error, Kind, Result};
use crate::model::conversation::{REFUSED, Words};
use crate::model::ids::{CallId, UserToken};
use crate::model::transcript::{ArchivedTurn, HEADER_ID, Header, TURN_PREFIX, words_field};
use crate::ports::documents::Container;
use crate::privacy::envelope::Place;

const CONTAINER: &str = Container::Transcripts.name();

fn subject(header: &Header) -> Result<&UserToken> {
    header.subject.as_ref().ok_or_else(|| Error::internal("an archive has no subject"))
}

/// Seals one text of a document of the archive.
pub(super) async fn seal(app: &App, header: &Header, id: &str, pointer: &str, text: &str) -> Result<String> {
    app.vault.seal(subject(header)?, &Place::document(CONTAINER, id, pointer), text.as_bytes()).await
}

/// Opens one text of a document of the archive.
pub(super) async fn open(app: &App, header: &Header, id: &str, pointer: &str, sealed: String) -> Result<String> {
    let opened = app.vault.open(subject(header)?, &Place::document(CONTAINER, id, pointer), &sealed).await?;
    String::from_utf8(opened).map_err(|_| Error::internal("a sealed text is not UTF-8"))
}

async fn seal_json(app: &App, header: &Header, pointer: &str, value: Option<&Value>) -> Result<Option<Value>> {
    let Some(value) = value else { return Ok(None) };
    seal(app, header, HEADER_ID, pointer, &value.to_string()).await.map(|text| Some(Value::String(text)))
}

/// A value that was tampered with is left out.
async fn open_json(app: &App, header: &Header, pointer: &str, value: Option<Value>) -> Result<Option<Value>> {
    let Some(Value::String(sealed)) = value else { return Ok(value) };
    match open(app, header, HEADER_ID, pointer, sealed).await {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| Error::internal("a sealed value is not JSON")),
        Err(e) if e.kind == Kind::Tampered => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) async fn seal_header(app: &App, header: &Header) -> Result<Header> {
    let mut sealed = header.clone();
    sealed.participant_info = seal_json(app, header, "/participantInfo", header.participant_info.as_ref()).await?;
    sealed.legacy = seal_json(app, header, "/legacy", header.legacy.as_ref()).await?;
    Ok(sealed)
}

pub(super) async fn open_header(app: &App, mut header: Header) -> Result<Header> {
    if header.subject.is_none() {
        return Ok(header);
    }
    let (participants, legacy) = (header.participant_info.take(), header.legacy.take());
    header.participant_info = open_json(app, &header, "/participantInfo", participants).await?;
    header.legacy = open_json(app, &header, "/legacy", legacy).await?;
    Ok(header)
}

fn pointer(turn: &ArchivedTurn) -> String {
    words_field(turn.entry.turn_id.as_str(), turn.rev)
}

/// The words as they may be kept: what was really said only where the settings want it.
fn kept(app: &App, mut words: Words) -> Result<Vec<u8>> {
    if app.config.store_pii == StorePii::Masked {
        words = words.masked();
    }
    serde_json::to_vec(&words).map_err(Error::internal)
}

pub(super) async fn seal_turns(app: &App, header: &Header, page: &str, mut turns: Vec<ArchivedTurn>) -> Result<Vec<ArchivedTurn>> {
    let subject = subject(header)?;
    for turn in &mut turns {
        let pointer = pointer(turn);
        let words = kept(app, std::mem::take(&mut turn.entry.words))?;
        turn.transcript = Some(app.vault.seal(subject, &Place::document(CONTAINER, page, &pointer), &words).await?);
    }
    Ok(turns)
}

/// Puts the words that were sealed back into their turn; none where they were tampered with.
fn restore(turn: &mut ArchivedTurn, opened: Result<Vec<u8>>) -> Result<()> {
    match opened {
        Ok(words) => turn.entry.words = serde_json::from_slice(&words).map_err(|_| Error::internal("sealed words are not readable"))?,
        Err(e) if e.kind == Kind::Tampered => turn.entry.source = Some(REFUSED.to_owned()),
        Err(e) => return Err(e),
    }
    Ok(())
}

pub(super) async fn open_turn(app: &App, header: &Header, page: &str, mut turn: ArchivedTurn) -> Result<ArchivedTurn> {
    turn.entry.rev = turn.rev;
    if let Some(sealed) = turn.transcript.take() {
        let pointer = pointer(&turn);
        let opened = app.vault.open(subject(header)?, &Place::document(CONTAINER, page, &pointer), &sealed).await;
        restore(&mut turn, opened)?;
    }
    Ok(turn)
}

fn loose_pointer(rev: u32) -> String {
    format!("/transcript/{rev}")
}

fn loose_id(turn: &ArchivedTurn) -> String {
    format!("{TURN_PREFIX}{}", turn.entry.turn_id)
}

/// A turn that is not archived yet, sealed under its call's key.
pub(super) async fn seal_loose(app: &App, call: &CallId, turn: &ArchivedTurn) -> Result<ArchivedTurn> {
    let mut turn = turn.clone();
    if app.ciphers.is_off() {
        return Ok(turn);
    }
    let words = kept(app, std::mem::take(&mut turn.entry.words))?;
    let cipher = app.ciphers.current(call).await?;
    turn.transcript = Some(cipher.seal_text(&Place::document(CONTAINER, &loose_id(&turn), &loose_pointer(turn.rev)), &words)?);
    turn.key = Some(cipher.wrap().to_owned());
    Ok(turn)
}

pub(super) async fn open_loose(app: &App, call: &CallId, mut turn: ArchivedTurn) -> Result<ArchivedTurn> {
    turn.entry.rev = turn.rev;
    if let (Some(wrap), Some(sealed)) = (turn.key.take(), turn.transcript.take()) {
        let opened = match app.vault.call(call, &wrap).await {
            Ok(cipher) => {
                let (id, pointer) = (loose_id(&turn), loose_pointer(turn.rev));
                cipher.open_revision_text(&Place::document(CONTAINER, &id, &pointer), turn.rev, loose_pointer, &sealed)
            }
            Err(e) => Err(e),
        };
        restore(&mut turn, opened)?;
    }
    Ok(turn)
}
