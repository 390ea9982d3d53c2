//! Breaches: opening them, carrying them through their states, and the register. The documents are the truth; every change
//! is made under their version, and every look and change is noted in the audit log.

mod reminders;
mod scope;
mod security;

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::ports::audit::{Actor, Note};
use crate::ports::documents::{Condition, Container, Put};
use crate::privacy::breach::{Action, Breach, Given};

pub use reminders::tick;
pub use scope::{Query, scope};
pub use security::{SecurityEvent, Watch, look_at_audit, pending, reported, security_event, watch};

/// Tries of a change that others keep overtaking.
const TRIES: u32 = 10;
/// Breaches that are read at once.
const PAGE: usize = 100;
/// Who acts where nobody says it.
const SOMEBODY: &str = "operator";
/// Who acts at a command line where nobody says it: the name of the account would be personal.
pub const CLI: &str = "cli";
/// The app itself.
const SYSTEM: &str = "system";

/// Most characters of whoever acts.
const NAME: usize = 64;

/// Who acts: `by` of the given fields, a role or a name of 1 to 64 characters.
fn actor(given: &mut Given) -> Result<String> {
    match given.text("by")? {
        None => Ok(SOMEBODY.to_owned()),
        // What the app does by itself is told apart by this name.
        Some(by) if by == SYSTEM || by.chars().count() > NAME => Err(Error::input("by", format!("must be a role or a name of 1 to {NAME} characters"))),
        Some(by) => Ok(by),
    }
}

/// An entry of the audit log. Where nobody says who acts it is the function or the command that runs.
fn note(action: String, id: &str, by: &str) -> Note {
    let note = Note::new(action).store("documents").named(format!("breach:{id}"));
    if matches!(by, SOMEBODY | CLI) { note } else { note.actor(Actor::Operator(by.to_owned())) }
}

/// Opens a breach with what is given: `by`?, `detectedAt`? (now) and any facts.
pub async fn open(app: &App, fields: Map<String, Value>) -> Result<Breach> {
    let now = app.clock.now();
    let mut given = Given::new(fields);
    let by = actor(&mut given)?;
    let at = given.take("detectedAt", "must be an RFC 3339 time, such as 2026-01-15T10:00:00Z")?.unwrap_or(now);
    if at > now {
        return Err(Error::input("detectedAt", "must not be in the future"));
    }
    let id = format!("b-{}-{}", now.day(), &app.clock.new_id()[20..]);
    let mut breach = Breach::detected(id, SOMEBODY, at, now, &by);
    breach.facts.merge(&mut given)?;
    given.finish()?;
    app.audit.note(note("breach.open".to_owned(), &breach.id, &by)).await?;
    match app.documents.put(Container::Breaches, &body(&breach)?, Condition::Absent).await? {
        Put::Done(_) => Ok(breach),
        Put::Conflict => Err(Error::new(Kind::Conflict, "a breach of this id exists: open it again")),
    }
}

/// One breach, looked at by somebody.
pub async fn show(app: &App, id: &str, by: &str) -> Result<Breach> {
    app.audit.note(note("breach.read".to_owned(), id, by)).await?;
    stored(app, id).await?.map(|(breach, _)| breach).ok_or_else(unknown)
}

/// Does one step. Errors: `NotFound`, `Conflict` where the state does not allow it, `BadInput` with the field at fault. The breach
/// comes with the error where it stands, so that the caller can say what is allowed.
pub async fn act(app: &App, id: &str, action: Action, fields: Map<String, Value>) -> std::result::Result<Breach, (Error, Option<Box<Breach>>)> {
    let mut given = Given::new(fields);
    let by = actor(&mut given).map_err(|e| (e, None))?;
    app.audit.note(note(format!("breach.{}", action.name()), id, &by)).await.map_err(|e| (e, None))?;
    let mut refused = None;
    let result = update(app, id, |breach| {
        breach.act(action, given.clone(), &by, app.clock.now()).inspect_err(|_| refused = Some(Box::new(breach.clone())))?;
        Ok(true)
    })
    .await;
    result.map_err(|e| (e, refused))
}

/// One page of the register, oldest first within it, and where to go on.
pub async fn page(app: &App, from: Option<&str>, limit: usize) -> Result<(Vec<Breach>, Option<String>)> {
    let page = app.documents.scan(Container::Breaches, from, limit).await?;
    let mut breaches = page.documents.into_iter().map(|d| parsed(d.body)).collect::<Result<Vec<_>>>()?;
    breaches.sort_by(|a, b| (a.detected_at, &a.id).cmp(&(b.detected_at, &b.id)));
    Ok((breaches, page.next))
}

/// The whole register, oldest first.
pub async fn register(app: &App) -> Result<Vec<Breach>> {
    let (mut all, mut from) = (Vec::new(), None::<String>);
    loop {
        let (breaches, next) = page(app, from.as_deref(), PAGE).await?;
        all.extend(breaches);
        from = next;
        if from.is_none() {
            all.sort_by(|a, b| (a.detected_at, &a.id).cmp(&(b.detected_at, &b.id)));
            return Ok(all);
        }
    }
}

/// Notes that somebody read the register.
pub async fn noted_reading(app: &App, by: &str) -> Result<()> {
    app.audit.note(note("breach.list".to_owned(), "register", by)).await
}

/// A breach as it is shown: with what may be done, what is missing and how much time is left.
pub fn view(app: &App, breach: &Breach) -> Result<Value> {
    let mut view = body(breach)?;
    let now = app.clock.now();
    view["allowed"] = json!(breach.allowed().into_iter().map(Action::name).collect::<Vec<_>>());
    view["missing"] = json!(breach.facts.missing());
    if let (Some(due), true) = (breach.due_at, breach.is_clock_running()) {
        view["remainingSeconds"] = json!(due.since(now).div_euclid(1000));
        view["overdue"] = json!(due < now);
    }
    Ok(view)
}

fn body(breach: &Breach) -> Result<Value> {
    serde_json::to_value(breach).map_err(Error::internal)
}

fn parsed(body: Value) -> Result<Breach> {
    serde_json::from_value(body).map_err(|e| Error::internal(format!("a stored breach is not readable at column {}", e.column())))
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "no such breach is known")
}

async fn stored(app: &App, id: &str) -> Result<Option<(Breach, String)>> {
    let Some(document) = app.documents.get(Container::Breaches, id, id).await? else { return Ok(None) };
    Ok(Some((parsed(document.body)?, document.etag)))
}

/// Changes a breach under its version, again where another was faster. `change` says whether there is anything to write.
async fn update(app: &App, id: &str, mut change: impl FnMut(&mut Breach) -> Result<bool> + Send) -> Result<Breach> {
    for _ in 0..TRIES {
        let (mut breach, etag) = stored(app, id).await?.ok_or_else(unknown)?;
        if !change(&mut breach)? {
            return Ok(breach);
        }
        if let Put::Done(_) = app.documents.put(Container::Breaches, &body(&breach)?, Condition::Matches(&etag)).await? {
            return Ok(breach);
        }
    }
    Err(Error::new(Kind::Throttled, "the breach is being changed by too many at once").retry_after(std::time::Duration::from_secs(1)))
}
