//! Which cipher a call's values are sealed with right now, in this process.
//!
//! A call's key is made when the call is opened, and its wrap lies in the session; whoever reads a session notes the wrap
//! here, so that a turn needs no look of its own. What is remembered may be older than what is stored: the state store
//! refuses a write under another key, and the writer reads the wrap again.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::cipher::CallCipher;
use super::vault::Vault;
use crate::error::{Kind, Result};
use crate::model::ids::CallId;

/// How long a wrap is remembered.
const LIFE: Duration = Duration::from_secs(300);
/// Calls that are remembered at once.
const CALLS: u64 = 20_000;

/// The ciphers of calls; clones share them.
#[derive(Clone)]
pub struct Ciphers {
    vault: Arc<Vault>,
    wraps: Cache<CallId, Arc<str>>,
}

impl std::fmt::Debug for Ciphers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ciphers")
    }
}

impl Ciphers {
    /// Ciphers out of this vault; none is known yet.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, wraps: Cache::builder().max_capacity(CALLS).time_to_live(LIFE).build() }
    }

    /// The vault behind them.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// True where nothing is sealed.
    pub fn is_off(&self) -> bool {
        self.vault.is_off()
    }

    /// The cipher with this wrap, which is the call's from now on.
    pub async fn with(&self, call: &CallId, wrap: &str) -> Result<Arc<CallCipher>> {
        let cipher = self.vault.call(call, wrap).await?;
        if self.wraps.get(call).await.as_deref() != Some(wrap) {
            self.wraps.insert(call.clone(), wrap.into()).await;
        }
        Ok(cipher)
    }

    /// The call's cipher as far as this process knows it, else a new one.
    pub async fn current(&self, call: &CallId) -> Result<Arc<CallCipher>> {
        if let Some(wrap) = self.wraps.get(call).await {
            match self.vault.call(call, &wrap).await {
                // Of a refused wrap the state store knows, and has it replaced.
                Err(e) if matches!(e.kind, Kind::Erased | Kind::Tampered) => self.forget(call).await,
                result => return result,
            }
        }
        let cipher = self.vault.new_call(call, None).await?;
        self.wraps.insert(call.clone(), cipher.wrap().into()).await;
        Ok(cipher)
    }

    /// Remembers the wrap that a call's session names, unless one is remembered; it is unwrapped when it is needed.
    pub async fn note(&self, call: &CallId, wrap: &str) {
        if self.wraps.get(call).await.is_none() {
            self.wraps.insert(call.clone(), wrap.into()).await;
        }
    }

    /// The wrap that is remembered of a call.
    pub async fn known(&self, call: &CallId) -> Option<Arc<str>> {
        self.wraps.get(call).await
    }

    /// Forgets a call.
    pub async fn forget(&self, call: &CallId) {
        self.wraps.invalidate(call).await;
    }
}
