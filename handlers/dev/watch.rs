//! `rtvoice dev --watch`: builds the app when its sources change, starts the handler again, and sends the last event once more.
//!
//! In: a running local host, and how to build. Files are looked at by their times, twice a second. A build that fails leaves the
//! handler that runs; files of the host that cannot be read leave the host that runs. Each says so. What the local host itself
//! is made of changes with its own next start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::process::Command;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::host::{LocalHost, Options};
use super::settings::Settings;
use super::tap::{AGAIN, Tap, renewed};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::host::manifest::Manifest;
use crate::ops::target::Target;

/// Between two looks at the files.
const PACE: Duration = Duration::from_millis(500);
/// Longest that the event that is sent again may take.
const EVENT: Duration = Duration::from_secs(60);
/// Characters of its answer that are shown.
const SHOWN: usize = 2000;
/// Files that are built into the handler, besides all of `handlers`.
const BUILT: [&str; 4] = ["Cargo.toml", "Cargo.lock", "build.rs", "alerts.toml"];
/// Files that the local host itself reads, besides each `function.json`.
const HOSTED: [&str; 2] = ["host.json", "local.settings.json"];

/// How to watch and build.
#[derive(Debug, Clone)]
pub struct Watching {
    /// The build: a program and its arguments, run in the app root.
    pub build: Vec<String>,
    /// Between two looks at the files.
    pub pace: Duration,
}

impl Watching {
    /// Builds with cargo, in the profile of this executable. `Setting` where the app root holds no `Cargo.toml`.
    pub fn cargo(app_root: &Path, executable: &Path) -> Result<Self> {
        if !app_root.join("Cargo.toml").is_file() {
            return Err(Error::new(Kind::Setting, "--watch needs the sources: there is no Cargo.toml in the app root, for example run it in the repository"));
        }
        let profile = executable.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let mut build: Vec<String> = ["cargo", "build", "--bin", "rtvoice", "--message-format=json-render-diagnostics"].map(str::to_owned).to_vec();
        match profile {
            None | Some("debug") => {}
            Some(profile) => build.extend(["--profile".to_owned(), profile.to_owned()]),
        }
        Ok(Self { build, pace: PACE })
    }
}

/// What a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// The handler reads it when it starts.
    Handler,
    /// It is built into the handler.
    Build,
    /// The local host reads it when it starts.
    Host,
}

/// Files with what they ask for, their time and their size.
type Seen = BTreeMap<PathBuf, (Change, Option<SystemTime>, u64)>;

/// Keeps a local host in step with its sources until it is told to stop, then ends it.
pub async fn run(host: LocalHost, mut options: Options, watching: &Watching, stop: &CancellationToken) {
    options.port = host.port();
    let mut watcher = Watcher { seen: look(&options.app_root), host: Some(host), is_down: false, options, watching };
    watcher.options.log.host("watching the sources: a change is built, and the last event is sent again");
    // What is being built or started when the end comes is dropped, and with it its process.
    stop.run_until_cancelled(watcher.watch()).await;
    if let Some(host) = watcher.host {
        host.stop().await;
    }
}

struct Watcher<'a> {
    seen: Seen,
    /// None where it could not be started again.
    host: Option<LocalHost>,
    /// Whether it was told that no handler answers.
    is_down: bool,
    options: Options,
    watching: &'a Watching,
}

impl Watcher<'_> {
    async fn watch(&mut self) {
        loop {
            let changes = self.changed().await;
            if changes.contains(&Change::Build) && !self.build().await {
                continue;
            }
            let restarted = if changes.contains(&Change::Host) { self.start_anew().await } else { self.restart().await };
            match restarted {
                Ok(()) => {
                    self.is_down = false;
                    self.send_again().await;
                }
                Err(e) => self.down(&e),
            }
        }
    }

    fn down(&mut self, e: &Error) {
        self.options.log.host(format!("{}; waiting for the next change", e.chain()));
        self.is_down = true;
    }

    /// Waits for changes, and until no more come. A handler that fails for good meanwhile is told.
    async fn changed(&mut self) -> BTreeSet<Change> {
        let (root, pace) = (self.options.app_root.clone(), self.watching.pace);
        let before = std::mem::take(&mut self.seen);
        let settled = async {
            let mut last = look(&root);
            loop {
                sleep(pace).await;
                let now = look(&root);
                if now == last && now != before {
                    return now;
                }
                last = now;
            }
        };
        let mut settled = std::pin::pin!(settled);
        let failed = async {
            match &self.host {
                Some(host) if !self.is_down => host.failed().await,
                _ => std::future::pending().await,
            }
        };
        let early = tokio::select! {
            now = &mut settled => Ok(now),
            error = failed => Err(error),
        };
        let now = match early {
            Ok(now) => now,
            Err(error) => {
                self.down(&error);
                settled.await
            }
        };
        let changes = difference(&before, &now);
        self.seen = now;
        changes
    }

    /// Builds; false where that fails.
    async fn build(&self) -> bool {
        let log = &self.options.log;
        log.host("building");
        match self.built().await {
            Ok((status, _)) if !status.success() => {
                log.host(format!("the build failed ({status}): the handler before it goes on"));
                false
            }
            Ok((_, built)) => {
                let ours = self.options.executable.as_ref();
                if let (Some(built), Some(ours)) = (built.filter(|built| Some(built) != ours), ours) {
                    let (built, ours) = (built.display(), ours.display());
                    log.host(format!("cargo has built {built}, and this host runs {ours}: start it by `cargo run -- dev --watch`"));
                }
                true
            }
            Err(e) => {
                log.host(format!("{} cannot be run ({e}): the handler before it goes on", self.watching.build.join(" ")));
                false
            }
        }
    }

    /// How the build ended, and what cargo says that it has built.
    async fn built(&self) -> std::io::Result<(ExitStatus, Option<PathBuf>)> {
        let mut words = self.watching.build.iter();
        let mut command = Command::new(words.next().map_or("cargo", String::as_str));
        command.args(words).current_dir(&self.options.app_root).kill_on_drop(true);
        let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?.wait_with_output().await?;
        let messages = output.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut executables = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
        Ok((output.status, executables.next_back()))
    }

    /// Another handler, of what is built now.
    async fn restart(&mut self) -> Result<()> {
        if let Some(host) = &self.host
            && host.handler().await.is_ok()
        {
            return host.restart_handler().await.map(drop);
        }
        self.start_anew().await
    }

    /// The whole local host once more. What it could not read leaves the one that runs.
    async fn start_anew(&mut self) -> Result<()> {
        let options = &self.options;
        Manifest::read(&options.app_root)?;
        let settings = Settings::read(&options.app_root, options.environment.iter().cloned())?;
        Config::from_lookup(|name| settings.lookup(name), options.app_root.clone()).map_err(|e| Error::new(Kind::Setting, e.to_string()))?;
        if let Some(host) = self.host.take() {
            host.stop().await;
        }
        let host = LocalHost::start(options.clone()).await?;
        options.log.host(format!("the local host has started again on {}", host.url()));
        self.host = Some(host);
        Ok(())
    }

    async fn send_again(&self) {
        let log = &self.options.log;
        let (Some(host), Some(last)) = (&self.host, self.options.tap.as_ref().and_then(Tap::last)) else {
            return log.host("the handler has started again");
        };
        let mut event = renewed(last);
        event.headers.insert(AGAIN.to_owned(), Value::from("1"));
        let key = host.keys().map(|keys| keys.master.clone());
        let sent = async { Target::new(host.url(), key, EVENT)?.send(&event.method, &event.path, &event.headers, event.body.as_ref()).await }.await;
        let what = format!("the handler has started again; the last event once more: {} {}", event.method, event.path);
        match sent {
            Ok(answer) => {
                let body = if answer.body.is_null() { String::new() } else { answer.body.to_string().chars().take(SHOWN).collect() };
                log.host(format!("{what}: {} in {} ms {body}", answer.status, answer.millis));
            }
            Err(e) => log.host(format!("{what}: {}", e.chain())),
        }
    }
}

/// The files of an app. What cannot be read is as good as gone: it is there at the next look, or it is not.
fn look(root: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut add = |path: PathBuf, change: Change| {
        if let Ok(facts) = std::fs::metadata(&path).map(|found| (found.is_file(), found.modified().ok(), found.len()))
            && facts.0
        {
            seen.insert(path, (change, facts.1, facts.2));
        }
    };
    BUILT.iter().for_each(|name| add(root.join(name), Change::Build));
    HOSTED.iter().for_each(|name| add(root.join(name), Change::Host));
    below(&root.join("handlers")).into_iter().for_each(|path| add(path, Change::Build));
    below(&root.join("prompts")).into_iter().for_each(|path| add(path, Change::Handler));
    entries(root).into_iter().for_each(|path| add(path.join("function.json"), Change::Host));
    seen
}

/// All files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect()).unwrap_or_default()
}

/// What the files that came, went or changed ask for.
fn difference(before: &Seen, now: &Seen) -> BTreeSet<Change> {
    let changed = |(path, facts): (&PathBuf, &(Change, Option<SystemTime>, u64)), other: &Seen| (other.get(path) != Some(facts)).then_some(facts.0);
    let came = now.iter().filter_map(|entry| changed(entry, before));
    let went = before.iter().filter_map(|entry| changed(entry, now));
    came.chain(went).collect()
}
