//! AuthState: whether the caller is who they say. In: the outcome of each attempt. Out: the state that every turn hands
//! to its reply; after too many failed attempts it is locked until it expires.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Object, Request, json_response};
use crate::model::call::CallStatus;
use crate::model::conversation::AuthState;
use crate::model::ids::CallId;
use crate::ports::running;
use crate::ports::state::Attempt;
use crate::telemetry::label::AuthSource;
use crate::telemetry::metric::AUTH_FAILURES;

/// Longest method, level or subject, in characters.
const WORD_CHARS: usize = 128;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let call = CallId::parse(request.param("callConnectionId"))?;
    running::about(&call);
    match request.method {
        Method::GET => match app.state.auth(&call).await? {
            Some((state, left)) => Ok(json_response(StatusCode::OK, &view(&state, left)?)),
            None => Err(Error::new(Kind::NotFound, "the call has no authentication state")),
        },
        Method::PUT => put(&app, &call, parse(request.object()?)?).await,
        _ if app.state.clear_auth(&call).await? => Ok(json_response(StatusCode::OK, &json!({ "cleared": true }))),
        _ => Err(locked()),
    }
}

async fn put(app: &App, call: &CallId, state: AuthState) -> Result<Response> {
    if has_ended(app, call).await? {
        return Err(Error::new(Kind::CallEnded, "the call has ended: its authentication state cannot change"));
    }
    let attempt = app.state.attempt_auth(call, &state, app.config.auth_max_attempts).await?;
    if !state.authenticated || matches!(attempt, Attempt::Locked(..)) {
        app.metrics.count(AUTH_FAILURES, AuthSource::Caller);
    }
    match attempt {
        Attempt::Taken(state, left) => Ok(json_response(StatusCode::OK, &view(&state, left)?)),
        Attempt::Locked(..) => Err(locked()),
    }
}

/// Whether the call has ended, archived or not.
async fn has_ended(app: &App, call: &CallId) -> Result<bool> {
    let surveys = app.state.survey(std::slice::from_ref(call)).await?;
    Ok(surveys.iter().any(|s| s.archived || s.session.as_ref().is_some_and(|session| session.status() == CallStatus::Ended)))
}

fn parse(mut body: Object) -> Result<AuthState> {
    let authenticated = match body.take("authenticated") {
        Some(Value::Bool(flag)) => flag,
        _ => return Err(Error::input("authenticated", "must be there, true or false")),
    };
    let state = AuthState {
        authenticated,
        method: Some(word("method", body.text("method")?)?),
        level: Some(word("level", body.text("level")?)?),
        subject: body.optional_text("subject")?.map(|s| word("subject", s)).transpose()?,
        failed_attempts: 0,
        locked: false,
    };
    body.finish()?;
    Ok(state)
}

fn word(field: &'static str, text: String) -> Result<String> {
    let sound = (1..=WORD_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if sound { Ok(text) } else { Err(Error::input(field, format!("must be 1 to {WORD_CHARS} characters without control characters"))) }
}

fn view(state: &AuthState, left: u64) -> Result<Value> {
    let mut view = serde_json::to_value(state).map_err(Error::internal)?;
    view["expiresInSeconds"] = json!(left);
    Ok(view)
}

fn locked() -> Error {
    Error::new(Kind::Conflict, "too many attempts failed: the authentication state is locked until it expires")
}
