//! What the relay and the archive read, and what the archive removes, on Redis.

use async_trait::async_trait;
use redis::{Value, pipe};

use super::calls::{exact, stage_times};
use super::{AsyncAzureRedisManager, entry, fields, packed, read, unpacked};
use crate::error::Result;
use crate::model::call::Session;
use crate::model::ids::CallId;
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::legacy::EXTRA;
use crate::ports::state::{Archiving, Closing, OutboxEntry, Slice, StageTimes};

#[async_trait]
impl Archiving for AsyncAzureRedisManager {
    async fn outbox(&self, call: &CallId) -> Result<Vec<String>> {
        self.outbox_names(call).await
    }

    async fn messages(&self, call: &CallId, fields: &[String]) -> Result<Vec<OutboxEntry>> {
        self.outbox_messages(call, fields).await
    }

    async fn history(&self, call: &CallId, from: u64, count: u64) -> Result<Slice> {
        let key = self.key(call, CallKey::History);
        let mut look = pipe();
        // A last place before the first one is an empty range; place -1 would be the end of the list.
        let (first, last) = if count == 0 { (1, 0) } else { (from, from.saturating_add(count - 1)) };
        look.cmd("LRANGE").arg(&key).arg(first).arg(last).llen(&key);
        let [frames, total]: [Value; 2] = exact(self.pipeline(&look).await?)?;
        let entries = read::<Vec<Vec<u8>>>(frames)?.iter().map(|frame| entry(frame)).collect::<Result<_>>()?;
        Ok(Slice { entries, total: read(total)? })
    }

    async fn stages(&self, call: &CallId) -> Result<Vec<(String, StageTimes)>> {
        let mut look = pipe();
        look.hgetall(self.key(call, CallKey::Turns));
        let [turns]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let kept = fields(turns)?.into_iter();
        Ok(kept.filter_map(|(field, text)| Some((field.strip_prefix(':')?.to_owned(), stage_times(&text)?))).collect())
    }

    async fn legacy_extra(&self, call: &CallId) -> Result<Option<String>> {
        let mut look = pipe();
        look.hget(self.key(call, CallKey::Turns), EXTRA);
        let [extra]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        read(extra)
    }

    async fn close(&self, closing: &Closing) -> Result<bool> {
        let mut invocation = self.scripts.close.on(super::persons::REMOVED.map(|key| self.key(&closing.call, key)));
        invocation.arg(&packed(&closing.summary)[..]).arg(self.ttl(TtlPolicy::CallSummary)).arg(closing.archived_entries);
        for field in &closing.archived_fields {
            invocation.arg(field);
        }
        read(self.script(&invocation).await?)
    }

    async fn facts(&self, call: &CallId) -> Result<Option<Session>> {
        let mut look = pipe();
        look.hgetall(self.key(call, CallKey::Session));
        let [session]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        Ok(Session::from_fields(fields(session)?))
    }

    async fn summary(&self, call: &CallId) -> Result<Option<String>> {
        let mut look = pipe();
        look.get(self.key(call, CallKey::Summary));
        let [summary]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        Ok(read::<Option<Vec<u8>>>(summary)?.map(unpacked))
    }
}
