//! Erasing a person everywhere (`delete_user_data`): one document per erasure, one step at a time, each of them idempotent, so
//! that whoever is stopped anywhere is followed by another who goes on.
//!
//! Audit, fence, list the calls, destroy the keys, Redis, the record, the queue and the dead letters, verify, certificate. The
//! fence stays: what comes back from behind it, out of a backup, is erased again. Data that a person leaves after the
//! erasure is theirs again and stays.

mod fence;
mod model;
mod removal;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::UserToken;
use crate::ports::audit::Note;
use crate::ports::documents::{Condition, Container, Put};
use crate::telemetry::label::ErasureOutcome;
use crate::telemetry::metric::ERASURES;

pub use fence::{hold, release, round};
pub use model::{Call, Erasure, Reason, State, Step};

/// How long the law gives, in milliseconds: a month, and so the shortest one (Art. 12(3) GDPR).
const MONTH: i64 = 28 * 86_400_000;
/// Tries of a write that another runner keeps overtaking.
const TRIES: u32 = 10;

/// Asks for an erasure: the open one where there is one, else a new one, with its fence. `Conflict` under a legal hold.
pub async fn request(app: &App, user: &UserToken) -> Result<Erasure> {
    if fence::is_held(app, user).await? {
        app.metrics.count(ERASURES, ErasureOutcome::Refused);
        app.audit.written(Note::new("erasure.refused").subject(user.as_str())).await?;
        return Err(Error::new(Kind::Conflict, "a legal hold stands: the data of this user must be kept"));
    }
    if let Some(open) = fence::past(app, user).await?.into_iter().find(|erasure| erasure.state != State::Done) {
        return Ok(open);
    }
    begin(app, user, Reason::Requested).await
}

async fn begin(app: &App, user: &UserToken, reason: Reason) -> Result<Erasure> {
    app.metrics.count(ERASURES, ErasureOutcome::Requested);
    let now = app.clock.now();
    let erasure = Erasure::new(user.clone(), reason, app.clock.new_id(), now, now.plus_millis(MONTH));
    app.audit.written(Note::new("erasure.requested").subject(user.as_str()).store("cosmos").named(Container::Erasures.name())).await?;
    put(app, &erasure, Condition::Absent).await?;
    Ok(erasure)
}

async fn put(app: &App, erasure: &Erasure, condition: Condition<'_>) -> Result<Put> {
    app.documents.put(Container::Erasures, &serde_json::to_value(erasure).map_err(Error::internal)?, condition).await
}

/// One erasure with its version; none where the id names none.
async fn stored(app: &App, id: &str) -> Result<Option<(Erasure, String)>> {
    let Some(user) = id.split_once('.').and_then(|(user, _)| UserToken::parse(user).ok()) else { return Ok(None) };
    let Some(document) = app.documents.get(Container::Erasures, user.as_str(), id).await? else { return Ok(None) };
    let erasure = serde_json::from_value(document.body).map_err(|_| Error::internal("a stored erasure is not readable"))?;
    Ok(Some((erasure, document.etag)))
}

/// One erasure.
pub async fn read(app: &App, id: &str) -> Result<Option<Erasure>> {
    Ok(stored(app, id).await?.map(|(erasure, _)| erasure))
}

/// Takes one step. What was done is written down after it: whoever stops between the two does it again.
pub async fn advance(app: &App, id: &str) -> Result<Erasure> {
    let (mut erasure, _) = stored(app, id).await?.ok_or_else(|| Error::new(Kind::NotFound, "there is no erasure of this id"))?;
    if erasure.state == State::Done {
        return Ok(erasure);
    }
    if erasure.reason == Reason::Requested && fence::is_held(app, &erasure.user).await? {
        return Err(Error::new(Kind::Conflict, "a legal hold stands: the data of this user must be kept"));
    }
    removal::step(app, &mut erasure).await?;
    for _ in 0..TRIES {
        let (now, etag) = stored(app, id).await?.ok_or_else(|| Error::internal("an erasure is gone"))?;
        let was_open = now.state != State::Done;
        let joined = now.joined(&erasure);
        if let Put::Done(_) = put(app, &joined, Condition::Matches(&etag)).await? {
            if joined.state == State::Done && was_open {
                app.metrics.count(ERASURES, ErasureOutcome::Completed);
            }
            return Ok(joined);
        }
    }
    Err(Error::new(Kind::Throttled, "too many go on with one erasure"))
}

/// Goes on with an erasure to its end.
pub async fn run(app: &App, id: &str) -> Result<Erasure> {
    loop {
        let erasure = advance(app, id).await?;
        if erasure.state == State::Done {
            return Ok(erasure);
        }
    }
}

/// Erases a person and waits for it: `delete_user_data`.
pub async fn delete_user_data(app: &App, user: &UserToken) -> Result<Erasure> {
    let erasure = request(app, user).await?;
    run(app, &erasure.id).await
}
