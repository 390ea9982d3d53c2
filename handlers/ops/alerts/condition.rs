//! The conditions of all rules, really produced: in the Redis, on the network and with the calls of a running stack. Nothing here
//! touches a figure or an evaluator.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::ops::load::faults::{Fault, Place, Planned};
use crate::ops::load::proxy::Way;
use crate::ops::load::stack::Stack;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::steps::alerts::Rule;
use crate::steps::alerts::signal::Signal;

/// The longest that the embedded file is held, so that neither queue nor Redis takes what comes: it is given back when the condition ends.
const HELD: Duration = Duration::from_secs(600);
/// Call set-ups that are tried meanwhile.
const SET_UPS: usize = 40;
/// Callers that fail to show who they are.
const GUESSES: usize = 40;
/// How often keys are written by the thousand, and the pause between.
const BURSTS: usize = 8;
const BETWEEN: Duration = Duration::from_millis(250);
/// Longest that a request of ours may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings that the handler needs for the condition of this rule.
pub fn settings(rule: &Rule) -> Vec<(String, String)> {
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    match rule.signal {
        Signal::InFlight => one("MAX_IN_FLIGHT", "16"),
        Signal::Ttl => one("TTL_MULTIPLIER", "0.002"),
        _ => Vec::new(),
    }
}

/// A condition that holds; `end` ends it.
pub struct Condition {
    signal: Signal,
    traffic: Option<Traffic>,
}

/// Calls that go on talking until they are told to stop.
struct Traffic {
    stop: CancellationToken,
    calls: JoinSet<()>,
}

impl Traffic {
    fn start(url: &str, client: &Client, calls: usize) -> Self {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        let run = SystemClock.new_id()[..8].to_owned();
        for number in 0..calls {
            let (client, stop, url) = (client.clone(), stop.clone(), format!("{url}/api/calls/rehearsal-{run}-{number}/turns"));
            set.spawn(async move {
                for turn in 0_u64.. {
                    let body = json!({ "turnId": format!("t{turn}"), "text": "hello", "speak": false });
                    // What becomes of it is what the alert is about.
                    let talk = client.post(&url).json(&body).timeout(PATIENCE).send();
                    tokio::select! { () = stop.cancelled() => return, _ = talk => {} }
                }
            });
        }
        Self { stop, calls: set }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while self.calls.join_next().await.is_some() {}
    }
}

/// Produces the condition of a rule; returns once it holds.
pub async fn begin(rule: &Rule, stack: &mut Stack, client: &Client) -> Result<Condition> {
    let url = stack.url().to_owned();
    let mut condition = Condition { signal: rule.signal, traffic: None };
    let mut talking = |calls: usize| condition.traffic = Some(Traffic::start(&url, client, calls));
    let fault = |fault| Planned { fault, at: Duration::ZERO, lasts: HELD };
    match rule.signal {
        Signal::RedisDown => stack.begin(fault(Fault::RedisKilled)).await?,
        Signal::RedisMemory => {
            let used = stack.app.board.server().await?.map_or(1, |load| load.memory_used) as f64;
            let most = used / (rule.threshold / 100.0 + 0.06).min(0.97);
            stack.redis(&format!("CONFIG SET maxmemory {}", most as u64)).await?;
        }
        Signal::SetupFailures | Signal::SetupBurn => {
            stack.begin(fault(Fault::RedisKilled)).await?;
            stack.begin(fault(Fault::FileLocked)).await?;
            set_ups(client, &url).await;
        }
        Signal::SecurityEvents => wrong_tokens(client, &url).await?,
        Signal::RedisP95 => {
            stack.begin(fault(Fault::Network(Place::Redis, Way::Delay(Duration::from_millis(9))))).await?;
            talking(12);
        }
        Signal::Unexpiring => stack.redis(&keys("rehearsal", rule.threshold * 1.5, "")).await?,
        Signal::KeyGrowth => stack.redis(&keys("rehearsal", rule.least as f64 * 2.0, ",'EX','600'")).await?,
        // For a while: what was there before the first look at Redis is not new to it.
        Signal::KeyCreation => {
            for burst in 0..BURSTS {
                stack.redis(&keys(&format!("rehearsal-{burst}"), rule.threshold * 5.0, ",'EX','20'")).await?;
                tokio::time::sleep(BETWEEN).await;
            }
        }
        Signal::AuthSpike => guesses(client, &url).await,
        // The agent is slow, so that whoever has a seat keeps it for a while.
        Signal::InFlight => talking(60),
        Signal::FailedOperations => {
            talking(12);
            stack.begin(fault(Fault::RedisKilled)).await?;
        }
        Signal::Ttl => talking(12),
    }
    Ok(condition)
}

impl Condition {
    /// Ends it; returns once it is over.
    pub async fn end(self, stack: &mut Stack) -> Result<()> {
        if let Some(traffic) = self.traffic {
            traffic.stop().await;
        }
        match self.signal {
            Signal::RedisDown | Signal::FailedOperations => stack.end(Fault::RedisKilled).await,
            Signal::RedisMemory => stack.redis("CONFIG SET maxmemory 0").await,
            Signal::SetupFailures | Signal::SetupBurn => {
                stack.end(Fault::FileLocked).await?;
                stack.end(Fault::RedisKilled).await
            }
            Signal::RedisP95 => stack.end(Fault::Network(Place::Redis, Way::Pass)).await,
            Signal::Unexpiring | Signal::KeyGrowth => stack.redis(&keys("rehearsal", 4000.0, ",'PX','1'")).await,
            Signal::KeyCreation | Signal::SecurityEvents | Signal::AuthSpike | Signal::Ttl | Signal::InFlight => Ok(()),
        }
    }
}

/// The command that writes so many keys; `life` stands behind each SET.
fn keys(name: &str, count: f64, life: &str) -> String {
    format!("EVAL \"for i=1,{} do redis.call('SET','{name}-'..i,'1'{life}) end return redis.status_reply('OK')\" 0", count as u64)
}

/// Calls that are connected while nothing takes them.
async fn set_ups(client: &Client, url: &str) {
    let run = SystemClock.new_id()[..8].to_owned();
    let events = (0..SET_UPS).map(|number| {
        let call = format!("rehearsal-{run}-{number}");
        let event = json!([{
            "id": format!("e-{number}"), "source": format!("calling/callConnections/{call}"), "type": "Microsoft.Communication.CallConnected",
            "data": { "callConnectionId": call, "serverCallId": "s", "correlationId": "c" }, "time": SystemClock.now(), "specversion": "1.0",
        }]);
        // A 503 is what is wanted.
        client.post(format!("{url}/api/calls/events")).json(&event).timeout(PATIENCE).send()
    });
    futures::future::join_all(events).await;
}

/// Somebody guesses the token of a worker's claim.
async fn wrong_tokens(client: &Client, url: &str) -> Result<()> {
    let claim = format!("{url}/api/workers/rehearsal/calls/rehearsal-{}", &SystemClock.new_id()[..8]);
    let put = |body: Value| client.put(&claim).json(&body).timeout(PATIENCE).send();
    let first = put(json!({})).await.map_err(|e| Error::unavailable("the handler", e.without_url()))?;
    if !first.status().is_success() {
        return Err(Error::unavailable("the handler", format!("a worker's claim was answered {}", first.status().as_u16())));
    }
    for _ in 0..12 {
        // A 409 is what is wanted.
        let _ = put(json!({ "leaseToken": "guessed" })).await;
    }
    Ok(())
}

/// Callers who do not know their PIN.
async fn guesses(client: &Client, url: &str) {
    let run = SystemClock.new_id()[..8].to_owned();
    let body = Arc::new(json!({ "authenticated": false, "method": "pin", "level": "none" }));
    let tries = (0..GUESSES).map(|number| client.put(format!("{url}/api/calls/rehearsal-{run}-{number}/auth")).json(&*body).timeout(PATIENCE).send());
    futures::future::join_all(tries).await;
}
