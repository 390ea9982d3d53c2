//! `rtvoice keys`.

use std::process::ExitCode;

use rtvoice::app::App;
use rtvoice::ops::keys::{self, KeysArgs, KeysCommand, Level};
use rtvoice::ports::audit::{Actor, Note};

pub(crate) fn run(arguments: &KeysArgs) -> ExitCode {
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::log_to("warn", super::LogTarget::Stderr);
    let work = async {
        let app = App::new(config)?;
        app.audit.acting_as(Actor::Cli);
        let result = keys::run(&app.vault, arguments).await;
        // Afterwards, and without a veto: the log is signed with a key that this command may be about to bring back.
        let noted = app.audit.written(Note::new(action(&arguments.command)).store("keys").result(&result)).await;
        let noted = match noted {
            Ok(()) => app.audit.close().await,
            failed => failed,
        };
        if let Err(e) = noted {
            super::out::warn(&format!("rtvoice: what was done is not in the audit log: {}", e.chain()));
        }
        result
    };
    match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(report) => super::out::say(report.text.trim_end(), if report.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Err(e) => super::failed(&e),
    }
}

const fn action(command: &KeysCommand) -> &'static str {
    match command {
        KeysCommand::Status => "keys.status",
        KeysCommand::Rotate(Level::Root { .. }) => "keys.rotate.root",
        KeysCommand::Rotate(Level::Epoch) => "keys.rotate.epoch",
        KeysCommand::Rotate(Level::User { .. }) => "keys.rotate.user",
        KeysCommand::Reencrypt { .. } => "keys.reencrypt",
    }
}
