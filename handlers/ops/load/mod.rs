//! `rtvoice load`: calls against a running handler or host, and whether the record holds what was answered.
//!
//! In: how many calls, how fast, of what kind. Out: a [`report::Report`] with times, counts and what the record lacks. In the open
//! loop (`--rate`) calls begin when they are due, whatever became of the others, and set-up and turns are timed from the moments when
//! they were due: a system that stands still cannot hide it. In the closed loop a fixed number of callers calls again and again; such figures tell
//! throughput, and understate waiting. Bounded by calls and by time.

pub mod faults;
mod gauge;
mod inject;
mod memory;
mod outbox;
mod page;
mod plan;
mod player;
pub mod proxy;
mod redis_server;
mod report;
pub mod services;
pub mod stack;
mod verify;
mod with_faults;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub use gauge::{Counts, Gauge, Second, Stage, Times, Waits};
pub use inject::{Faulted, Injected};
pub use plan::{Delivery, Mix, PlannedCall, PlannedTurn};
pub use player::{ALLOWANCE, Answered, Played, Player, Target};
pub use report::Report;
pub use verify::Verified;
pub use with_faults::run as run_with_faults;

use clap::builder::ArgPredicate;

use crate::app::App;
use crate::config::Secret;
use crate::error::{Error, Kind, Result};
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::http;

/// Most calls that are open at once in the open loop.
const MOST_OPEN: usize = 20_000;
/// How long the target may take until it listens.
const THERE: Duration = Duration::from_secs(5);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(100);

/// Calls against a running handler or host, and whether the record holds what was answered.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "With --faults: unlimited calls, 120 seconds, 250 ms of thinking and 180 s of patience unless they are given; needs redis-server on the PATH.\n\
                        The documents that the settings name must be those of the target. Exit codes: 0 every answered turn is in the record once and in order,\n\
                        1 one is missing, doubled or foreign, nothing was answered, nobody\n\
                        listens at the target, a request waited longer than it may, a fault was not recovered from within 10 s, or a handler had more memory than\n\
                        it may, 2 wrong usage or setting."
)]
pub struct LoadArgs {
    /// Where the handler or the host listens
    #[arg(long, default_value = "http://127.0.0.1:7071", value_name = "URL")]
    pub target: String,
    /// Calls in all
    #[arg(long, default_value_t = 100, default_value_if("faults", ArgPredicate::IsPresent, "10000000"), value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub calls: u64,
    /// Turns of a call
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub turns: u32,
    /// Open loop: calls that begin each second
    #[arg(long, conflicts_with = "concurrency", value_parser = rate)]
    pub rate: Option<f64>,
    /// Closed loop: callers that call again and again
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// Milliseconds between an answer and the next turn; with --rate from when a turn is due to when the next one is
    #[arg(long, default_value_t = 0, default_value_if("faults", ArgPredicate::IsPresent, "250"), value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub think_ms: u64,
    /// Share of turns after which no new phrase is asked for
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub repeated: f64,
    /// Share of events and turns that are delivered twice
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub duplicated: f64,
    /// Share of calls whose events come in another order
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub reordered: f64,
    /// Do not fetch the audio of replies
    #[arg(long)]
    pub no_audio: bool,
    /// Draws the calls; the same number draws the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Begin no call after this many seconds
    #[arg(long, default_value_t = 3600, default_value_if("faults", ArgPredicate::IsPresent, "120"), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seconds in which a request is tried again, and in which the archives must be there after the end
    #[arg(long, default_value_t = 60, default_value_if("faults", ArgPredicate::IsPresent, "180"), value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub patience: u64,
    /// Most milliseconds that one request may wait [default: the deadline of its function and 3 s]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub longest_wait_ms: Option<u64>,
    /// Most MiB of memory (PSS) that a handler may have with --faults
    #[arg(long, default_value_t = 256, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub memory_mib: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write a page with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write what was sent and answered, for --verify
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Send nothing: compare the record with what an earlier run saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["calls", "turns", "rate", "concurrency", "save", "html"])]
    pub verify: Option<PathBuf>,
    /// Start everything here (Redis with a proxy in front of it, the local host) and break it again and again; --seed draws how
    #[arg(long, conflicts_with_all = ["target", "verify", "save"])]
    pub faults: bool,
    /// Write what host and handler say
    #[arg(long, value_name = "FILE", requires = "faults")]
    pub log: Option<PathBuf>,
}

fn share(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= 10_000.0).ok_or_else(|| "must be a number above 0, at most 10000".to_owned())
}

/// What a run leaves for a later comparison.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    calls: Vec<Played>,
}

/// Shows how far a run is: the line of a second.
pub type Progress = dyn Fn(&str) + Send + Sync;

/// Runs the load, or compares alone. `key` is the function key, where the host asks for one.
pub async fn run(app: &App, arguments: &LoadArgs, key: Option<Secret>, progress: &Progress) -> Result<Report> {
    if let Some(file) = &arguments.verify {
        let saved = saved(file)?;
        let gauge = Gauge::new()?;
        let verified = verify::calls(app, &saved.calls, Instant::now()).await;
        return Ok(Report::new(&gauge, &saved.calls, verified));
    }
    let gauge = Arc::new(Gauge::new()?);
    let target = Arc::new(target(arguments, key)?);
    there(&target).await?;
    let load = Load { app, arguments, target: &target, gauge: &gauge, run: SystemClock.new_id()[..8].to_owned() };
    let played = watched(app, &gauge, progress, load.drive(&CancellationToken::new())).await?;
    if let Some(file) = &arguments.save {
        let saved = Saved { calls: played.clone() };
        write(file, &serde_json::to_string(&saved).map_err(Error::internal)?)?;
    }
    progress("comparing with the record");
    let verified = verify::calls(app, &played, Instant::now() + Duration::from_secs(arguments.patience)).await;
    let report = Report::new(&gauge, &played, verified);
    if let Some(file) = &arguments.html {
        write(file, &page::html(&report, arguments))?;
    }
    Ok(report)
}

/// Where the calls go. A load meets nobody by accident: the target must be this machine.
fn target(arguments: &LoadArgs, key: Option<Secret>) -> Result<Target> {
    let url =
        reqwest::Url::parse(&arguments.target).map_err(|e| Error::input("--target", format!("must be an address such as http://127.0.0.1:7071 ({e})")))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !here {
        return Err(Error::input("--target", "must be on this machine, for example http://127.0.0.1:7071 or the local end of a tunnel"));
    }
    Ok(Target {
        client: http::loopback_client()?,
        url: url.as_str().trim_end_matches('/').to_owned(),
        key,
        patience: Duration::from_secs(arguments.patience),
        think: Duration::from_millis(arguments.think_ms),
        open: arguments.rate.is_some(),
        wait: arguments.longest_wait_ms.map(Duration::from_millis),
        audio: !arguments.no_audio,
    })
}

/// Whether anybody listens at the target, before calls wait for it one after the other. Errors: `Unavailable`.
async fn there(target: &Target) -> Result<()> {
    let until = Instant::now() + THERE;
    loop {
        match target.client.get(&target.url).timeout(THERE).send().await {
            Ok(_) => return Ok(()),
            Err(e) if Instant::now() >= until => return Err(Error::unavailable("the target", e)),
            Err(_) => sleep(LOOK).await,
        }
    }
}

fn saved(file: &Path) -> Result<Saved> {
    let wrong = |reason: String| Error::input("--verify", format!("must be a file that --save wrote ({reason})"));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|e| Error::new(Kind::Setting, format!("{} cannot be written", file.display())).because(e))
}

/// Runs `work`, ending a second of the gauge each second and telling it.
async fn watched<T>(app: &App, gauge: &Gauge, progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    let (_asking, waiting) = outbox::watch(app);
    loop {
        tokio::select! {
            result = &mut work => {
                gauge.tick();
                return result;
            }
            _ = ticks.tick() => {
                let (second, counts) = (gauge.tick(), gauge.counts());
                let waiting = *waiting.borrow();
                progress(&report::line(&second, &counts, gauge, waiting));
            }
        }
    }
}

/// One run.
struct Load<'a> {
    app: &'a App,
    arguments: &'a LoadArgs,
    target: &'a Arc<Target>,
    gauge: &'a Arc<Gauge>,
    /// Its name, in the ids of its calls.
    run: String,
}

impl Load<'_> {
    /// Plays all calls; what was answered, and which archives were waited for. `over` is cancelled when the last call has begun or
    /// one was broken off, and when it is cancelled no further one begins.
    async fn drive(&self, over: &CancellationToken) -> Result<Vec<Played>> {
        let Self { app, arguments, target, gauge, run } = self;
        let mix = Mix { turns: arguments.turns, repeated: arguments.repeated, duplicated: arguments.duplicated, reordered: arguments.reordered };
        let began = Instant::now();
        let last = began + Duration::from_secs(arguments.seconds);
        let open = Arc::new(Semaphore::new(if arguments.rate.is_some() { MOST_OPEN } else { arguments.concurrency as usize }));
        let (done, mut ended) = mpsc::unbounded_channel();
        let mut waiting = JoinSet::new();
        let patience = target.patience;
        for number in 0..arguments.calls {
            let due = arguments.rate.map_or(began, |rate| began + Duration::from_secs_f64(number as f64 / rate));
            tokio::select! { () = sleep_until(due.min(last)) => {}, () = over.cancelled() => break }
            if open.available_permits() == 0 && arguments.rate.is_some() {
                gauge.count(|counts| counts.late += 1);
            }
            let permit = Arc::clone(&open).acquire_owned().await.map_err(Error::internal)?;
            if Instant::now() >= last || over.is_cancelled() {
                break;
            }
            // In the closed loop a call is due when its caller is free.
            let due = if arguments.rate.is_some() { due } else { Instant::now() };
            let player = Player { target: Arc::clone(target), gauge: Arc::clone(gauge), call: format!("load-{run}-{number}"), probe: false };
            let (plan, done) = (PlannedCall::draw(mix, arguments.seed, number), done.clone());
            let (app, gauge, over) = ((*app).clone(), Arc::clone(gauge), over.clone());
            waiting.spawn(async move {
                let played = player.play(plan, due).await;
                if played.broken_off.is_some() {
                    over.cancel();
                }
                drop(permit);
                verify::wait(&app, &played, &gauge, Instant::now() + patience).await;
                // The receiver lives until all calls are through.
                let _ = done.send(played);
            });
            while waiting.try_join_next().is_some() {}
        }
        over.cancel();
        drop(done);
        let mut played = Vec::new();
        while let Some(call) = ended.recv().await {
            played.push(call);
        }
        while let Some(call) = waiting.join_next().await {
            call.map_err(Error::internal)?;
        }
        Ok(played)
    }
}
