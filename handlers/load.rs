//! `rtvoice load`: calls against a running handler or host.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use rtvoice::config::{self, Secret};
use rtvoice::ops::load::{self, LoadArgs};

/// The function key of the target, where it asks for one: on the command line others could see it.
const KEY: &str = "LOAD_FUNCTION_KEY";

pub(crate) fn run(arguments: &LoadArgs) -> ExitCode {
    let config = match super::settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let key = config::process_env(KEY).filter(|key| !key.is_empty()).map(Secret::new);
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}") {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let progress = move |line: &str| {
        // A spinner is not drawn where standard error is no terminal; the lines are told all the same.
        if shown.is_hidden() {
            eprintln!("{line}");
        }
        shown.set_message(line.to_owned());
        shown.tick();
    };
    super::command(
        config,
        "error",
        async |app| load::run(&app, arguments, key, &progress).await,
        |report| {
            bar.finish_and_clear();
            if arguments.json {
                match serde_json::to_string(&report) {
                    Ok(text) => println!("{text}"),
                    Err(e) => return super::failed(&rtvoice::error::Error::internal(e)),
                }
            } else {
                println!("{}", report.text());
            }
            if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        },
    )
}
