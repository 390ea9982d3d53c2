//! `rtvoice outbox`: what the queue has not confirmed yet, and sending it now.
//!
//! The relay does the same each minute for what has waited for 5 s. Here nothing is too young: an operator who flushes knows that
//! the queue is back. What is sent twice is one effect, by its message id. Out: calls, counts and times, never what was said.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::told::{Told, span_ms, table};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::MESSAGES;
use crate::steps::open_calls::{self, Open, Place};
use crate::steps::outbox;

/// Messages that wait for the queue
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct OutboxArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: OutboxCommand,
}

/// What can be done with the outboxes.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum OutboxCommand {
    /// List the calls whose messages the queue has not confirmed, the longest waiting first
    #[command(after_help = "Exit codes: 0 listed, 1 failed, or not all could be looked at, 2 wrong usage or setting.")]
    List(ListArgs),
    /// Send everything that waits, at once
    #[command(after_help = "The relay does so each minute; this is for when the queue is back and nobody wants to wait. Sending twice is harmless.\n\
                            Exit codes: 0 nothing is left, 1 something is, or it failed, 2 wrong usage or setting.")]
    Flush(FlushArgs),
}

/// How outboxes are listed.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// Calls that are shown, at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Longest that the walk may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub time: u64,
}

/// How outboxes are flushed.
#[derive(Debug, Clone, clap::Args)]
pub struct FlushArgs {
    /// One call alone
    pub call: Option<String>,
    /// Longest that it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub time: u64,
}

/// One call whose outbox is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The call.
    pub call: CallId,
    /// Messages.
    pub messages: u64,
    /// Since when the first of them waits; none where it was confirmed meanwhile, or cannot be read.
    pub oldest: Option<Timestamp>,
}

/// All outboxes that are not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outboxes {
    /// The calls, the longest waiting first.
    pub calls: Vec<Waiting>,
    /// Messages in all of them.
    pub messages: u64,
    /// Seconds that the oldest waits.
    pub oldest_seconds: u64,
    /// Calls that cannot be read.
    pub unreadable: u64,
    /// Whether every open call was looked at.
    pub complete: bool,
}

/// What a flush came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flushed {
    /// Messages that the queue has confirmed.
    pub sent: u64,
    /// Messages that were not sent.
    pub left: u64,
    /// Why not, by call.
    pub reasons: Vec<String>,
    /// Whether every open call was looked at.
    pub complete: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &OutboxArgs) -> Result<Told> {
    match &args.command {
        OutboxCommand::List(how) => {
            let mut found = outboxes(app, Duration::from_secs(how.time)).await?;
            let all = found.calls.len();
            found.calls.truncate(usize::from(how.limit));
            Told::new(args.json, &found, found.complete && found.unreadable == 0, || listed(app, &found, all))
        }
        OutboxCommand::Flush(how) => {
            let flushed = match &how.call {
                Some(call) => flush_one(app, &CallId::parse(call.as_str())?).await?,
                None => flush(app, Duration::from_secs(how.time)).await?,
            };
            Told::new(args.json, &flushed, flushed.left == 0 && flushed.complete, || told(&flushed))
        }
    }
}

/// Open calls with something in their outbox, at most `limit` long.
async fn waiting_calls(app: &App, limit: Duration) -> Result<(Vec<Open>, u64, bool)> {
    let began = Instant::now();
    let (mut found, mut unreadable) = (Vec::new(), 0);
    let mut next = Some(Place::default());
    while let Some(place) = next {
        if began.elapsed() >= limit {
            return Ok((found, unreadable, false));
        }
        let page = open_calls::page(app, place, u64::MAX).await?;
        unreadable += page.unreadable.len() as u64;
        found.extend(page.calls.into_iter().filter(|open| open.survey.waiting > 0));
        next = page.next;
    }
    Ok((found, unreadable, true))
}

/// Looks at all outboxes for at most `limit`.
pub async fn outboxes(app: &App, limit: Duration) -> Result<Outboxes> {
    let (calls, unreadable, complete) = waiting_calls(app, limit).await?;
    let mut found = Outboxes { unreadable, complete, ..Outboxes::default() };
    for open in calls {
        let since = match app.state.waiting(&open.survey.call).await {
            Ok(waiting) => waiting.into_iter().map(|(_, since)| since).min(),
            Err(e) if e.is_transient() => return Err(e),
            Err(_) => {
                found.unreadable += 1;
                None
            }
        };
        found.messages += open.survey.waiting;
        found.calls.push(Waiting { call: open.survey.call, messages: open.survey.waiting, oldest: since });
    }
    found.calls.sort_by_key(|waiting| waiting.oldest);
    let oldest = found.calls.iter().filter_map(|waiting| waiting.oldest).min();
    found.oldest_seconds = oldest.map_or(0, |since| u64::try_from(app.clock.now().since(since) / 1000).unwrap_or(0));
    Ok(found)
}

async fn flush(app: &App, limit: Duration) -> Result<Flushed> {
    let began = Instant::now();
    // Known before anything is sent: a call that is archived meanwhile moves the others up.
    let (calls, _, complete) = waiting_calls(app, limit).await?;
    let mut flushed = Flushed { complete, ..Flushed::default() };
    for open in &calls {
        if began.elapsed() >= limit {
            flushed.complete = false;
            flushed.left += open.survey.waiting;
            continue;
        }
        empty(app, open, &mut flushed).await?;
    }
    Ok(flushed)
}

async fn flush_one(app: &App, call: &CallId) -> Result<Flushed> {
    let survey = app.state.survey(std::slice::from_ref(call)).await?.pop();
    let survey = survey.filter(|survey| survey.waiting > 0).ok_or_else(|| Error::new(Kind::NotFound, format!("nothing waits in the outbox of call {call}")))?;
    let mut flushed = Flushed { complete: true, ..Flushed::default() };
    empty(app, &Open { survey, registered: app.clock.now() }, &mut flushed).await?;
    Ok(flushed)
}

/// Sends all that waits for one call, in its order. One message that the queue refuses does not hold up the others; a queue that
/// is away does. Fails where the state store does.
async fn empty(app: &App, open: &Open, flushed: &mut Flushed) -> Result<()> {
    let call = &open.survey.call;
    let fields = app.state.outbox(call).await?;
    let mut left = fields.len() as u64;
    'slices: for slice in fields.chunks(MESSAGES) {
        let messages = match app.state.messages(call, slice).await {
            Ok(messages) => messages,
            Err(e) if e.is_transient() => return Err(e),
            Err(e) => {
                flushed.reasons.push(format!("{call}: {}", e.chain()));
                continue;
            }
        };
        // What is gone was confirmed meanwhile.
        left -= (slice.len() - messages.len()) as u64;
        for message in messages {
            match outbox::relay(app, call, open.survey.session.as_ref(), message).await {
                Ok(()) => {
                    flushed.sent += 1;
                    left -= 1;
                }
                Err(e) => {
                    flushed.reasons.push(format!("{call}: {}", e.chain()));
                    if e.is_transient() {
                        break 'slices;
                    }
                }
            }
        }
    }
    flushed.left += left;
    Ok(())
}

fn listed(app: &App, found: &Outboxes, all: usize) -> String {
    let now = app.clock.now();
    let rows = found.calls.iter().map(|waiting| {
        let age = waiting.oldest.map_or_else(|| "unknown".to_owned(), |since| span_ms(now.since(since)));
        [waiting.call.to_string(), waiting.messages.to_string(), age]
    });
    let mut lines = vec![table(&["call", "messages", "oldest waits for"], rows)];
    lines.push(format!("{} messages of {all} calls wait, {} shown", found.messages, found.calls.len()));
    if found.unreadable > 0 {
        lines.push(format!("{} calls cannot be read", found.unreadable));
    }
    if !found.complete {
        lines.push("not every open call was looked at: time was up (--time)".to_owned());
    }
    lines.join("\n")
}

fn told(flushed: &Flushed) -> String {
    let mut lines: Vec<String> = flushed.reasons.iter().map(|reason| format!("not sent: {reason}")).collect();
    lines.push(format!("{} messages sent, {} left", flushed.sent, flushed.left));
    if !flushed.complete {
        lines.push("not every open call was looked at: time was up (--time)".to_owned());
    }
    lines.join("\n")
}
