//! `rtvoice plan`: what a number of concurrent calls needs.

use std::process::ExitCode;

use rtvoice::ops::plan::{self, PlanArgs};

pub(crate) fn run(arguments: &PlanArgs) -> ExitCode {
    let config = match super::settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match plan::run(&config, arguments) {
        Ok(text) => super::out::say(&text, ExitCode::SUCCESS),
        Err(e) => super::failed(&e),
    }
}
