//! Commands that look at, or act on, the stores of the settings and tell one thing: their exit codes are 0 and 1 by that.

use std::process::ExitCode;

use rtvoice::app::App;
use rtvoice::error::Result;
use rtvoice::ops;
use rtvoice::ops::config::ConfigArgs;
use rtvoice::ops::told::Told;
use rtvoice::ports::audit::Actor;

/// Runs one on an app of the settings.
pub(crate) fn run<W: Future<Output = Result<Told>>>(work: impl FnOnce(App) -> W) -> ExitCode {
    match super::store_settings() {
        Ok(config) => super::command(config, "error", work, told),
        Err(code) => code,
    }
}

/// Runs one that looks at what may be away: that the audit log cannot be written is told, and takes nothing from the answer.
pub(crate) fn looking<W: Future<Output = Result<Told>>>(work: impl FnOnce(App) -> W) -> ExitCode {
    match super::store_settings() {
        Ok(config) => alone(async {
            let app = App::new(config)?;
            app.audit.acting_as(Actor::Cli);
            let outcome = work(app.clone()).await;
            if let Err(e) = app.audit.close().await {
                super::out::warn(&format!("rtvoice: what was looked at is not in the audit log: {}", e.chain()));
            }
            outcome
        }),
        Err(code) => code,
    }
}

/// Shows the settings; a wrong one is code 2.
pub(crate) fn settings(arguments: &ConfigArgs) -> ExitCode {
    match ops::config::run(arguments) {
        Ok(outcome) if outcome.good => told(outcome),
        Ok(outcome) => super::out::say(&outcome.text, ExitCode::from(2)),
        Err(e) => super::failed(&e),
    }
}

/// Prints what a shell needs to complete our commands.
pub(crate) fn completions(shell: clap_complete::Shell, mut command: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "rtvoice", &mut script);
    super::out::say(&String::from_utf8_lossy(&script), ExitCode::SUCCESS)
}

/// Runs one that needs no store.
pub(crate) fn alone(work: impl Future<Output = Result<Told>>) -> ExitCode {
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(outcome) => told(outcome),
        Err(e) => super::failed(&e),
    }
}

/// Prints it.
pub(crate) fn told(told: Told) -> ExitCode {
    super::out::say(&told.text, if told.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
