//! RetentionPurge: once a day, what has outlived its time and stands there all the same is removed, and what has no expiry
//! gets one. A run that is out of time goes on with the next.

use std::time::Duration;

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::retention;
use crate::telemetry::label::Only;
use crate::telemetry::metric::RETENTION_REMOVED;

/// How long one run may take.
const RUN: Duration = Duration::from_secs(220);

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Walks the record once, or on.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    let purged = retention::purge(&app, RUN).await?;
    let removed: u64 = purged.removed.values().sum();
    app.metrics.add(RETENTION_REMOVED, Only, removed);
    tracing::info!(removed, complete = purged.complete, "the record was purged");
    Ok(())
}
