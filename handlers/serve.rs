//! `rtvoice serve`: what host.json starts.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::host::deliver::{Deliverer, Source, Target};
use rtvoice::host::link::HandlerLink;
use rtvoice::host::{router, server};
use rtvoice::ports;
use tokio_util::sync::CancellationToken;

/// Lanes that `serve` delivers at once where no host does; as host.json has it.
const LANES: usize = 64;

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
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    let port = config.handler_port.ok_or_else(|| {
        Error::new(Kind::Setting, "FUNCTIONS_CUSTOMHANDLER_PORT must be set: the Functions host sets it, for example FUNCTIONS_CUSTOMHANDLER_PORT=7072")
    })?;
    let with_stdin = config.under_dev_host;
    let app = App::new(config)?;
    server::connect(&app).await?;
    let listener = server::bind(port).await?;
    let stop = CancellationToken::new();
    server::stop_on_signals(stop.clone(), with_stdin)?;
    tracing::info!(port, backends = %server::backends(&app), version = env!("CARGO_PKG_VERSION"), "serving");
    let delivering = deliver_embedded(&app, port, &stop)?;
    let result = server::serve(app, listener, stop).await;
    for task in delivering {
        // A delivery that is cut short is given back to the queue by its lock.
        let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
    }
    result
}

/// Under a host that has no Service Bus to deliver from, the embedded queue is delivered from here.
fn deliver_embedded(app: &App, port: u16, stop: &CancellationToken) -> Result<Vec<tokio::task::JoinHandle<()>>> {
    let Some(queue) = app.embedded_queue.clone().filter(|_| !app.config.under_dev_host) else { return Ok(Vec::new()) };
    tracing::info!("no Service Bus is configured: delivering the embedded queue here");
    let link = HandlerLink::new(ports::http::client()?, port, Some(router::longest_deadline() + Duration::from_secs(10)));
    let deliverer = Deliverer { queue, invoker: Arc::new(link), clock: Arc::clone(&app.clock) };
    let target = |function: &str, source: Source, concurrency: usize| Target {
        function: function.to_owned(),
        binding: rtvoice::functions::transcript_writer::BINDING.to_owned(),
        queue: app.config.transcript_queue.clone(),
        source,
        with_session: source == Source::Live,
        concurrency,
        renew_for: Duration::from_secs(300),
    };
    let targets = [target("TranscriptWriter", Source::Live, LANES), target("TranscriptDeadLetter", Source::Dead, 4)];
    Ok(targets.into_iter().map(|target| tokio::spawn(deliverer.clone().run(target, stop.clone()))).collect())
}
