//! What the relay and the archive read, and what the archive removes, on the embedded file.

use async_trait::async_trait;

use super::{EmbeddedState, Step};
use crate::error::{Error, Result};
use crate::model::call::Session;
use crate::model::ids::CallId;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::legacy::EXTRA;
use crate::ports::state::{Archiving, Closing, OutboxEntry, Slice, StageTimes};

#[async_trait]
impl Archiving for EmbeddedState {
    async fn outbox(&self, call: &CallId) -> Result<Vec<String>> {
        let call = call.clone();
        self.read(move |step| step.outbox_names(&call)).await
    }

    async fn messages(&self, call: &CallId, fields: &[String]) -> Result<Vec<OutboxEntry>> {
        let (call, fields) = (call.clone(), fields.to_vec());
        self.read(move |step| step.messages(&call, fields)).await
    }

    async fn history(&self, call: &CallId, from: u64, count: u64) -> Result<Slice> {
        let call = call.clone();
        self.read(move |step| step.history(&call, from, count)).await
    }

    async fn stages(&self, call: &CallId) -> Result<Vec<(String, StageTimes)>> {
        let call = call.clone();
        self.read(move |step| step.stages(&call)).await
    }

    async fn legacy_extra(&self, call: &CallId) -> Result<Option<String>> {
        let call = call.clone();
        self.read(move |step| Ok(step.table.fields(&step.key(&call, CallKey::Turns))?.remove(EXTRA))).await
    }

    async fn close(&self, closing: &Closing) -> Result<bool> {
        let closing = closing.clone();
        self.write(move |step| step.close(&closing)).await
    }

    async fn facts(&self, call: &CallId) -> Result<Option<Session>> {
        let call = call.clone();
        self.read(move |step| step.session(&call)).await
    }

    async fn summary(&self, call: &CallId) -> Result<Option<String>> {
        let call = call.clone();
        self.read(move |step| {
            let bytes = step.table.value(&step.key(&call, CallKey::Summary))?;
            bytes.map(|bytes| String::from_utf8(bytes).map_err(Error::internal)).transpose()
        })
        .await
    }
}

impl Step<'_> {
    fn close(&self, closing: &Closing) -> Result<bool> {
        let call = &closing.call;
        let waiting = self.table.fields(&self.key(call, CallKey::Outbox))?;
        let all_archived = waiting.keys().all(|field| closing.archived_fields.contains(field));
        if !all_archived || self.table.length(&self.key(call, CallKey::History))? > closing.archived_entries {
            return Ok(false);
        }
        for key in CallKey::ALL.into_iter().filter(|key| *key != CallKey::Summary) {
            self.table.remove(&self.key(call, key))?;
        }
        let summary = self.key(call, CallKey::Summary);
        // A second archiver without a summary of its own keeps the first one's.
        if !closing.summary.is_empty() || !self.table.exists(&summary)? {
            self.table.set_value(&summary, closing.summary.as_bytes(), self.anew(TtlPolicy::CallSummary))?;
        }
        Ok(true)
    }
}
