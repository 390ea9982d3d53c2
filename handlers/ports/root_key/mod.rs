//! The root key: it wraps the keys of epochs and of tokens, and never leaves its keeper.
//!
//! A wrap names the version that made it (`kid`), so that the key may be rotated while wraps of older versions are still
//! about. Asked for a few times an hour and process, never for a value or a user.

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::model::time::Timestamp;

pub mod file;
pub mod key_vault;

/// A wrapped key with the version of the root key that wrapped it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which version of which root key, as its keeper names it; 1 to 512 characters.
    pub kid: String,
    /// The wrapped key.
    pub bytes: Vec<u8>,
}

/// The keeper of the root key. Every method has a deadline of 2 s inside and answers `Unavailable`, `Deadline`, `Throttled`
/// (with `retry_after`) or `Denied` where the keeper does not serve, and `Setting` where it has no such key.
#[async_trait]
pub trait KeyWrapper: Send + Sync + 'static {
    /// Wraps a key of 32 bytes under the current version.
    async fn wrap(&self, key: &[u8]) -> Result<Wrapped>;

    /// Unwraps what [`KeyWrapper::wrap`] made, under whichever version that was. `Tampered` where the bytes are not that;
    /// `Setting` where the version is not there, or was retired.
    async fn unwrap(&self, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>>;

    /// The `kid` of the current version.
    async fn current(&self) -> Result<String>;

    /// When the current version was made; none where its keeper does not say.
    async fn made_at(&self) -> Result<Option<Timestamp>>;

    /// Makes a new version, which is the current one from now on; its `kid`. Not repeated by itself: a lost answer may leave
    /// a version that nothing uses.
    async fn rotate(&self) -> Result<String>;

    /// Puts a version that is not the current one out of use: what only it can unwrap is lost. True where it was in use.
    /// `Conflict` for the current version.
    async fn retire(&self, kid: &str) -> Result<bool>;
}
