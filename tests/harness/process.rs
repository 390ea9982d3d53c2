//! The real binary as the Functions host runs it: `rtvoice serve` on a free port, with these settings and no others.
//!
//! It runs under a watchdog shell that ends it, and only it (SIGKILL), when it is dropped or the test process is gone.
//! It can be killed and started again on the same files; what it wrote is kept over its lives. [`Handler::app`] looks
//! at the same stores from the test's side. Fails by panic, with the handler's output.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::host::compose::{self, Invocation};
use rtvoice::host::link::{HandlerLink, Invoker as _};
use rtvoice::model::ids::CallId;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::steps::archive::{self, Archived};
use serde_json::Value;
use tempfile::TempDir;

use super::port::free_port;

/// Tells the handler's process id first, then what it says; ends it when the input ends.
const WATCHDOG: &str = r#"sh -c 'echo $$; exec "$0" serve 2>&1' "$0" </dev/null & read -r _; kill -9 $! 2>/dev/null; wait $! 2>/dev/null"#;

/// Longest that a condition is waited for; far above what it takes, for machines with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings by name.
pub type Settings = Vec<(&'static str, String)>;

/// An answer to an HTTP request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// One instance of the app.
pub struct Handler {
    settings: Settings,
    folder: Arc<TempDir>,
    /// Settings of its next life alone.
    once: Mutex<Settings>,
    running: Mutex<Option<Running>>,
    output: Arc<Mutex<String>>,
    client: reqwest::Client,
    app: OnceLock<App>,
}

struct Running {
    shell: Child,
    input: Option<ChildStdin>,
    port: u16,
    ready: bool,
}

impl Handler {
    /// Starts it and waits until it answers.
    pub async fn start(settings: Settings) -> Arc<Self> {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let prefix = format!("t-{}", &SystemClock.new_id()[..16]);
        let mut all: Settings = vec![
            ("ENVIRONMENT", "test".to_owned()),
            ("APP_PREFIX", prefix),
            ("LOG_LEVEL", "debug".to_owned()),
            ("COSMOS_DISABLE_IMDS", "1".to_owned()),
            ("EMBEDDED_PATH", folder.path().join("rtvoice.db").display().to_string()),
            ("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR").to_owned()),
        ];
        all.extend(settings);
        Self::launch(all, folder).await
    }

    /// Another instance on the same settings and files.
    pub async fn twin(&self) -> Arc<Self> {
        Self::launch(self.settings.clone(), Arc::clone(&self.folder)).await
    }

    async fn launch(settings: Settings, folder: Arc<TempDir>) -> Arc<Self> {
        let client = rtvoice::ports::http::client().expect("a client");
        let handler = Self { settings, folder, once: Mutex::default(), running: Mutex::default(), output: Arc::default(), client, app: OnceLock::new() };
        handler.restart().await;
        Arc::new(handler)
    }

    /// Starts it again on its settings and files, after killing it where it runs.
    pub async fn restart(&self) {
        self.kill();
        // A port that was free a moment ago may be taken now, by somebody who is no test.
        for _ in 0..5 {
            let running = self.spawn();
            let port = running.port;
            *self.running.lock().expect("unpoisoned") = Some(running);
            if self.answers(port).await {
                self.running.lock().expect("unpoisoned").as_mut().expect("it runs").ready = true;
                return;
            }
            self.kill();
        }
        panic!("the handler does not start:\n{}", self.output());
    }

    /// The same with further settings for this life of it.
    pub async fn restart_with(&self, once: Settings) {
        *self.once.lock().expect("unpoisoned") = once;
        self.restart().await;
        self.once.lock().expect("unpoisoned").clear();
    }

    /// Whether it has ended by itself.
    pub fn has_died(&self) -> bool {
        self.port().is_none_or(|port| std::net::TcpStream::connect(("127.0.0.1", port)).is_err())
    }

    fn spawn(&self) -> Running {
        let port = free_port();
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, env!("CARGO_BIN_EXE_rtvoice")])
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .envs(self.once.lock().expect("unpoisoned").iter().map(|(name, value)| (*name, value.as_str())))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(shell.stdout.take().expect("its output")).lines();
        let input = shell.stdin.take();
        lines.next().expect("a line").expect("text").trim().parse::<u32>().expect("a process id");
        let output = Arc::clone(&self.output);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut output = output.lock().expect("unpoisoned");
                output.push_str(&line);
                output.push('\n');
            }
        });
        Running { shell, input, port, ready: false }
    }

    async fn answers(&self, port: u16) -> bool {
        let until = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < until {
            if self.client.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok() {
                return true;
            }
            if self.output().contains("must be a free port") {
                self.output.lock().expect("unpoisoned").clear();
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// Ends it at once (SIGKILL), as the host does.
    pub fn kill(&self) {
        if let Some(mut running) = self.running.lock().expect("unpoisoned").take() {
            running.input.take();
            running.shell.wait().expect("the shell ends");
        }
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The port while it runs and answers.
    pub fn port(&self) -> Option<u16> {
        self.running.lock().expect("unpoisoned").as_ref().filter(|r| r.ready).map(|r| r.port)
    }

    /// Everything it has written to standard output and error.
    pub fn output(&self) -> String {
        self.output.lock().expect("unpoisoned").clone()
    }

    /// Sends a request; none where no answer comes.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let method = method.parse::<reqwest::Method>().expect("a method");
        let mut request = self.client.request(method, format!("http://127.0.0.1:{}{path}", self.port()?));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.ok()?;
        Some(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// Hands over an envelope as the host does; false where the host would call it a failure.
    pub async fn invoke(&self, function: &str, envelope: &Value) -> bool {
        let Some(port) = self.port() else { return false };
        let link = HandlerLink::new(self.client.clone(), port, Some(Duration::from_secs(130)));
        link.invoke(function, &SystemClock.new_id(), envelope).await.is_ok()
    }

    /// One tick of OutboxRelay.
    pub async fn relay(&self) -> bool {
        let id = SystemClock.new_id();
        let invocation = Invocation { function: "OutboxRelay", binding: rtvoice::functions::outbox_relay::BINDING, now: SystemClock.now(), id: &id };
        self.invoke("OutboxRelay", &compose::timer(invocation, None, false)).await
    }

    /// The same stores, from the test's side.
    pub fn app(&self) -> &App {
        self.app.get_or_init(|| {
            let lookup = |name: &str| self.settings.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
            App::new(Config::from_lookup(lookup, env!("CARGO_MANIFEST_DIR").into()).expect("sound settings")).expect("an app")
        })
    }

    /// What the record holds of a call; a store that is coming up is waited for.
    pub async fn archive(&self, call: &str) -> Option<Archived> {
        let call = CallId::parse(call).expect("a call id");
        eventually("the record can be read", || self.output(), async || archive::read(self.app(), &call).await.ok()).await
    }

    /// Waits until the call is archived with this many turns.
    pub async fn in_record(&self, call: &str, turns: usize) -> Archived {
        let why = || format!("call {call} with {turns} turns\n{}", self.output());
        eventually("the call is archived", why, async || self.archive(call).await.filter(|a| a.union.len() == turns)).await
    }

    /// Waits until the call is archived with this many turns and its state is let go.
    pub async fn archived(&self, call: &str, turns: usize) -> Archived {
        let id = CallId::parse(call).expect("a call id");
        self.in_record(call, turns).await;
        let state = &self.app().state;
        eventually("its state is let go", || self.output(), async || state.summary(&id).await.ok()?).await;
        self.in_record(call, turns).await
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for a condition and what it yields; panics with `why` where it does not come.
pub async fn eventually<T>(what: &str, why: impl Fn() -> String, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < until, "waited in vain until {what}: {}", tail(&why()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The end of a long log, without its chatter.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(r#""level":"DEBUG""#)).collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
