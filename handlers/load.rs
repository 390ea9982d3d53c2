//! `rtvoice load`: calls against a running handler or host.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use rtvoice::config::{self, Secret};
use rtvoice::ops::load::{self, LoadArgs, Report};

/// The function key of the target, where it asks for one: on the command line others could see it.
const KEY: &str = "LOAD_FUNCTION_KEY";

pub(crate) fn run(arguments: &LoadArgs) -> ExitCode {
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
    let done = |report: Report| {
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
    };
    if arguments.faults {
        super::log_to("error", super::LogTarget::Stderr);
        let work = load::run_with_faults(config::app_root(), arguments, &progress);
        return match super::runtime().and_then(|runtime| runtime.block_on(work)) {
            Ok(report) => done(report),
            Err(e) => super::failed(&e),
        };
    }
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(config, "error", async |app| load::run(&app, arguments, key, &progress).await, done)
}
