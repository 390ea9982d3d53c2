//! `rtvoice bench`: what things cost, each beside its limit, in one run on one machine.
//!
//! [`privacy`] compares a turn with and without everything of privacy in one process. [`paths`] measures whole paths: it
//! starts handlers of its own on the Redis of the settings, under prefixes and files of its own, and leaves nothing. Both
//! refuse to run where production's rules hold. Fails as the stores do.

mod audio;
mod bare;
mod call;
mod envelope;
mod growth;
mod handler;
mod machine;
mod memory;
pub mod paths;
pub mod privacy;
mod pure;
mod record;
mod report;
mod script;
mod sink;
mod stage;
mod start;
mod telemetry;
mod turns;
mod wire;

pub use call::PerCall;
pub use paths::{PathsArgs, RowName};
pub use privacy::PrivacyArgs;
pub use report::{Machine, Report, Row, number};

use std::path::PathBuf;

use crate::config::Config;
use crate::error::{Error, Kind, Result};

/// Privacy is switched off and stores are filled: nothing for production.
fn refuse_production(config: &Config) -> Result<()> {
    if config.guarded {
        return Err(Error::new(Kind::Setting, "PRIVACY must not be off in prod, in staging and in Azure: measure elsewhere"));
    }
    Ok(())
}

/// A folder of this process beside the embedded file.
fn own_folder(config: &Config) -> Result<PathBuf> {
    let folder = config.embedded_path.with_file_name(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| Error::new(Kind::Setting, "EMBEDDED_PATH must be in a folder that can be written").because(e))?;
    Ok(folder)
}

/// What callers say, one after the other: a quarter of it is personal.
const SAID: [&str; 8] = [
    "Good morning, I would like to know where my order is",
    "my phone number is four two five five five five oh one eight seven",
    "It should have come on Tuesday, or on Wednesday at the latest",
    "No, nobody has called me about it so far",
    "What are your opening hours on the weekend?",
    "You can write to quill.farthing@example.org",
    "And can I change the appointment to next Monday?",
    "All right then, thank you very much for your help",
];
