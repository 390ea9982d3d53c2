//! The whole stack on this machine, for a load with faults: a Redis and further services of its own, a proxy in front of each, and the local
//! host with the handler as its child, on embedded documents, all in one temporary folder.
//!
//! In: the folder of `host.json`. Out: where calls go, an app on the same stores past the proxies, and what does and undoes a
//! fault. Whatever it started ends with it.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::faults::{Fault, Place, Planned};
use super::proxy::{Proxy, Way};
use super::redis_server::RedisServer;
use super::services::Services;
use crate::app::App;
use crate::config::Config;
use crate::dev::child::State;
use crate::dev::demo;
use crate::dev::host::{LocalHost, Options};
use crate::dev::log::LogSink;
use crate::error::{Error, Kind, Result};
use crate::ports::audit::Actor;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::embedded::Embedded;

/// Last lines of host and handler that are told when something does not hold.
const LINES: usize = 40;

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the place for temporary files is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The file is held as another process would; given back when dropped.
struct Lock {
    task: JoinHandle<Result<()>>,
    release: mpsc::Sender<()>,
}

/// The running stack.
pub struct Stack {
    /// The same stores, past the proxies.
    pub app: App,
    host: LocalHost,
    proxy: Proxy,
    services: Option<Services>,
    redis: RedisServer,
    file: PathBuf,
    lock: Option<Lock>,
    lines: Arc<Mutex<VecDeque<String>>>,
    _folder: Folder,
}

impl Stack {
    /// Starts all of it, and waits until it answers. Every line of host and handler goes to `log`, where there is one.
    pub async fn start(app_root: PathBuf, log: Option<&Path>) -> Result<Self> {
        Self::with(app_root, log, true, Vec::new()).await
    }

    /// The same without the services but Redis, in whose place the handler has its offline ones, and with further settings for it.
    pub async fn start_with(app_root: PathBuf, further: Vec<(String, String)>) -> Result<Self> {
        Self::with(app_root, None, false, further).await
    }

    async fn with(app_root: PathBuf, log: Option<&Path>, services: bool, further: Vec<(String, String)>) -> Result<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("rtvoice-load-{}", SystemClock.new_id())));
        let unwritable = |e| Error::new(Kind::Setting, "the temporary folder must be writable, for example TMPDIR=/tmp").because(e);
        std::fs::create_dir_all(&folder.0).map_err(unwritable)?;
        let redis = RedisServer::start(&folder.0).await?;
        let proxy = Proxy::start(redis.port()).await?;
        let file = folder.0.join("rtvoice.db");
        let mut environment = environment(&file, proxy.port());
        environment.retain(|(name, _)| further.iter().all(|(own, _)| own != name));
        environment.extend(further);
        let direct = self::environment(&file, redis.port());
        let lookup = |name: &str| direct.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let config = Config::from_lookup(lookup, app_root.clone()).map_err(|e| Error::new(Kind::Setting, e.to_string()))?;
        let app = App::new(config)?;
        app.audit.acting_as(Actor::Cli);
        let (sink, lines) = sink(log)?;
        let services = match app.embedded_queue.clone().filter(|_| services) {
            Some(queue) => Some(Services::start(queue).await?),
            None => None,
        };
        // The host delivers the embedded queue, which the handler knows as Service Bus.
        let for_handler = services.as_ref().map(Services::settings).unwrap_or_default();
        let host = LocalHost::start(Options { port: 0, environment, for_handler, log: sink, ..Options::new(app_root) }).await?;
        Ok(Self { app, host, proxy, services, redis, file, lock: None, lines, _folder: folder })
    }

    /// Where calls go: `http://localhost:{port}`.
    pub fn url(&self) -> &str {
        self.host.url()
    }

    /// What the handler is now, and becomes.
    pub fn handler(&self) -> watch::Receiver<State> {
        self.host.handler_state()
    }

    /// The last lines of host and handler.
    pub fn last_lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Sends one command to Redis, past the proxy; it must be answered with a simple string.
    pub async fn redis(&self, line: &str) -> Result<()> {
        self.redis.command(line).await
    }

    /// The way to a place; to Redis where there is no other.
    fn network(&self, place: Place) -> &Proxy {
        self.services.as_ref().and_then(|services| services.proxy(place)).unwrap_or(&self.proxy)
    }

    /// Begins a fault; returns once it holds. The file is locked no longer than is planned, whenever the fault ends.
    pub async fn begin(&mut self, planned: Planned) -> Result<()> {
        match planned.fault {
            Fault::Network(place, way) => self.network(place).behave(way),
            Fault::RedisKilled => self.redis.kill().await,
            Fault::RedisFrozen => self.redis.freeze().await?,
            Fault::RedisFull => self.redis.command("CONFIG SET maxmemory 1").await?,
            // Nothing listens on port 1.
            Fault::RedisReadOnly => self.redis.command("REPLICAOF 127.0.0.1 1").await?,
            Fault::HandlerKilled => self.host.kill_handler().await?,
            Fault::FileLocked => self.lock = Some(hold(&self.file, planned.lasts).await?),
        }
        Ok(())
    }

    /// Ends a fault; returns once the dependency is there again.
    pub async fn end(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Network(place, _) => self.network(place).behave(Way::Pass),
            Fault::RedisKilled => self.redis.restart().await?,
            Fault::RedisFrozen => self.redis.thaw().await?,
            Fault::RedisFull => self.redis.command("CONFIG SET maxmemory 0").await?,
            Fault::RedisReadOnly => self.redis.command("REPLICAOF NO ONE").await?,
            Fault::HandlerKilled => {}
            Fault::FileLocked => {
                if let Some(Lock { task, release }) = self.lock.take() {
                    drop(release);
                    task.await.map_err(Error::internal)??;
                }
            }
        }
        Ok(())
    }

    /// Ends all of it in order.
    pub async fn stop(mut self) -> Result<()> {
        // Who is stopped may have something to write.
        self.lock = None;
        self.host.stop().await;
        let closed = self.app.audit.close().await;
        self.redis.kill().await;
        closed
    }
}

/// The settings of the handler, and of an app beside it.
fn environment(file: &Path, redis: u16) -> Vec<(String, String)> {
    let ours = [
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PORT", redis.to_string()),
        ("APP_PREFIX", "rtvoice".to_owned()),
        ("KEY_VAULT_URL", String::new()),
        ("KEYS_PATH", file.with_file_name("keys.json").display().to_string()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let mut environment = demo::alone(file);
    environment.retain(|(name, _)| ours.iter().all(|(own, _)| own != name));
    environment.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    environment
}

/// Keeps the last lines, and writes all of them to a file where there is one.
fn sink(log: Option<&Path>) -> Result<(LogSink, Arc<Mutex<VecDeque<String>>>)> {
    let create = |path: &Path| std::fs::File::create(path).map_err(|e| Error::input("--log", format!("{} cannot be written", path.display())).because(e));
    let file = log.map(create).transpose()?.map(Mutex::new);
    let lines = Arc::new(Mutex::new(VecDeque::with_capacity(LINES)));
    let kept = Arc::clone(&lines);
    let sink = LogSink::new(move |_, line| {
        if let Some(file) = &file {
            // A full disk costs the log, not the run.
            let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LINES {
            kept.pop_front();
        }
        kept.push_back(line.to_owned());
    });
    Ok((sink, lines))
}

/// Holds the file until it is given back, at most for so long; returns once it does.
async fn hold(file: &Path, most: Duration) -> Result<Lock> {
    let file = Embedded::open(file)?;
    let (held, holds) = oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let task = tokio::spawn(async move {
        file.write(move |_| {
            // Nobody waits for it only where the run is being ended.
            let _ = held.send(());
            // Nothing is ever sent: the other side is dropped, or the time is over.
            let _ = released.recv_timeout(most);
            Ok(())
        })
        .await
    });
    holds.await.map_err(|_| Error::unavailable("the embedded store", "it could not be locked"))?;
    Ok(Lock { task, release })
}
