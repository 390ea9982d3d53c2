//! `rtvoice parked`.

use std::process::ExitCode;

use rtvoice::ops::parked::{self, ParkedArgs};

pub(crate) fn run(arguments: &ParkedArgs) -> ExitCode {
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(config, "error", async |app| parked::run(&app, arguments).await, |text| super::out::say(&text, ExitCode::SUCCESS))
}
