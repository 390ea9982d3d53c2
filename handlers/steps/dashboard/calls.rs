//! The open calls as the dashboard shows them: at most so many, with what waits in their outboxes.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use serde::Serialize;

use crate::app::App;
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::PARTITIONS;
use crate::steps::open_calls::{Listed, Open};

/// Calls of one partition that are looked at.
const EACH: u64 = 16;
/// Calls that are shown.
const SHOWN: usize = 60;
/// Calls whose waiting messages are looked at for their age.
const AGES: usize = 16;
/// How long the key of tokens is waited for.
const NAMING: Duration = Duration::from_millis(300);

/// An open call under its token: whoever looks on must not learn the id under which it can be asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its token.
    pub call: String,
    /// `provisional`, `connected`, `ended`, `archived`, or `lost`.
    pub status: &'static str,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Its last activity.
    pub last_activity: Timestamp,
    /// Number of its last turn.
    pub turns: u64,
    /// Messages in its outbox.
    pub waiting: u64,
    /// Its id.
    #[serde(skip)]
    pub id: CallId,
}

impl Shown {
    /// Fails never: without the key of tokens, a call has the name that this process gives it.
    async fn of(app: &App, listed: Listed) -> Self {
        let Listed { call: id, status, started_at, last_activity, turns, waiting } = listed;
        let token = tokio::time::timeout(NAMING, app.vault.call_token(&id)).await;
        let call = token.ok().and_then(Result::ok).map_or_else(|| app.vault.call_name(id.as_str()), |token| token.to_string());
        Self { call, status, started_at, last_activity, turns, waiting, id }
    }
}

/// Open calls.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// Those that are shown: what waits first, then by their last activity, the newest first.
    pub shown: Vec<Shown>,
    /// How many were looked at.
    pub looked: usize,
    /// True where more are open than were looked at: then these are the ones that have been silent for the longest.
    pub more: bool,
    /// Messages in the outboxes of those that were looked at.
    pub waiting: u64,
    /// Seconds that the oldest of these has waited.
    pub oldest_waiting_s: f64,
    /// Calls that cannot be read.
    pub unreadable: usize,
    /// Why there are none, in safe words, where they could not be read.
    pub failed: Option<String>,
}

impl Calls {
    /// Nothing is known.
    pub(super) fn failed(reason: String) -> Self {
        Self { failed: Some(reason), ..Self::default() }
    }

    /// One look. Fails as the store does.
    pub(super) async fn look(app: &App) -> Result<Self> {
        let partitions = try_join_all((0..PARTITIONS).map(|partition| app.state.open_calls(partition, 0, EACH))).await?;
        let more = partitions.iter().any(|calls| calls.len() as u64 >= EACH);
        let open: Vec<(CallId, Timestamp)> = partitions.into_iter().flatten().collect();
        let (mut found, unreadable) = surveyed(app, &open).await?;
        found.sort_by_key(|call| (call.waiting == 0, std::cmp::Reverse(call.last_activity)));
        let waiting = found.iter().map(|call| call.waiting).sum();
        let oldest_waiting_s = oldest(app, &found).await?;
        let looked = open.len();
        found.truncate(SHOWN);
        let shown = join_all(found.into_iter().map(|listed| Shown::of(app, listed))).await;
        Ok(Self { shown, looked, more, waiting, oldest_waiting_s, unreadable, failed: None })
    }
}

/// All at once; one by one where one of them cannot be read.
async fn surveyed(app: &App, open: &[(CallId, Timestamp)]) -> Result<(Vec<Listed>, usize)> {
    let ids: Vec<CallId> = open.iter().map(|(call, _)| call.clone()).collect();
    if ids.is_empty() {
        return Ok((Vec::new(), 0));
    }
    match app.state.survey(&ids).await {
        Ok(surveys) => {
            let listed = |(survey, (_, registered)): (_, &(CallId, Timestamp))| Listed::of(&Open { survey, registered: *registered });
            Ok((surveys.into_iter().zip(open).map(listed).collect(), 0))
        }
        Err(e) if e.is_transient() => Err(e),
        Err(_) => {
            let (mut listed, mut unreadable) = (Vec::new(), 0);
            for (call, registered) in open {
                match app.state.survey(std::slice::from_ref(call)).await {
                    Ok(found) => listed.extend(found.into_iter().map(|survey| Listed::of(&Open { survey, registered: *registered }))),
                    Err(e) if e.is_transient() => return Err(e),
                    Err(_) => unreadable += 1,
                }
            }
            Ok((listed, unreadable))
        }
    }
}

/// Seconds since the oldest message was put into one of these outboxes.
async fn oldest(app: &App, calls: &[Listed]) -> Result<f64> {
    let now = app.clock.now();
    let waiting = calls.iter().filter(|call| call.waiting > 0).take(AGES).map(|call| app.state.waiting(&call.call));
    let since = try_join_all(waiting).await?.into_iter().flatten().map(|(_, since)| since).min();
    Ok(since.map_or(0.0, |since| now.since(since).max(0) as f64 / 1000.0))
}
