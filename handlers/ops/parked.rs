//! `rtvoice parked`: one parked message or event, opened for an operator.
//!
//! In: its day and id, as the container `deadletters` has them. Out: its JSON with the body in clear; nothing is shown before
//! the audit log has noted it. `NotFound` where there is none, `Tampered` where it is not what was parked.

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::ports::audit::Note;
use crate::ports::documents::Container;
use crate::steps::parking;

/// Print a parked message or event
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 printed, 1 there is none or it cannot be opened, 2 wrong usage or setting.")]
pub struct ParkedArgs {
    /// Its day, such as 2026-03-10
    pub day: String,
    /// Its id
    pub id: String,
    /// Print its JSON in one line
    #[arg(long)]
    pub json: bool,
}

/// The document as JSON.
pub async fn run(app: &App, args: &ParkedArgs) -> Result<String> {
    let found = app.documents.get(Container::DeadLetters, &args.day, &args.id).await?;
    let document = found.ok_or_else(|| Error::new(Kind::NotFound, "nothing of this day and id is parked"))?;
    app.audit.written(Note::new("deadletter.read").subject(&args.id).store("cosmos").named(Container::DeadLetters.name())).await?;
    let mut opened = document.body;
    opened["body"] = parking::opened(app, &opened).await?.into();
    if args.json { serde_json::to_string(&opened) } else { serde_json::to_string_pretty(&opened) }.map_err(Error::internal)
}
