//! UserProfile: what is known of a user. `GET` reads it with its version, `PATCH` changes `preferences` and `language` by JSON
//! merge patch, under `If-Match` where the client sends it.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response};
use crate::model::ids::UserToken;
use crate::model::profile::Profile;
use crate::ports::audit::Note;
use crate::steps::profile;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let user = UserToken::parse(request.param("userId"))?;
    let action = if request.method == Method::PATCH { "profile.change" } else { "profile.read" };
    app.audit.note(Note::new(action).subject(user.as_str()).store("documents").named("profiles")).await?;
    if request.method == Method::PATCH {
        let patch = request.object()?.into_rest();
        let if_match = request.header(header::IF_MATCH).map(str::trim).map(str::to_owned);
        let change = |profile: &mut Profile| profile.patch(patch.clone()).map(|()| true);
        let (profile, etag) = profile::update(&app, &user, if_match.as_deref(), change).await?;
        return Ok(view(&profile, &etag));
    }
    match profile::stored(&app, &user).await? {
        Some((profile, etag)) => Ok(view(&profile, &etag)),
        None => Err(Error::new(Kind::NotFound, "no such user is known")),
    }
}

fn view(profile: &Profile, etag: &str) -> Response {
    let mut response = json_response(StatusCode::OK, &profile.view());
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
