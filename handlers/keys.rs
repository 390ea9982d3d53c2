//! `rtvoice keys`.

use std::process::ExitCode;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::ops::keys::{self, KeysArgs};

pub(crate) fn run(arguments: &KeysArgs) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to("warn", super::LogTarget::Stderr);
    let work = async { keys::run(&App::new(config)?.vault, arguments).await };
    match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(report) => {
            println!("{}", report.text.trim_end());
            if report.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(e) if matches!(e.kind, Kind::Setting | Kind::BadInput) => super::wrong_setting(&e.detail),
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}
