//! Profiles: read through the cached copy, written with their version, kept in the context of open calls.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::{CallId, UserToken};
use crate::model::profile::{PROFILE_ID, Profile};
use crate::model::time::Timestamp;
use crate::ports::documents::{Condition, Container, Put};
use crate::privacy::envelope::Place;
use crate::telemetry::label::{CacheLookup, SetupStage};
use crate::telemetry::metric::{CACHE_LOOKUPS, SETUP_STAGES};

/// Longest that a call waits for its user's profile.
const PATIENCE: Duration = Duration::from_millis(150);
/// Tries of a write that others keep overtaking.
const TRIES: u32 = 10;

/// The field of a profile that is sealed.
const PREFERENCES: &str = "preferences";

/// What the ids of a user's calls begin with, in their partition: how their archives are found.
pub const CALL_PREFIX: &str = "call-";

/// Notes in the record that a call is this user's, before anything of it is archived.
pub async fn note_call(app: &App, user: &UserToken, call: &CallId, day: &str, at: Timestamp) -> Result<()> {
    let body = json!({ "id": format!("{CALL_PREFIX}{call}"), "user": user, "type": "call", "callConnectionId": call, "day": day, "at": at });
    app.documents.put(Container::Profiles, &body, Condition::Always).await.map(drop)
}

/// The stored profile with its version. Preferences that are refused are left out: the calls of the user are counted all the
/// same.
pub async fn stored(app: &App, user: &UserToken) -> Result<Option<(Profile, String)>> {
    let Some(document) = app.documents.get(Container::Profiles, user.as_str(), PROFILE_ID).await? else { return Ok(None) };
    let mut body = document.body;
    if let Some(sealed) = body[PREFERENCES].as_str() {
        body[PREFERENCES] = match app.vault.open(user, &place(), sealed).await {
            Ok(opened) => serde_json::from_slice(&opened).map_err(|_| Error::internal("sealed preferences are not readable"))?,
            Err(e) if e.kind == Kind::Tampered => json!({}),
            Err(e) => return Err(e),
        };
    }
    let profile = serde_json::from_value(body).map_err(|e| Error::internal(format!("a stored profile is not readable at column {}", e.column())))?;
    Ok(Some((profile, document.etag)))
}

/// Where the preferences of a profile lie.
fn place() -> Place<'static> {
    Place::document(Container::Profiles.name(), PROFILE_ID, "/preferences")
}

/// The document of a profile: what the user prefers is sealed.
async fn sealed(app: &App, profile: &Profile) -> Result<Value> {
    let mut body = serde_json::to_value(profile).map_err(Error::internal)?;
    if !profile.preferences.is_empty() {
        let plain = serde_json::to_vec(&profile.preferences).map_err(Error::internal)?;
        body[PREFERENCES] = app.vault.seal(&profile.user, &place(), &plain).await?.into();
    }
    Ok(body)
}

/// Changes a profile under its version, again where another was faster, and refreshes the cached copy. `change` says
/// whether it changed anything; `if_match` makes a foreign version an error (`PreconditionFailed`). The profile after it
/// with its version.
pub async fn update<F>(app: &App, user: &UserToken, if_match: Option<&str>, mut change: F) -> Result<(Profile, String)>
where
    F: FnMut(&mut Profile) -> Result<bool> + Send,
{
    for _ in 0..TRIES {
        let found = stored(app, user).await?;
        if let Some(expected) = if_match
            && !matches!(&found, Some((_, etag)) if expected == "*" || expected.split(',').any(|one| one.trim() == etag))
        {
            return Err(Error::new(Kind::PreconditionFailed, "names another version of the profile").in_field("If-Match"));
        }
        let (mut profile, etag) = match found {
            Some((profile, etag)) => (profile, Some(etag)),
            None => (Profile::new(user.clone()), None),
        };
        if !change(&mut profile)? {
            return Ok((profile, etag.unwrap_or_default()));
        }
        let body = sealed(app, &profile).await?;
        let condition = etag.as_deref().map_or(Condition::Absent, Condition::Matches);
        if let Put::Done(etag) = app.documents.put(Container::Profiles, &body, condition).await? {
            refresh(app, &profile).await;
            return Ok((profile, etag));
        }
    }
    Err(Error::new(Kind::Throttled, "the profile is being changed by too many at once").retry_after(Duration::from_secs(1)))
}

/// Replaces the cached copy. A copy that cannot be refreshed ends by its TTL.
async fn refresh(app: &App, profile: &Profile) {
    let result = match serde_json::to_string(profile) {
        Ok(json) => app.state.keep_profile(&profile.user, Some(&json)).await,
        Err(e) => Err(Error::internal(e)),
    };
    if let Err(e) = result {
        tracing::warn!(error = e.chain(), "the cached profile was not refreshed");
    }
}

/// The profile from the cached copy, else from the record (and then cached).
async fn read(app: &App, user: &UserToken) -> Result<Option<Profile>> {
    if let Ok(Some(json)) = app.state.profile(user).await
        && let Ok(profile) = serde_json::from_str(&json)
    {
        app.metrics.count(CACHE_LOOKUPS, CacheLookup::ProfileHit);
        return Ok(Some(profile));
    }
    app.metrics.count(CACHE_LOOKUPS, CacheLookup::ProfileMiss);
    let Some((profile, _)) = stored(app, user).await? else { return Ok(None) };
    refresh(app, &profile).await;
    Ok(Some(profile))
}

/// Puts the facts of the user's profile into the call's context. After 150 ms, or where the record is away, the call
/// goes on anonymous and the context says so.
pub async fn attach(app: &App, call: &CallId, user: &UserToken) {
    let began = Instant::now();
    attach_now(app, call, user).await;
    app.metrics.time(SETUP_STAGES, SetupStage::Profile, began.elapsed());
}

async fn attach_now(app: &App, call: &CallId, user: &UserToken) {
    if let Err(e) = bind(app, call, user).await {
        tracing::warn!(error = e.chain(), "the key of the call is not wrapped for its user yet");
    }
    let facts = match tokio::time::timeout(PATIENCE, read(app, user)).await {
        Ok(Ok(Some(profile))) => profile.facts(),
        Ok(Ok(None)) => json!({ "new": true }),
        Ok(Err(e)) => {
            tracing::warn!(error = e.chain(), "the call goes on without its profile");
            json!({ "anonymous": true, "reason": "unavailable" })
        }
        Err(_) => {
            tracing::warn!("the call goes on without its profile: it took too long");
            json!({ "anonymous": true, "reason": "timeout" })
        }
    };
    if let Err(e) = app.state.attach_profile(call, &facts.to_string()).await {
        tracing::warn!(error = e.chain(), "the profile was not kept in the context");
    }
}

/// Wraps the key of the call by its user's key, in place of the wrap for the call alone.
async fn bind(app: &App, call: &CallId, user: &UserToken) -> Result<()> {
    if app.ciphers.is_off() {
        return Ok(());
    }
    let cipher = app.ciphers.current(call).await?;
    if cipher.subject() == Some(user) {
        return Ok(());
    }
    let bound = app.vault.rewrap(&cipher, user).await?;
    // Where another wrap stands there, another has done it.
    app.state.rekey(call, cipher.wrap(), bound.wrap()).await.map(drop)
}
