//! Calls in the layouts of an earlier generation: finding them, taking them over once, letting the old keys go.
//!
//! [`adopt`] is what every opener of a call does first; `rtvoice migrate` does the same for all keys. A call is taken
//! over before its old keys get their TTL, so that stopping halfway loses nothing. Legacy layouts only ever lived in
//! Redis: other backends find nothing.

use async_trait::async_trait;

use super::keys::LegacyOwner;
use super::{Known, State};
use crate::error::Result;
use crate::model::call::Session;
use crate::model::ids::CallId;
use crate::model::legacy::{LegacyCall, LegacyRaw};
use crate::model::time::Timestamp;

/// Value of the session's `_legacy` where nothing was found.
pub const NONE: &str = "none";
/// Value of the session's `_legacy` where a legacy call was taken over.
pub const IMPORTED: &str = "imported";

/// Field of the turns hash that keeps what the legacy layouts held besides turns, JSON. No turn id holds a colon.
pub const EXTRA: &str = "::legacy";

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It took effect; the session after it.
    Done(Session),
    /// The call was looked up before, with this session; nothing changed.
    Before(Session),
    /// The call is archived; nothing changed.
    Archived,
    /// The call's values are sealed under another key than these; nothing changed.
    Rekey,
}

/// Where a scan stands; the default is its beginning. Good for one run: an interrupted scan begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanCursor {
    /// Nodes still to scan, the current one last; empty before the first page.
    pub(super) nodes: Vec<String>,
    /// Cursor within the current node.
    pub(super) at: u64,
}

/// One page of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// To whom the legacy keys of this page belong; the same call may come more than once.
    pub owners: Vec<LegacyOwner>,
    /// Keys looked at, of whatever kind.
    pub keys: u64,
    /// Where the next page begins; none after the last.
    pub next: Option<ScanCursor>,
}

/// Legacy layouts.
#[async_trait]
pub trait Legacy: Send + Sync + 'static {
    /// Every legacy key of one call; none where there is none. One round trip where there is nothing; one more to read
    /// what there is, and two more where the call is mapped to another session. Changes nothing.
    async fn find(&self, call: &CallId) -> Result<Option<LegacyRaw>>;

    /// Takes a legacy call over in one atomic step: nothing where the call is archived or its session carries
    /// `_legacy`. Opens it (ended, with its end in the outbox, where it was marked disconnected), or joins what was
    /// opened without having been looked up: what stands there stays, and the legacy turns get the next numbers. The
    /// call is in its open set before. Idempotent.
    async fn import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Result<Imported>;

    /// Marks an existing session as looked up in vain, unless it is marked already.
    async fn mark_checked(&self, call: &CallId) -> Result<()>;

    /// Gives keys that were taken over 24 hours to live; nothing where they are gone. For names of [`LegacyRaw`] only.
    async fn retire(&self, keys: &[String]) -> Result<()>;

    /// One page of a walk over all keys of the store, of every master in a cluster. Every key that is there all the
    /// while comes up at least once.
    async fn scan(&self, cursor: ScanCursor) -> Result<Scanned>;
}

/// Looks for a call in the legacy layouts, once, and takes it over. The session where there is one afterwards.
///
/// Whoever opens a call does this between registering and opening it: opening marks the session as looked up. A
/// failure to give the old keys their TTL is no failure of the call: `rtvoice migrate` catches up on it.
pub async fn adopt(state: &dyn State, call: &CallId, known: &Known, now: Timestamp) -> Result<Option<Session>> {
    let session = match known {
        Known::Archived => return Ok(None),
        Known::Open(session) if session.legacy_checked() => return Ok(Some(session.clone())),
        Known::Open(session) => Some(session.clone()),
        Known::Nothing => None,
    };
    let found = state.find(call).await?;
    let refusal = found.as_ref().and_then(LegacyRaw::refusal);
    if let Some(reason) = &refusal {
        tracing::warn!(call_id = %call, reason, "legacy keys of a call cannot be taken over");
    }
    let Some(raw) = found.filter(|_| refusal.is_none()) else {
        if session.is_some() {
            state.mark_checked(call).await?;
        }
        return Ok(session);
    };
    let legacy = LegacyCall::read(&raw, now);
    match state.import(call, &legacy, now).await? {
        Imported::Done(session) => {
            tracing::info!(call_id = %call, entries = legacy.entries.len(), unreadable = legacy.unreadable, "legacy call taken over");
            if let Err(e) = state.retire(&raw.migrated_keys()).await {
                tracing::warn!(call_id = %call, error = e.chain(), "legacy keys keep their life for now: rtvoice migrate ends it");
            }
            Ok(Some(session))
        }
        Imported::Before(session) => Ok(Some(session)),
        Imported::Archived => Ok(None),
        Imported::Rekey => Err(crate::error::Error::internal("a legacy call was taken over with a key that is not its own")),
    }
}
