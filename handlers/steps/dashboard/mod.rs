//! The dashboard: how calls, stores, queue, alerts and the keeping of data stand, for whoever is on call.
//!
//! In: the figures of all instances, health, the alerts, the open calls. Out: one look at all of it as [`Data`], and as a page of
//! HTML with its charts. A look is good for 2 s and shared by all who ask, so that a hundred viewers cost what one does; what
//! is read from the record is looked at once a minute. Whatever cannot be read is named on the page: the rest of it stands.
//! What was said in a call is no part of it: [`said`] reads that, noted in the audit log first.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::CallId;
use crate::steps::open_calls;

mod calls;
mod chart;
mod data;
mod html;
mod keeping;
pub mod page;
mod parts;
mod runbook;
mod stores;
mod tiles;
mod trends;
mod words;

pub use data::Data;
use keeping::Keeping;

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(2);
/// How long a look at the record is good.
const RARE: Duration = Duration::from_secs(60);

/// What the dashboard remembers between looks.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, Arc<Data>)>,
    keeping: Option<(Instant, Keeping)>,
}

/// The last look, or a new one where it is older than 2 s. Many who ask at once share one.
pub async fn current(app: &App) -> Arc<Data> {
    let mut seen = app.dashboard.seen.lock().await;
    if let Some((at, data)) = &seen.last
        && at.elapsed() < FRESH
    {
        return Arc::clone(data);
    }
    let keeping = match &seen.keeping {
        Some((at, keeping)) if at.elapsed() < RARE => keeping.clone(),
        _ => {
            let keeping = Keeping::look(app).await;
            seen.keeping = Some((Instant::now(), keeping.clone()));
            keeping
        }
    };
    let data = Arc::new(Data::gather(app, keeping).await);
    seen.last = Some((Instant::now(), Arc::clone(&data)));
    data
}

/// The call of this token among those that are shown; else, for whoever knows it, the call of this id. `BadInput` names `call`.
pub async fn named(app: &App, name: &str) -> Result<CallId> {
    let data = current(app).await;
    let shown = data.calls.shown.iter().find(|shown| shown.call == name);
    shown.map_or_else(|| CallId::parse(name), |shown| Ok(shown.id.clone()))
}

/// The last turns of a call that is in the state store, masked; the audit log says first that they were read. `NotFound` where
/// the store knows nothing of it, or has let it go to the archive.
pub async fn said(app: &App, call: &CallId) -> Result<Vec<Value>> {
    let survey = app.state.survey(std::slice::from_ref(call)).await?.pop();
    let session = survey.and_then(|found| found.session).ok_or_else(|| Error::new(Kind::NotFound, "no such call is in the state store"))?;
    open_calls::read_turns(app, call, Some(&session), false).await
}
