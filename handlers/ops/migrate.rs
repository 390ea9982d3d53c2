//! `rtvoice migrate`: takes over every call that stands in the legacy layouts.
//!
//! Walks all keys by SCAN, then takes the calls over one by one, those that are mapped to a browser's session first,
//! because that session belongs to them. Each call is taken over before its old keys get their 24 hours, so a run that
//! is stopped anywhere loses nothing: the next one finds what is left, and what was taken over twice is told so by its
//! mark. One call's failure does not stop the others; a store that stays away does.

mod summary;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::model::call::{Session, field};
use crate::model::ids::CallId;
use crate::model::legacy::{LegacyCall, LegacyRaw, Role};
use crate::ports::clock::Clock;
use crate::ports::state::State;
use crate::ports::state::legacy::{IMPORTED, Imported, ScanCursor};

use summary::Outcome;
pub use summary::{Summary, Untaken};

/// Calls worked on at once.
const AT_ONCE: usize = 8;
/// Attempts at one step while the store is away, and the pause after the first; it doubles.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// Take over calls from the legacy layouts in Redis
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Exit codes: 0 every call was taken over, now or before, or was skipped for the reason given; \
                        1 something failed or the store stayed away: run it again; 2 wrong usage or setting.")]
pub struct MigrateArgs {
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the migration, with progress on standard error where that is a terminal. Errors: only where the keys cannot be
/// walked at all; what happened to each call is in the summary.
pub async fn run(state: &dyn State, clock: &dyn Clock, args: &MigrateArgs) -> Result<Summary> {
    let mut summary = Summary { dry_run: args.dry_run, ..Summary::default() };
    let owners = walk(state, &mut summary).await?;
    let bar = ProgressBar::new(owners.len() as u64).with_style(style("{msg} {bar:40} {pos}/{len} {eta}")).with_message("calls");
    let run = Run { state, clock, dry_run: args.dry_run, browsers: Mutex::default() };
    for mapped in [true, false] {
        let ids = owners.iter().filter(|(_, is_mapped)| **is_mapped == mapped).map(|(id, _)| id.as_str());
        let mut outcomes = futures::stream::iter(ids).map(|id| run.one(id)).buffer_unordered(AT_ONCE);
        while let Some((id, outcome)) = outcomes.next().await {
            bar.inc(1);
            summary.count(id, outcome);
            if summary.stopped.is_some() {
                bar.abandon();
                return Ok(summary);
            }
        }
    }
    bar.finish_and_clear();
    Ok(summary)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The ids of all calls with legacy keys, and whether they are mapped to another session.
async fn walk(state: &dyn State, summary: &mut Summary) -> Result<BTreeMap<String, bool>> {
    let spinner = ProgressBar::new_spinner().with_style(style("{spinner} looking at keys: {pos}")).with_message("keys");
    let mut owners: BTreeMap<String, bool> = BTreeMap::new();
    let mut cursor = Some(ScanCursor::default());
    while let Some(at) = cursor {
        let page = patiently(|| state.scan(at.clone())).await?;
        for owner in page.owners {
            *owners.entry(owner.id).or_default() |= owner.mapped;
        }
        summary.keys_scanned += page.keys;
        spinner.set_position(summary.keys_scanned);
        cursor = page.next;
    }
    spinner.finish_and_clear();
    Ok(owners)
}

/// Tries again while the store is away.
async fn patiently<T, W>(step: impl Fn() -> W) -> Result<T>
where
    W: Future<Output = Result<T>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match step().await {
            Err(e) if e.is_transient() => tokio::time::sleep(pause).await,
            result => return result,
        }
        pause *= 2;
    }
    step().await
}

struct Run<'a> {
    state: &'a dyn State,
    clock: &'a dyn Clock,
    dry_run: bool,
    /// Browsers' sessions that belong to a call that is mapped to them.
    browsers: Mutex<HashSet<String>>,
}

impl Run<'_> {
    async fn one<'i>(&self, id: &'i str) -> (&'i str, Outcome) {
        let outcome = match CallId::parse(id) {
            Ok(call) => self.call(&call).await.unwrap_or_else(Outcome::Failed),
            Err(_) => Outcome::Skipped("its id is no sound identifier".to_owned()),
        };
        (id, outcome)
    }

    async fn call(&self, call: &CallId) -> Result<Outcome> {
        if self.browsers().contains(call.as_str()) {
            return Ok(Outcome::PartOfAnother);
        }
        let Some(raw) = patiently(|| self.state.find(call)).await? else { return Ok(Outcome::Gone) };
        if raw.keys.iter().any(|key| key.role == Role::Browser) {
            self.browsers().extend(raw.browser().map(str::to_owned));
        }
        if let Some(reason) = raw.refusal() {
            return Ok(Outcome::Skipped(reason));
        }
        let legacy = LegacyCall::read(&raw, self.clock.now());
        if self.dry_run { self.foresee(call, &raw, &legacy).await } else { self.take_over(call, &raw, &legacy).await }
    }

    fn browsers(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What taking over would come to.
    async fn foresee(&self, call: &CallId, raw: &LegacyRaw, legacy: &LegacyCall) -> Result<Outcome> {
        let mut surveys = patiently(|| self.state.survey(std::slice::from_ref(call))).await?;
        let survey = surveys.pop();
        Ok(match survey {
            Some(survey) if survey.archived => archived(raw),
            Some(survey) => match survey.session.filter(Session::legacy_checked) {
                Some(session) => before(&session),
                None => taken(legacy),
            },
            None => taken(legacy),
        })
    }

    async fn take_over(&self, call: &CallId, raw: &LegacyRaw, legacy: &LegacyCall) -> Result<Outcome> {
        let (outcome, keys) = match patiently(|| self.state.import(call, legacy, self.clock.now())).await? {
            Imported::Done(_) => (taken(legacy), raw.migrated_keys()),
            Imported::Before(session) => match before(&session) {
                // Stopped between the two steps, then or by another run.
                outcome @ Outcome::Already => (outcome, raw.lasting_keys()),
                outcome => (outcome, Vec::new()),
            },
            Imported::Archived => (archived(raw), Vec::new()),
            Imported::Rekey => return Err(Error::internal("a legacy call was taken over with a key that is not its own")),
        };
        patiently(|| self.state.retire(&keys)).await?;
        Ok(outcome)
    }
}

fn taken(legacy: &LegacyCall) -> Outcome {
    Outcome::Taken { entries: legacy.entries.len() as u64, unreadable: legacy.unreadable as u64, ended: legacy.ended }
}

fn before(session: &Session) -> Outcome {
    if session.get(field::LEGACY) == Some(IMPORTED) {
        Outcome::Already
    } else {
        Outcome::Skipped("it was looked up before, when its legacy keys were not there".to_owned())
    }
}

/// An archived call whose legacy keys run out was taken over before; else nobody knows.
fn archived(raw: &LegacyRaw) -> Outcome {
    if raw.lasting_keys().is_empty() { Outcome::Already } else { Outcome::Skipped("it is archived, and its legacy keys were not let go".to_owned()) }
}
