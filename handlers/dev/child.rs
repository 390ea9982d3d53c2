//! The handler's process: started, watched and restarted as the Functions host does it.
//!
//! In: what to start. Out: the port of the handler while it is ready. Exit 0 is only noted, exit 200 asks for a
//! restart, anything else is an error and a restart; the third error, each within 30 minutes of the one before, ends
//! it all. The child's standard input is a pipe: it closes when this process dies, however that happens, and the
//! handler ends with it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::log::LogSink;
use crate::error::{Error, Kind, Result};

mod output;
use output::Output;

/// How often the handler is asked whether it is there.
const POLL: Duration = Duration::from_millis(25);

/// How long an invocation waits for a handler that starts: the real host's (3 + 1) times its start.
const PATIENCE: Duration = Duration::from_secs(120);

/// Errors in a row that end the host, and how far apart they may lie.
const ERRORS: usize = 3;
const ERROR_WINDOW: Duration = Duration::from_secs(30 * 60);

/// How long a handler may take to end by itself once its standard input closes.
const ENDING: Duration = Duration::from_secs(3);

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder of `host.json`.
    pub app_root: PathBuf,
    /// The folder to run in.
    pub folder: PathBuf,
    /// Variables besides those of this process.
    pub environment: Vec<(String, String)>,
    /// A fixed port, where host.json gives one.
    pub port: Option<u16>,
    /// How long it may take until it answers: 30 s in the real host.
    pub start_within: Duration,
}

/// A handler that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its process id.
    pub pid: u32,
    /// Counts the starts, from 1.
    pub start: u64,
}

/// Where the handler stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is being started.
    Starting,
    /// It answers.
    Ready(Ready),
    /// It ended with exit code 0; the host does not start it again.
    Ended,
    /// It failed too often; with the reason.
    Failed(String),
}

/// The handler under watch.
#[derive(Debug)]
pub struct Handler {
    state: watch::Receiver<State>,
    restarts: mpsc::UnboundedSender<u64>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Handler {
    /// Starts it, and keeps it running until [`Handler::stop`].
    pub fn start(launch: Launch, client: reqwest::Client, log: LogSink) -> Self {
        let (publish, state) = watch::channel(State::Starting);
        let (restarts, asked) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let keeper = Keeper { launch, client, log, publish, asked, stop: stop.clone() };
        Self { state, restarts, stop, task: Mutex::new(Some(tokio::spawn(keeper.keep()))) }
    }

    /// The handler, once it answers; waits for one that starts, at most two minutes.
    pub async fn ready(&self) -> Result<Ready> {
        let mut state = self.state.clone();
        let settled = timeout(PATIENCE, state.wait_for(|s| *s != State::Starting)).await;
        match settled.map_err(|_| Error::deadline("the handler", PATIENCE))?.map(|s| s.clone()) {
            Ok(State::Ready(ready)) => Ok(ready),
            Ok(State::Failed(reason)) => Err(Error::new(Kind::Unavailable, reason)),
            Ok(State::Starting | State::Ended) | Err(_) => Err(Error::new(Kind::Unavailable, "the handler is not running")),
        }
    }

    /// Where it stands now, and a way to follow it.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Kills and restarts the handler of this start, as the host does when an invocation exceeds functionTimeout; not an error.
    pub fn restart(&self, start: u64) {
        // A closed channel means that the keeper has ended: nothing is left to restart.
        let _ = self.restarts.send(start);
    }

    /// Begins to end it, for those who cannot wait.
    pub fn stop_soon(&self) {
        self.stop.cancel();
    }

    /// Ends it: closes its standard input, then kills it if it does not end by itself.
    pub async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // A panic of the keeper has dropped the child, which kills it.
            let _ = task.await;
        }
    }
}

struct Keeper {
    launch: Launch,
    client: reqwest::Client,
    log: LogSink,
    publish: watch::Sender<State>,
    asked: mpsc::UnboundedReceiver<u64>,
    stop: CancellationToken,
}

enum End {
    Stopped,
    Restart,
    Exit(ExitStatus),
    Error(String),
}

impl Keeper {
    async fn keep(mut self) {
        let mut errors: Vec<Instant> = Vec::new();
        for start in 1.. {
            self.publish.send_replace(State::Starting);
            let mut output = Output::default();
            let reason = match self.run(start, &mut output).await {
                End::Stopped => return,
                End::Restart => continue,
                End::Exit(status) if status.code() == Some(0) => {
                    self.log.host("the handler ended with exit code 0: the host does not start it again");
                    self.publish.send_replace(State::Ended);
                    return self.stop.cancelled().await;
                }
                End::Exit(status) if status.code() == Some(200) => {
                    self.log.host("the handler asked for a restart (exit code 200)");
                    continue;
                }
                End::Exit(status) => format!("the handler ended: {status}"),
                End::Error(reason) => reason,
            };
            let now = Instant::now();
            if errors.last().is_some_and(|last| now.duration_since(*last) > ERROR_WINDOW) {
                errors.clear();
            }
            errors.push(now);
            let last_lines = output.last_errors().await;
            let reason = if last_lines.is_empty() { reason } else { format!("{reason}: {last_lines}") };
            self.log.host(format!("{reason} (error {} of {ERRORS})", errors.len()));
            if errors.len() >= ERRORS {
                self.publish.send_replace(State::Failed(reason));
                return;
            }
        }
    }

    /// One life of the process.
    async fn run(&mut self, start: u64, output: &mut Output) -> End {
        let port = match self.launch.port.map_or_else(free_port, Ok) {
            Ok(port) => port,
            Err(e) => return End::Error(format!("no free port on 127.0.0.1 ({e})")),
        };
        let mut child = match self.command(port, start).spawn() {
            Ok(child) => child,
            Err(e) => return End::Error(format!("{} cannot be started ({e})", self.launch.executable.display())),
        };
        let stdin = child.stdin.take();
        output.relay(&mut child, &self.log);
        let pid = child.id().unwrap_or_default();
        let ready = timeout(self.launch.start_within, answers(&self.client, port));
        tokio::select! {
            () = self.stop.cancelled() => return end(child, stdin).await,
            status = child.wait() => return status.map_or_else(|e| End::Error(e.to_string()), End::Exit),
            ready = ready => if ready.is_err() {
                kill(&mut child).await;
                return End::Error(format!("the handler did not answer within {} s", self.launch.start_within.as_secs()));
            }
        }
        self.publish.send_replace(State::Ready(Ready { port, pid, start }));
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return end(child, stdin).await,
                status = child.wait() => return status.map_or_else(|e| End::Error(e.to_string()), End::Exit),
                Some(asked) = self.asked.recv() => if asked == start {
                    self.log.host("the handler is killed and started again");
                    kill(&mut child).await;
                    return End::Restart;
                }
            }
        }
    }

    fn command(&self, port: u16, start: u64) -> Command {
        let launch = &self.launch;
        let mut command = Command::new(&launch.executable);
        command.args(&launch.arguments).current_dir(&launch.folder).envs(launch.environment.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let (port, worker) = (port.to_string(), format!("rtvoice-dev-{}-{start}", std::process::id()));
        for (name, value) in [("FUNCTIONS_CUSTOMHANDLER_PORT", &port), ("FUNCTIONS_HTTPWORKER_PORT", &port)] {
            command.env(name, value);
        }
        for name in ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "FUNCTIONS_HTTPWORKER_ID"] {
            command.env(name, &worker);
        }
        command.env("FUNCTIONS_APP_ROOT_PATH", &launch.app_root).env("RTVOICE_DEV_HOST", "1").env("RTVOICE_EXIT_WITH_STDIN", "1");
        // A group of its own: Ctrl-C in the terminal reaches the local host alone, which then ends the handler in order.
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// A port that was free a moment ago; as in the real host, another process may take it before the handler does.
fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|a| a.port())
}

/// Returns when any HTTP answer comes; only a refused connection means "not yet".
async fn answers(client: &reqwest::Client, port: u16) {
    let url = format!("http://127.0.0.1:{port}/");
    while client.get(&url).send().await.is_err_and(|e| e.is_connect()) {
        sleep(POLL).await;
    }
}

async fn end(mut child: Child, stdin: Option<ChildStdin>) -> End {
    drop(stdin);
    if timeout(ENDING, child.wait()).await.is_err() {
        kill(&mut child).await;
    }
    End::Stopped
}

async fn kill(child: &mut Child) {
    // An error means that it has ended already.
    let _ = child.kill().await;
}
