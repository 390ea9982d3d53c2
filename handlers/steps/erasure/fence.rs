//! The fence of an erasure, legal holds, and the look behind every fence for what a backup has brought back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::model::{Erasure, Reason, State};
use super::{begin, put, removal, run};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::call::field;
use crate::model::ids::UserToken;
use crate::model::time::Timestamp;
use crate::model::transcript::HEADER_ID;
use crate::ports::audit::Note;
use crate::ports::documents::{Condition, Container};
use crate::steps::breach::{self, SecurityEvent};

/// Id of a person's fence.
const FENCE: &str = "fence";
/// Id of a legal hold.
const HOLD: &str = "hold";
/// Documents of one look.
const LOOK: usize = 100;
/// How long one round may take.
const ROUND: Duration = Duration::from_secs(100);

/// Writes the fence. Its fingerprint shows that it was not made by hand.
pub(super) async fn raise(app: &App, erasure: &Erasure) -> Result<()> {
    let at = erasure.requested_at;
    let mac = app.vault.fingerprint(&format!("fence {} {at}", erasure.user)).await?;
    let body = json!({ "id": FENCE, "user": erasure.user, "type": FENCE, "erasedAt": at, "mac": mac });
    app.documents.put(Container::Erasures, &body, Condition::Always).await.map(drop)
}

/// All erasures of a person, whether done or not.
pub(super) async fn past(app: &App, user: &UserToken) -> Result<Vec<Erasure>> {
    let documents = removal::all(app, Container::Erasures, user.as_str(), &format!("{user}.")).await?;
    documents.into_iter().map(|document| serde_json::from_value(document.body).map_err(|_| Error::internal("a stored erasure is not readable"))).collect()
}

/// Whether a legal hold stands.
pub(super) async fn is_held(app: &App, user: &UserToken) -> Result<bool> {
    Ok(app.documents.get(Container::Erasures, user.as_str(), HOLD).await?.is_some())
}

/// Sets a legal hold: nothing of the person is erased while it stands. `reason` must name no person.
pub async fn hold(app: &App, user: &UserToken, reason: &str) -> Result<()> {
    let body = json!({ "id": HOLD, "user": user, "type": HOLD, "reason": reason, "since": app.clock.now() });
    app.audit.written(Note::new("hold.set").subject(user.as_str())).await?;
    app.documents.put(Container::Erasures, &body, Condition::Always).await.map(drop)
}

/// Lifts a legal hold; false where none stood.
pub async fn release(app: &App, user: &UserToken) -> Result<bool> {
    app.audit.written(Note::new("hold.release").subject(user.as_str())).await?;
    app.documents.delete(Container::Erasures, user.as_str(), HOLD, None).await
}

fn time(body: &Value, field: &str) -> Option<Timestamp> {
    Timestamp::parse(body.get(field)?.as_str()?)
}

/// Whether a document of a person's profiles is from before their erasure.
pub(super) fn is_behind(body: &Value, erased: Timestamp) -> bool {
    let since = time(body, "at").or_else(|| time(body, "lastCallAt")).or_else(|| time(body, "createdAt"));
    since.is_some_and(|since| since <= erased)
}

/// One round: goes on with what is open, and looks behind each fence. Erasures that were taken to their end.
pub async fn round(app: &App) -> Result<u64> {
    let (began, mut from, mut done) = (Instant::now(), None::<String>, 0);
    let mut failed = None;
    loop {
        let page = app.documents.scan(Container::Erasures, from.as_deref(), LOOK).await?;
        for document in page.documents {
            match look(app, document.body).await {
                Ok(finished) => done += u64::from(finished),
                Err(e) if e.kind == Kind::Conflict => {}
                Err(e) => failed = Some(e),
            }
        }
        from = page.next.filter(|_| began.elapsed() < ROUND);
        if from.is_none() {
            return failed.map_or(Ok(done), Err);
        }
    }
}

async fn look(app: &App, body: Value) -> Result<bool> {
    if body["type"] == "erasure" {
        let erasure: Erasure = serde_json::from_value(body).map_err(|_| Error::internal("a stored erasure is not readable"))?;
        if erasure.state == State::Done {
            return Ok(false);
        }
        return run(app, &erasure.id).await.map(|erasure| erasure.state == State::Done);
    }
    let (Some(user), Some(erased)) = (body["user"].as_str().and_then(|user| UserToken::parse(user).ok()), time(&body, "erasedAt")) else { return Ok(false) };
    if body["type"] != FENCE {
        return Ok(false);
    }
    let Some(returned) = returned(app, &user, erased).await? else { return Ok(false) };
    tracing::error!(security_event = "erased_data_returned", subject = %user, "data of an erased person has come back: it is erased again");
    if returned == Returned::Before
        && let Err(e) = breach::reported(app, SecurityEvent::Replay, "what an erasure had removed was there again").await
    {
        // It stays pending; the erasure must not wait for it.
        tracing::error!(security_event = SecurityEvent::Replay.name(), error = e.chain(), page = true, "an incident was not written; trying again later");
    }
    let mut again = begin(app, &user, Reason::Fence).await?;
    // What the person left after the erasure stays.
    again.requested_at = erased;
    put(app, &again, Condition::Always).await?;
    run(app, &again.id).await.map(|erasure| erasure.state == State::Done)
}

/// What stands behind a fence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Returned {
    /// Something that shows by its time that it is from before the erasure: a copy of it was put back.
    Before,
    /// A call of the person that was opened anew, by a client or an event that came late.
    Anew,
}

/// Whether anything of what was erased stands in any store.
async fn returned(app: &App, user: &UserToken, erased: Timestamp) -> Result<Option<Returned>> {
    let past = past(app, user).await?;
    if past.iter().any(|erasure| erasure.state != State::Done) {
        return Ok(None);
    }
    let keys = removal::all(app, Container::Keys, user.as_str(), "").await?;
    let profiles = removal::all(app, Container::Profiles, user.as_str(), "").await?;
    if keys.iter().any(|key| time(&key.body, "created").is_some_and(|created| created <= erased)) || profiles.iter().any(|d| is_behind(&d.body, erased)) {
        return Ok(Some(Returned::Before));
    }
    let mut found = None;
    for call in past.iter().flat_map(|erasure| &erasure.calls) {
        let id = &call.call_connection_id;
        let header = app.documents.get(Container::Transcripts, id.as_str(), HEADER_ID).await?;
        let session = app.state.survey(std::slice::from_ref(id)).await?.into_iter().find_map(|survey| survey.session);
        let began = session.as_ref().map(|session| session.time(field::OPENED_AT));
        // Nobody writes a header over the one that an erasure leaves.
        if header.is_some_and(|header| header.body["type"] != "erased") || began.is_some_and(|at| at.is_some_and(|at| at <= erased)) {
            return Ok(Some(Returned::Before));
        }
        found = found.or(session.map(|_| Returned::Anew));
    }
    Ok(found)
}
