//! `rtvoice calls`: the open calls, and one call with what waits for it.
//!
//! In: the store of the settings. Out: ids, times, numbers and states. What was said comes with `--turns` alone, masked, and the
//! audit log says first that it was read; `--reveal` shows what `STORE_PII=encrypted` kept. Fails as the store does; a call of
//! which nothing is known is a no.

use serde_json::{Value, json};

pub mod audit;
mod reads;

use super::told::{Told, span_ms, table};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::call::{Session, field};
use crate::model::ids::{CallId, UserToken};
use crate::steps::open_calls::{self, Listed, Open, Place};

/// Calls that are looked at at once, where one is looked for by its token.
const PAGE: u64 = 200;

/// Open calls
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct CallsArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: CallsCommand,
}

/// What can be asked about calls.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum CallsCommand {
    /// List open calls, the idlest of each partition first
    #[command(after_help = "Exit codes: 0 listed, 1 failed or a call cannot be read, 2 wrong usage or setting.")]
    List(ListArgs),
    /// Show one call: its state, what waits in its outbox, its worker and its authentication
    #[command(after_help = "Nothing that was said is shown without --turns, which the audit log notes first.\n\
                            Exit codes: 0 shown, 1 nothing is known of this call or it failed, 2 wrong usage or setting.")]
    Show(ShowArgs),
    /// Look at every open call: how old it is, how long its keys live, what seals it, and which operator touched it last
    #[command(
        after_help = "For the first hour of a security incident. It changes nothing, and shows nothing that was said. A finding is a key without an end,\n\
                            a value in clear, a key that is gone or refused, an entry that is refused, state that is lost, or a call that should have ended.\n\
                            Exit codes: 0 all were looked at and nothing was found, 1 there is a finding, not all was looked at, or it failed,\n\
                            2 wrong usage or setting."
    )]
    Audit(audit::AuditArgs),
}

/// How calls are listed.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// Calls at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Go on where an earlier list ended
    #[arg(long, value_name = "PLACE", default_value_t)]
    pub from: Place,
    /// Only calls in this state: provisional, connected, ended, archived or lost
    #[arg(long, value_parser = ["provisional", "connected", "ended", "archived", "lost"])]
    pub status: Option<String>,
}

/// How a call is shown.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// The call's callConnectionId; while it is open also its token, as log and dashboard have it
    pub call: String,
    /// Show its last turns (at most 50), masked; the audit log says that they were read
    #[arg(long)]
    pub turns: bool,
    /// With --turns: show detected values, where STORE_PII=encrypted kept them; the audit log says so
    #[arg(long, requires = "turns")]
    pub reveal: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &CallsArgs) -> Result<Told> {
    match &args.command {
        CallsCommand::List(how) => list(app, args.json, how).await,
        CallsCommand::Show(how) => show(app, args.json, how).await,
        CallsCommand::Audit(how) => audit::run(app, args.json, how).await,
    }
}

async fn list(app: &App, json: bool, args: &ListArgs) -> Result<Told> {
    let most = usize::from(args.limit);
    let (mut calls, mut unreadable) = (Vec::new(), Vec::new());
    let mut next = Some(args.from);
    while let Some(place) = next.filter(|_| calls.len() < most) {
        // No more than are wanted: the place to go on is where this page ends.
        let page = open_calls::page(app, place, (most - calls.len()) as u64).await?;
        let wanted = |listed: &Listed| args.status.as_ref().is_none_or(|status| status == listed.status);
        calls.extend(page.calls.iter().map(Listed::of).filter(wanted));
        unreadable.extend(page.unreadable.iter().map(|(call, e)| format!("{call}: {}", e.chain())));
        next = page.next;
    }
    // A list that was filled to the brim may have ended with the last call.
    let next = match next {
        Some(place) => open_calls::page(app, place, 1).await?.next.map(|_| place),
        None => None,
    };
    let body = json!({ "calls": calls, "next": next.map(|place| place.to_string()), "unreadable": unreadable });
    Told::new(json, &body, unreadable.is_empty(), || {
        let now = app.clock.now();
        let rows = calls.iter().map(|call| {
            let began = call.started_at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
            [call.call.to_string(), call.status.to_owned(), began, span_ms(now.since(call.last_activity)), call.turns.to_string(), call.waiting.to_string()]
        });
        let mut lines = vec![table(&["call", "status", "began", "silent for", "turns", "in outbox"], rows)];
        lines.extend(unreadable.iter().map(|line| format!("cannot be read: {line}")));
        lines.push(next.map_or_else(|| format!("{} calls", calls.len()), |place| format!("{} calls; more with --from {place}", calls.len())));
        lines.join("\n")
    })
}

/// The open call of this token, as log and dashboard have it, else the call of this id.
async fn meant(app: &App, name: &str) -> Result<CallId> {
    let mut place = UserToken::parse(name).ok().filter(UserToken::is_call).map(|_| Place::default());
    while let Some(at) = place {
        let page = open_calls::page(app, at, PAGE).await?;
        for open in &page.calls {
            if app.vault.call_token(&open.survey.call).await?.as_str() == name {
                return Ok(open.survey.call.clone());
            }
        }
        place = page.next;
    }
    CallId::parse(name)
}

async fn show(app: &App, json: bool, args: &ShowArgs) -> Result<Told> {
    let call = meant(app, args.call.as_str()).await?;
    let survey = app.state.survey(std::slice::from_ref(&call)).await?.pop();
    let survey = survey.filter(|found| found.session.is_some() || found.archived || found.waiting > 0);
    let survey = survey.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("the state store knows nothing of call {call}; `rtvoice transcript {call}` looks into the record"))
    })?;
    let now = app.clock.now();
    let session = survey.session.as_ref();
    let text = |name: &str| session.and_then(|s| s.get(name)).map(str::to_owned);
    let time = |name: &str| session.and_then(|s| s.time(name));
    let waiting: Vec<Value> = app.state.waiting(&call).await?.into_iter().map(|(field, since)| json!({ "field": field, "since": since })).collect();
    let worker = app.state.holder(&call, now).await?.map(|lease| json!({ "worker": lease.worker, "until": lease.until }));
    let auth = app.state.auth(&call).await?;
    let auth = auth.map(|(state, left)| {
        json!({ "authenticated": state.authenticated, "level": state.level, "failedAttempts": state.failed_attempts, "locked": state.locked, "secondsLeft": left })
    });
    let listed = Listed::of(&Open { registered: time(field::LAST_ACTIVITY).unwrap_or(now), survey: survey.clone() });
    let mut body = json!({
        "call": call,
        // Without the key of tokens the rest is told all the same.
        "token": app.vault.call_token(&call).await.ok(),
        "status": listed.status,
        "archived": survey.archived,
        "openedAt": time(field::OPENED_AT),
        "connectedAt": time(field::CONNECTED_AT),
        "lastActivity": time(field::LAST_ACTIVITY),
        "endedAt": time(field::ENDED_AT),
        "endReason": text(field::END_REASON),
        "direction": text(field::DIRECTION),
        "serverCallId": text(field::SERVER_CALL_ID),
        "correlationId": text(field::CORRELATION_ID),
        "user": session.and_then(Session::subject),
        "lastSeq": listed.turns,
        "waiting": survey.waiting,
        "outbox": waiting,
        "worker": worker,
        "auth": auth,
    });
    if args.turns {
        body["turns"] = open_calls::read_turns(app, &call, session, args.reveal).await?.into();
    }
    Told::new(json, &body, true, || lines(&body))
}

fn lines(body: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(entries) => {
                lines.push(format!("{name} ({})", entries.len()));
                let shown =
                    |entry: &Value| entry.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()).map(|(_, v)| plain(v)).collect::<Vec<_>>().join("  ");
                lines.extend(entries.iter().map(|entry| format!("  {}", shown(entry))));
            }
            Value::Object(fields) => {
                let fields: Vec<String> = fields.iter().filter(|(_, v)| !v.is_null()).map(|(name, v)| format!("{name} {}", plain(v))).collect();
                lines.push(format!("{name:<14} {}", fields.join(", ")));
            }
            value => lines.push(format!("{name:<14} {}", plain(value))),
        }
    }
    lines.join("\n")
}
