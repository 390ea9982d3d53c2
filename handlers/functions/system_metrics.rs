//! SystemMetrics: once an hour, what all instances counted in the hour before becomes a document. In: the board. Out: one
//! document in `metrics`, in the partition of its day; the same hour again is the same document.

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::watch::snapshot;

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Keeps the hour that has ended.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    snapshot::keep(&app).await.map(drop)
}
