//! `rtvoice bench`: what things cost.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rtvoice::config::Config;
use rtvoice::error::Result;
use rtvoice::ops::bench::{PathsArgs, PrivacyArgs, paths, privacy};

/// Measure what things cost.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without a command it is `rtvoice bench paths`.\n\
                  Exit codes: 0 measured, whether goals are met or not, 1 failed, 2 wrong usage or setting."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    #[command(flatten)]
    paths: PathsArgs,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// A turn with privacy on, and with it off
    Privacy(PrivacyArgs),
    /// Whole paths beside their limits, on the Redis of the settings
    Paths(PathsArgs),
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match super::settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(measured(arguments, &config))) {
        Ok(text) => super::out::say(&text, ExitCode::SUCCESS),
        Err(e) => super::failed(&e),
    }
}

async fn measured(arguments: &Arguments, config: &Config) -> Result<String> {
    let whole = match &arguments.command {
        Some(BenchCommand::Privacy(arguments)) => return privacy::run(config, arguments).await,
        Some(BenchCommand::Paths(arguments)) => arguments,
        None => &arguments.paths,
    };
    paths::run(config, whole, &|line| super::out::warn(line)).await
}
