//! Whether what was answered is in the record: every turn exactly once, in its place, and nothing else.
//!
//! Read through the documents port, page by page, so that what stands there twice is seen, and opened, so that words that
//! cannot be read any more are seen as well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::gauge::{Gauge, Stage};
use super::player::Played;
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::model::transcript::{PageDocument, TURN_PREFIX};
use crate::ports::documents::Container;
use crate::steps::archive::{self, Archived};

/// Calls that are read at once.
const AT_ONCE: usize = 16;
/// How soon, and how seldom at last, a call is looked at that is not archived yet: looking is a load, too.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// Most findings that are told in words.
const TOLD: usize = 20;
/// Documents of one listing.
const LISTED: usize = 100;

/// What the record holds of what was caused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Turns in the archives of these calls.
    pub archived: u64,
    /// Turns that were answered and are not in the record, or not readable there.
    pub missing: u64,
    /// Turns that stand there more than once.
    pub doubled: u64,
    /// Turns that nobody sent.
    pub foreign: u64,
    /// Turns that stand there out of order, or under another number than the one that was answered.
    pub misplaced: u64,
    /// Calls that ended and have no archive.
    pub unarchived: u64,
    /// The first findings, in words.
    pub problems: Vec<String>,
}

impl Verified {
    /// Whether everything is there, once, and in order.
    pub const fn holds(&self) -> bool {
        self.missing == 0 && self.doubled == 0 && self.foreign == 0 && self.misplaced == 0
    }

    /// With what does not hold of other calls, whose turns are not counted.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        let archived = self.archived;
        self.add(other);
        Self { archived, ..self }
    }

    fn tell(&mut self, problem: String) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }

    fn add(&mut self, other: Self) {
        self.archived += other.archived;
        self.missing += other.missing;
        self.doubled += other.doubled;
        self.foreign += other.foreign;
        self.misplaced += other.misplaced;
        self.unarchived += other.unarchived;
        other.problems.into_iter().for_each(|problem| self.tell(problem));
    }
}

/// Waits until a call is archived with all its turns, at most until `until`, and notes when.
pub async fn wait(app: &App, played: &Played, gauge: &Gauge, until: Instant) {
    let Ok(call) = CallId::parse(played.call.as_str()) else { return };
    if played.answered.is_empty() && !played.ended {
        return;
    }
    let (began, mut pause) = (Instant::now(), LOOK.0);
    while Instant::now() < until {
        if let Ok(Some(archived)) = archive::read(app, &call).await
            && played.answered.iter().all(|answered| archived.union.holds(&answered.turn, 0))
        {
            return gauge.took(Stage::Archive, began.elapsed());
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LOOK.1);
    }
}

/// Compares all calls with the record, and each that does not hold again until it does or `until` has come: a turn is written into
/// the record in several steps, and where one of them failed or was broken off the queue brings it again.
pub async fn calls(app: &App, played: &[Played], until: Instant) -> Verified {
    let mut verified = Verified::default();
    let mut each = stream::iter(played).map(|played| settled(app, played, until)).buffered(AT_ONCE);
    while let Some(found) = each.next().await {
        verified.add(found);
    }
    verified
}

/// What of a call does not hold for good. A call whose archive cannot be read lacks all its turns: a part of it may be gone.
async fn settled(app: &App, played: &Played, until: Instant) -> Verified {
    let mut pause = LOOK.0;
    loop {
        let found = call(app, played).await.unwrap_or_else(|e| {
            let mut found = Verified { missing: played.answered.len() as u64, ..Verified::default() };
            found.tell(format!("call {}: its archive cannot be read: {}", played.call, e.chain()));
            found
        });
        if found.holds() || Instant::now() + pause > until {
            return found;
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LOOK.1);
    }
}

async fn call(app: &App, played: &Played) -> Result<Verified> {
    let mut found = Verified::default();
    let id = CallId::parse(played.call.as_str())?;
    let Some(archived) = archive::read(app, &id).await? else {
        // A call that nobody could end, and that nobody was answered in, need not be there.
        found.unarchived = u64::from(played.ended);
        found.missing = played.answered.len() as u64;
        if found.missing > 0 {
            found.tell(format!("call {id} has no archive: {} answered turns are missing", found.missing));
        }
        return Ok(found);
    };
    let counts = counted(app, &id, &archived).await?;
    compare(&mut found, played, &archived, &counts);
    Ok(found)
}

/// How often each turn stands in the record: in the pages of the archive, and beside it.
async fn counted(app: &App, call: &CallId, archived: &Archived) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for page in &archived.header.pages {
        let Some(document) = app.documents.get(Container::Transcripts, call.as_str(), page).await? else { continue };
        let page: PageDocument = serde_json::from_value(document.body).map_err(|_| Error::internal("a page of an archive is not readable"))?;
        page.turns.into_iter().for_each(|turn| *counts.entry(turn.entry.turn_id).or_default() += 1);
    }
    let mut from = None;
    loop {
        let page = app.documents.list(Container::Transcripts, call.as_str(), TURN_PREFIX, from.as_deref(), LISTED).await?;
        for document in page.documents {
            let turn = document.body["turnId"].as_str().unwrap_or_default().to_owned();
            *counts.entry(turn).or_default() += 1;
        }
        from = page.next;
        if from.is_none() {
            return Ok(counts);
        }
    }
}

fn compare(found: &mut Verified, played: &Played, archived: &Archived, counts: &BTreeMap<String, u64>) {
    let call = &played.call;
    let ordered = archived.union.in_order();
    let kept: BTreeMap<&str, _> = ordered.iter().map(|turn| (turn.entry.turn_id.as_str(), *turn)).collect();
    found.archived = kept.len() as u64;
    for answered in &played.answered {
        match kept.get(answered.turn.as_str()) {
            None => {
                found.missing += 1;
                found.tell(format!("call {call}: turn {} was answered and is not in the record", answered.turn));
            }
            Some(turn) if turn.entry.is_refused() => {
                found.missing += 1;
                found.tell(format!("call {call}: the words of turn {} cannot be read", answered.turn));
            }
            // A turn that was answered without a number may have been committed all the same.
            Some(turn) if answered.seq.is_some() && turn.seq != answered.seq => {
                found.misplaced += 1;
                found.tell(format!("call {call}: turn {} was answered as number {:?} and stands as {:?}", answered.turn, answered.seq, turn.seq));
            }
            Some(_) => {}
        }
    }
    for (turn, times) in counts.iter().filter(|(_, times)| **times > 1) {
        found.doubled += times - 1;
        found.tell(format!("call {call}: turn {turn} stands {times} times in the record"));
    }
    // A caller waits for each answer, so the turns follow each other as they were answered. Numbers alone do not tell: a state
    // store that forgot a call numbers it anew.
    let place: BTreeMap<&str, usize> = played.answered.iter().enumerate().map(|(place, answered)| (answered.turn.as_str(), place)).collect();
    let places: Vec<usize> = ordered.iter().filter_map(|turn| place.get(turn.entry.turn_id.as_str()).copied()).collect();
    for pair in places.windows(2).filter(|pair| pair[0] > pair[1]) {
        found.misplaced += 1;
        found.tell(format!("call {call}: turn {} stands before turn {}", played.answered[pair[0]].turn, played.answered[pair[1]].turn));
    }
    let sent: BTreeSet<&str> = played.sent.iter().map(String::as_str).collect();
    for turn in kept.keys().filter(|turn| !sent.contains(*turn)) {
        found.foreign += 1;
        found.tell(format!("call {call}: turn {turn} was never sent"));
    }
}
