//! `rtvoice bench`: what things cost.

use std::process::ExitCode;

use clap::Subcommand;
use rtvoice::config::Config;
use rtvoice::error::Result;
use rtvoice::ops::bench::{PathsArgs, PrivacyArgs, paths, privacy};

/// Measure what things cost.
#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// A turn with privacy on, and with it off
    Privacy(PrivacyArgs),
    /// Whole paths beside their limits, on the Redis of the settings
    Paths(PathsArgs),
}

pub(crate) fn run(command: &BenchCommand) -> ExitCode {
    let config = match super::settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(measured(command, &config))) {
        Ok(text) => super::out::say(&text, ExitCode::SUCCESS),
        Err(e) => super::failed(&e),
    }
}

async fn measured(command: &BenchCommand, config: &Config) -> Result<String> {
    match command {
        BenchCommand::Privacy(arguments) => privacy::run(config, arguments).await,
        BenchCommand::Paths(arguments) => paths::run(config, arguments, &|line| super::out::warn(line)).await,
    }
}
