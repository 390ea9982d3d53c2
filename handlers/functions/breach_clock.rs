//! BreachClock: every five minutes, the reminders of breaches that nobody has notified yet, and the incidents that could not
//! be written when they happened.

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::steps::breach;

/// Name of the trigger's binding.
pub const BINDING: &str = "timer";

/// Looks once.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    envelope.json(BINDING)?;
    let incidents = breach::pending(&app).await;
    breach::tick(&app).await?;
    incidents
}
