//! `rtvoice bench`: what things cost.

use std::process::ExitCode;

use clap::Subcommand;
use rtvoice::ops::bench::{self, BenchArgs};

/// Measure what things cost.
#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// A turn with privacy on, and with it off
    Privacy(BenchArgs),
}

pub(crate) fn run(command: &BenchCommand) -> ExitCode {
    let BenchCommand::Privacy(arguments) = command;
    let config = match super::settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(bench::run(&config, arguments))) {
        Ok(text) => super::out::say(&text, ExitCode::SUCCESS),
        Err(e) => super::failed(&e),
    }
}
