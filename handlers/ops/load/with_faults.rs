//! `rtvoice load --faults`: starts the whole stack, plays the load while faults are injected, and compares at the end.
//!
//! In: the folder of `host.json` and the arguments. Out: the report, with the faults. It ends what it started when it is ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::gauge::Gauge;
use super::inject::{self, Faulted};
use super::memory::Peak;
use super::report::Report;
use super::stack::Stack;
use super::{Load, LoadArgs, Progress, Target, faults, outbox, page, verify, watched, write};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::server;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::documents::Container;
use crate::ports::http;

/// Between two looks whether anything is left.
const LOOK: Duration = Duration::from_millis(500);
/// How long what does not hold in the record is looked at again, at least.
const SETTLES: Duration = Duration::from_secs(10);
/// Dead letters of a day that are counted.
const LISTED: usize = 100;

/// Runs the load with faults.
pub async fn run(app_root: PathBuf, arguments: &LoadArgs, progress: &Progress) -> Result<Report> {
    let stop = CancellationToken::new();
    server::stop_on_signals(stop.clone(), false)?;
    let work = async {
        progress("starting Redis, the local host and the handler");
        let mut stack = Stack::start(app_root, arguments.log.as_deref()).await?;
        let report = play(&mut stack, arguments, progress).await;
        let lines = stack.last_lines();
        let stopped = stack.stop().await;
        if !report.as_ref().is_ok_and(|report| report.ok) {
            lines.iter().for_each(|line| progress(line));
        }
        let report = report.and_then(|report| stopped.map(|()| report))?;
        if let Some(file) = &arguments.html {
            write(file, &page::html(&report, arguments))?;
        }
        Ok(report)
    };
    tokio::select! {
        report = work => report,
        () = stop.cancelled() => Err(Error::new(Kind::Unavailable, "ended by a signal")),
    }
}

async fn play(stack: &mut Stack, arguments: &LoadArgs, progress: &Progress) -> Result<Report> {
    let patience = Duration::from_secs(arguments.patience);
    let target = Arc::new(Target {
        client: http::loopback_client()?,
        url: stack.url().to_owned(),
        key: None,
        patience,
        think: Duration::from_millis(arguments.think_ms),
        open: arguments.rate.is_some(),
        wait: arguments.longest_wait_ms.map(Duration::from_millis),
        audio: !arguments.no_audio,
    });
    let (app, gauge, run) = (stack.app.clone(), Arc::new(Gauge::new()?), SystemClock.new_id()[..8].to_owned());
    let plan = faults::schedule(arguments.seed, Duration::from_secs(arguments.seconds));
    let load = Load { app: &app, arguments, target: &target, gauge: &gauge, run: run.clone() };
    let (over, memory) = (CancellationToken::new(), Peak::watch(stack.handler()));
    let injected = async {
        let injected = inject::run(stack, &plan, (&target, &gauge, &run), &over, progress).await;
        // A fault that could not be injected ends the run.
        if injected.is_err() {
            over.cancel();
        }
        injected
    };
    let (played, injected) = watched(&app, &gauge, progress, async { tokio::join!(load.drive(&over), injected) }).await;
    let ((faults, probes), played) = (injected?, played?);
    let until = Instant::now() + patience;
    for probe in &probes {
        verify::wait(&app, probe, &gauge, until).await;
    }
    progress("waiting until nothing is left");
    let recovery_max_ms = faults.iter().filter_map(|fault| fault.recovery_ms).max().unwrap_or(0);
    let outbox_left = emptied(until, async || outbox::depth(&app).await).await;
    let queue_left = emptied(until, async || undelivered(&app).await).await;
    let faulted = Faulted {
        faults,
        recovery_max_ms,
        probes: probes.len() as u64,
        probe_turns: probes.iter().map(|probe| probe.answered.len() as u64).sum(),
        memory_peak_mib: memory.mib(),
        memory_most_mib: arguments.memory_mib,
        outbox_left,
        queue_left,
        dead_lettered: dead_lettered(&app).await?,
    };
    progress("comparing with the record");
    // At least as long as another process may wait for the file.
    let until = until.max(Instant::now() + SETTLES);
    let verified = verify::calls(&app, &played, until).await.beside(verify::calls(&app, &probes, until).await);
    Ok(Report::new(&gauge, &played, verified).with_faults(faulted))
}

/// Messages in the queue that are due. Those that were put off are not: they come for a
/// minute or more, and whether the record lacks what they tell is seen there.
async fn undelivered(app: &App) -> Option<u64> {
    let stats = app.embedded_queue.as_ref()?.stats().await.ok()?;
    Some(stats.active + stats.locked)
}

/// Waits until nothing is left; how much is. None where nobody could say.
async fn emptied(until: Instant, mut look: impl AsyncFnMut() -> Option<u64>) -> Option<u64> {
    loop {
        let left = look().await;
        if left == Some(0) || Instant::now() >= until {
            return left;
        }
        sleep(LOOK).await;
    }
}

/// Messages that could not be read: parked, and on their way there.
async fn dead_lettered(app: &App) -> Result<u64> {
    let parked = app.documents.list(Container::DeadLetters, &app.clock.now().day(), "", None, LISTED).await?.documents.len() as u64;
    let dead = match &app.embedded_queue {
        Some(queue) => queue.stats().await?.dead,
        None => 0,
    };
    Ok(parked + dead)
}
