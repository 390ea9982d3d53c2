//! Upkeep looks at no value: it goes through to the backend as it is.

use async_trait::async_trait;

use super::SealedState;
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{AtRest, AudioFacts, KeyPage, Look, ServerFacts, Upkeep};

#[async_trait]
impl Upkeep for SealedState {
    async fn key_page(&self, cursor: ScanCursor, look: Look) -> Result<KeyPage> {
        self.inner.key_page(cursor, look).await
    }

    async fn servers(&self) -> Result<Vec<ServerFacts>> {
        self.inner.servers().await
    }

    async fn waiting(&self, call: &CallId) -> Result<Vec<(String, Timestamp)>> {
        self.inner.waiting(call).await
    }

    async fn at_rest(&self, call: &CallId) -> Result<AtRest> {
        self.inner.at_rest(call).await
    }

    async fn audio_facts(&self, now: Timestamp) -> Result<AudioFacts> {
        self.inner.audio_facts(now).await
    }

    async fn purge_audio(&self, cursor: ScanCursor) -> Result<(u64, Option<ScanCursor>)> {
        self.inner.purge_audio(cursor).await
    }
}
