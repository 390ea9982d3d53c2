//! `rtvoice bench`: what things cost.

use std::process::ExitCode;

use clap::Subcommand;
use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::ops::bench::{self, BenchArgs};

/// Measure what things cost.
#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// A turn with privacy on, and with it off
    Privacy(BenchArgs),
}

pub(crate) fn run(command: &BenchCommand) -> ExitCode {
    let BenchCommand::Privacy(arguments) = command;
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(bench::run(&config, arguments))) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) if e.kind == Kind::Setting => super::wrong_setting(&e.detail),
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}
