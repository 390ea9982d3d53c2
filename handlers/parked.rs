//! `rtvoice parked`.

use std::process::ExitCode;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::ops::parked::{self, ParkedArgs};

pub(crate) fn run(arguments: &ParkedArgs) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to("error", super::LogTarget::Stderr);
    let work = async { parked::run(&App::new(config)?, arguments).await };
    match super::runtime().and_then(|runtime| runtime.block_on(work)) {
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
