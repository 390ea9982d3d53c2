//! Whose data could have been read: a walk over the audit log of a window, page by page.
//!
//! In: a window, and who is looked for. Out: what was touched, by subject, with the calls, stores, fields, actions and counts;
//! then the calls of which nobody knows whose they are, and what concerns nobody alone. Subjects are tokens and keys are
//! names with a keyed hash: who they are, `rtvoice` tells from the other side. Whose a call is, say the log, the call's
//! archive or session, and of erased people the record of their erasure (`owners`). Fails as the record does.

mod owners;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{actor, note, stored, unknown};
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::documents::Container;
use crate::privacy::audit::{Batch, Entry, HEAD};
use crate::privacy::breach::Given;
use crate::steps::audit;

/// Documents of the log that one page looks at, each of at most 500 entries.
const DOCUMENTS: usize = 200;
/// Subjects and keys that one page names, about.
const GROUPS: usize = 5000;
/// Documents that are read at once.
const READ: usize = 20;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub to: Timestamp,
    /// Who touched it, such as `operator:ann`; none for everybody.
    pub actor: Option<String>,
    /// Whose it was, by the entry or by the call that it names; none for everybody's.
    pub subject: Option<String>,
    /// Which trace or invocation; none for all.
    pub correlation: Option<String>,
    /// Where to go on: `next` of the page before.
    pub cursor: Option<String>,
}

/// What was touched of one subject, call or key.
#[derive(Default)]
struct Touched {
    calls: BTreeSet<String>,
    stores: BTreeSet<String>,
    actions: BTreeSet<String>,
    fields: BTreeSet<String>,
    actors: BTreeSet<String>,
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Touched {
    fn add(&mut self, entry: &Entry) {
        self.stores.extend(entry.store.clone());
        self.actions.insert(entry.action.clone());
        self.actors.insert(entry.actor.clone());
        // Without the hash: which field it is, not whose.
        self.fields.extend(entry.key.as_deref().map(|key| key.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")));
        self.fields.extend(entry.places.iter().map(ToString::to_string));
        self.count += 1;
        self.last_from(entry.ts, entry.ts);
    }

    fn last_from(&mut self, from: Timestamp, to: Timestamp) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Takes in what was touched of one of their calls.
    fn merge(&mut self, call: &str, other: &Self) {
        self.calls.insert(call.to_owned());
        self.stores.extend(other.stores.iter().cloned());
        self.actions.extend(other.actions.iter().cloned());
        self.fields.extend(other.fields.iter().cloned());
        self.actors.extend(other.actors.iter().cloned());
        self.count += other.count;
        if let Some((first, last)) = other.span {
            self.last_from(first, last);
        }
    }

    fn view(&self, name: (&str, &str)) -> Value {
        let (first, last) = self.span.unzip();
        let mut view = json!({
            "stores": self.stores, "actions": self.actions, "fields": self.fields, "actors": self.actors, "count": self.count, "first": first, "last": last,
        });
        view[name.0] = json!(name.1);
        if !self.calls.is_empty() {
            view["calls"] = json!(self.calls);
        }
        view
    }
}

/// What a page found.
#[derive(Default)]
struct Found {
    subjects: BTreeMap<String, Touched>,
    calls: BTreeMap<String, Touched>,
    keys: BTreeMap<String, Touched>,
    /// Whose calls the log names, whoever it was that touched them.
    owners: BTreeMap<String, BTreeSet<String>>,
    entries: u64,
}

impl Found {
    fn len(&self) -> usize {
        self.subjects.len() + self.calls.len() + self.keys.len()
    }

    fn add(&mut self, entry: &Entry, query: &Query) {
        // An entry of many calls names no one whose they all are.
        if let (Some(subject), [call]) = (&entry.subject, &entry.calls[..]) {
            self.owners.entry(call.clone()).or_default().insert(subject.clone());
        }
        if !query.fits(entry) {
            return;
        }
        self.entries += 1;
        for call in &entry.calls {
            self.calls.entry(call.clone()).or_default().add(entry);
        }
        match (&entry.subject, &entry.key) {
            _ if !entry.calls.is_empty() => {}
            (Some(subject), _) => self.subjects.entry(subject.clone()).or_default().add(entry),
            (None, Some(key)) => self.keys.entry(key.clone()).or_default().add(entry),
            (None, None) => {}
        }
    }

    /// Puts what was touched of each call to whoever's call it is. What is left in `calls` is nobody's that is known.
    async fn resolve(&mut self, app: &App) -> Result<()> {
        let mut known = std::mem::take(&mut self.owners);
        owners::complete(app, self.calls.keys(), &mut known).await?;
        for (call, touched) in std::mem::take(&mut self.calls) {
            match known.get(&call) {
                Some(subjects) => subjects.iter().for_each(|subject| self.subjects.entry(subject.clone()).or_default().merge(&call, &touched)),
                None => drop(self.calls.insert(call, touched)),
            }
        }
        Ok(())
    }
}

/// One page of the scope of a breach. The window is that of the breach unless `from` and `to` are given.
pub async fn scope(app: &App, id: &str, fields: Map<String, Value>) -> Result<Value> {
    let mut given = Given::new(fields);
    let by = actor(&mut given)?;
    let (breach, _) = stored(app, id).await?.ok_or_else(unknown)?;
    const TIME: &str = "must be an RFC 3339 time, such as 2026-01-15T10:00:00Z";
    let from = given.take("from", TIME)?.or(breach.facts.occurred_from).ok_or_else(|| Error::input("from", "must be there: the breach has no occurredFrom"))?;
    let to = given.take("to", TIME)?.or(breach.facts.occurred_to).unwrap_or_else(|| app.clock.now());
    if to < from {
        return Err(Error::input("to", "must not be before from"));
    }
    let query = Query {
        from,
        to,
        actor: given.text("actor")?,
        subject: given.text("subject")?,
        correlation: given.text("correlationId")?,
        cursor: given.text("cursor")?,
    };
    given.finish()?;
    app.audit.note(note("breach.scope".to_owned(), id, &by)).await?;
    find(app, &query).await
}

async fn find(app: &App, query: &Query) -> Result<Value> {
    let mut found = Found::default();
    let (mut documents, mut next) = (0, None);
    // What happens at midnight may stand in the stream of the day before or after.
    let streams = audit::streams(app, query.from.plus_millis(-DAY), query.to.plus_millis(DAY)).await?;
    let (start, mut after) = match query.cursor.as_deref().map(|cursor| cursor.split_once('~')) {
        None => (String::new(), None),
        Some(Some((stream, id))) => (stream.to_owned(), Some(id.to_owned())),
        Some(None) => return Err(Error::input("cursor", "must be the next of the page before")),
    };
    'streams: for stream in streams.iter().filter(|stream| **stream >= start) {
        let mut from = if *stream == start { after.take() } else { None };
        loop {
            if documents >= DOCUMENTS || found.len() >= GROUPS {
                next = Some(format!("{stream}~{}", from.unwrap_or_default()));
                break 'streams;
            }
            let page = app.documents.list(Container::Audit, stream, "", from.as_deref(), READ).await?;
            documents += page.documents.len();
            for document in page.documents.into_iter().filter(|d| d.body["id"] != HEAD) {
                batch(document.body)?.entries.iter().for_each(|entry| found.add(entry, query));
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    found.resolve(app).await?;
    if let Some(subject) = &query.subject {
        found.subjects.retain(|id, _| id == subject);
        found.entries = found.subjects.values().map(|touched| touched.count).sum();
        (found.calls, found.keys) = Default::default();
    }
    let list = |name, groups: &BTreeMap<String, Touched>| groups.iter().map(|(id, touched)| touched.view((name, id))).collect::<Vec<_>>();
    Ok(json!({
        "from": query.from, "to": query.to, "actor": query.actor, "entries": found.entries,
        "subjects": list("subject", &found.subjects), "calls": list("call", &found.calls), "keys": list("key", &found.keys), "next": next,
    }))
}

impl Query {
    fn fits(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: Option<&String>| wanted.is_none() || wanted.as_ref() == value;
        self.from <= entry.ts && entry.ts <= self.to && is(&self.actor, Some(&entry.actor)) && is(&self.correlation, entry.correlation_id.as_ref())
    }
}

fn batch(body: Value) -> Result<Batch> {
    serde_json::from_value(body).map_err(|e| Error::internal(format!("the audit log is not readable: {e}")))
}
