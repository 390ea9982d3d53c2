//! The exposure scan: the detector looks at what should hold nothing personal, wherever it rests in clear.
//!
//! In: all documents, the values of the state store, and the last lines of a log where one is named; bounded in time. Out:
//! findings with their place, label and keyed fingerprint, never the value, and the scan's own recall, measured by
//! canaries that are planted before and removed after it, whatever happens (their life is short besides). The last scan is
//! kept for the compliance report. Fails where a store does not serve.

mod canary;
mod eyes;
mod findings;
mod texts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::Instant;

use self::canary::Canaries;
pub use self::eyes::{Eyes, Fingerprint, Sighting};
use self::findings::Findings;
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::ports::documents::{Condition, Container};
use crate::ports::state::legacy::ScanCursor;
use crate::steps::patience::patiently;
use crate::steps::retention::PARTITION;
use crate::telemetry::label::Only;
use crate::telemetry::metric::EXPOSED;

/// Documents of one page.
const PAGE: usize = 200;
/// Keys of the state store whose values are read, at most: beyond that the scan is a sample.
const KEYS: u64 = 50_000;
/// Bytes of a log that are read, from its end.
const LOG_BYTES: u64 = 8 << 20;
/// Id of the last scan.
const LAST: &str = "pii-scan";
/// Components of keys that hold ids, times and counts alone.
const IDS_ALONE: [&str; 11] = ["events", "open", "calls", "worker", "heartbeat", "affinity", "index", "figures", "episodes", "silences", "probe"];

/// What the register of breaches names in clear because the law asks for it (Art. 33(3)(b) GDPR).
const ASKED_FOR: [&str; 2] = ["/contact", "/authority"];

/// What one scan looks at.
#[derive(Debug, Clone)]
pub struct Scope {
    /// How long the walk may take, about.
    pub limit: Duration,
    /// A log whose last lines are looked at.
    pub log: Option<PathBuf>,
}

/// The last scan; none where there was none.
pub async fn last(app: &App) -> Result<Option<Value>> {
    let stored = app.documents.get(Container::Analytics, PARTITION, LAST).await?;
    Ok(stored.map(|document| {
        let mut body = document.body;
        if let Some(fields) = body.as_object_mut() {
            ["id", "day", "type", "expiresAt", "ttl"].iter().for_each(|field| drop(fields.remove(*field)));
        }
        body
    }))
}

/// Looks with the app's own eyes, and keeps what it found.
pub async fn look(app: &App, scope: &Scope) -> Result<Value> {
    look_with(app, scope, &Eyes::of(app)).await
}

/// The same with other eyes.
pub async fn look_with(app: &App, scope: &Scope, eyes: &Eyes) -> Result<Value> {
    let mut canaries = Canaries::new(app);
    let walked = match canaries.plant(app).await {
        Ok(()) => Walk { app, eyes, began: Instant::now(), scope, canaries: &mut canaries, findings: Findings::default() }.all().await,
        Err(e) => Err(e),
    };
    canaries.remove(app).await;
    let findings = walked?;
    let mut report = findings.view();
    if let Some(fields) = report.as_object_mut() {
        fields.extend([("at".to_owned(), json!(app.clock.now())), ("recall".to_owned(), canaries.recall())]);
    }
    let mut body = report.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.extend([("id".to_owned(), json!(LAST)), ("day".to_owned(), json!(PARTITION)), ("type".to_owned(), json!("piiScan"))]);
    }
    app.documents.put(Container::Analytics, &body, Condition::Always).await?;
    if findings.found > 0 {
        app.metrics.add(EXPOSED, Only, findings.found as u64);
        tracing::error!(found = findings.found, "personal values rest in clear");
    }
    Ok(report)
}

struct Walk<'a> {
    app: &'a App,
    eyes: &'a Eyes,
    began: Instant,
    scope: &'a Scope,
    canaries: &'a mut Canaries,
    findings: Findings,
}

impl Walk<'_> {
    async fn all(mut self) -> Result<Findings> {
        let mut complete = true;
        for container in Container::ALL {
            complete &= self.documents(container).await?;
        }
        complete &= self.state().await?;
        self.log().await?;
        self.findings.complete = complete;
        Ok(self.findings)
    }

    fn is_late(&self) -> bool {
        self.began.elapsed() >= self.scope.limit
    }

    async fn documents(&mut self, container: Container) -> Result<bool> {
        let (app, mut from) = (self.app, None::<String>);
        while !self.is_late() {
            let page = patiently(|| app.documents.scan(container, from.as_deref(), PAGE)).await?;
            for document in &page.documents {
                let id = document.body.get("id").and_then(Value::as_str).unwrap_or_default();
                let canary = self.canaries.owner(id);
                if !canary.is_ours() {
                    self.findings.documents += 1;
                }
                for (path, text) in texts::of(&document.body) {
                    if container == Container::Breaches && ASKED_FOR.iter().any(|asked| path.starts_with(asked)) {
                        continue;
                    }
                    self.text(container.name(), format!("{}{path}", container.name()), &text, canary).await?;
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn state(&mut self) -> Result<bool> {
        let (app, mut cursor) = (self.app, Some(ScanCursor::default()));
        while let Some(at) = cursor.clone() {
            if self.is_late() || self.findings.keys >= KEYS {
                break;
            }
            let page = patiently(|| app.state.values(at.clone())).await?;
            // A canary is read by its name below, in a sample too.
            for held in page.held.iter().filter(|held| held.place.component != "canary") {
                self.findings.keys += 1;
                if IDS_ALONE.contains(&held.place.component) {
                    continue;
                }
                let is_times = |field: &str, text: &str| held.place.component == "turns" && field.starts_with(':') && texts::is_times(text);
                for (field, text) in held.texts.iter().filter(|(field, text)| !is_times(field, text)) {
                    for (path, text) in texts::of_value(field, text) {
                        self.text("state", format!("{}{path}", held.place), &text, canary::Owner::Nobody).await?;
                    }
                }
            }
            cursor = page.next;
        }
        if let Some(held) = self.app.state.planted(self.canaries.id()).await? {
            for (path, text) in held.texts.iter().flat_map(|(field, text)| texts::of_value(field, text)) {
                self.text("state", format!("{}{path}", held.place), &text, canary::Owner::Us).await?;
            }
        }
        Ok(cursor.is_none())
    }

    async fn log(&mut self) -> Result<()> {
        let Some(path) = &self.scope.log else { return Ok(()) };
        let tail = tail(path).await?;
        let planted = self.canaries.log_line();
        for line in tail.lines() {
            self.findings.lines += 1;
            for (path, text) in texts::of_value("", line) {
                self.text("log", format!("line{path}"), &text, canary::Owner::Nobody).await?;
            }
        }
        for (path, text) in texts::of_value("", &planted) {
            self.text("log", format!("line{path}"), &text, canary::Owner::Us).await?;
        }
        Ok(())
    }

    /// Looks at one text.
    async fn text(&mut self, store: &'static str, place: String, text: &str, canary: canary::Owner) -> Result<()> {
        for sighting in (self.eyes.find)(text) {
            match canary {
                canary::Owner::Us => self.canaries.saw(store, &place),
                // Another scan is under way: its canaries are none of our findings.
                canary::Owner::Another => {}
                canary::Owner::Nobody => {
                    let value = text.get(sighting.start..sighting.end).unwrap_or_default().to_owned();
                    let fingerprint = (self.eyes.fingerprint)(value).await?;
                    self.findings.add(store, &place, sighting.label, fingerprint);
                }
            }
        }
        Ok(())
    }
}

/// The end of a log as text, from the first whole line on.
async fn tail(path: &Path) -> Result<String> {
    let unreadable = |e: std::io::Error| Error::new(Kind::BadInput, "the log cannot be read").because(e).in_field("log");
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let length = file.metadata().await.map_err(unreadable)?.len();
    let skipped = length.saturating_sub(LOG_BYTES);
    file.seek(std::io::SeekFrom::Start(skipped)).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes).await.map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(if skipped == 0 { text } else { text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default() })
}
