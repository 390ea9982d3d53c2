//! `rtvoice redis usage`: what the state store holds, by kind of key, with the memory that each kind takes.
//!
//! Keys are counted one and all; sizes are asked of a sample on each page of the walk (MEMORY USAGE), and the kind's total is
//! its mean times its keys, so it is an estimate and is called one. Fails as the store does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::told::{Told, size, table};
use super::ttl::prefix;
use crate::app::App;
use crate::error::Result;
use crate::ports::state::inspect::KeyPlace;
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{AudioFacts, Look, ServerFacts};

/// What the state store holds
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct RedisArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: RedisCommand,
}

/// What can be asked of the store.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum RedisCommand {
    /// Keys and memory by type and component
    #[command(
        after_help = "Walks with SCAN, every master of a cluster. Sizes are estimated from a sample of each page. Without REDIS_HOST the embedded file is\n\
                            looked at.\n\
                            Exit codes: 0 done, 1 the walk is not whole or it failed, 2 wrong usage or setting."
    )]
    Usage(UsageArgs),
}

/// How usage is counted.
#[derive(Debug, Clone, clap::Args)]
pub struct UsageArgs {
    /// Keys of each page (about 500) whose size is asked for
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub samples: u16,
    /// Longest that the walk may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub limit: u64,
}

/// What one kind of key takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    /// What its keys begin and end with; `other apps` for keys of others.
    pub prefix: String,
    /// `call`, `conversation`, `worker`, `cache`, `system`, `legacy` or `foreign`.
    pub data_type: String,
    /// What of it, such as `history`.
    pub component: String,
    /// Keys.
    pub keys: u64,
    /// Keys whose size was asked for.
    pub sampled: u64,
    /// Bytes that all of them take, estimated.
    pub bytes: u64,
    /// Bytes of the largest key that was asked.
    pub largest: u64,
}

/// What the store holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The servers.
    pub servers: Vec<ServerFacts>,
    /// The kinds, the largest first.
    pub kinds: Vec<Kind>,
    /// Cached audio.
    pub audio: AudioFacts,
    /// Whether every key was counted.
    pub complete: bool,
    /// What asks for more capacity.
    pub scale: Vec<String>,
}

/// Above these a server is to be made larger, or another added: memory and connections in hundredths, operations in a second.
const MEMORY: f64 = 70.0;
const CONNECTIONS: f64 = 80.0;
const OPERATIONS: u64 = 10_000;

/// Which of its limits a server comes near to.
pub fn near_limits(server: &ServerFacts) -> Vec<String> {
    let mut near = Vec::new();
    let memory = server.share() * 100.0;
    if memory >= MEMORY {
        near.push(format!("{}: memory is at {memory:.0} %, and {MEMORY} % is the mark", server.node));
    }
    let connections = server.max_connections.filter(|most| *most > 0).map_or(0.0, |most| server.connections as f64 / most as f64 * 100.0);
    if connections >= CONNECTIONS {
        near.push(format!("{}: connections are at {connections:.0} %, and {CONNECTIONS} % is the mark", server.node));
    }
    if let Some(operations) = server.ops_per_second.filter(|operations| *operations >= OPERATIONS) {
        near.push(format!("{}: {operations} operations a second, and {OPERATIONS} is the mark for a shard", server.node));
    }
    near
}

#[derive(Default)]
struct Sum {
    keys: u64,
    sampled: u64,
    bytes: u64,
    largest: u64,
}

/// Runs the command.
pub async fn run(app: &App, args: &RedisArgs) -> Result<Told> {
    let RedisCommand::Usage(how) = &args.command;
    let usage = usage(app, usize::from(how.samples), Duration::from_secs(how.limit)).await?;
    Told::new(args.json, &usage, usage.complete, || text(&usage))
}

/// Counts keys and asks for sizes.
pub async fn usage(app: &App, samples: usize, limit: Duration) -> Result<Usage> {
    let began = Instant::now();
    let mut sums: BTreeMap<Option<KeyPlace>, Sum> = BTreeMap::new();
    let mut complete = true;
    let mut cursor = Some(ScanCursor::default());
    while let Some(at) = cursor {
        if began.elapsed() >= limit {
            complete = false;
            break;
        }
        let page = app.state.key_page(at, Look { sizes: samples, give_lives: false }).await?;
        for key in page.keys {
            let sum = sums.entry(key.place).or_default();
            sum.keys += 1;
            if let Some(bytes) = key.bytes {
                sum.sampled += 1;
                sum.bytes += bytes;
                sum.largest = sum.largest.max(bytes);
            }
        }
        cursor = page.next;
    }
    let mut kinds: Vec<Kind> = sums.into_iter().map(|(place, sum)| kind(app, place.as_ref(), &sum)).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse((kind.bytes, kind.keys)));
    let servers = app.state.servers().await?;
    let scale = servers.iter().flat_map(near_limits).collect();
    Ok(Usage { servers, kinds, audio: app.state.audio_facts(app.clock.now()).await?, complete, scale })
}

fn kind(app: &App, place: Option<&KeyPlace>, sum: &Sum) -> Kind {
    let whole = if sum.sampled == 0 { 0 } else { u128::from(sum.bytes) * u128::from(sum.keys) / u128::from(sum.sampled) };
    Kind {
        prefix: place.map_or_else(|| "other apps".to_owned(), |place| prefix(app, place)),
        data_type: place.map_or("foreign", |place| place.data_type).to_owned(),
        component: place.map_or("", |place| place.component).to_owned(),
        keys: sum.keys,
        sampled: sum.sampled,
        bytes: u64::try_from(whole).unwrap_or(u64::MAX),
        largest: sum.largest,
    }
}

fn text(usage: &Usage) -> String {
    let servers = usage.servers.iter().map(|server| {
        let most = if server.max_bytes == 0 { "no limit".to_owned() } else { format!("{} ({:.0} %)", size(server.max_bytes), server.share() * 100.0) };
        let policy = server.policy.clone().unwrap_or_else(|| "unknown".to_owned());
        let connections = server.max_connections.map_or_else(|| server.connections.to_string(), |most| format!("{} of {most}", server.connections));
        let operations = server.ops_per_second.map_or_else(|| "unknown".to_owned(), |operations| operations.to_string());
        let (keys, evicted) = (server.keys.to_string(), server.evicted.to_string());
        [server.node.clone(), server.version.clone(), size(server.used_bytes), most, policy, keys, evicted, connections, operations]
    });
    let kinds = usage.kinds.iter().map(|kind| {
        [kind.prefix.clone(), kind.keys.to_string(), size(kind.bytes), size(kind.bytes / kind.keys.max(1)), size(kind.largest), kind.sampled.to_string()]
    });
    let audio = &usage.audio;
    let mut text = format!(
        "{}\n{}\ncached audio: {} phrases, {} of {}",
        table(&["server", "version", "used", "most", "policy", "keys", "evicted", "connections", "operations/s"], servers),
        table(&["keys", "n", "bytes (estimate)", "mean", "largest seen", "sampled"], kinds),
        audio.phrases,
        size(audio.bytes),
        size(audio.max_bytes)
    );
    for line in &usage.scale {
        text.push_str(&format!("\nmore capacity: {line}"));
    }
    if !usage.complete {
        text.push_str("\nnot every key was counted: time was up (--limit)");
    }
    text
}
