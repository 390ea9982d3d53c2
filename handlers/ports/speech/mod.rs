//! The voice: a phrase goes in, audio comes out. Caching is not its business.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::phrase::Phrase;

pub mod azure;
pub mod offline;
pub mod wav;

/// A voice.
#[async_trait]
pub trait Speech: Send + Sync + 'static {
    /// Speaks one phrase: a WAV file in the phrase's format. `Deadline` after 3 s in all; `Unavailable`, `Throttled`,
    /// `Denied` where the service does not serve; `BadInput` where it refuses the phrase; `Internal` where what it
    /// answers is no such file.
    async fn synthesise(&self, phrase: &Phrase) -> Result<Bytes>;

    /// What speaks, for health and the demo: `azure-speech`, `espeak-ng` or `tone`.
    fn name(&self) -> &'static str;
}
