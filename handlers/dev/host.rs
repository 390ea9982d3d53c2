//! Starts and stops the local host: reads the app's files, starts the handler, serves the routes, runs the timers and
//! delivers the embedded queue.
//!
//! In: [`Options`]. Out: a running [`LocalHost`]. A wrong file or setting, a port in use, or a handler that fails three
//! times stops the start with one line. `stop` ends the deliveries, then the handler, then the server.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::child::{Handler, Launch, Ready, State};
use super::front::{Front, Runner, router};
use super::keys::Keys;
use super::log::LogSink;
use super::settings::Settings;
use super::table;
use super::tap::{self, Tap};
use super::timers::Timer;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::host::deliver::{Deliverer, Target};
use crate::host::link::Invoker;
use crate::host::manifest::{Manifest, Trigger, expand};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::embedded::Embedded;
use crate::ports::http;
use crate::ports::queue::embedded::EmbeddedQueue;

/// How long a handler may take until it answers, as in the real host.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How long open connections may take at the end.
const CLOSING: Duration = Duration::from_secs(2);

/// How the local host is started.
#[derive(Clone)]
pub struct Options {
    /// The folder of `host.json`.
    pub app_root: PathBuf,
    /// The port to serve; 0 for a free one.
    pub port: u16,
    /// Whether keys are asked for.
    pub auth: bool,
    /// Settings that win over the process environment and `local.settings.json`; the handler gets them too.
    pub environment: Vec<(String, String)>,
    /// Settings of the handler alone, which win over those.
    pub for_handler: Vec<(String, String)>,
    /// The handler's executable; none for this one.
    pub executable: Option<PathBuf>,
    /// The handler's arguments; none for those of host.json.
    pub arguments: Option<Vec<String>>,
    /// Whether the embedded queue is delivered.
    pub deliver_queue: bool,
    /// Whether timers run.
    pub run_timers: bool,
    /// Where lines go.
    pub log: LogSink,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// What notes the requests that come in; none for nothing.
    pub tap: Option<Tap>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options({}, port {})", self.app_root.display(), self.port)
    }
}

impl Options {
    /// The usual local host of an app: port 7071, no keys, queue and timers running, lines to standard error.
    pub fn new(app_root: PathBuf) -> Self {
        Self {
            app_root,
            port: 7071,
            auth: false,
            environment: Vec::new(),
            for_handler: Vec::new(),
            executable: None,
            arguments: None,
            deliver_queue: true,
            run_timers: true,
            log: LogSink::stderr(),
            clock: Arc::new(SystemClock),
            tap: None,
        }
    }
}

/// A running local host. [`LocalHost::stop`] ends everything in order; dropping it only begins to.
#[derive(Debug)]
pub struct LocalHost {
    front: Arc<Front>,
    port: u16,
    stop: CancellationToken,
    deliveries: TaskTracker,
    closing: CancellationToken,
    server: TaskTracker,
}

impl LocalHost {
    /// Starts it and waits until the handler answers.
    pub async fn start(mut options: Options) -> Result<Self> {
        // The handler may run in another folder: it must find the app all the same.
        options.app_root = std::path::absolute(&options.app_root).map_err(Error::internal)?;
        let manifest = Manifest::read(&options.app_root)?;
        if !manifest.host.forwards_http() {
            return Err(Error::new(
                Kind::Setting,
                "host.json: customHandler.enableProxyingHttpRequest: must be true, for the local host hands HTTP requests on as they are",
            ));
        }
        let settings = Settings::read(&options.app_root, options.environment.iter().cloned())?;
        let lookup = |name: &str| settings.lookup(name);
        let config = Config::from_lookup(lookup, options.app_root.clone()).map_err(|e| Error::new(Kind::Setting, e.to_string()))?;
        if let Some(tap) = &options.tap {
            tap.open(config.guarded, &options.log)?;
        }
        let listener = listen(options.port).await?;
        let port = listener.local_addr().map_err(Error::internal)?.port();
        let client = http::loopback_client()?;
        let handler = Handler::start(launch(&options, &manifest, &settings)?, client.clone(), options.log.clone());
        let runner = Runner { handler, client, timeout: manifest.host.function_timeout() };
        let front = Front {
            manifest,
            settings,
            url: format!("http://localhost:{port}"),
            keys: options.auth.then(|| Keys::generate(options.clock.as_ref())),
            invoker: Arc::new(runner),
            clock: Arc::clone(&options.clock),
            log: options.log.clone(),
            background: TaskTracker::new(),
        };
        let host = Self {
            front: Arc::new(front),
            port,
            stop: CancellationToken::new(),
            deliveries: TaskTracker::new(),
            closing: CancellationToken::new(),
            server: TaskTracker::new(),
        };
        match host.begin(&options, &config, listener).await {
            Ok(()) => Ok(host),
            Err(error) => {
                host.stop().await;
                Err(error)
            }
        }
    }

    async fn begin(&self, options: &Options, config: &Config, listener: TcpListener) -> Result<()> {
        self.front.invoker.handler.ready().await?;
        let (mut service, closing) = (router(Arc::clone(&self.front)), self.closing.clone());
        if let Some(tap) = &options.tap {
            service = service.layer(axum::middleware::from_fn_with_state(tap.clone(), tap::pass));
        }
        let log = self.front.log.clone();
        self.server.spawn(async move {
            if let Err(e) = axum::serve(listener, service).with_graceful_shutdown(closing.cancelled_owned()).await {
                log.host(format!("the server ended: {e}"));
            }
        });
        if options.deliver_queue {
            self.deliver(config)?;
        }
        if options.run_timers {
            self.time();
        }
        Ok(())
    }

    /// Delivers the embedded queue to the functions that listen to it.
    fn deliver(&self, config: &Config) -> Result<()> {
        let front = &self.front;
        let mut targets = Vec::new();
        for function in front.manifest.functions.iter().filter(|f| !front.settings.is_disabled(f)) {
            let Trigger::ServiceBus(trigger) = &function.trigger else { continue };
            if config.service_bus.is_some() {
                front
                    .log
                    .host(format!("{}: not delivered, for SERVICE_BUS_NAMESPACE is set and the local host delivers the embedded queue alone", function.name));
                continue;
            }
            match Target::of(&function.name, trigger, &front.manifest, config, |name| front.settings.lookup(name))? {
                Some(target) => targets.push(target),
                None => front.log.host(format!("{}: not delivered, for its queue is not TRANSCRIPT_QUEUE ({})", function.name, config.transcript_queue)),
            }
        }
        if targets.is_empty() {
            return Ok(());
        }
        let queue = EmbeddedQueue::open(Embedded::open(&config.embedded_path)?, Arc::clone(&front.clock))?;
        let invoker: Arc<dyn Invoker> = Arc::clone(&front.invoker) as Arc<dyn Invoker>;
        for target in targets {
            let deliverer = Deliverer { queue: queue.clone(), invoker: Arc::clone(&invoker), clock: Arc::clone(&front.clock) };
            self.deliveries.spawn(deliverer.run(target, self.stop.clone()));
        }
        Ok(())
    }

    fn time(&self) {
        for function in self.front.manifest.functions.iter().filter(|f| !self.front.settings.is_disabled(f)) {
            let Trigger::Timer(trigger) = &function.trigger else { continue };
            let timer = Timer {
                function: function.name.clone(),
                trigger: trigger.clone(),
                invoker: Arc::clone(&self.front.invoker) as Arc<dyn Invoker>,
                clock: Arc::clone(&self.front.clock),
                log: self.front.log.clone(),
            };
            // A tick that runs at the end is cut off, as the real host would.
            let stop = self.stop.clone();
            self.deliveries.spawn(async move { stop.clone().run_until_cancelled_owned(timer.run(stop)).await });
        }
    }

    /// `http://localhost:{port}`.
    pub fn url(&self) -> &str {
        &self.front.url
    }

    /// The port of that.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The keys, where they are asked for.
    pub fn keys(&self) -> Option<&Keys> {
        self.front.keys.as_ref()
    }

    /// The app's files.
    pub fn manifest(&self) -> &Manifest {
        &self.front.manifest
    }

    /// The table of functions and URLs, to be shown at start.
    pub fn table(&self) -> String {
        table::draw(&self.front)
    }

    /// The handler, once it answers.
    pub async fn handler(&self) -> Result<Ready> {
        self.front.invoker.handler.ready().await
    }

    /// What the handler is now, and becomes.
    pub fn handler_state(&self) -> watch::Receiver<State> {
        self.front.invoker.handler.state()
    }

    /// Kills the handler, as the host does with one that hangs, and starts it again. Not one of the failures that end the host.
    pub async fn kill_handler(&self) -> Result<()> {
        let ready = self.handler().await?;
        self.front.invoker.handler.restart(ready.start);
        Ok(())
    }

    /// The same, and waits until the one after it answers. `Unavailable` where none does.
    pub async fn restart_handler(&self) -> Result<Ready> {
        let before = self.handler().await?;
        let mut state = self.front.invoker.handler.state();
        self.front.invoker.handler.restart(before.start);
        let is_settled = |state: &State| match state {
            State::Ready(after) => after.start > before.start,
            State::Ended | State::Failed(_) => true,
            State::Starting => false,
        };
        match state.wait_for(is_settled).await.map(|s| s.clone()) {
            Ok(State::Ready(after)) => Ok(after),
            Ok(State::Failed(reason)) => Err(Error::new(Kind::Unavailable, reason)),
            _ => Err(Error::new(Kind::Unavailable, "the handler is not running")),
        }
    }

    /// Waits until the handler has failed for good; with the reason.
    pub async fn failed(&self) -> Error {
        let mut state = self.front.invoker.handler.state();
        let reason = match state.wait_for(|s| matches!(s, State::Failed(_))).await.map(|s| s.clone()) {
            Ok(State::Failed(reason)) => reason,
            _ => "the handler is not watched any more".to_owned(),
        };
        Error::new(Kind::Unavailable, reason)
    }

    /// Ends it: no new deliveries, those that run finish, then the handler ends, then the open connections.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.deliveries.close();
        self.deliveries.wait().await;
        self.closing.cancel();
        self.server.close();
        // Requests that are in the handler may finish; a client that keeps its connection open may not hold us.
        let _ = tokio::time::timeout(CLOSING, self.server.wait()).await;
        self.front.invoker.handler.stop().await;
    }
}

impl Drop for LocalHost {
    fn drop(&mut self) {
        self.stop.cancel();
        self.closing.cancel();
        self.front.invoker.handler.stop_soon();
    }
}

async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|e| Error::new(Kind::Setting, format!("--port {port} cannot be used ({e}), for example --port 7072")))
}

fn launch(options: &Options, manifest: &Manifest, settings: &Settings) -> Result<Launch> {
    let description = &manifest.host.custom_handler.description;
    let executable = match &options.executable {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(Error::internal)?,
    };
    // An unset %NAME% becomes empty in the real host, too.
    let expanded = |argument: &String| expand(argument, |name| Some(settings.lookup(name).unwrap_or_default()));
    let arguments = match &options.arguments {
        Some(arguments) => arguments.clone(),
        None => description.arguments.iter().map(expanded).collect::<Result<_>>()?,
    };
    Ok(Launch {
        executable,
        arguments,
        app_root: options.app_root.clone(),
        folder: options.app_root.join(&description.working_directory),
        environment: settings.for_child().into_iter().chain(options.for_handler.iter().cloned()).collect(),
        port: manifest.host.custom_handler.port,
        start_within: START_WITHIN,
    })
}
