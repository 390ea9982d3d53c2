//! To be replaced by the legacy branch.
use super::{Known, State};
use crate::error::Result;
use crate::model::call::Session;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
/// Looks.
pub async fn adopt(_state: &dyn State, _call: &CallId, _known: &Known, _now: Timestamp) -> Result<Option<Session>> {
    Ok(None)
}
