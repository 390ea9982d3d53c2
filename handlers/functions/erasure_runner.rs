//! ErasureRunner: goes on with erasures that stopped, and looks behind every fence whether something has come back. Timer.

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::erasure;

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// One round.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    erasure::round(&app).await.map(drop)
}
