//! Whose calls they are, where the log itself does not say it: the archive of a call names its user, else its session does, and
//! of a call that was erased the record of the erasure.
//!
//! In: ids of calls. Out: the tokens of the people whose calls they are; a call that nobody named a user of stays out. A state
//! store that is away, or a session that cannot be opened, leaves a call unknown: it is listed as such, and never left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::App;
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::transcript::HEADER_ID;
use crate::ports::documents::Container;

/// Erasures that are read at once.
const READ: usize = 100;

/// Adds whom the record and the state store know.
pub(super) async fn complete(app: &App, calls: impl Iterator<Item = &String>, known: &mut BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    let mut left = BTreeSet::new();
    for call in calls {
        // What the log names may be no sound id where a key was not one of ours.
        let Ok(id) = CallId::parse(call.as_str()) else { continue };
        match user(app, &id).await? {
            Some(user) => drop(known.entry(call.clone()).or_default().insert(user)),
            None if known.contains_key(call) => {}
            None => drop(left.insert(call.clone())),
        }
    }
    if left.is_empty() { Ok(()) } else { erased(app, &left, known).await }
}

/// The user of a call that was not erased.
async fn user(app: &App, call: &CallId) -> Result<Option<String>> {
    let header = app.documents.get(Container::Transcripts, call.as_str(), HEADER_ID).await?;
    if let Some(user) = header.as_ref().and_then(|header| header.body["user"].as_str()) {
        return Ok(Some(user.to_owned()));
    }
    match app.state.survey(std::slice::from_ref(call)).await {
        Ok(found) => Ok(found.into_iter().find_map(|survey| survey.session?.subject()).map(|user| user.to_string())),
        Err(e) => {
            tracing::warn!(call_id = call.as_str(), error = e.chain(), "whose call it is could not be looked up in the state store");
            Ok(None)
        }
    }
}

/// Looks for calls in the records of all erasures.
async fn erased(app: &App, left: &BTreeSet<String>, known: &mut BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    let mut from: Option<String> = None;
    loop {
        let page = app.documents.scan(Container::Erasures, from.as_deref(), READ).await?;
        for document in page.documents {
            let Some(user) = document.body["user"].as_str() else { continue };
            let calls = document.body["calls"].as_array().into_iter().flatten();
            for call in calls.filter_map(|call| call["callConnectionId"].as_str()).filter(|call| left.contains(*call)) {
                known.entry(call.to_owned()).or_default().insert(user.to_owned());
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}
