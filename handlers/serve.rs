//! `rtvoice serve`: what host.json starts.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::host::deliver::{Deliverer, Target};
use rtvoice::host::link::HandlerLink;
use rtvoice::host::manifest::{Manifest, Trigger};
use rtvoice::host::{failpoint, line, router, server};
use rtvoice::{ports, steps};
use tokio_util::sync::CancellationToken;

/// Runs until it is told to end. A setting that is missing, wrong or contradictory is one line and exit code 2.
pub fn run() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to(&config.log_level, super::LogTarget::Stdout);
    let result = super::runtime().and_then(|runtime| runtime.block_on(serve(config)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind == Kind::Setting => super::wrong_setting(&e.detail),
        Err(e) => {
            super::out::warn(&format!("rtvoice: {}", e.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    let port = config.handler_port.ok_or_else(|| {
        Error::new(Kind::Setting, "FUNCTIONS_CUSTOMHANDLER_PORT must be set: the Functions host sets it, for example FUNCTIONS_CUSTOMHANDLER_PORT=7072")
    })?;
    failpoint::set(config.ends_at.as_ref());
    let with_stdin = config.exit_with_stdin;
    let app = App::new(config)?;
    let vault = Arc::clone(&app.vault);
    line::name_calls(move |call| vault.call_name(call));
    server::connect(&app).await?;
    if let Err(e) = steps::audit::settings(&app).await {
        tracing::warn!(error = e.chain(), "whether the settings have changed was not noted");
    }
    let listener = server::bind(port).await?;
    let stop = CancellationToken::new();
    server::stop_on_signals(stop.clone(), with_stdin)?;
    tracing::info!(port, backends = %server::backends(&app), version = env!("CARGO_PKG_VERSION"), "serving");
    let delivering = deliver_embedded(&app, port, &stop)?;
    let exporting = tokio::spawn(export(app.clone(), stop.clone()));
    let watching = tokio::spawn(steps::watch::run(app.clone(), stop.clone()));
    let keeping_up = tokio::spawn(keep_up(app.clone(), stop.clone()));
    let result = server::serve(app, listener, stop).await;
    for task in delivering.into_iter().chain([watching, exporting, keeping_up]) {
        // A delivery that is cut short is given back to the queue by its lock.
        let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
    }
    result
}

/// Hands spans and metrics over every 10 s, and what is left at the end.
async fn export(app: App, stop: CancellationToken) {
    while app.export.is_on() && !stop.is_cancelled() {
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(ports::export::EVERY) => {} }
        steps::watch::look_inside(&app);
        app.export.hand_over(&app.metrics.figures(), app.clock.now()).await;
    }
}

/// Sends what the queue did not take as soon as it answers again.
async fn keep_up(app: App, stop: CancellationToken) {
    steps::outbox::owed::keep_up(&app, &stop).await;
}

/// Under a host that has no Service Bus to deliver from, the embedded queue is delivered from here.
fn deliver_embedded(app: &App, port: u16, stop: &CancellationToken) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let Some(queue) = app.embedded_queue.clone().filter(|_| !app.config.under_dev_host) else { return Ok(Vec::new()) };
    tracing::info!("no Service Bus is configured: delivering the embedded queue here");
    let link = HandlerLink::new(ports::http::loopback_client()?, port, Some(router::longest_deadline() + Duration::from_secs(10)));
    let deliverer = Deliverer { queue, invoker: Arc::new(link), clock: Arc::clone(&app.clock) };
    let manifest = Manifest::read(&app.config.app_root)?;
    let mut tasks = Vec::new();
    for function in &manifest.functions {
        let Trigger::ServiceBus(trigger) = &function.trigger else { continue };
        let named = |name: &str| (name == "TRANSCRIPT_QUEUE").then(|| app.config.transcript_queue.clone());
        if let Some(target) = Target::of(&function.name, trigger, &manifest, &app.config, named)? {
            tasks.push(tokio::spawn(deliverer.clone().run(target, stop.clone())));
        }
    }
    Ok(tasks)
}
