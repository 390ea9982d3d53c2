//! A rehearsal: a stack of its own on this machine, the real condition of a rule, and a receiver that waits for its notices.
//!
//! In: the rule and how fast time runs for alerts. Out: after how long, in that time, it fired, and after how long it was over.
//! Fails where the stack cannot be started, and where a notice does not come.

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
use super::loopback::{self, SlowAgent};
use crate::error::{Error, Kind, Result};
use crate::ops::load::stack::Stack;
use crate::ports::http;
use crate::steps::alerts::Rule;
use crate::steps::alerts::signal::Signal;

/// Between two looks at what the receiver has.
const LOOK: Duration = Duration::from_millis(20);
/// What machines may take besides, in real time.
const SLACK: Duration = Duration::from_secs(30);

/// What a rehearsal found; times are those of the alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsed {
    /// The rule.
    pub rule: String,
    /// Seconds from the beginning of the condition to the notice.
    pub fired_after_s: f64,
    /// Seconds within which it had to come.
    pub within_s: i64,
    /// Seconds from the end of the condition to the notice that it is over.
    pub resolved_after_s: f64,
    /// Whether both came, the first in time.
    pub ok: bool,
}

/// Takes notices.
struct Receiver {
    url: String,
    taken: Arc<Mutex<Vec<Value>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let take = |State(taken): State<Arc<Mutex<Vec<Value>>>>, body: Bytes| async move {
            match serde_json::from_slice(&body) {
                Ok(notice) => {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
                    StatusCode::ACCEPTED
                }
                Err(_) => StatusCode::BAD_REQUEST,
            }
        };
        let router = Router::new().fallback(take).with_state(Arc::clone(&taken));
        let (port, task) = loopback::serve(router).await?;
        Ok(Self { url: format!("http://127.0.0.1:{port}/alerts"), taken, _task: task })
    }

    /// Waits for a notice of this rule and state.
    async fn wait(&self, rule: &Rule, state: &str, until: Instant) -> Result<Instant> {
        loop {
            let there = |notice: &Value| notice["rule"] == rule.name.as_str() && notice["state"] == state;
            if self.taken.lock().unwrap_or_else(PoisonError::into_inner).iter().any(there) {
                return Ok(Instant::now());
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
    let mut stack = Stack::start_with(app_root, None, settings).await?;
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
    let fired = receiver.wait(rule, "firing", Instant::now() + virtual_s(rule.within) + SLACK).await;
    let ending = Instant::now();
    condition.end(stack).await?;
    let fired = fired?;
    let fired_after_s = (fired - began).as_secs_f64() * pace;
    progress(&format!("{}: fires after {fired_after_s:.0} s; the condition ends", rule.name));
    let resolved = receiver.wait(rule, "resolved", ending + virtual_s(rule.window.max(rule.clear) + 600) + SLACK).await?;
    let resolved_after_s = (resolved - ending).as_secs_f64() * pace;
    progress(&format!("{}: is over after {resolved_after_s:.0} s", rule.name));
    // What the machine itself takes is real time, and counts as such.
    let ok = fired_after_s <= rule.within as f64 + SLACK.as_secs_f64() * pace;
    Ok(Rehearsed { rule: rule.name.clone(), fired_after_s, within_s: rule.within, resolved_after_s, ok })
}
