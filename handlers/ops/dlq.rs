//! `rtvoice dlq`: what was parked because it could not be taken: listing it, reading it, delivering it again, dropping it.
//!
//! In: the container `deadletters`, by day. A list holds nothing of what was said; `show` opens one body, and the audit log notes
//! that first. `replay` hands a message to the queue under an id of its own (the broker would drop a known one), and an event to
//! the code that takes events; what was delivered is marked, and stays until its retention ends or it is dropped.

use serde::Serialize;
use serde_json::{Value, json};

use super::told::{Told, size, table};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::callbacks;
use crate::model::time::Timestamp;
use crate::model::trace::TraceContext;
use crate::model::transcript::TranscriptMessage;
use crate::ports::audit::Note;
use crate::ports::documents::{Condition, Container, Document, Put};
use crate::ports::queue::Message;
use crate::ports::state::keys::lane;
use crate::privacy::retention::DAY_MS;
use crate::steps::parking;

/// Documents of one page.
const PAGE: usize = 200;
/// Documents that are delivered or removed at once, at most.
const MOST: usize = 5000;
/// Days in which an id alone is looked for, today included.
const DAYS: i64 = 30;
/// Dead letters that the embedded queue is asked for.
const PEEK: usize = 1000;

/// Messages and events that could not be taken
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct DlqArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// What can be done with what is parked.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum DlqCommand {
    /// List what is parked, the newest day first
    #[command(after_help = "Exit codes: 0 listed, 1 failed, 2 wrong usage or setting.")]
    List {
        /// Days to look back, today included
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        /// Entries at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5000))]
        limit: u16,
    },
    /// Print one with its body in clear; the audit log says that it was read
    #[command(after_help = "Exit codes: 0 printed, 1 there is none or it cannot be opened, 2 wrong usage or setting.")]
    Show(Which),
    /// Deliver again: a message through the queue, an event as if it came now
    #[command(after_help = "What cannot be read, or was cut, cannot be delivered. Delivering twice has one effect.\n\
                            Exit codes: 0 all of it was delivered, 1 some was not, or there is none, 2 wrong usage or setting.")]
    Replay {
        /// Which
        #[command(flatten)]
        which: OneOrAll,
        /// Remove what was delivered
        #[arg(long)]
        drop: bool,
    },
    /// Remove for good; the audit log says so
    #[command(after_help = "Exit codes: 0 all of it was removed, 1 some was not, or there is none, 2 wrong usage or setting.")]
    Drop(OneOrAll),
}

/// One parked document.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// Its day, such as 2026-03-10, before its id; or its id alone, which is looked for in the last 30 days
    #[arg(value_name = "DAY|ID")]
    pub first: String,
    /// Its id, after its day
    #[arg(value_name = "ID")]
    pub second: Option<String>,
}

/// One, or all.
#[derive(Debug, Clone, clap::Args)]
pub struct OneOrAll {
    /// Its day, such as 2026-03-10, before its id; or its id alone, which is looked for in the last 30 days; with --all the day
    #[arg(value_name = "DAY|ID", required_unless_present = "all")]
    pub first: Option<String>,
    /// Its id, after its day
    #[arg(value_name = "ID")]
    pub second: Option<String>,
    /// All of the day, or of the last 30 days; at most 5000
    #[arg(long, conflicts_with = "second")]
    pub all: bool,
}

/// One parked document in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Its day.
    pub day: String,
    /// Its id.
    pub id: String,
    /// `deadLetter` or `event`.
    pub kind: String,
    /// When it was parked.
    pub parked_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The call, where it is known.
    pub call: Option<String>,
    /// Bytes of its body.
    pub bytes: u64,
    /// Whether it can be delivered again as it is.
    pub replayable: bool,
    /// When it was delivered again last.
    pub replayed_at: Option<Timestamp>,
}

impl Parked {
    fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let time = |name: &str| body[name].as_str().and_then(Timestamp::parse);
        let kind = text("type").unwrap_or_default();
        let whole = body["truncated"] != Value::Bool(true) && body["encoding"] == "text";
        Self {
            day: text("day").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            parked_at: time("parkedAt"),
            reason: text("reason").or_else(|| text("description")),
            call: text("callConnectionId"),
            bytes: body["bytes"].as_u64().unwrap_or(0),
            replayable: whole && (kind == "event" || body["readable"] == Value::Bool(true)),
            replayed_at: time("replayedAt"),
            kind,
        }
    }
}

/// Runs the command.
pub async fn run(app: &App, args: &DlqArgs) -> Result<Told> {
    match &args.command {
        DlqCommand::List { days, limit } => list(app, args.json, *days, usize::from(*limit)).await,
        DlqCommand::Show(which) => show(app, which).await,
        DlqCommand::Replay { which, drop } => replay(app, args.json, which, *drop).await,
        DlqCommand::Drop(which) => remove(app, args.json, which).await,
    }
}

/// What was parked on the last `days` days, the newest day first, at most `limit`; and whether that is all.
pub async fn parked(app: &App, days: u16, limit: usize) -> Result<(Vec<Parked>, bool)> {
    let now = app.clock.now();
    let mut found = Vec::new();
    for back in 0..i64::from(days) {
        let day = now.plus_millis(-back * DAY_MS).day();
        let left = limit - found.len();
        let documents = of_day(app, &day, left + 1).await?;
        let whole = documents.len() <= left;
        found.extend(documents.iter().take(left).map(|document| Parked::of(&document.body)));
        if !whole {
            return Ok((found, false));
        }
    }
    Ok((found, true))
}

/// Documents of one day, at most `limit`.
async fn of_day(app: &App, day: &str, limit: usize) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = app.documents.list(Container::DeadLetters, day, "", from.as_deref(), PAGE.min(limit.max(1))).await?;
        found.extend(page.documents);
        from = page.next;
        if from.is_none() || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// Documents of all days on which an id alone is looked for.
async fn of_days(app: &App) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    for day in days(app) {
        found.extend(of_day(app, &day, MOST - found.len()).await?);
        if found.len() >= MOST {
            break;
        }
    }
    Ok(found)
}

async fn list(app: &App, json: bool, days: u16, limit: usize) -> Result<Told> {
    let (found, complete) = parked(app, days, limit).await?;
    // The embedded queue can be looked into; a broker's dead letters are parked by TranscriptDeadLetter within seconds.
    let unparked = match &app.embedded_queue {
        Some(queue) => queue.peek_dead(PEEK).await?.len(),
        None => 0,
    };
    let body = json!({ "parked": found, "complete": complete, "unparked": unparked });
    Told::new(json, &body, true, || {
        let text = |time: Option<Timestamp>| time.map_or_else(String::new, |t| t.to_string());
        let rows = found.iter().map(|p| {
            let call = p.call.clone().unwrap_or_default();
            let can = if p.replayable { "yes" } else { "no" }.to_owned();
            [
                p.day.clone(),
                p.id.clone(),
                p.kind.clone(),
                text(p.parked_at),
                p.reason.clone().unwrap_or_default(),
                call,
                size(p.bytes),
                can,
                text(p.replayed_at),
            ]
        });
        let mut lines = vec![table(&["day", "id", "kind", "parked", "reason", "call", "size", "replayable", "replayed"], rows)];
        let more = if complete { "" } else { ", and more (--limit)" };
        lines.push(format!("{} parked in {days} days{more}", found.len()));
        if unparked > 0 {
            lines.push(format!("{unparked} dead letters wait to be parked"));
        }
        lines.join("\n")
    })
}

/// The days, the newest first, on which an id alone is looked for.
fn days(app: &App) -> impl Iterator<Item = String> {
    let now = app.clock.now();
    (0..DAYS).map(move |back| now.plus_millis(-back * DAY_MS).day())
}

/// One by its day and id, or by its id alone. Errors: `NotFound`; `BadInput` where the id stands on several days, or is a day.
async fn one(app: &App, first: &str, second: Option<&str>) -> Result<Document> {
    if let Some(id) = second {
        let found = app.documents.get(Container::DeadLetters, first, id).await?;
        return found.ok_or_else(|| Error::new(Kind::NotFound, "nothing of this day and id is parked"));
    }
    if is_day(first) {
        return Err(Error::input("ID", "must be there: a day alone is no document"));
    }
    let looks = days(app).map(|day| async move { app.documents.get(Container::DeadLetters, &day, first).await });
    let mut found: Vec<Document> = futures::future::try_join_all(looks).await?.into_iter().flatten().collect();
    match found.len() {
        0 | 1 => found.pop().ok_or_else(|| Error::new(Kind::NotFound, format!("nothing of this id was parked in the last {DAYS} days"))),
        _ => Err(Error::input("DAY", "must be there: this id was parked on several days")),
    }
}

fn is_day(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

async fn show(app: &App, which: &Which) -> Result<Told> {
    let document = one(app, &which.first, which.second.as_deref()).await?;
    // Nobody sees it before it stands in the log that they did.
    noted(app, "deadletter.read", document.body["id"].as_str().unwrap_or_default()).await?;
    let mut opened = document.body;
    opened["body"] = parking::opened(app, &opened).await?.into();
    let text = serde_json::to_string_pretty(&opened).map_err(Error::internal)?;
    Ok(Told { text, good: true })
}

async fn noted(app: &App, action: &'static str, id: &str) -> Result<()> {
    app.audit.written(Note::new(action).subject(id).store("cosmos").named(Container::DeadLetters.name())).await
}

/// The documents that are meant; `NotFound` where there is none.
async fn chosen(app: &App, which: &OneOrAll) -> Result<Vec<Document>> {
    let documents = match &which.first {
        Some(day) if which.all && !is_day(day) => return Err(Error::input("DAY", "must be a day, such as 2026-03-10")),
        Some(day) if which.all => of_day(app, day, MOST).await?,
        Some(first) => vec![one(app, first, which.second.as_deref()).await?],
        None => of_days(app).await?,
    };
    if documents.is_empty() {
        return Err(Error::new(Kind::NotFound, if which.first.is_some() { "nothing is parked on this day" } else { "nothing is parked" }));
    }
    Ok(documents)
}

async fn replay(app: &App, json: bool, which: &OneOrAll, drop: bool) -> Result<Told> {
    let (mut done, mut failed) = (0_u64, Vec::new());
    for document in chosen(app, which).await? {
        let id = document.body["id"].as_str().unwrap_or_default().to_owned();
        match deliver(app, &document, drop).await {
            Ok(()) => done += 1,
            // The others would only fail in the same way, each after its deadline.
            Err(e) if e.is_transient() => return Err(e),
            Err(e) => failed.push(json!({ "id": id, "reason": e.chain() })),
        }
    }
    outcome(json, "delivered", done, &failed)
}

async fn deliver(app: &App, document: &Document, drop: bool) -> Result<()> {
    let parked = Parked::of(&document.body);
    if !parked.replayable {
        let cut = document.body["truncated"] == Value::Bool(true);
        let why = if cut { "its body was cut when it was parked" } else { "it is not a message that can be read" };
        return Err(Error::new(Kind::Conflict, format!("it cannot be delivered: {why}")));
    }
    noted(app, "deadletter.replay", &parked.id).await?;
    let body = parking::opened(app, &document.body).await?;
    if parked.kind == "event" {
        let event: Value = serde_json::from_str(&body).map_err(|_| Error::new(Kind::Conflict, "it cannot be delivered: it is not JSON"))?;
        callbacks::take_all(app, &event).await?;
    } else {
        enqueue(app, body, document.body["traceparent"].as_str()).await?;
    }
    if drop {
        app.documents.delete(Container::DeadLetters, &parked.day, &parked.id, None).await?;
        return Ok(());
    }
    let mut marked = document.body.clone();
    marked["replayedAt"] = json!(app.clock.now());
    match app.documents.put(Container::DeadLetters, &marked, Condition::Matches(&document.etag)).await? {
        Put::Done(_) => {}
        Put::Conflict => tracing::warn!("a parked document changed while it was delivered: it is not marked"),
    }
    Ok(())
}

/// Hands a message to the queue as it was, words still sealed, in the lane of its call and in its own trace: the context that it came
/// with, else, where it was parked without one, the trace of its turn.
async fn enqueue(app: &App, body: String, traceparent: Option<&str>) -> Result<()> {
    let message = TranscriptMessage::parse(body.as_bytes())?;
    let of_turn = || match &message {
        TranscriptMessage::Turn(turn) => turn.entry.trace_id.as_deref().and_then(TraceContext::of_trace),
        _ => None,
    };
    let context = traceparent.and_then(TraceContext::parse).or_else(of_turn);
    let call = message.call();
    let message = Message {
        message_id: format!("replay-{}", app.clock.new_id()),
        session_id: format!("lane-{}", lane(call, app.config.queue_lanes)),
        correlation_id: call.to_string(),
        label: message.kind().to_owned(),
        traceparent: context.map(|context| context.to_string()),
        not_before: None,
        body,
    };
    app.queue.send(&message).await
}

async fn remove(app: &App, json: bool, which: &OneOrAll) -> Result<Told> {
    let (mut done, mut failed) = (0_u64, Vec::new());
    for document in chosen(app, which).await? {
        let part = |name: &str| document.body[name].as_str().unwrap_or_default();
        let (day, id) = (part("day"), part("id"));
        noted(app, "deadletter.drop", id).await?;
        if app.documents.delete(Container::DeadLetters, day, id, None).await? {
            done += 1;
        } else {
            failed.push(json!({ "id": id, "reason": "it was gone already" }));
        }
    }
    outcome(json, "dropped", done, &failed)
}

fn outcome(json: bool, word: &'static str, done: u64, failed: &[Value]) -> Result<Told> {
    Told::new(json, &json!({ word: done, "failed": failed }), failed.is_empty(), || {
        let plain = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut lines: Vec<String> = failed.iter().map(|one| format!("{}: {}", plain(&one["id"]), plain(&one["reason"]))).collect();
        lines.push(format!("{done} {word}, {} not", failed.len()));
        lines.join("\n")
    })
}
