//! Looking at the audit log: its verification, the entries of a window, and changes of the settings.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::model::phrase::hex;
use crate::model::time::Timestamp;
use crate::ports::audit::Note;
use crate::ports::documents::{Condition, Container, Documents, Put};
use crate::privacy::audit::verify::{self, Checker, Finding};
use crate::privacy::audit::{HEAD, REGISTER, SETTINGS, SettingsRecord};
use crate::steps::breach::{SecurityEvent, security_event};

/// Documents that are read at once: each may hold 500 entries.
const PAGE: usize = 20;
/// Documents that a walk over the partitions reads at once.
const SCAN: usize = 100;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// What a verification saw.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Streams that were checked.
    pub streams: u64,
    /// Entries in them.
    pub entries: u64,
    /// Streams of which documents may have expired; they were not checked.
    pub expired: u64,
    /// Signature of the newest head, for comparison with a copy that is kept elsewhere.
    pub head: Option<String>,
    /// What is not as it was written.
    pub findings: Vec<Finding>,
}

/// Verifies the whole log. It may be written meanwhile: an unclosed stream is no finding.
pub async fn verify(app: &App) -> Result<Verified> {
    let documents = app.documents.as_ref();
    let used = !documents.list(Container::Keys, "epochs", "", None, 1).await?.documents.is_empty();
    let keys = app.audit.keys().await?;
    let now = app.clock.now();
    // A document of the day before may go a moment earlier than its stream's registration says.
    let expired = now.plus_millis(DAY - i64::from(app.config.retention.audit) * DAY);
    // First what is there, then the register: a stream that is opened meanwhile is registered by then.
    let found = partitions(documents).await?;
    let (registrations, findings) = verify::register(partition(documents, REGISTER).await?, &keys, expired);
    let mut seen = Verified { streams: 0, entries: 0, expired: 0, head: None, findings };
    // Whatever made the first key of an epoch was noted.
    if found.is_empty() && registrations.is_empty() && used {
        let detail = "there is no log at all, though keys are in use".to_owned();
        seen.findings.push(Finding { stream: REGISTER.to_owned(), seq: None, what: "missing", detail });
    }
    let registered: BTreeMap<&str, Timestamp> = registrations.iter().map(|r| (r.id.as_str(), r.at)).collect();
    let names: BTreeSet<&str> = found.iter().map(String::as_str).chain(registered.keys().copied()).collect();
    let mut newest: Option<(Timestamp, String)> = None;
    let mut records = Vec::new();
    for name in names {
        let at = registered.get(name).copied();
        if at.is_some_and(|at| at <= expired) {
            seen.expired += 1;
            continue;
        }
        let head = documents.get(Container::Audit, name, HEAD).await?.map(|document| document.body);
        if let Some(head) = &head
            && let (Some(at), Some(signature)) = (head["at"].as_str().and_then(Timestamp::parse), head["signature"].as_str())
            && newest.as_ref().is_none_or(|(before, _)| *before < at)
        {
            newest = Some((at, signature.to_owned()));
        }
        let mut checker = Checker::new(name, head, &keys);
        let mut from: Option<String> = None;
        loop {
            let page = documents.list(Container::Audit, name, "", from.as_deref(), PAGE).await?;
            for document in page.documents {
                let id = document.body["id"].as_str().unwrap_or_default().to_owned();
                checker.document(&id, document.body);
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        records.extend(checker.settings());
        let (findings, entries) = checker.finish(at.is_some());
        seen.streams += 1;
        seen.entries += entries;
        seen.findings.extend(findings);
    }
    seen.findings.extend(verify::settings(partition(documents, SETTINGS).await?, &records, &keys));
    seen.head = newest.map(|(_, signature)| signature);
    Ok(seen)
}

/// The streams that have any document.
async fn partitions(documents: &dyn Documents) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut from: Option<String> = None;
    loop {
        let page = documents.scan(Container::Audit, from.as_deref(), SCAN).await?;
        names.extend(page.documents.iter().filter_map(|d| d.body["stream"].as_str()).filter(|name| !matches!(*name, REGISTER | SETTINGS)).map(str::to_owned));
        from = page.next;
        if from.is_none() {
            return Ok(names);
        }
    }
}

/// All documents of a small partition with their ids.
async fn partition(documents: &dyn Documents, name: &str) -> Result<Vec<(String, Value)>> {
    let mut all = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let page = documents.list(Container::Audit, name, "", from.as_deref(), 1000).await?;
        all.extend(page.documents.into_iter().map(|d| (d.body["id"].as_str().unwrap_or_default().to_owned(), d.body)));
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
}

/// Streams of the days from `from` to `to`, by name. Streams are named for the UTC day on which they were opened.
pub async fn streams(app: &App, from: Timestamp, to: Timestamp) -> Result<Vec<String>> {
    let (first, last) = (from.day(), to.day());
    let all = partition(app.documents.as_ref(), REGISTER).await?.into_iter().map(|(id, _)| id);
    let mut within: Vec<String> = all.filter(|id| id.split_once('-').is_some_and(|(_, day)| first.as_str() <= day && day <= last.as_str())).collect();
    within.sort();
    Ok(within)
}

/// Notes which settings differ from those of the last start, each with an entry. The values are compared by hashes alone.
pub async fn settings(app: &App) -> Result<()> {
    if !app.audit.is_on() {
        return Ok(());
    }
    let id = app.config.environment.as_str();
    let now = fingerprints(&app.config);
    let keys = app.audit.keys().await?;
    let key = keys.first().ok_or_else(|| Error::new(Kind::Unavailable, "the audit log has no key yet"))?;
    for _ in 0..5 {
        let stored = app.documents.get(Container::Audit, SETTINGS, id).await?;
        let record: Option<SettingsRecord> = stored.as_ref().and_then(|d| serde_json::from_value(d.body.clone()).ok());
        let sound = record.as_ref().is_some_and(|record| keys.iter().any(|key| record.is_signed(key)));
        let before = record.as_ref().map(|record| record.settings.clone()).unwrap_or_default();
        let changed: Vec<&String> = now.keys().chain(before.keys()).collect::<BTreeSet<_>>().into_iter().filter(|n| now.get(*n) != before.get(*n)).collect();
        if changed.is_empty() && sound {
            return Ok(());
        }
        let seq = record.as_ref().map_or(1, |record| record.seq.saturating_add(1));
        let written = SettingsRecord::new(id, seq, app.clock.now(), now.clone(), app.config.retention.audit, key);
        let body = serde_json::to_value(&written).map_err(Error::internal)?;
        let condition = stored.as_ref().map_or(Condition::Absent, |document| Condition::Matches(&document.etag));
        if let Put::Conflict = app.documents.put(Container::Audit, &body, condition).await? {
            continue;
        }
        if stored.is_some() && !sound {
            // What stood there is overwritten, and so nobody could find it later.
            app.audit.note(Note::new("settings.refused").named("settings").outcome("refused")).await?;
            security_event(app, SecurityEvent::AuditBreak, "the record of the settings was not as it was written");
        }
        app.audit.note(Note::new(verify::SETTINGS_RECORD).named(written.named())).await?;
        if stored.is_none() {
            return app.audit.note(Note::new("settings.first").named("settings").count(changed.len() as u64)).await;
        }
        for name in changed {
            app.audit.note(Note::new("settings.change").named(format!("setting:{name}"))).await?;
        }
        return Ok(());
    }
    Err(Error::new(Kind::Throttled, "too many instances start at once"))
}

/// A hash of every setting by its name; secrets do not print, and so are not in it. What differs from start to start by its
/// nature is left out.
fn fingerprints(config: &Config) -> BTreeMap<String, String> {
    let config = Config { handler_port: None, under_dev_host: false, exit_with_stdin: false, ..config.clone() };
    let mut hashes: BTreeMap<String, Sha256> = BTreeMap::new();
    let mut name = String::new();
    // The lines of a struct's field follow its name, which is indented by four spaces.
    for line in format!("{config:#?}").lines() {
        if let Some((field, _)) =
            line.strip_prefix("    ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())).and_then(|rest| rest.split_once(':'))
        {
            field.clone_into(&mut name);
        }
        if !name.is_empty() {
            hashes.entry(name.clone()).or_default().update(line.as_bytes());
        }
    }
    hashes.into_iter().map(|(name, hash)| (name, hex(&hash.finalize()[..8]))).collect()
}
