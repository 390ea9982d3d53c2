//! ConversationTurn: one turn of a conversation. In: what the caller said. Out: the reply, and where its audio is.
//!
//! Load (one round trip), reply, commit (one round trip, one script), speech (one round trip), answer. The transcript
//! message is sent while speech is produced; its acknowledgement follows the answer. The same turn id always gets the
//! same answer. What is kept, sent and told to the agent is masked; a value that the caller has split over turns revises the
//! earlier ones. With the state store away the turn runs without context and is answered once the queue has it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::app::App;
use crate::config::StorePii;
use crate::error::{Disposition, Error, Kind, Result};
use crate::host::http::{Object, Request, json_response};
use crate::model::call::CallStatus;
use crate::model::conversation::{Committed, ContextPatch, ConversationManager, Entry, Loaded, Window, Words};
use crate::model::ids::{CallId, TurnId};
use crate::model::phrase::{AudioFormat, check_language};
use crate::model::stages::{Millis, StageTimes};
use crate::ports::replies::{FALLBACK, Prompt, Reply};
use crate::ports::running;
use crate::privacy::detect::Bearing;
use crate::steps::masking::{self, Heard};
use crate::steps::speech::{Found, MAX_AUDIO, Private};
use crate::steps::{events, outbox, profile, speech};
use crate::telemetry::label::{CacheLookup, Stage, TurnOutcome};
use crate::telemetry::metric::{CACHE_LOOKUPS, FINDINGS, TURN_STAGES, TURNS};

/// Longest text of a turn, in characters.
const TEXT_CHARS: usize = 4000;
/// How often a turn is committed while others revise the same earlier ones.
const COMMITS: u32 = 4;

/// The input, checked.
struct Turn {
    call: CallId,
    id: TurnId,
    text: String,
    language: Option<String>,
    confidence: Option<f64>,
    patch: ContextPatch,
    speak: bool,
}

impl Turn {
    fn parse(call: CallId, mut body: Object) -> Result<Self> {
        let id = TurnId::parse(body.text("turnId")?)?;
        let text = body.text("text")?;
        if text.trim().is_empty() || text.chars().count() > TEXT_CHARS {
            return Err(Error::input("text", format!("must be 1 to {TEXT_CHARS} characters that are not all white space")));
        }
        let language = body.optional_text("language")?;
        if let Some(tag) = &language {
            check_language("language", tag)?;
        }
        let confidence = match body.take("confidence") {
            None => None,
            Some(value) => {
                let sound = value.as_f64().filter(|c| (0.0..=1.0).contains(c));
                Some(sound.ok_or_else(|| Error::input("confidence", "must be a number from 0 to 1"))?)
            }
        };
        let patch = match body.take("context") {
            None => ContextPatch::default(),
            Some(Value::Object(patch)) => ContextPatch::parse(patch)?,
            Some(_) => return Err(Error::input("context", "must be an object")),
        };
        let speak = body.flag("speak", true)?;
        body.finish()?;
        Ok(Self { call, id, text, language, confidence, patch, speak })
    }
}

/// What is wrong with the body of a turn on this call, if anything; nothing is done.
pub fn check(call: &str, body: &[u8]) -> Result<()> {
    Turn::parse(CallId::parse(call)?, Object::parse(body)?).map(drop)
}

/// What is answered.
struct Outcome {
    seq: Option<u64>,
    entry: Entry,
    degraded: bool,
    replayed: bool,
}

/// Takes one turn.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let (metrics, began) = (Arc::clone(&app.metrics), Instant::now());
    let result = take(app, request).await;
    metrics.time(TURN_STAGES, Stage::Total, began.elapsed());
    if let Err(e) = &result {
        let refused = e.kind.row().disposition == Disposition::Reject;
        metrics.count(TURNS, if refused { TurnOutcome::Refused } else { TurnOutcome::Failed });
    }
    result
}

async fn take(app: App, request: Request) -> Result<Response> {
    let call = CallId::parse(request.param("callConnectionId"))?;
    running::about(&call);
    let turn = Turn::parse(call, request.object()?)?;
    let mut stages = StageTimes::default();

    let began = Instant::now();
    // What can be told of the words alone is found out while the state store works.
    let (loaded, bearing) = tokio::join!(load(&app, &turn), async { if app.config.privacy { app.talk.bearing(&turn.text) } else { Bearing::ANY } });
    stages.load_ms = ended(&app, "load", began);
    let loaded = match loaded {
        Ok(loaded) => Some(loaded),
        Err(e) if e.is_transient() => {
            tracing::warn!(error = e.chain(), "the turn runs without its context");
            None
        }
        Err(e) => return Err(e),
    };
    if let Some(loaded) = &loaded {
        if let Some((seq, entry)) = loaded.saved.as_ref().filter(|(_, entry)| !entry.is_refused()) {
            let outcome = Outcome { seq: Some(*seq), entry: entry.clone(), degraded: false, replayed: true };
            return answer(&app, &turn, outcome, &mut stages).await;
        }
        if loaded.archived || loaded.status == Some(CallStatus::Ended) {
            return Err(call_ended());
        }
    }

    let degraded = loaded.is_none();
    let conversation = ConversationManager::load(turn.call.clone(), loaded.unwrap_or_default());
    let heard = hear(&app, conversation.window(), &turn.text, bearing);
    let began = Instant::now();
    let reply = reply(&app, &turn, &heard, &conversation).await;
    stages.reply_ms = ended(&app, "reply", began);
    if degraded {
        let entry = entry(&app, &turn, &heard, &conversation, &reply);
        return degrade(&app, &turn, entry, &mut stages).await;
    }

    let began = Instant::now();
    let Tried { committed, entry, revisions } = commit(&app, &turn, conversation, heard, bearing, &reply).await?;
    stages.commit_ms = ended(&app, "commit", began);
    match committed {
        Ok(Committed::New(seq)) => {
            let answered = send(&app, &turn, seq, entry.clone(), revisions);
            let outcome = Outcome { seq: Some(seq), entry, degraded: false, replayed: false };
            let response = answer(&app, &turn, outcome, &mut stages).await;
            // Where the process is ending nobody waits for it any more: the relay settles.
            let _ = answered.send(stages);
            response
        }
        Ok(Committed::Known(seq, known)) if known == entry => {
            // Our own commit ran before its connection broke, and the second try found it: it still has to be sent.
            let answered = send(&app, &turn, seq, entry, revisions);
            let response = answer(&app, &turn, Outcome { seq: Some(seq), entry: known, degraded: false, replayed: true }, &mut stages).await;
            // Where the process is ending nobody waits for it any more: the relay settles.
            let _ = answered.send(stages);
            response
        }
        // What was kept of the answer is not what was kept: nobody can say it again.
        Ok(Committed::Known(_, known)) if known.is_refused() => degrade(&app, &turn, entry, &mut stages).await,
        Ok(Committed::Known(seq, entry)) => answer(&app, &turn, Outcome { seq: Some(seq), entry, degraded: false, replayed: true }, &mut stages).await,
        Ok(Committed::Ended) => Err(call_ended()),
        Ok(Committed::Rekey | Committed::Stale) => degrade(&app, &turn, entry, &mut stages).await,
        Ok(Committed::ContextFull) => Err(Error::input("context", "must leave the whole context at most 64 keys and 16384 bytes")),
        // It may have been committed all the same: the archive merges by turn id and keeps the committed entry.
        Err(e) if e.is_transient() => {
            tracing::warn!(error = e.chain(), "the turn was not committed in time");
            degrade(&app, &turn, entry, &mut stages).await
        }
        Err(e) => Err(e),
    }
}

/// Loads the conversation. A call that nobody has heard of is registered first, and looked for in the legacy layouts.
async fn load(app: &App, turn: &Turn) -> Result<Loaded> {
    // Whose call it is must be noted before anything of them is kept: beside the load it costs no round trip of its own. The
    // token is made first, so that both go out at once.
    let loaded = match turn.patch.user() {
        None => app.state.load(&turn.call, &turn.id).await?,
        Some(user) => {
            let token = app.vault.user_token(&user).await?;
            let (noted, loaded) = tokio::join!(app.state.note_call(&token, &turn.call), app.state.load(&turn.call, &turn.id));
            noted?;
            loaded?
        }
    };
    if loaded.status.is_some() || loaded.archived {
        return Ok(loaded);
    }
    if events::open_provisionally(app, &turn.call, app.clock.now()).await? { app.state.load(&turn.call, &turn.id).await } else { Ok(loaded) }
}

/// What the caller said, masked; with privacy off as it is.
fn hear(app: &App, window: &Window, text: &str, bearing: Bearing) -> Heard {
    if app.config.privacy {
        let heard = masking::hear(&app.talk, window, text, bearing, app.config.store_pii);
        heard.found.iter().for_each(|span| app.metrics.count(FINDINGS, span.label));
        return heard;
    }
    Heard { text: text.to_owned(), found: Vec::new(), revisions: Vec::new() }
}

/// What came of committing a turn.
struct Tried {
    committed: Result<Committed>,
    /// The entry as it was committed at last: what was said meanwhile may have shown more in it.
    entry: Entry,
    /// What it revised.
    revisions: Vec<(u64, Entry)>,
}

/// Commits the turn; again where another turn has revised the same earlier ones meanwhile.
async fn commit(app: &App, turn: &Turn, mut conversation: ConversationManager, mut heard: Heard, bearing: Bearing, reply: &Reply) -> Result<Tried> {
    let mut tries = 0;
    loop {
        let entry = entry(app, turn, &heard, &conversation, reply);
        let revisions = heard.revisions.clone();
        conversation.update_context(turn.patch.clone());
        conversation.revise(heard.revisions);
        conversation.append_to_history(entry.clone());
        let commit = conversation.into_commit(app.clock.now()).ok_or_else(|| Error::internal("a turn had no entry"))?;
        tries += 1;
        match app.state.commit(&commit).await {
            Ok(Committed::Stale) if tries < COMMITS => {
                let loaded = match app.state.load(&turn.call, &turn.id).await {
                    Ok(loaded) => loaded,
                    Err(e) => return Ok(Tried { committed: Err(e), entry, revisions }),
                };
                conversation = ConversationManager::load(turn.call.clone(), loaded);
                heard = hear(app, conversation.window(), &turn.text, bearing);
            }
            committed => return Ok(Tried { committed, entry, revisions }),
        }
    }
}

/// The reply and who gave it; the fallback line where none can be had. The agent is told detected values only where the
/// settings allow it.
async fn reply(app: &App, turn: &Turn, heard: &Heard, conversation: &ConversationManager) -> Reply {
    let sees = app.config.reply_sees_pii || !app.config.privacy;
    let mut auth = conversation.auth().and_then(|auth| serde_json::to_value(auth).ok());
    let mut profile = conversation.profile();
    let mut history = Cow::Borrowed(conversation.history());
    if !sees {
        auth = auth.map(|mut auth| {
            auth["subject"] = Value::Null;
            auth
        });
        profile.iter_mut().for_each(masking::masked_json);
        heard.revise(conversation.window(), &mut history);
    }
    let text = if sees { &turn.text } else { &heard.text };
    // Masking may have looked back further than the agent is told.
    let history = &history[history.len().saturating_sub(app.config.history_window)..];
    let prompt = Prompt { text, language: turn.language.as_deref(), history, auth: auth.as_ref(), profile: profile.as_ref() };
    app.replies.reply(prompt).await.unwrap_or_else(|e| {
        tracing::warn!(error = e.chain(), "no reply could be had: the fallback line is spoken");
        Reply { text: FALLBACK.to_owned(), source: "fallback" }
    })
}

fn entry(app: &App, turn: &Turn, heard: &Heard, conversation: &ConversationManager, reply: &Reply) -> Entry {
    // A debug build may be told not to deduplicate, to show that the demo notices.
    let turn_id = if app.config.deduplicate { turn.id.to_string() } else { format!("{}-{}", turn.id, &app.clock.new_id()[..8]) };
    let assistant = if app.config.privacy { masking::answered(&reply.text, &turn.text, &heard.found) } else { reply.text.clone() };
    let private = app.config.privacy && (assistant != reply.text || quotes(turn, conversation, &reply.text));
    let said = (app.config.store_pii == StorePii::Encrypted && heard.text != turn.text).then(|| turn.text.clone());
    let spoken = (assistant != reply.text).then(|| reply.text.clone());
    Entry {
        turn_id,
        at: app.clock.now(),
        words: Words { user: Some(heard.text.clone()), assistant: Some(assistant), said, spoken, private },
        source: Some(reply.source.to_owned()),
        language: turn.language.clone(),
        confidence: turn.confidence,
        trace_id: if app.config.telemetry { running::trace_id() } else { None },
        ..Entry::default()
    }
}

/// Whether a reply repeats something of the caller's profile or context, what this turn adds to it included.
fn quotes(turn: &Turn, conversation: &ConversationManager, reply: &str) -> bool {
    let added = turn.patch.set.iter().map(|(_, json)| json);
    let reply = &reply.to_lowercase();
    conversation.context().values().chain(added).any(|json| serde_json::from_str(json).is_ok_and(|value| masking::quotes(reply, &value)))
}

/// Without the state store: answered only once the queue has the turn.
async fn degrade(app: &App, turn: &Turn, entry: Entry, stages: &mut StageTimes) -> Result<Response> {
    let message = outbox::turn(&turn.call, None, 0, entry.clone());
    outbox::send(app, &message, None)
        .await
        .map_err(|e| Error::new(Kind::Unavailable, "the turn cannot be kept now").because(e.chain()).retry_after(std::time::Duration::from_secs(2)))?;
    answer(app, turn, Outcome { seq: None, entry, degraded: true, replayed: false }, stages).await
}

/// Sends the turn's message, and those of what it revised, off the caller's path, from memory: the state store may forget. Once it
/// is told how long the answer took, the turn is taken out of the outbox, and the profile is read of a user who just became known.
fn send(app: &App, turn: &Turn, seq: u64, entry: Entry, revisions: Vec<(u64, Entry)>) -> oneshot::Sender<StageTimes> {
    for (seq, entry) in revisions {
        outbox::send_revision(app, turn.call.clone(), seq, entry);
    }
    let (answered, stages) = oneshot::channel();
    let (app_, call, id, user) = (app.clone(), turn.call.clone(), turn.id.clone(), turn.patch.user());
    app.spawn(async move {
        let sent = outbox::send(&app_, &outbox::turn(&call, Some(seq), 0, entry), None).await;
        if let Err(e) = &sent {
            tracing::warn!(error = e.chain(), "the turn stays in the outbox");
        }
        // An invocation that passed its deadline tells nothing: the relay settles then.
        let Ok(stages) = stages.await else { return };
        if sent.is_ok() {
            outbox::settle_turn(&app_, &call, &id, stages).await;
        }
        let Some(user) = user else { return };
        match app_.vault.user_token(&user).await {
            Ok(token) => profile::attach(&app_, &call, &token).await,
            Err(e) => tracing::warn!(error = e.chain(), "the user has no token yet: the call goes on without its profile"),
        }
    });
    answered
}

/// The body of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    call_connection_id: &'a CallId,
    turn_id: &'a TurnId,
    seq: Option<u64>,
    reply: Said<'a>,
    speech: Option<Speech>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speech_reason: Option<String>,
    degraded: bool,
    replayed: bool,
}

#[derive(Serialize)]
struct Said<'a> {
    text: &'a str,
    source: Option<&'a str>,
}

/// Where the spoken reply is, and how it was had.
#[derive(Serialize)]
struct Speech {
    hash: String,
    url: String,
    cache: &'static str,
    format: &'static str,
}

async fn answer(app: &App, turn: &Turn, outcome: Outcome, stages: &mut StageTimes) -> Result<Response> {
    let words = &outcome.entry.words;
    let text = words.reply();
    let (mut speech, mut speech_reason) = (None, None);
    if turn.speak {
        let began = Instant::now();
        let private = words.private.then_some(Private { call: &turn.call, again: outcome.replayed });
        match spoken(app, text, outcome.entry.language.as_deref(), private, stages).await {
            Ok(found) => speech = Some(found),
            Err(reason) => speech_reason = Some(reason),
        }
        stages.speech_ms = Some(ended(app, "speech", began));
    }
    counted(app, &outcome, stages);
    let mut response = json_response(
        StatusCode::OK,
        &Answer {
            call_connection_id: &turn.call,
            turn_id: &turn.id,
            seq: outcome.seq,
            reply: Said { text, source: outcome.entry.source.as_deref() },
            speech,
            speech_reason,
            degraded: outcome.degraded,
            replayed: outcome.replayed,
        },
    );
    if let Ok(timing) = HeaderValue::from_str(&server_timing(stages)) {
        response.headers_mut().insert("server-timing", timing);
    }
    Ok(response)
}

/// Counts a turn that is answered, and how long its stages took.
fn counted(app: &App, outcome: &Outcome, stages: &StageTimes) {
    let answered = match (outcome.replayed, outcome.degraded) {
        (true, _) => TurnOutcome::Replayed,
        (false, true) => TurnOutcome::Degraded,
        (false, false) => TurnOutcome::Answered,
    };
    app.metrics.count(TURNS, answered);
    let micros = |millis: f64| (millis * 1000.0) as u64;
    app.metrics.record(TURN_STAGES, Stage::Load, micros(stages.load_ms));
    for (stage, millis) in [(Stage::Reply, stages.reply_ms), (Stage::Commit, stages.commit_ms), (Stage::Speech, stages.speech_ms.unwrap_or_default())] {
        if millis > 0.0 {
            app.metrics.record(TURN_STAGES, stage, micros(millis));
        }
    }
    match stages.speech_hit {
        Some(true) => app.metrics.count(CACHE_LOOKUPS, CacheLookup::PhraseHit),
        Some(false) => app.metrics.count(CACHE_LOOKUPS, CacheLookup::PhraseMiss),
        None => {}
    }
}

/// The stages that the turn went through, as a `Server-Timing` header has them (W3C Server Timing): milliseconds.
fn server_timing(stages: &StageTimes) -> String {
    let mut entries = format!("load;dur={}", Millis(stages.load_ms));
    for (name, millis) in [("reply", stages.reply_ms), ("commit", stages.commit_ms)].into_iter().filter(|(_, millis)| *millis > 0.0) {
        let _ = write!(entries, ", {name};dur={}", Millis(millis));
    }
    if let Some(millis) = stages.speech_ms {
        let _ = write!(entries, ", speech;dur={}", Millis(millis));
    }
    entries
}

/// Where the spoken reply is; or why there is none. A voice that is away leaves the text.
async fn spoken(app: &App, text: &str, language: Option<&str>, private: Option<Private<'_>>, stages: &mut StageTimes) -> std::result::Result<Speech, String> {
    let phrase = app.phrase(text, None, language, AudioFormat::default()).map_err(|e| e.detail)?;
    let hash = speech::hash(app, &phrase, private.map(|private| private.call)).await.map_err(|e| e.detail)?;
    let found = match private {
        Some(private) => speech::ensure_private(app, private, &phrase, &hash).await,
        None => speech::ensure(app, &phrase, &hash).await,
    };
    let cache = match found {
        Ok(Found::Hit(_)) => {
            stages.speech_hit = Some(true);
            if private.is_some() { "private" } else { "hit" }
        }
        Ok(Found::Made { audio, .. }) if audio.len() > MAX_AUDIO => return Err(format!("the audio is above {MAX_AUDIO} bytes and is not kept")),
        Ok(Found::Made { kept, .. }) => {
            stages.speech_hit = Some(false);
            // Audio that only this process has could not be fetched from another.
            match (kept, private) {
                (false, _) => "unavailable",
                (true, Some(_)) => "private",
                (true, None) => "miss",
            }
        }
        Err(e) => {
            tracing::warn!(error = e.chain(), "no speech could be had: the turn is text only");
            "unavailable"
        }
    };
    Ok(Speech { url: format!("/api/tts/{hash}"), hash, cache, format: phrase.format().name() })
}

fn call_ended() -> Error {
    Error::new(Kind::CallEnded, "the call has ended: no turn can be added to it")
}

/// Ends a stage, which is a span of the turn's own; how many milliseconds it took.
fn ended(app: &App, stage: &'static str, began: Instant) -> f64 {
    app.export.part(stage, began, || app.clock.now()).as_secs_f64() * 1000.0
}
