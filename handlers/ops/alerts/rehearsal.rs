//! A rehearsal: a stack of its own on this machine, the real condition of a rule, and a receiver that waits for its notices.
//!
//! In: the rule and how fast time runs for alerts. Out: after how long, in that time, it fired, and after how long it was over. The
//! time counts from when the condition holds: producing it (callers who wait for an answer that does not come) is real time. Besides
//! that only what has real deadlines of its own is granted; what the machine lost meanwhile is told, and not granted. Fails where the stack cannot be started, and where a notice does not come.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::condition::{self, Condition};
use super::slow_agent::SlowAgent;
use crate::error::{Error, Kind, Result};
use crate::ops::load::services::serve;
use crate::ops::load::stack::Stack;
use crate::ops::stalls;
use crate::ports::http;
use crate::steps::alerts::Rule;
use crate::steps::alerts::signal::Signal;

/// Between two looks at what the receiver has.
const LOOK: Duration = Duration::from_millis(20);
/// What is granted in real time, because it does not run faster: one probe of Redis that hangs, which a round waits for. On a machine
/// that has nothing else to do no rule needs it.
const GRANTED: Duration = Duration::from_secs(2);
/// How much longer is waited, so that a notice that is late is told as such.
const LATE: Duration = Duration::from_secs(28);

/// What a rehearsal found; times are those of the alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsed {
    /// The rule.
    pub rule: String,
    /// Seconds from when the condition held to the notice; 0 where it came before all of it was there.
    pub fired_after_s: f64,
    /// Seconds within which it had to come.
    pub within_s: i64,
    /// Seconds that it may take besides: what is granted for real deadlines.
    pub granted_s: f64,
    /// Seconds that the machine stood still while the notice was waited for: why it may have come late. 0 on one that does not.
    pub stalled_s: f64,
    /// Real seconds that producing the condition took.
    pub produced_in_s: f64,
    /// Seconds from the end of the condition to the notice that it is over.
    pub resolved_after_s: f64,
    /// Whether both came, the first in time.
    pub ok: bool,
}

/// Notices, and when each came.
type Taken = Arc<Mutex<Vec<(Instant, Value)>>>;

/// Takes notices.
struct Receiver {
    url: String,
    taken: Taken,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let taken = Taken::default();
        let take = |State(taken): State<Taken>, body: Bytes| async move {
            match serde_json::from_slice(&body) {
                Ok(notice) => {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), notice));
                    StatusCode::ACCEPTED
                }
                Err(_) => StatusCode::BAD_REQUEST,
            }
        };
        let router = Router::new().fallback(take).with_state(Arc::clone(&taken));
        let (port, task) = serve(router).await?;
        Ok(Self { url: format!("http://127.0.0.1:{port}/alerts"), taken, _task: task })
    }

    /// Waits for a notice of this rule and state.
    async fn wait(&self, rule: &Rule, state: &str, until: Instant) -> Result<Instant> {
        loop {
            let there = |notice: &Value| notice["rule"] == rule.name.as_str() && notice["state"] == state;
            let found = self.taken.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|(_, notice)| there(notice)).map(|(at, _)| *at);
            if let Some(at) = found {
                return Ok(at);
            }
            if Instant::now() >= until {
                return Err(Error::new(Kind::Deadline, format!("{}: no notice says {state}", rule.name)));
            }
            sleep(LOOK).await;
        }
    }
}

/// Rehearses one rule.
pub async fn run(app_root: PathBuf, rule: &Rule, pace: u32, progress: &(dyn Fn(&str) + Sync)) -> Result<Rehearsed> {
    let receiver = Receiver::start().await?;
    let mut settings = condition::settings(rule);
    let agent = if rule.signal == Signal::InFlight { Some(SlowAgent::start().await?) } else { None };
    settings.extend(agent.iter().flat_map(SlowAgent::settings));
    settings.push(("ALERTS_PACE".to_owned(), pace.to_string()));
    settings.push(("ALERT_WEBHOOK_URL".to_owned(), receiver.url.clone()));
    progress(&format!("{}: starting Redis, the local host and the handler", rule.name));
    let mut stack = Stack::start_with(app_root, settings).await?;
    let result = rehearse(rule, f64::from(pace), &mut stack, &receiver, progress).await;
    if result.is_err() {
        stack.last_lines().iter().for_each(|line| progress(line));
    }
    let stopped = stack.stop().await;
    result.and_then(|rehearsed| stopped.map(|()| rehearsed))
}

async fn rehearse(rule: &Rule, pace: f64, stack: &mut Stack, receiver: &Receiver, progress: &(dyn Fn(&str) + Sync)) -> Result<Rehearsed> {
    let client = http::loopback_client()?;
    let virtual_s = |seconds: i64| Duration::from_secs_f64(seconds as f64 / pace);
    if rule.signal == Signal::KeyGrowth {
        // There must be something to grow from, an hour ago.
        progress(&format!("{}: an hour goes by", rule.name));
        stack.redis("SET rehearsal-first 1 EX 3600").await?;
        sleep(virtual_s(3600 + 600)).await;
    }
    let began = Instant::now();
    progress(&format!("{}: the condition begins", rule.name));
    let condition: Condition = condition::begin(rule, stack, &client).await?;
    let holds = Instant::now();
    let produced_in_s = (holds - began).as_secs_f64();
    let (fired, stalled) = stalls::during(receiver.wait(rule, "firing", holds + virtual_s(rule.within) + GRANTED + LATE)).await;
    let ending = Instant::now();
    condition.end(stack).await?;
    let fired = fired?;
    let fired_after_s = fired.saturating_duration_since(holds).as_secs_f64() * pace;
    progress(&format!("{}: fires after {fired_after_s:.0} s; the condition ends", rule.name));
    let resolved = receiver.wait(rule, "resolved", ending + virtual_s(rule.window.max(rule.clear) + 600) + GRANTED + LATE).await?;
    let resolved_after_s = (resolved - ending).as_secs_f64() * pace;
    progress(&format!("{}: is over after {resolved_after_s:.0} s", rule.name));
    let (granted_s, stalled_s) = (GRANTED.as_secs_f64() * pace, stalled.as_secs_f64() * pace);
    let ok = fired_after_s <= rule.within as f64 + granted_s;
    Ok(Rehearsed { rule: rule.name.clone(), fired_after_s, within_s: rule.within, granted_s, stalled_s, produced_in_s, resolved_after_s, ok })
}
