//! The outbox on Redis: one field per unconfirmed message. Names first and messages in slices, because the whole outbox
//! of one call may be larger than what a deadline allows.

use redis::{Value, pipe};

use super::calls::exact;
use super::{AsyncAzureRedisManager, entry, number, read, word};
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::keys::CallKey;
use crate::ports::state::{ENDED, OutboxEntry, Pending, in_order, turn_of};

impl AsyncAzureRedisManager {
    /// Names of all messages, in their order.
    pub(super) async fn outbox_names(&self, call: &CallId) -> Result<Vec<String>> {
        let mut look = pipe();
        look.hkeys(self.key(call, CallKey::Outbox));
        let [names]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let names: Vec<String> = read(names)?;
        let turns: Vec<&str> = names.iter().filter_map(|name| turn_of(name)).collect();
        if turns.is_empty() {
            return Ok(names);
        }
        let mut look = pipe();
        look.cmd("HMGET").arg(self.key(call, CallKey::Turns)).arg(&turns);
        let [numbers]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let mut numbers = read::<Vec<Option<u64>>>(numbers)?.into_iter();
        let named = names.into_iter().map(|name| {
            let seq = turn_of(&name).and_then(|_| numbers.next().flatten());
            (name, seq)
        });
        Ok(in_order(named.collect()))
    }

    /// The messages of these names that are there.
    pub(super) async fn outbox_messages(&self, call: &CallId, names: &[String]) -> Result<Vec<OutboxEntry>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut look = pipe();
        look.cmd("HMGET").arg(self.key(call, CallKey::Outbox)).arg(names);
        let [frames]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let frames: Vec<Option<Vec<u8>>> = read(frames)?;
        names.iter().zip(frames).filter_map(|(name, frame)| Some(pending(name.clone(), &frame?))).collect()
    }
}

/// What stands in a frame for no wrapped key.
const NO_KEY: &str = "-";

/// Reads an outbox frame: `{since} {rev} {key} {seq} {rev} {entry}`, for the end of the call without an entry.
fn pending(field: String, frame: &[u8]) -> Result<OutboxEntry> {
    let (since, rest) = number(frame)?;
    let (rev, rest) = number(rest)?;
    let (key, rest) = word(rest)?;
    let pending = if field == ENDED {
        Pending::Ended
    } else {
        let (seq, entry) = entry(rest)?;
        Pending::Turn { seq, rev: u32::try_from(rev).unwrap_or(u32::MAX), entry }
    };
    let key = Some(key.to_owned()).filter(|key| key != NO_KEY);
    Ok(OutboxEntry { field, key, since: Timestamp::from_millis(i64::try_from(since).unwrap_or(i64::MAX)), pending })
}
