//! WorkerAffinity: which media worker holds a call. `PUT` claims it or renews the claim with its lease token, `DELETE` gives
//! it up. A second worker gets 409 with the owner.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response, problem_with};
use crate::model::ids::{CallId, WorkerId};
use crate::ports::running;
use crate::ports::state::Lease;
use crate::steps::breach::{self, SecurityEvent};

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let worker = WorkerId::parse(request.param("workerId"))?;
    let call = CallId::parse(request.param("callConnectionId"))?;
    running::about(&call);
    let token = token(&request)?;
    let now = app.clock.now();
    if request.method == Method::DELETE {
        return match app.state.release(&call, &worker, token.as_deref(), now).await? {
            Ok(released) => Ok(json_response(StatusCode::OK, &json!({ "callConnectionId": call, "workerId": worker, "released": released }))),
            Err(lease) => Ok(refused(&app, &lease, &worker, token.as_deref())),
        };
    }
    if app.state.summary(&call).await?.is_some() {
        return Err(Error::new(Kind::CallEnded, "the call has ended: no worker can claim it"));
    }
    match app.state.claim(&call, &worker, token.as_deref(), &app.clock.new_id(), now).await? {
        Ok(lease) => {
            let body = json!({ "callConnectionId": call, "workerId": lease.worker, "leaseToken": lease.token, "expiresAt": lease.until });
            Ok(json_response(StatusCode::OK, &body))
        }
        Err(lease) => Ok(refused(&app, &lease, &worker, token.as_deref())),
    }
}

/// `leaseToken` of the body, which may be missing.
fn token(request: &Request) -> Result<Option<String>> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let mut body = request.object()?;
    let token = body.optional_text("leaseToken")?;
    body.finish()?;
    match &token {
        Some(text) if text.is_empty() || text.len() > 128 => Err(Error::input("leaseToken", "must be the token that a claim was answered with")),
        _ => Ok(token),
    }
}

/// Answers 409. Who comes in the owner's name with a token that is not the owner's has guessed one, or has a very old one: many of
/// them are an incident. Another worker that asks is nothing unusual.
fn refused(app: &App, lease: &Lease, worker: &WorkerId, token: Option<&str>) -> Response {
    if lease.worker == *worker && token.is_some_and(|token| token != lease.token) {
        breach::security_event(app, SecurityEvent::BadToken, "a worker's claim was named with a wrong lease token");
    }
    held(lease)
}

/// 409 with the owner; the lease token is the owner's alone.
fn held(lease: &Lease) -> Response {
    let error = Error::new(Kind::Conflict, "another worker holds the call, or the lease token is not the claim's");
    let owner = [("owner".to_owned(), json!(lease.worker)), ("expiresAt".to_owned(), json!(lease.until))];
    problem_with(&error, owner.into_iter().collect())
}
