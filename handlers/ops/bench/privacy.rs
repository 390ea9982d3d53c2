//! `rtvoice bench privacy`: what a turn costs with everything of privacy on (masking, sealing, the audit log), and with it off.
//!
//! In: a number of turns. Out: p50 and p95 of both and their ratio. Both take the same turns through the whole app in one
//! process, in alternating blocks, so that whatever else the machine does meets both alike. State is the Redis of the settings,
//! under a prefix of its own, else a file of its own; record, queue, agent and voice are always the embedded ones, and nothing
//! of the installation is touched. Fails as the stores do, and with `Setting` where privacy must not be off.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{SAID, own_folder, refuse_production};
use crate::app::App;
use crate::config::{Config, RootKey};
use crate::error::{Error, Kind, Result};
use crate::host::router::router;
use crate::model::ids::CallId;
use crate::model::stages::server_timing;

/// Turns of one block; each block is a call.
const BLOCK: usize = 40;
/// Blocks of each arm before anything is counted: scripts, keys and phrases are known then.
const WARM: usize = 1;
/// Measure what privacy costs
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 measured, 1 failed, 2 wrong usage or setting.")]
pub struct PrivacyArgs {
    /// Turns with privacy on, and as many with it off
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(40..=1_000_000))]
    pub turns: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Times of one arm, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// Half of the turns took at most this.
    pub p50_ms: f64,
    /// 95 % of them took at most this.
    pub p95_ms: f64,
    /// Of each stage, by its name in `Server-Timing`: half of the turns took at most this.
    pub stages_p50_ms: BTreeMap<String, f64>,
}

/// One turn: how long it took, and each of its stages.
#[derive(Debug)]
struct Took {
    whole: Duration,
    stages: Vec<(String, f64)>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// `redis` or `embedded`.
    pub state: &'static str,
    /// Turns of each arm.
    pub turns: usize,
    /// With privacy on.
    pub on: Times,
    /// With privacy off.
    pub off: Times,
    /// On by off.
    pub p50_ratio: f64,
    /// On by off.
    pub p95_ratio: f64,
}

/// Measures; the text to print.
pub async fn run(config: &Config, args: &PrivacyArgs) -> Result<String> {
    refuse_production(config)?;
    let folder = own_folder(config)?;
    let measured = measure(config, &folder, args.turns as usize).await;
    std::fs::remove_dir_all(&folder).map_err(Error::internal)?;
    let measured = measured?;
    if args.json {
        return serde_json::to_string(&measured).map_err(Error::internal);
    }
    let line = |name: &str, times: &Times| {
        let stages: String = times.stages_p50_ms.iter().map(|(stage, ms)| format!("   {stage} {ms:.3}")).collect();
        format!("{name:<4} p50 {:8.3} ms   p95 {:8.3} ms   of it, p50:{stages}", times.p50_ms, times.p95_ms)
    };
    Ok(format!(
        "{} turns each on {}\n{}\n{}\non by off: p50 {:.3}, p95 {:.3}",
        measured.turns,
        measured.state,
        line("on", &measured.on),
        line("off", &measured.off),
        measured.p50_ratio,
        measured.p95_ratio
    ))
}

async fn measure(config: &Config, folder: &std::path::Path, turns: usize) -> Result<Measured> {
    let arm = |privacy: bool| {
        let name = if privacy { "on" } else { "off" };
        let own = Config {
            privacy,
            app_prefix: format!("bench-{}-{name}", std::process::id()),
            cosmos: None,
            service_bus: None,
            speech: None,
            openai: None,
            embedded_path: folder.join(format!("{name}.db")),
            root_key: RootKey::File(folder.join("keys.json")),
            ..config.clone()
        };
        App::new(own)
    };
    let (on, off) = (arm(true)?, arm(false)?);
    let (mut of_on, mut of_off) = (Vec::new(), Vec::new());
    for block in 0..WARM + turns.div_ceil(BLOCK) {
        // Each goes first as often as the other.
        let (first, second) = if block % 2 == 0 { ((&on, &mut of_on), (&off, &mut of_off)) } else { ((&off, &mut of_off), (&on, &mut of_on)) };
        for (app, times) in [first, second] {
            // In a task of its own, as a connection of the host is: where the caller's thread waits, every answer of Redis would go
            // from one thread to another, and chance would decide how long that takes.
            let took = tokio::spawn(talk(app.clone(), block)).await.map_err(Error::internal)??;
            if block >= WARM {
                times.extend(took);
            }
        }
    }
    for app in [&on, &off] {
        app.audit.close().await?;
    }
    let (on, off, turns) = (times(&of_on), times(&of_off), of_on.len());
    let state = if config.redis.is_some() { "redis" } else { "embedded" };
    let (p50_ratio, p95_ratio) = (on.p50_ms / off.p50_ms, on.p95_ms / off.p95_ms);
    Ok(Measured { state, turns, on, off, p50_ratio, p95_ratio })
}

/// One call; how long each of its turns took. What is done after an answer is waited for before the next turn, as a caller
/// who listens does.
async fn talk(app: App, number: usize) -> Result<Vec<Took>> {
    let call = CallId::parse(format!("bench-{number}-{}", app.clock.new_id()))?;
    let path = format!("/api/calls/{call}/turns");
    let router = router(app.clone());
    let mut took = Vec::with_capacity(BLOCK);
    for turn in 0..BLOCK {
        let body = json!({
            "turnId": format!("t{turn}"), "text": SAID[turn % SAID.len()], "language": "en-US",
            "context": {"session_metadata": {"turn": turn, "channel": "phone"}},
        });
        let request = Request::builder().method(Method::POST).uri(&path).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).map_err(Error::internal)?;
        let began = Instant::now();
        let response = router.clone().oneshot(request).await.map_err(Error::internal)?;
        let status = response.status();
        let timing = response.headers().get("server-timing").cloned();
        response.into_body().collect().await.map_err(Error::internal)?;
        let whole = began.elapsed();
        took.push(Took { whole, stages: timing.as_ref().and_then(|timing| timing.to_str().ok()).map(stages).unwrap_or_default() });
        if !status.is_success() {
            return Err(Error::new(Kind::Unavailable, format!("a turn was answered {status}")));
        }
        app.tasks.close();
        app.tasks.wait().await;
        app.tasks.reopen();
    }
    app.state.erase_call(&call, "{}").await?;
    Ok(took)
}

fn stages(header: &str) -> Vec<(String, f64)> {
    server_timing(header).map(|(name, millis)| (name.to_owned(), millis)).collect()
}

fn times(took: &[Took]) -> Times {
    let mut whole: Vec<f64> = took.iter().map(|turn| turn.whole.as_secs_f64() * 1000.0).collect();
    let mut stages: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, ms) in took.iter().flat_map(|turn| &turn.stages) {
        stages.entry(name.clone()).or_default().push(*ms);
    }
    let stages_p50_ms = stages.into_iter().map(|(name, mut times)| (name, at(&mut times, 50))).collect();
    Times { p50_ms: at(&mut whole, 50), p95_ms: at(&mut whole, 95), stages_p50_ms }
}

/// What that share of these took at most, in percent.
fn at(times: &mut [f64], share: usize) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}
