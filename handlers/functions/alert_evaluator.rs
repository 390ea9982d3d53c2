//! AlertEvaluator: once a minute, whoever is awake looks at the figures of all instances and judges the alerts. Each instance does
//! so every 5 s besides while it runs; what is told is told once, whoever sees it first.

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::watch;

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Looks and judges once.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    watch::round(&app).await;
    Ok(())
}
