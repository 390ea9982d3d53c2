//! The board on Redis: a hash for each slot of time, one for the episodes of alerts, one for silences.
//!
//! Nothing personal goes over it, and it is not in the audit log: an instance writes every few seconds whether there are calls or
//! not. Of a figure each instance sends what has come since it last sent it, so that the server adds up.

use std::collections::BTreeMap;

use async_trait::async_trait;
use redis::{InfoDict, Pipeline, Value, cmd, pipe};

use super::calls::{exact, seconds};
use super::{AsyncAzureRedisManager, read};
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::board::{Board, Grain, ServerLoad, Silence, Slot};
use crate::ports::state::keys::TtlPolicy;
use crate::telemetry::label::RedisOp;
use crate::telemetry::metric::Kind;
use crate::telemetry::{Figures, Series};

/// What stands before the bucket's number, or before the sum, in the field of a histogram.
const BUCKET: char = '#';
/// Stands for the sum.
const SUM: &str = "sum";

const fn policy(grain: Grain) -> TtlPolicy {
    match grain {
        Grain::Fine => TtlPolicy::FineFigures,
        Grain::Coarse => TtlPolicy::CoarseFigures,
    }
}

impl AsyncAzureRedisManager {
    /// Pipelines on any slots at once, unnoted.
    async fn on_board(&self, pipelines: &[Pipeline]) -> Result<Vec<Vec<Value>>> {
        let one = |pipeline: Pipeline, mut connection: super::link::Connection| async move { pipeline.query_async::<Vec<Value>>(&mut connection).await };
        let work = |connection: super::link::Connection| futures::future::try_join_all(pipelines.iter().map(move |p| one(p.clone(), connection.clone())));
        self.link.idempotent(RedisOp::Board, work).await
    }

    fn added(&self, (grain, number): Slot, figures: &Figures) -> Pipeline {
        let key = self.keys.figures(grain.name(), number);
        let mut add = pipe();
        let mut more = |field: String, count: u64| {
            add.cmd("HINCRBY").arg(&key).arg(field).arg(count).ignore();
        };
        figures.counts.iter().for_each(|(series, count)| more(series.to_string(), *count));
        for (series, spread) in &figures.spreads {
            spread.buckets.iter().for_each(|(bucket, count)| more(format!("{series}{BUCKET}{bucket}"), *count));
            more(format!("{series}{BUCKET}{SUM}"), spread.sum);
        }
        for (series, value) in &figures.gauges {
            add.cmd("HSET").arg(&key).arg(series.to_string()).arg(*value).ignore();
        }
        add.expire(&key, seconds(self.ttl(policy(grain)))).ignore();
        add
    }

    async fn episode(&self, verb: &str, rule: &str, text: &str) -> Result<bool> {
        let mut invocation = self.scripts.episode.on([self.keys.episodes()]);
        invocation.arg(verb).arg(rule).arg(text).arg(self.ttl(TtlPolicy::Alerts));
        let mine = self.link.idempotent(RedisOp::Board, |connection| invocation.send(connection)).await?;
        read(mine)
    }

    async fn fields_of(&self, key: String) -> Result<BTreeMap<String, String>> {
        let mut look = pipe();
        look.hgetall(key);
        let [answers]: [Vec<Value>; 1] = exact(self.on_board(&[look]).await?)?;
        let [fields]: [Value; 1] = exact(answers)?;
        read(fields)
    }
}

/// A silence as it is written: `until why`, in milliseconds since 1970, with `from-` before it where it begins later. An older version
/// cannot read that and is not silent: better heard than missed.
fn written(Silence { from, until, why }: &Silence) -> String {
    let until = until.millis();
    from.map_or_else(|| format!("{until} {why}"), |from| format!("{}-{until} {why}", from.millis()))
}

fn silence(text: &str) -> Option<Silence> {
    let (times, why) = text.split_once(' ')?;
    let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    let (from, until) = match times.split_once('-') {
        Some((from, until)) => (Some(time(from)?), time(until)?),
        None => (None, time(times)?),
    };
    Some(Silence { from, until, why: why.to_owned() })
}

/// What one field of a slot's hash says.
fn taken(figures: &mut Figures, field: &str, value: &str) {
    let (name, part) = field.split_once(BUCKET).map_or((field, None), |(name, part)| (name, Some(part)));
    // A newer version may count what this one does not know.
    let Some(series) = Series::parse(name) else { return };
    match (series.metric.row().kind, part) {
        (Kind::Counter, None) => figures.counts.extend(value.parse().ok().map(|count| (series, count))),
        (Kind::Gauge, None) => figures.gauges.extend(value.parse().ok().map(|value| (series, value))),
        (Kind::Histogram, Some(part)) => {
            let spread = figures.spreads.entry(series).or_default();
            match (part, value.parse::<u64>()) {
                (SUM, Ok(sum)) => spread.sum = sum,
                (bucket, Ok(count)) => spread.buckets.extend(bucket.parse().ok().map(|bucket| (bucket, count))),
                _ => {}
            }
        }
        _ => {}
    }
}

/// The figures of all nodes together.
fn load(nodes: &[InfoDict]) -> ServerLoad {
    let mut load = ServerLoad::default();
    let (mut memory, mut clients) = (-1.0, -1.0);
    for node in nodes {
        let number = |name: &str| node.get::<u64>(name).unwrap_or_default();
        let fuller = |used: u64, most: u64, before: &mut f64| {
            let share = if most > 0 { used as f64 / most as f64 } else { 0.0 };
            let is_fuller = share > *before;
            *before = before.max(share);
            is_fuller
        };
        if fuller(number("used_memory"), number("maxmemory"), &mut memory) {
            (load.memory_used, load.memory_most) = (number("used_memory"), number("maxmemory"));
        }
        if fuller(number("connected_clients"), number("maxclients"), &mut clients) {
            (load.clients, load.clients_most) = (number("connected_clients"), number("maxclients"));
        }
        load.gone += number("expired_keys") + number("evicted_keys");
        // `keys=12,expires=12,avg_ttl=…`
        let keyspace = node.get::<String>("db0").unwrap_or_default();
        for (name, value) in keyspace.split(',').filter_map(|part| part.split_once('=')) {
            let count = value.parse::<u64>().unwrap_or_default();
            match name {
                "keys" => load.keys += count,
                "expires" => load.expiring += count,
                _ => {}
            }
        }
    }
    load
}

#[async_trait]
impl Board for AsyncAzureRedisManager {
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()> {
        let pipelines: Vec<Pipeline> = slots.iter().map(|(slot, figures)| self.added(*slot, figures)).collect();
        if pipelines.is_empty() {
            return Ok(());
        }
        self.on_board(&pipelines).await.map(drop)
    }

    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>> {
        let look = |numbers: &[i64]| {
            let mut look = pipe();
            for number in numbers {
                look.hgetall(self.keys.figures(grain.name(), *number));
            }
            look
        };
        // In a cluster each slot of time is in another slot of the cluster.
        let each = if self.keys.is_clustered() { 1 } else { numbers.len().max(1) };
        let answers = self.on_board(&numbers.chunks(each).map(look).collect::<Vec<_>>()).await?;
        let slot = |fields: Value| {
            let mut figures = Figures::default();
            read::<BTreeMap<String, String>>(fields)?.iter().for_each(|(field, value)| taken(&mut figures, field, value));
            Ok(figures)
        };
        answers.into_iter().flatten().map(slot).collect()
    }

    async fn open(&self, rule: &str, text: &str) -> Result<bool> {
        self.episode("open", rule, text).await
    }

    async fn close(&self, rule: &str, by: &str) -> Result<bool> {
        self.episode("close", rule, by).await
    }

    async fn episodes(&self) -> Result<BTreeMap<String, String>> {
        let mut episodes = self.fields_of(self.keys.episodes()).await?;
        episodes.retain(|rule, _| !rule.ends_with(BUCKET));
        Ok(episodes)
    }

    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()> {
        let key = self.keys.silences();
        let mut change = pipe();
        match silence {
            Some(silence) => change.hset(&key, rule, written(silence)).ignore(),
            None => change.hdel(&key, rule).ignore(),
        };
        change.expire(&key, seconds(self.ttl(TtlPolicy::Alerts))).ignore();
        self.on_board(&[change]).await.map(drop)
    }

    async fn silences(&self) -> Result<BTreeMap<String, Silence>> {
        let all = self.fields_of(self.keys.silences()).await?;
        Ok(all.into_iter().filter_map(|(rule, text)| Some((rule, silence(&text)?))).collect())
    }

    async fn server(&self) -> Result<Option<ServerLoad>> {
        let command = &cmd("INFO");
        let answer: Value = self.link.idempotent(RedisOp::Info, |mut connection| async move { command.query_async(&mut connection).await }).await?;
        Ok(Some(load(&super::caches::infos(&answer))))
    }

    async fn probe(&self) -> Result<()> {
        let key = self.keys.probe();
        let mut look = pipe();
        look.cmd("PING").ignore().set_ex(&key, 1, self.ttl(TtlPolicy::Probe)).ignore().get(&key);
        let look = &look;
        let answers: Vec<Value> = self.link.probe(super::health::PING, |mut connection| async move { look.query_async(&mut connection).await }).await?;
        let [value]: [Value; 1] = exact(answers)?;
        if read::<Option<u8>>(value)? == Some(1) { Ok(()) } else { Err(Error::unavailable("Redis", "it did not give back what it had taken")) }
    }
}
