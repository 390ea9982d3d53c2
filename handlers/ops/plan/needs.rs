//! The arithmetic of a plan, pure: from the cost of one call to what all of them need.
//!
//! Every factor that is not measured stands here as a constant with its reason, and goes out with the plan.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Retention;
use crate::ops::bench::PerCall;

/// Share of a processor that is planned for: the rest is for bursts.
const CPU_SHARE: f64 = 0.6;
/// Memory of an instance in megabytes; Flex Consumption gives this size one core.
const INSTANCE_MB: f64 = 2048.0;
/// Memory that all instances of a subscription may have in a region, by default.
const QUOTA_MB: f64 = 512_000.0;
/// Turns at once in one instance: the HTTP concurrency to set for the function app. Waiting for a reply costs no processor.
const CONCURRENT_TURNS: f64 = 100.0;
/// Sessions that an instance holds: `maxConcurrentSessions` in host.json.
const SESSIONS: f64 = 64.0;
/// Share of its time that a lane may be busy; above it messages wait long behind one another.
const LANE_SHARE: f64 = 0.5;
/// Milliseconds of one operation on Cosmos DB for the writer, in the same region.
const COSMOS_MILLIS: f64 = 8.0;
/// Share of a shard's memory that is planned for.
const REDIS_SHARE: f64 = 0.7;
/// Memory of a shard in bytes.
const SHARD_BYTES: f64 = 12e9;
/// Operations that a shard is planned for, each second. One takes scripts, so it is far below what plain GETs reach.
const SHARD_OPERATIONS: f64 = 10_000.0;
/// Days for which the summary of a call stays in Redis.
const SUMMARY_DAYS: f64 = 7.0;
/// Bytes each second that a messaging unit of Service Bus Premium carries.
const UNIT_BYTES: f64 = 4e6;
/// What sessions and duplicate detection leave of that. An assumption: to be measured on a namespace.
const UNIT_SHARE: f64 = 0.5;
/// Messaging units of one namespace, at most; sold in powers of two.
const UNITS: f64 = 16.0;
/// Request units each second of a physical partition.
const PARTITION_UNITS: f64 = 10_000.0;
/// Bytes of a physical partition.
const PARTITION_BYTES: f64 = 50e9;
/// Most lanes that `QUEUE_LANES` takes.
const MOST_LANES: f64 = 4096.0;

/// What is asked of the system.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Calls that are open at once.
    pub concurrent_calls: f64,
    /// Seconds of a call.
    pub call_seconds: f64,
    /// Turns of a call.
    pub turns: f64,
    /// Hours of a day at this load.
    pub busy_hours: f64,
    /// Seconds that a turn waits for its reply.
    pub reply_seconds: f64,
    /// `QUEUE_LANES`.
    pub queue_lanes: u16,
    /// How long documents are kept.
    pub retention: Retention,
    /// Most bytes of cached audio in Redis.
    pub audio_bytes: f64,
}

/// Function instances.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Functions {
    /// For HTTP: calls' events and turns.
    pub http_instances: f64,
    /// For the queue: the writer. Other triggers scale on instances of their own.
    pub queue_instances: f64,
    /// Processor seconds each second, of all of them.
    pub busy_cores: f64,
    /// Turns that wait for their reply at once.
    pub turns_in_flight: f64,
    /// Megabytes of an instance.
    pub instance_megabytes: f64,
    /// Instances of this size that the default quota allows.
    pub quota_instances: f64,
}

/// Redis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// Bytes of open calls, of summaries and of audio.
    pub bytes: f64,
    /// Of them summaries, which stay seven days.
    pub summary_bytes: f64,
    /// Round trips each second.
    pub operations: f64,
    /// Processor seconds each second, as measured.
    pub busy_cores: f64,
    /// Shards for the memory alone, at 70 %.
    pub shards_by_memory: f64,
    /// Shards for the operations alone.
    pub shards_by_operations: f64,
    /// The larger of both.
    pub shards: f64,
}

/// Service Bus.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Messages each second, each way.
    pub messages: f64,
    /// Bytes each second, each way.
    pub bytes: f64,
    /// Messaging units of the Premium tier.
    pub units: f64,
    /// Share of 4 MB/s that sessions and duplicate detection are taken to leave.
    pub unit_share: f64,
}

/// Lanes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lanes {
    /// Writer's seconds for all messages of a call, one after the other.
    pub writer_seconds_per_call: f64,
    /// Lanes that are busy at once on average.
    pub busy: f64,
    /// Lanes that the load needs, at half of their time: what `QUEUE_LANES` must be at least.
    pub needed: f64,
    /// `QUEUE_LANES` as it is set.
    pub configured: f64,
    /// Calls at once that the configured lanes carry.
    pub configured_carry: f64,
    /// Why the number is what it is.
    pub reason: String,
}

/// Cosmos DB.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cosmos {
    /// Request units each second at the busiest time.
    pub request_units: f64,
    /// Physical partitions for them and for the storage.
    pub partitions: f64,
    /// Bytes that stay, by container, each for its retention.
    pub stored_bytes: BTreeMap<String, f64>,
    /// Their sum.
    pub bytes: f64,
}

/// Something that ends, and where.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bottleneck {
    /// What ends.
    pub what: String,
    /// At how many concurrent calls.
    pub at_calls: f64,
    /// What moves it.
    pub remedy: String,
}

/// What a load needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// Calls at once.
    pub concurrent_calls: f64,
    /// Calls that begin each second.
    pub calls_per_second: f64,
    /// Turns each second.
    pub turns_per_second: f64,
    /// Calls of a day.
    pub calls_per_day: f64,
    /// Function instances of both kinds together.
    pub instances: f64,
    /// Function instances.
    pub functions: Functions,
    /// Redis.
    pub redis: Redis,
    /// Service Bus.
    pub queue: Queue,
    /// Lanes.
    pub lanes: Lanes,
    /// Cosmos DB.
    pub cosmos: Cosmos,
    /// What ends first.
    pub bottleneck: String,
    /// What ends first, and what after it.
    pub bottlenecks: Vec<Bottleneck>,
    /// Executions of functions each second.
    pub executions: f64,
    /// Hours of a day at this load.
    pub busy_hours: f64,
}

/// What the load needs, by what one call costs.
pub fn needs(load: &Load, call: &PerCall) -> Needs {
    let scale = load.turns / (call.turns.max(1) as f64);
    let starts = load.concurrent_calls / load.call_seconds;
    let per_day = starts * load.busy_hours * 3600.0;
    let lanes = lanes(load, starts, call, scale);
    let functions = functions(load, starts, call, scale, &lanes);
    let redis = redis(load, starts, per_day, call, scale);
    let queue = queue(starts, call, scale);
    let cosmos = cosmos(load, starts, per_day, call, scale);
    let bottlenecks = bottlenecks(load, &functions, &redis, &queue, &lanes);
    Needs {
        concurrent_calls: load.concurrent_calls,
        calls_per_second: starts,
        turns_per_second: starts * load.turns,
        calls_per_day: per_day,
        // Each turn, each message at the writer, and the two events of a call.
        executions: starts * (load.turns + call.queue_messages * scale + 2.0),
        busy_hours: load.busy_hours,
        instances: functions.http_instances + functions.queue_instances,
        functions,
        redis,
        queue,
        lanes,
        cosmos,
        bottleneck: bottlenecks.first().map(|first| first.what.clone()).unwrap_or_default(),
        bottlenecks,
    }
}

fn lanes(load: &Load, starts: f64, call: &PerCall, scale: f64) -> Lanes {
    // Embedded documents answer faster than a service across the network: its time is what counts.
    let seconds = (call.writer_operations * scale * COSMOS_MILLIS / 1000.0).max(call.writer_millis * scale / 1000.0);
    let busy = starts * seconds;
    let needed = (busy / LANE_SHARE).ceil().max(1.0);
    let configured = f64::from(load.queue_lanes);
    let carry = if seconds > 0.0 { configured * LANE_SHARE / seconds * load.call_seconds } else { f64::INFINITY };
    let hosts = (configured / SESSIONS).ceil();
    let reason = if needed > MOST_LANES {
        format!("the load needs more than the {MOST_LANES:.0} lanes that QUEUE_LANES allows: share it between function apps, each with a queue of its own")
    } else if needed > configured {
        format!("set QUEUE_LANES to at least {needed:.0}: {configured:.0} lanes at half of their time carry {carry:.0} calls at once")
    } else {
        format!(
            "{configured:.0} lanes are enough up to {carry:.0} calls at once; held all at once they fill {hosts:.0} instances of {SESSIONS:.0} sessions, and more lanes than the \
             instances can hold would only wait for one another"
        )
    };
    Lanes { writer_seconds_per_call: seconds, busy, needed, configured, configured_carry: carry, reason }
}

fn functions(load: &Load, starts: f64, call: &PerCall, scale: f64, lanes: &Lanes) -> Functions {
    let busy_cores = starts * call.handler_cpu_micros * scale / 1e6;
    let in_flight = starts * load.turns * load.reply_seconds;
    let by_cpu = busy_cores / CPU_SHARE;
    Functions {
        http_instances: by_cpu.max(in_flight / CONCURRENT_TURNS).ceil().max(1.0),
        queue_instances: (lanes.needed / SESSIONS).ceil().max(1.0),
        busy_cores,
        turns_in_flight: in_flight,
        instance_megabytes: INSTANCE_MB,
        quota_instances: (QUOTA_MB / INSTANCE_MB).floor(),
    }
}

fn redis(load: &Load, starts: f64, per_day: f64, call: &PerCall, scale: f64) -> Redis {
    let summary_bytes = per_day * SUMMARY_DAYS * call.redis_summary_bytes;
    let bytes = load.concurrent_calls * call.redis_bytes * scale + summary_bytes + load.audio_bytes;
    let operations = starts * call.redis_operations * scale;
    let (by_memory, by_operations) = ((bytes / (SHARD_BYTES * REDIS_SHARE)).ceil(), (operations / SHARD_OPERATIONS).ceil());
    Redis {
        bytes,
        summary_bytes,
        operations,
        busy_cores: starts * call.redis_cpu_micros * scale / 1e6,
        shards_by_memory: by_memory,
        shards_by_operations: by_operations,
        shards: by_memory.max(by_operations).max(1.0),
    }
}

fn queue(starts: f64, call: &PerCall, scale: f64) -> Queue {
    let bytes = starts * call.queue_bytes * scale;
    let exact = (bytes / (UNIT_BYTES * UNIT_SHARE)).ceil().max(1.0);
    // 1, 2, 4, 8, 16, and further namespaces of 16.
    let units = [1.0, 2.0, 4.0, 8.0, UNITS].into_iter().find(|units| *units >= exact).unwrap_or_else(|| (exact / UNITS).ceil() * UNITS);
    Queue { messages: starts * call.queue_messages * scale, bytes, units, unit_share: UNIT_SHARE }
}

fn cosmos(load: &Load, starts: f64, per_day: f64, call: &PerCall, scale: f64) -> Cosmos {
    let request_units = starts * call.request_units * scale;
    let days = |container: &str| match container {
        "transcripts" => load.retention.transcripts,
        "analytics" => load.retention.analytics,
        "audit" => load.retention.audit,
        "metrics" => load.retention.metrics,
        "deadletters" => load.retention.dead_letters,
        _ => load.retention.profiles,
    };
    let stored_bytes: BTreeMap<String, f64> =
        call.stored_bytes.iter().map(|(name, bytes)| (name.clone(), bytes * scale * per_day * f64::from(days(name)))).collect();
    let bytes: f64 = stored_bytes.values().sum();
    let partitions = (request_units / PARTITION_UNITS).ceil().max((bytes / PARTITION_BYTES).ceil()).max(1.0);
    Cosmos { request_units, partitions, stored_bytes, bytes }
}

/// What ends first. What is bought by the unit (shards, request units) does not end; quotas and settings do.
fn bottlenecks(load: &Load, functions: &Functions, redis: &Redis, queue: &Queue, lanes: &Lanes) -> Vec<Bottleneck> {
    let calls = load.concurrent_calls;
    let until = |used: f64, most: f64| if used > 0.0 { (calls * most / used).floor() } else { f64::MAX };
    let instances = functions.http_instances + functions.queue_instances;
    let mut all = vec![
        Bottleneck {
            what: format!("QUEUE_LANES={:.0}", lanes.configured),
            at_calls: lanes.configured_carry.floor(),
            remedy: format!("raise QUEUE_LANES (up to {MOST_LANES:.0}) while the queue is empty; it takes queue instances with it"),
        },
        Bottleneck {
            what: format!("the memory quota of a region, {:.0} instances", functions.quota_instances),
            at_calls: until(instances, functions.quota_instances),
            remedy: "ask for a higher quota, or take a second region or subscription".to_owned(),
        },
        Bottleneck {
            what: format!("one Service Bus namespace of {UNITS:.0} messaging units"),
            at_calls: until(queue.bytes, UNITS * UNIT_BYTES * UNIT_SHARE),
            remedy: "share the calls between function apps, each with a namespace of its own".to_owned(),
        },
        Bottleneck {
            what: "one Redis server without a cluster".to_owned(),
            at_calls: until(redis.operations, SHARD_OPERATIONS).min(until(redis.bytes, SHARD_BYTES * REDIS_SHARE)),
            remedy: "REDIS_CLUSTER=true with the shards that stand above".to_owned(),
        },
    ];
    all.sort_by(|a, b| a.at_calls.total_cmp(&b.at_calls));
    all
}
