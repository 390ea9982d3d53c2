//! `rtvoice calls audit`: every open call at once, for the first hour of a security incident.
//!
//! In: the store and the audit log of the settings. Out: of each call its age, the lives of its keys, whether its values are
//! sealed and under whose key, and which operator touched it last; and what is wrong with it. Nothing is changed, so that
//! what happened stays visible, and nothing that was said is shown. Bounded in time; what was not looked at is said. Fails as
//! the store and the record do.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::time::Instant;

use super::Listed;
use super::reads::{self, Reads};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::call::{Session, field};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ops::told::{Told, span, span_ms, table};
use crate::ports::state::upkeep::Left;
use crate::privacy::vault::{WrappedBy, wrapped_by};
use crate::steps::open_calls::{self, Open, Place};

/// Calls of one page.
const PAGE: u64 = 200;
/// Calls that are looked at at once.
const AT_ONCE: usize = 16;
/// Entries of a history that are opened, at most: the newest.
const OPENED: u64 = 200;
/// Milliseconds that the relay may take to end a call that is silent for too long.
const ENDING: i64 = 300_000;

/// Milliseconds that a call may be registered without a state.
const OPENING: i64 = 10_000;

/// How all open calls are looked at.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// How far back the audit log is read for who touched a call, in hours
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
    pub hours: u16,
    /// Longest that it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub limit: u64,
}

/// One open call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// The call, its state and its turns.
    #[serde(flatten)]
    pub listed: Listed,
    /// Seconds since it was opened.
    pub age_s: Option<i64>,
    /// Seconds since its last activity.
    pub silent_s: i64,
    /// Seconds that each of its keys has to live, by kind; null: for ever.
    pub lives: BTreeMap<String, Option<u64>>,
    /// How its values rest.
    pub seal: Seal,
    /// Values of its history and its context that are sealed.
    pub sealed: u64,
    /// Those that rest in clear.
    pub clear: u64,
    /// Entries of its history that do not open, among the newest 200.
    pub refused: u64,
    /// Whose key wraps its key.
    pub wrapped_by: Option<WrappedBy>,
    /// When that key was made, where it is a person's.
    pub key_made: Option<Timestamp>,
    /// Which operator touched it last, and which read what was said in it.
    #[serde(flatten)]
    pub reads: Reads,
    /// What is wrong with it.
    pub findings: Vec<String>,
}

/// How the values of a call rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Seal {
    /// Under a key that opens.
    Sealed,
    /// `PRIVACY` is off.
    Off,
    /// The session names no key.
    None,
    /// Its key was destroyed.
    Erased,
    /// Its key is not what was stored.
    Refused,
    /// Its key cannot be had now.
    Away,
}

impl Seal {
    const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Off => "off",
            Self::None => "none",
            Self::Erased => "erased",
            Self::Refused => "refused",
            Self::Away => "away",
        }
    }
}

/// What an audit came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// Every call that was looked at.
    pub calls: Vec<Looked>,
    /// Calls with a finding.
    pub with_findings: u64,
    /// Calls that could not be looked at, with the reason.
    pub unreadable: Vec<String>,
    /// Whether all calls were looked at, and the whole log of those hours.
    pub complete: bool,
    /// Hours of the audit log.
    pub hours: u16,
}

/// Runs the command.
pub async fn run(app: &App, json: bool, args: &AuditArgs) -> Result<Told> {
    let audited = audit(app, args).await?;
    let good = audited.complete && audited.with_findings == 0 && audited.unreadable.is_empty();
    Told::new(json, &audited, good, || text(&audited))
}

/// Looks at all open calls.
pub async fn audit(app: &App, args: &AuditArgs) -> Result<Audited> {
    let (began, until) = (app.clock.now(), Instant::now() + Duration::from_secs(args.limit));
    let mut audited = Audited { complete: true, hours: args.hours, ..Audited::default() };
    let mut next = Some(Place::default());
    while let Some(place) = next {
        if Instant::now() >= until {
            audited.complete = false;
            break;
        }
        let page = open_calls::page(app, place, PAGE).await?;
        audited.unreadable.extend(page.unreadable.iter().map(|(call, e)| format!("{call}: {}", e.chain())));
        let looks = page.calls.iter().map(|open| async move { Ok::<_, Error>((open.survey.call.clone(), look(app, open, began).await)) });
        let looked: Vec<(CallId, Result<Looked>)> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        for (call, looked) in looked {
            match looked {
                Ok(looked) => audited.calls.push(looked),
                Err(e) if e.is_transient() => return Err(e),
                Err(e) => audited.unreadable.push(format!("{call}: {}", e.chain())),
            }
        }
        next = page.next;
    }
    let calls = audited.calls.iter().map(|looked| looked.listed.call.to_string()).collect();
    let from = began.plus_millis(-i64::from(args.hours) * 3_600_000);
    let (mut found, whole) = reads::find(app, &calls, (from, began), until).await?;
    audited.complete &= whole;
    for looked in &mut audited.calls {
        looked.reads = found.remove(looked.listed.call.as_str()).unwrap_or_default();
    }
    audited.with_findings = audited.calls.iter().filter(|looked| !looked.findings.is_empty()).count() as u64;
    Ok(audited)
}

async fn look(app: &App, open: &Open, now: Timestamp) -> Result<Looked> {
    let (call, session) = (&open.survey.call, open.survey.session.as_ref());
    let rest = app.state.at_rest(call).await?;
    let wrap = session.and_then(|session| session.get(field::KEY));
    let seal = seal(app, call, wrap).await?;
    let wrapped = wrap.filter(|_| app.config.privacy).map(wrapped_by);
    let key_made = match &wrapped {
        Some(WrappedBy::User { version, .. }) => Some(Timestamp::from_millis(i64::from(*version) * 60_000)),
        _ => None,
    };
    let millis = |left: &Left| if let Left::Millis(millis) = left { Some(millis / 1000) } else { None };
    let listed = Listed::of(open);
    let mut looked = Looked {
        age_s: session.and_then(|s| s.time(field::OPENED_AT)).map(|at| now.since(at) / 1000),
        silent_s: now.since(listed.last_activity) / 1000,
        lives: rest.lives.iter().map(|(place, left)| (place.component.to_owned(), millis(left))).collect(),
        seal,
        sealed: rest.sealed,
        clear: rest.clear,
        refused: refused(app, call, seal).await?,
        wrapped_by: wrapped,
        key_made,
        reads: Reads::default(),
        findings: Vec::new(),
        listed,
    };
    // A call is registered a moment before it has a state.
    let is_lost = session.is_none() && !open.survey.archived && now.since(open.registered) > OPENING;
    looked.findings = findings(app, &looked, session, is_lost);
    Ok(looked)
}

/// Whether the call's key opens. It is asked for by its wrap, so that one that is refused stays where it is.
async fn seal(app: &App, call: &CallId, wrap: Option<&str>) -> Result<Seal> {
    let Some(wrap) = wrap.filter(|_| app.config.privacy) else {
        return Ok(if app.config.privacy { Seal::None } else { Seal::Off });
    };
    match app.vault.call(call, wrap).await {
        Ok(_) => Ok(Seal::Sealed),
        Err(e) if e.kind == Kind::Erased => Ok(Seal::Erased),
        Err(e) if e.kind == Kind::Tampered => Ok(Seal::Refused),
        Err(e) if e.is_transient() => Ok(Seal::Away),
        Err(e) => Err(e),
    }
}

/// Entries that do not open. Under a key that is refused nothing is opened: that would replace it.
async fn refused(app: &App, call: &CallId, seal: Seal) -> Result<u64> {
    if seal != Seal::Sealed {
        return Ok(0);
    }
    let total = app.state.history(call, 0, 0).await?.total;
    let slice = app.state.history(call, total.saturating_sub(OPENED), OPENED).await?;
    Ok(slice.entries.iter().filter(|(_, entry)| entry.is_refused()).count() as u64)
}

fn findings(app: &App, looked: &Looked, session: Option<&Session>, is_lost: bool) -> Vec<String> {
    let mut findings = Vec::new();
    let mut found = |is: bool, text: String| {
        if is {
            findings.push(text);
        }
    };
    found(is_lost, "its state is lost".to_owned());
    let forever: Vec<&str> = looked.lives.iter().filter(|(_, left)| left.is_none()).map(|(kind, _)| kind.as_str()).collect();
    found(!forever.is_empty(), format!("without an end: {}", forever.join(", ")));
    found(app.config.privacy && looked.clear > 0, format!("{} values in clear", looked.clear));
    found(session.is_some() && looked.seal == Seal::None, "it has no key".to_owned());
    found(looked.seal == Seal::Erased, "its key is destroyed".to_owned());
    found(looked.seal == Seal::Refused, "its key is not what was stored".to_owned());
    found(looked.seal == Seal::Away, "its key cannot be had now".to_owned());
    found(looked.refused > 0, format!("{} entries do not open", looked.refused));
    let idle = i64::try_from(app.config.call_idle_limit.as_millis()).unwrap_or(i64::MAX).saturating_add(ENDING);
    let running = session.is_some() && looked.listed.status != "ended";
    found(running && looked.silent_s.saturating_mul(1000) > idle, "silent for too long: it should have ended".to_owned());
    findings
}

fn text(audited: &Audited) -> String {
    let seconds = |s: i64| span(Duration::from_secs(u64::try_from(s).unwrap_or(0)));
    let lives = |looked: &Looked| {
        let shortest = looked.lives.iter().filter_map(|(kind, left)| left.map(|left| (left, kind))).min();
        shortest.map_or_else(String::new, |(left, kind)| format!("{} ({kind})", span(Duration::from_secs(left))))
    };
    let key = |looked: &Looked| match &looked.wrapped_by {
        Some(WrappedBy::User { token, version }) => format!("{token} {version}"),
        Some(WrappedBy::Epoch(epoch)) => format!("epoch {epoch}"),
        Some(WrappedBy::Unknown) => "unknown".to_owned(),
        None => String::new(),
    };
    let rows = audited.calls.iter().map(|looked| {
        let last = looked.reads.last_read.as_ref().or(looked.reads.last_access.as_ref());
        [
            looked.listed.call.to_string(),
            looked.listed.status.to_owned(),
            looked.age_s.map_or_else(String::new, seconds),
            span_ms(looked.silent_s.saturating_mul(1000)),
            looked.listed.turns.to_string(),
            lives(looked),
            format!("{} {}/{}", looked.seal.name(), looked.sealed, looked.sealed + looked.clear),
            key(looked),
            last.map_or_else(String::new, |access| format!("{} {} {}", access.at, access.actor, access.action)),
            looked.findings.join("; "),
        ]
    });
    let header = ["call", "status", "age", "silent for", "turns", "ends first", "sealed", "key of", "operator", "findings"];
    let mut lines = vec![table(&header, rows)];
    lines.extend(audited.unreadable.iter().map(|line| format!("cannot be looked at: {line}")));
    let read = audited.calls.iter().filter(|looked| looked.reads.last_read.is_some()).count();
    lines.push(format!(
        "{} open calls: {} with findings, {} unreadable, {read} read by an operator in the last {} h",
        audited.calls.len(),
        audited.with_findings,
        audited.unreadable.len(),
        audited.hours
    ));
    if !audited.complete {
        lines.push("not everything was looked at: time was up (--limit)".to_owned());
    }
    lines.join("\n")
}
