//! `rtvoice plan`: instances, Redis, queue, lanes, Cosmos DB and money for a number of concurrent calls.
//!
//! In: the load, what a call costs (a saved run of `rtvoice bench paths`), and a dated price file. Out: a [`Plan`] with the
//! first bottleneck named. Nothing is asked of any service. Fails with `NotFound` without a benchmark result, since a plan
//! on guessed figures would be worse than none.

mod needs;
mod prices;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use needs::{Bottleneck, Cosmos, Functions, Lanes, Load, Needs, Queue, Redis, needs};
pub use prices::{Cost, Line, Price, PriceFile};

use super::bench::Report;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;

/// What a number of concurrent calls needs, and what it costs
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "What a call costs comes from the benchmark file, which `rtvoice bench paths --save` writes; retention and QUEUE_LANES from the settings.\n\
                  Exit codes: 0 planned, 1 there is no benchmark result, 2 wrong usage or setting."
)]
pub struct PlanArgs {
    /// Calls that are open at once, at the busiest time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub concurrent_calls: u64,
    /// Seconds of a call
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub call_seconds: u32,
    /// Turns of a call
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub turns: u32,
    /// Hours of a day at that load
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub busy_hours: u32,
    /// Milliseconds that a turn waits for its reply and its voice
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(0..=25_000))]
    pub reply_millis: u32,
    /// A saved benchmark result [default: benches/results.json under the app root]
    #[arg(long, value_name = "FILE")]
    pub benchmarks: Option<PathBuf>,
    /// The price file [default: infra/prices.json under the app root]
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The whole plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// When what a call costs was measured.
    pub benchmark_date: Timestamp,
    /// `release` or `debug`: a debug build's processor times mean nothing.
    pub benchmark_build: String,
    /// What is needed.
    #[serde(flatten)]
    pub needs: Needs,
    /// What it costs each month.
    pub cost: Cost,
}

/// Plans; the text to print.
pub fn run(config: &Config, arguments: &PlanArgs) -> Result<String> {
    let place = |given: &Option<PathBuf>, folder: &str, name: &str| given.clone().unwrap_or_else(|| config.app_root.join(folder).join(name));
    let benchmarks = place(&arguments.benchmarks, "benches", "results.json");
    let report: Report = read(&benchmarks, "a benchmark result: make one with `rtvoice bench paths --save FILE`", Kind::NotFound)?;
    let missing = || Error::new(Kind::NotFound, format!("{} does not say what a call costs: measure the row call, too", benchmarks.display()));
    let per_call = report.per_call.as_ref().ok_or_else(missing)?;
    let prices: PriceFile = read(&place(&arguments.prices, "infra", "prices.json"), "a price file", Kind::Setting)?;
    let load = Load {
        // Below 2^53.
        concurrent_calls: arguments.concurrent_calls as f64,
        call_seconds: f64::from(arguments.call_seconds),
        turns: f64::from(arguments.turns),
        busy_hours: f64::from(arguments.busy_hours),
        reply_seconds: f64::from(arguments.reply_millis) / 1000.0,
        queue_lanes: config.queue_lanes,
        retention: config.retention,
        audio_bytes: config.tts_max_bytes as f64,
    };
    let needs = needs(&load, per_call);
    let cost = prices::cost(&needs, &prices)?;
    let plan = Plan { benchmark_date: report.date, benchmark_build: report.machine.build, needs, cost };
    if arguments.json { serde_json::to_string_pretty(&plan).map_err(Error::internal) } else { Ok(text::text(&plan)) }
}

fn read<T: DeserializeOwned>(path: &Path, what: &str, missing: Kind) -> Result<T> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::new(missing, format!("{} is not there or cannot be read: it must be {what}", path.display())).because(e))?;
    serde_json::from_str(&text).map_err(|e| Error::new(missing, format!("{} is not readable: it must be {what}", path.display())).because(e))
}
