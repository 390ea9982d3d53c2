//! WeeklyReport: on Monday, the week before as Markdown and HTML. In: the hourly snapshots. Out: one document in `metrics`, and a
//! message to the webhook of alerts where there is one.

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::weekly;

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Makes the report of the seven days before today.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    let report = weekly::make(&app).await?;
    tracing::info!(week = report.week, hours = report.hours, "the weekly report was made");
    app.notices.report(&report.week, &report.markdown).await
}
