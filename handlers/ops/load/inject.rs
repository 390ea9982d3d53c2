//! Injects the faults of a schedule while calls are played, and measures after each how long it takes until turns are whole again:
//! with the state store, a reply of the agent, its audio, and the transcript on its way.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Progress;
use super::faults::Planned;
use super::gauge::Gauge;
use super::player::{Played, Player, Target};
use super::stack::Stack;
use crate::app::App;
use crate::error::Result;
use crate::model::ids::CallId;
use crate::ops::stalls;

/// The longest that recovery may take.
pub const RECOVERY: Duration = Duration::from_secs(10);
/// How long recovery is waited for.
const WAIT: Duration = Duration::from_secs(60);
/// Between two looks whether a call's messages are sent.
const LOOK: Duration = Duration::from_millis(50);

/// One fault that was injected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// Its kind.
    pub kind: &'static str,
    /// How the network was bad; none where it was another fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<&'static str>,
    /// From the beginning of the run to that of the fault, in seconds.
    pub at_s: f64,
    /// How long it lasted, in milliseconds.
    pub lasted_ms: u64,
    /// From its end until a turn was answered whole and the queue had it, in milliseconds; none where that did not happen within a minute.
    pub recovery_ms: Option<u64>,
    /// How long the machine stood still meanwhile, in milliseconds: why it may have taken long. 0 on one that does not.
    pub stalled_ms: u64,
}

impl Injected {
    /// Whether turns were whole again in time.
    pub fn recovered(&self) -> bool {
        self.recovery_ms.is_some_and(|took| took <= millis(RECOVERY))
    }
}

/// What a run with faults found beside the calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Faulted {
    /// The faults, in order.
    pub faults: Vec<Injected>,
    /// The longest recovery, in milliseconds.
    pub recovery_max_ms: u64,
    /// Calls of the run's own that looked for the recovery; none of them is among `calls` and `turns`.
    pub probes: u64,
    /// Their turns that were answered; compared with the record like all others.
    pub probe_turns: u64,
    /// The most memory that a handler had in a sample, in MiB of proportional set size; none where it cannot be read.
    pub memory_peak_mib: Option<f64>,
    /// The most that it may have, in MiB.
    pub memory_most_mib: u64,
    /// Messages in outboxes at the end; none where the state store could not be asked.
    pub outbox_left: Option<u64>,
    /// Messages in the queue that were due at the end; none where it could not be asked.
    pub queue_left: Option<u64>,
    /// Messages that nobody could read.
    pub dead_lettered: u64,
}

impl Faulted {
    /// Whether the handler's memory stayed below its bound, as far as it could be read.
    pub fn fits(&self) -> bool {
        self.memory_peak_mib.is_none_or(|peak| peak <= self.memory_most_mib as f64)
    }

    /// Whether everything recovered in time, nothing is left, and memory was bounded.
    pub fn holds(&self) -> bool {
        self.faults.iter().all(Injected::recovered) && self.fits() && self.outbox_left == Some(0) && self.queue_left == Some(0) && self.dead_lettered == 0
    }
}

/// Injects what is planned until `over`; what was injected, and the calls that were made to see the recovery.
pub async fn run(
    stack: &mut Stack,
    plan: &[Planned],
    (target, gauge, run): (&Arc<Target>, &Arc<Gauge>, &str),
    over: &CancellationToken,
    progress: &Progress,
) -> Result<(Vec<Injected>, Vec<Played>)> {
    let began = Instant::now();
    let (mut injected, mut probes) = (Vec::new(), Vec::new());
    for (number, planned) in plan.iter().enumerate() {
        tokio::select! { biased; () = over.cancelled() => break, () = sleep_until(began + planned.at) => {} }
        let (at, kind) = (Instant::now(), planned.fault.kind());
        progress(&format!("fault: {kind} for {:.1} s", planned.lasts.as_secs_f64()));
        stack.begin(*planned).await?;
        sleep_until(at + planned.lasts).await;
        stack.end(planned.fault).await?;
        let ended = Instant::now();
        let player = Player { target: Arc::clone(target), gauge: Arc::clone(gauge), call: format!("load-{run}-probe-{number}"), probe: true };
        let look = async {
            let (played, recovered) = player.until_whole(ended + WAIT).await;
            let sent = match recovered {
                Some(_) => sent(&stack.app, &played.call, ended + WAIT).await,
                None => None,
            };
            (played, sent)
        };
        let ((played, recovered), stalled) = stalls::during(look).await;
        let recovery_ms = recovered.map(|at| millis(at - ended));
        progress(&format!("fault: {kind} is over, recovered after {}", recovery_ms.map_or_else(|| "more than a minute".to_owned(), |ms| format!("{ms} ms"))));
        let (at_s, way) = ((at - began).as_secs_f64(), planned.fault.way());
        injected.push(Injected { kind, at_s, way, lasted_ms: millis(ended - at), recovery_ms, stalled_ms: millis(stalled) });
        probes.push(played);
    }
    Ok((injected, probes))
}

/// When nothing of a call was in its outbox any more; none where that did not happen until `until`.
async fn sent(app: &App, call: &str, until: Instant) -> Option<Instant> {
    let call = CallId::parse(call).ok()?;
    loop {
        // A store that cannot be asked is asked again.
        let waiting = app.state.survey(std::slice::from_ref(&call)).await.map(|found| found.iter().map(|survey| survey.waiting).sum::<u64>());
        match waiting {
            Ok(0) => return Some(Instant::now()),
            _ if Instant::now() >= until => return None,
            _ => sleep(LOOK).await,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
