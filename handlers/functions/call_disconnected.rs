//! CallDisconnected (Event Grid): a call ends. In: one event of either schema, or several. Out: the call is ended for good, and its archive is ordered, once.

use crate::app::App;
use crate::error::Result;
use crate::host::callbacks;
use crate::host::envelope::Envelope;

/// Name of the trigger's binding.
pub const BINDING: &str = "event";

/// Takes the event; any other type that is republished here is taken for what it is.
pub async fn run(app: App, envelope: Envelope) -> Result<()> {
    callbacks::take_or_park(&app, &envelope.json(BINDING)?).await
}
