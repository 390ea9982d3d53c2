//! Removing what has outlived its time and the store kept all the same, and giving an expiry to what has none or a wrong one.
//!
//! In: all documents, container by container, page by page. A run has a bounded time; where it stopped is kept in the
//! record, and the next one goes on there. What it did is added to the figures of its day, which the compliance report
//! shows. On its way it takes in turns that lie beside the archive of their call. Fails where the store does; what was done until
//! then is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::CallId;
use crate::ports::documents::retained::{is_signed, rule};
use crate::ports::documents::{Condition, Container, Document};
use crate::privacy::retention::{Fault, judge};
use crate::steps::patience::patiently;
use crate::steps::{archive, archiving};

/// Documents of one page.
const PAGE: usize = 200;
/// How long a turn may lie beside the archive of its call, in milliseconds: longer than a message that tells of it is put off.
const BESIDE_MS: i64 = 3_600_000;
/// Partition of what is kept between runs; no day is called so.
pub const PARTITION: &str = "compliance";
/// Id of the place where the last run stopped.
const PLACE: &str = "purge";

/// What one run, or all runs of a day, did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// Documents that were looked at.
    pub looked: u64,
    /// Documents that were removed, by container.
    pub removed: BTreeMap<String, u64>,
    /// Documents that got an expiry, or a right one, by container.
    pub restamped: BTreeMap<String, u64>,
    /// Whether the last run came to the end of all containers.
    pub complete: bool,
}

impl Purged {
    fn add(&mut self, other: Self) {
        self.looked += other.looked;
        for (mine, theirs) in [(&mut self.removed, other.removed), (&mut self.restamped, other.restamped)] {
            for (container, count) in theirs {
                *mine.entry(container).or_default() += count;
            }
        }
        self.complete = other.complete;
    }
}

/// Where a run stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    container: String,
    from: Option<String>,
}

/// Walks on from where the last run stopped, to the end or for as long as `limit`, and adds what it did to the figures of
/// today.
pub async fn purge(app: &App, limit: Duration) -> Result<Purged> {
    let began = Instant::now();
    let place = place(app).await?;
    let first = Container::ALL.iter().position(|c| c.name() == place.container).unwrap_or(0);
    let mut purged = Purged::default();
    let mut from = place.from;
    let mut result = Ok(true);
    for container in &Container::ALL[first..] {
        result = sweep(app, *container, from.take(), began, limit, &mut purged).await;
        if !matches!(result, Ok(true)) {
            break;
        }
    }
    purged.complete = matches!(result, Ok(true));
    if purged.complete {
        keep_place(app, &Place::default()).await?;
    }
    note(app, purged.clone()).await?;
    result.map(|_| purged)
}

/// One container from `from` on. False where time was up before its end.
async fn sweep(app: &App, container: Container, mut from: Option<String>, began: Instant, limit: Duration, purged: &mut Purged) -> Result<bool> {
    loop {
        if began.elapsed() >= limit {
            return Ok(false);
        }
        let page = match patiently(|| app.documents.scan(container, from.as_deref(), PAGE)).await {
            Ok(page) => page,
            // A place that the store does not know any more: the container is walked from its beginning.
            Err(e) if !e.is_transient() && from.is_some() => {
                tracing::warn!(container = container.name(), error = e.chain(), "the walk begins anew");
                from = None;
                continue;
            }
            Err(e) => return Err(e),
        };
        for document in page.documents {
            one(app, container, document, purged).await?;
        }
        let Some(next) = page.next else { return Ok(true) };
        keep_place(app, &Place { container: container.name().to_owned(), from: Some(next.clone()) }).await?;
        from = Some(next);
    }
}

/// Removes or corrects one document, only as it was read: who changed it meanwhile has stamped it.
async fn one(app: &App, container: Container, document: Document, purged: &mut Purged) -> Result<()> {
    purged.looked += 1;
    let faults = judge(rule(&app.config.retention, container, &document.body), &document.body, document.written_at, app.clock.now());
    let text = |field: &str| document.body.get(field).and_then(Value::as_str).map(str::to_owned);
    let (Some(id), Some(partition)) = (text("id"), text(container.partition_field())) else { return Ok(()) };
    if faults.contains(&Fault::Past) {
        if patiently(|| app.documents.delete(container, &partition, &id, Some(&document.etag))).await? {
            *purged.removed.entry(container.name().to_owned()).or_default() += 1;
        }
        return Ok(());
    }
    if !faults.is_empty() && !is_signed(container, &document.body) {
        match patiently(|| app.documents.put(container, &document.body, Condition::Matches(&document.etag))).await {
            Ok(_) => *purged.restamped.entry(container.name().to_owned()).or_default() += 1,
            // The stamp made it larger than the store takes: it stays as it is, and in the report.
            Err(e) if e.kind == Kind::BadInput => tracing::warn!(container = container.name(), error = e.chain(), "a document cannot be given an expiry"),
            Err(e) => return Err(e),
        }
    }
    if container == Container::Transcripts && archive::is_turn(&document.body) && app.clock.now().since(document.written_at) > BESIDE_MS {
        take_in(app, &partition, &id).await;
    }
    Ok(())
}

/// Sees to it that no turn stays beside the archive of its call. No message tells of one that the store wrote after whoever asked
/// for it had given up, and after the turn was archived from elsewhere. One that cannot be taken in today keeps nothing else from its time.
async fn take_in(app: &App, call: &str, id: &str) {
    let taken = async {
        let call = CallId::parse(call)?;
        match patiently(|| archive::exists(app, &call)).await {
            Ok(true) => archiving::archive(app, &call, None).await,
            Err(e) if e.kind == Kind::Erased => patiently(|| app.documents.delete(Container::Transcripts, call.as_str(), id, None)).await.map(drop),
            other => other.map(drop),
        }
    };
    if let Err(e) = taken.await {
        tracing::warn!(call_id = call, error = e.chain(), "a turn lies beside the archive of its call");
    }
}

async fn place(app: &App) -> Result<Place> {
    let stored = app.documents.get(Container::Analytics, PARTITION, PLACE).await?;
    Ok(stored.and_then(|d| serde_json::from_value(d.body).ok()).unwrap_or_default())
}

async fn keep_place(app: &App, place: &Place) -> Result<()> {
    let body = json!({ "id": PLACE, "day": PARTITION, "type": "purgePlace", "container": place.container, "from": place.from });
    app.documents.put(Container::Analytics, &body, Condition::Always).await.map(drop)
}

fn figures_id(day: &str) -> String {
    format!("purge-{day}")
}

/// What all runs of a day did; none where there was none.
pub async fn figures(app: &App, day: &str) -> Result<Option<Purged>> {
    let stored = app.documents.get(Container::Analytics, day, &figures_id(day)).await?;
    stored.map(|d| serde_json::from_value(d.body).map_err(Error::internal)).transpose()
}

/// Adds a run to the figures of today.
async fn note(app: &App, run: Purged) -> Result<()> {
    let day = app.clock.now().day();
    let mut all = figures(app, &day).await?.unwrap_or_default();
    all.add(run);
    let mut body = serde_json::to_value(&all).map_err(Error::internal)?;
    if let Some(fields) = body.as_object_mut() {
        fields.extend([("id".to_owned(), json!(figures_id(&day))), ("day".to_owned(), json!(day)), ("type".to_owned(), json!("purge"))]);
    }
    app.documents.put(Container::Analytics, &body, Condition::Always).await.map(drop)
}
