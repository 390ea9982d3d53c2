//! A walk over the open calls: pages of what the store has of them, the idlest of each partition first; and reading what was said.
//!
//! Bounded by page; where one call cannot be read the others of its page are, and it is named. What was said is noted in the
//! audit log before it is shown. Fails as the store does.

use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::call::{Session, field};
use crate::model::conversation::Words;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::audit::Note;
use crate::ports::state::{PARTITIONS, Survey};

/// Calls of one page.
const PAGE: u64 = 200;
/// Turns that are read, at most.
const TURNS: u64 = 50;

/// Where a walk stands; printed as `partition:skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    partition: u8,
    skip: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.partition, self.skip)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split_once(':').and_then(|(partition, skip)| Some(Self { partition: partition.parse().ok()?, skip: skip.parse().ok()? }));
        parts.filter(|place| place.partition < PARTITIONS).ok_or_else(|| "must be what an earlier list printed, such as 3:200".to_owned())
    }
}

/// One open call.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What the store has of it.
    pub survey: Survey,
    /// Its last registered activity.
    pub registered: Timestamp,
}

/// One page of open calls.
#[derive(Debug, Default)]
pub struct Page {
    /// The calls.
    pub calls: Vec<Open>,
    /// Calls that cannot be read, with the reason.
    pub unreadable: Vec<(CallId, Error)>,
    /// Where the next page begins; none after the last.
    pub next: Option<Place>,
}

/// The page that begins here, of at most `limit` calls.
pub async fn page(app: &App, place: Place, limit: u64) -> Result<Page> {
    let limit = limit.min(PAGE);
    let Place { mut partition, mut skip } = place;
    while partition < PARTITIONS {
        let open = app.state.open_calls(partition, skip, limit).await?;
        if open.is_empty() {
            (partition, skip) = (partition + 1, 0);
            continue;
        }
        let next = Place { partition, skip: skip + open.len() as u64 };
        return surveyed(app, open, next).await;
    }
    Ok(Page::default())
}

async fn surveyed(app: &App, open: Vec<(CallId, Timestamp)>, next: Place) -> Result<Page> {
    let mut page = Page { next: Some(next), ..Page::default() };
    let ids: Vec<CallId> = open.iter().map(|(call, _)| call.clone()).collect();
    match app.state.survey(&ids).await {
        Ok(surveys) => page.calls = surveys.into_iter().zip(open).map(|(survey, (_, registered))| Open { survey, registered }).collect(),
        Err(e) if e.is_transient() => return Err(e),
        Err(_) => {
            for (call, registered) in open {
                match app.state.survey(std::slice::from_ref(&call)).await {
                    Ok(one) => page.calls.extend(one.into_iter().map(|survey| Open { survey, registered })),
                    Err(e) if e.is_transient() => return Err(e),
                    Err(e) => page.unreadable.push((call, e)),
                }
            }
        }
    }
    Ok(page)
}

/// One open call in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The call.
    pub call: CallId,
    /// `provisional`, `connected`, `ended`, `archived`, or `lost`: the store has nothing of it.
    pub status: &'static str,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Its last activity.
    pub last_activity: Timestamp,
    /// Number of its last turn.
    pub turns: u64,
    /// Messages in its outbox.
    pub waiting: u64,
}

impl Listed {
    /// From what a walk found.
    pub fn of(open: &Open) -> Self {
        let session = open.survey.session.as_ref();
        let status = match session {
            Some(session) => session.status().as_str(),
            None if open.survey.archived => "archived",
            None => "lost",
        };
        Self {
            call: open.survey.call.clone(),
            status,
            started_at: session.and_then(Session::started_at),
            last_activity: session.and_then(|s| s.time(field::LAST_ACTIVITY)).unwrap_or(open.registered),
            turns: session.map_or(0, Session::last_seq),
            waiting: open.survey.waiting,
        }
    }
}

/// The last turns of a call, at most 50, masked or, with `reveal`, as `STORE_PII=encrypted` kept them. Whoever asks is a person: the
/// audit log has it before anything is shown.
pub async fn read_turns(app: &App, call: &CallId, session: Option<&Session>, reveal: bool) -> Result<Vec<Value>> {
    let total = app.state.history(call, 0, 0).await?.total;
    let slice = app.state.history(call, total.saturating_sub(TURNS), TURNS).await?;
    let action = if reveal { "call.reveal" } else { "call.read" };
    let store = if app.config.redis.is_some() { "redis" } else { "embedded" };
    let mut note = Note::new(action).store(store).key("conversation", "history", call.as_str()).call(call).count(slice.entries.len() as u64);
    if let Some(user) = session.and_then(Session::subject) {
        note = note.subject(user.as_str());
    }
    app.audit.written(note).await?;
    let shown = |seq: u64, words: &Words| {
        let real = |kept: &Option<String>, masked: &Option<String>| if reveal && kept.is_some() { kept.clone() } else { masked.clone() };
        json!({ "seq": seq, "user": real(&words.said, &words.user), "assistant": real(&words.spoken, &words.assistant) })
    };
    Ok(slice
        .entries
        .iter()
        .map(|(seq, entry)| {
            let mut turn = shown(*seq, &entry.words);
            turn["turnId"] = json!(entry.turn_id);
            turn["at"] = json!(entry.at);
            turn["source"] = json!(entry.source);
            turn
        })
        .collect())
}
