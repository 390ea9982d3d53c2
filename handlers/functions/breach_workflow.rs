//! BreachWorkflow: the register of breaches, for whoever holds the master key. `POST` opens one, `POST` on an action carries it
//! on, `GET` shows one or all, as JSON or as a table. A step that its state does not allow is 409 with what is allowed.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response, problem_with, response};
use crate::privacy::breach::{Action, Breach, csv};
use crate::steps::breach;

/// Breaches of one page of the register.
const PAGE: usize = 200;
/// Who acts where the request does not say it.
const BY: &str = "operator";

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let (id, action) = (request.param("id"), request.param("action"));
    if !id.is_empty() && !is_id(id) {
        return Err(Error::new(Kind::NotFound, "no such breach is known"));
    }
    match (request.method == Method::GET, id, action) {
        (true, "", _) => register(&app, &request).await,
        (true, id, "") => Ok(json_response(StatusCode::OK, &breach::view(&app, &breach::show(&app, id, BY).await?)?)),
        (false, "", _) => {
            let breach = breach::open(&app, fields(&request)?).await?;
            Ok(json_response(StatusCode::CREATED, &breach::view(&app, &breach)?))
        }
        (false, id, "scope") => Ok(json_response(StatusCode::OK, &breach::scope(&app, id, fields(&request)?).await?)),
        (false, id, action) => match Action::parse(action) {
            Some(action) => step(&app, id, action, fields(&request)?).await,
            None => Err(nothing()),
        },
        (true, ..) => Err(nothing()),
    }
}

fn nothing() -> Error {
    let names: Vec<_> = Action::ALL.into_iter().map(Action::name).collect();
    Error::new(Kind::NotFound, format!("a breach takes POST on {} and scope", names.join(", ")))
}

fn is_id(id: &str) -> bool {
    id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn fields(request: &Request) -> Result<Map<String, Value>> {
    if request.body.is_empty() { Ok(Map::new()) } else { Ok(request.object()?.into_rest()) }
}

async fn step(app: &App, id: &str, action: Action, fields: Map<String, Value>) -> Result<Response> {
    match breach::act(app, id, action, fields).await {
        Ok(breach) => Ok(json_response(StatusCode::OK, &breach::view(app, &breach)?)),
        Err((error, Some(breach))) if error.kind == Kind::Conflict => Ok(refused(&error, &breach)),
        Err((error, _)) => Err(error),
    }
}

fn refused(error: &Error, breach: &Breach) -> Response {
    let allowed: Vec<_> = breach.allowed().into_iter().map(Action::name).collect();
    let members = [("state".to_owned(), json!(breach.state)), ("allowed".to_owned(), json!(allowed))];
    problem_with(error, members.into_iter().collect())
}

async fn register(app: &App, request: &Request) -> Result<Response> {
    let format = request.query("format")?;
    breach::noted_reading(app, BY).await?;
    match format.as_deref() {
        Some("csv") => Ok(response(StatusCode::OK, "text/csv; charset=utf-8", Bytes::from(csv(&breach::register(app).await?)))),
        None | Some("json") => {
            let (breaches, next) = breach::page(app, request.query("from")?.as_deref(), PAGE).await?;
            let breaches = breaches.iter().map(|b| breach::view(app, b)).collect::<Result<Vec<_>>>()?;
            Ok(json_response(StatusCode::OK, &json!({ "breaches": breaches, "next": next })))
        }
        Some(_) => Err(Error::input("format", "must be json or csv")),
    }
}
