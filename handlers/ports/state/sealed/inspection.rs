//! What an inspection sees is what rests: the seals stay on.

use async_trait::async_trait;

use super::SealedState;
use crate::error::Result;
use crate::ports::state::inspect::{Held, Inspection, Unexpiring, Values};
use crate::ports::state::legacy::ScanCursor;

#[async_trait]
impl Inspection for SealedState {
    async fn unexpiring(&self, cursor: ScanCursor) -> Result<Unexpiring> {
        self.inner.unexpiring(cursor).await
    }

    async fn values(&self, cursor: ScanCursor) -> Result<Values> {
        self.inner.values(cursor).await
    }

    async fn plant(&self, id: &str, text: &str) -> Result<()> {
        self.inner.plant(id, text).await
    }

    async fn planted(&self, id: &str) -> Result<Option<Held>> {
        self.inner.planted(id).await
    }

    async fn uproot(&self, id: &str) -> Result<()> {
        self.inner.uproot(id).await
    }
}
