//! `rtvoice doctor`.

use std::process::ExitCode;

use rtvoice::config::{self, effective};
use rtvoice::ops::doctor::{self, DoctorArgs};
use rtvoice::ops::settings::Chosen;

pub(crate) fn run(arguments: &DoctorArgs) -> ExitCode {
    let root = config::app_root();
    let chosen = match Chosen::from_env(&root) {
        Ok(chosen) => chosen,
        Err(e) => return super::failed(&e),
    };
    if chosen.is_local() {
        super::out::warn("rtvoice: with the settings of local.settings.json, as `rtvoice dev`");
    }
    let wrong = effective::wrong(|name| chosen.value(name), &root);
    // A wrong setting leaves no app to look with; all of them are told at once.
    let config = match chosen.config(&root) {
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
