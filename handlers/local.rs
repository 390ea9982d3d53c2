//! `rtvoice dev` and `rtvoice demo`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rtvoice::config;
use rtvoice::dev::demo::Demo;
use rtvoice::dev::host::{LocalHost, Options};
use rtvoice::dev::tap::Tap;
use rtvoice::dev::watch::{self, Watching};
use rtvoice::error::{Error, Kind, Result};
use rtvoice::host::server;
use tokio_util::sync::CancellationToken;

/// Run the local host: the functions, the timers and the embedded queue, without a cloud.
#[derive(Args)]
#[command(
    after_help = "A recording holds what callers say and who they are, in clear, and no key: its file is readable for its owner alone. It is refused in\n\
                  prod, in staging and in Azure. Delete it when it is not needed any more.\n\
                  With --watch a build that fails leaves the handler that runs. The local host itself stays as it was built.\n\
                  Exit codes: 0 ended, 1 failed, 2 wrong usage or setting."
)]
pub(crate) struct DevArguments {
    /// Port of http://localhost; 0 takes a free one
    #[arg(long, default_value_t = 7071)]
    port: u16,
    /// Ask for function keys, as the host in Azure does; they are printed at start
    #[arg(long)]
    auth: bool,
    /// Build with cargo when a source changes, start the handler again, and send the last event once more
    #[arg(long)]
    watch: bool,
    /// Write every request that comes in to this file, for `rtvoice replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Play a whole phone call through the local host on embedded backends, and verify what came of it.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 all of it holds, 1 something does not, 2 wrong usage or setting.")]
pub(crate) struct DemoArguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Keep the folder with the stores
    #[arg(long)]
    keep: bool,
    /// A JSON file with what the caller says: {"turns":[{"text":"..."}]}, at least six turns
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

pub(crate) fn dev(arguments: &DevArguments) -> ExitCode {
    super::log_to("warn", super::LogTarget::Stderr);
    finish(super::runtime().and_then(|runtime| runtime.block_on(run_dev(arguments))))
}

async fn run_dev(arguments: &DevArguments) -> Result<bool> {
    let stop = CancellationToken::new();
    server::stop_on_signals(stop.clone(), false)?;
    let mut options = Options { port: arguments.port, auth: arguments.auth, ..Options::new(config::app_root()) };
    options.tap = (arguments.watch || arguments.record.is_some()).then(|| Tap::new(arguments.record.clone()));
    // Looked up once: what replaces it does so under the same name.
    let executable = std::env::current_exe().map_err(Error::internal)?;
    let watching = if arguments.watch { Some(Watching::cargo(&options.app_root, &executable)?) } else { None };
    options.executable = Some(executable);
    let host = tokio::select! {
        host = LocalHost::start(options.clone()) => host?,
        () = stop.cancelled() => return Ok(true),
    };
    super::out::warn(&host.table().to_string());
    if let Some(watching) = watching {
        watch::run(host, options, &watching, &stop).await;
        return Ok(true);
    }
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        error = host.failed() => Some(error),
    };
    host.stop().await;
    failed.map_or(Ok(true), Err)
}

pub(crate) fn demo(arguments: &DemoArguments) -> ExitCode {
    super::log_to("error", super::LogTarget::Stderr);
    match super::runtime().and_then(|runtime| runtime.block_on(run_demo(arguments))) {
        Ok((ok, text)) => super::out::say(&text, finish(Ok(ok))),
        Err(e) => finish(Err(e)),
    }
}

async fn run_demo(arguments: &DemoArguments) -> Result<(bool, String)> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let shown = bar.clone();
    let progress = move |step: &str| {
        // A spinner is not drawn where standard error is no terminal; the steps are told all the same.
        if shown.is_hidden() {
            super::out::warn(step);
        }
        shown.set_message(step.to_owned());
    };
    let demo = Demo { app_root: config::app_root(), script: arguments.script.clone(), keep: arguments.keep, executable: None, progress: Arc::new(progress) };
    let played = demo.play().await;
    bar.finish_and_clear();
    let report = played?;
    let text = if arguments.json { serde_json::to_string(&report).map_err(Error::internal)? } else { report.text() };
    Ok((report.ok, text))
}

/// Exit code of a command that answers yes or no.
fn finish(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) if e.kind == Kind::Setting => super::wrong_setting(&e.detail),
        Err(e) => super::out::fail(&e.chain(), ExitCode::FAILURE),
    }
}
