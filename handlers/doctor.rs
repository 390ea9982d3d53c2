//! `rtvoice doctor`.

use std::process::ExitCode;

use rtvoice::config::{self, Config, effective};
use rtvoice::ops::doctor::{self, DoctorArgs};

pub(crate) fn run(arguments: &DoctorArgs) -> ExitCode {
    let root = config::app_root();
    let wrong = effective::wrong(config::process_env, &root);
    // A wrong setting leaves no app to look with; all of them are told at once.
    let config = match Config::from_env() {
        Ok(config) if wrong.is_empty() => config,
        _ => {
            return match doctor::tell(arguments, doctor::without_settings(&wrong, &root)) {
                Ok(told) => super::out::say(&told.text, ExitCode::from(2)),
                Err(e) => super::failed(&e),
            };
        }
    };
    super::operate::alone(async { doctor::tell(arguments, doctor::examine(config, arguments).await) })
}
