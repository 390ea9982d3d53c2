//! Looking after Redis: pages of keys with their lives and sizes, what each master says of itself, cached audio.
//!
//! SCAN on one master after the other, then PTTL and MEMORY USAGE of what it named: nothing here blocks a server for longer
//! than one small page.

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{Cmd, InfoDict, cmd, pipe};
use tokio::time::Instant;

use super::calls::exact;
use super::{AsyncAzureRedisManager, fields, read};
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::inspect::KeyPlace;
use crate::ports::state::keys::CallKey;
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{AtRest, AudioFacts, ENTRIES, KeyFacts, KeyPage, Left, Look, ServerFacts, Upkeep};
use crate::ports::state::{Archiving as _, MESSAGES};

/// Keys that one page looks at, about.
const PAGE: u64 = 500;
/// Member of the index that holds what all phrases take, negative.
const TOTAL: &str = "total";

impl AsyncAzureRedisManager {
    /// Gives a key its life where it has none; seconds, where it was given one.
    async fn give_life(&self, name: &[u8], place: &KeyPlace) -> Result<Option<u64>> {
        let (Some(seconds), Ok(name)) = (self.keys.remedy(place), std::str::from_utf8(name)) else { return Ok(None) };
        let mut invocation = self.scripts.give_life.on([name.to_owned()]);
        invocation.arg(seconds);
        let given: bool = read(self.script(&invocation).await?)?;
        Ok(given.then_some(seconds))
    }

    /// What these keys take, as far as they are still there.
    async fn sizes(&self, names: &[Vec<u8>]) -> Result<Vec<Option<u64>>> {
        let ask = |name: &Vec<u8>| cmd("MEMORY").arg("USAGE").arg(name).to_owned();
        self.scattered(names.iter().map(ask).collect()).await?.into_iter().map(read).collect()
    }

    async fn server(&self, node: &str) -> Result<ServerFacts> {
        let info: String = read(self.on_node(node, &cmd("INFO")).await?)?;
        let began = Instant::now();
        let (seconds, micros): (i64, i64) = read(self.on_node(node, &cmd("TIME")).await?)?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let clock = Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(micros / 1000));
        Ok(ServerFacts { node: node.to_owned(), clock: Some((clock, took)), ..facts(&InfoDict::new(&info)) })
    }
}

fn facts(info: &InfoDict) -> ServerFacts {
    let count = |name| info.get::<u64>(name).unwrap_or_default();
    let is = |name, word: &str| info.get::<String>(name).is_none_or(|status| status == word);
    let (keys, expiring) = keyspace(&info.get::<String>("db0").unwrap_or_default());
    ServerFacts {
        node: String::new(),
        version: info.get::<String>("redis_version").unwrap_or_default(),
        used_bytes: count("used_memory"),
        max_bytes: count("maxmemory"),
        policy: info.get("maxmemory_policy"),
        fragmentation: info.get("mem_fragmentation_ratio").unwrap_or_default(),
        keys,
        expiring,
        evicted: count("evicted_keys"),
        connections: count("connected_clients"),
        max_connections: info.get("maxclients"),
        ops_per_second: info.get("instantaneous_ops_per_sec"),
        append_only: count("aof_enabled") == 1,
        persisting: is("aof_last_write_status", "ok") && is("rdb_last_bgsave_status", "ok"),
        clock: None,
    }
}

/// `keys=12,expires=10,avg_ttl=0`; nothing where there is no key.
fn keyspace(line: &str) -> (u64, u64) {
    let number = |name: &str| line.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap_or_default();
    (number("keys"), number("expires"))
}

#[async_trait]
impl Upkeep for AsyncAzureRedisManager {
    async fn key_page(&self, cursor: ScanCursor, look: Look) -> Result<KeyPage> {
        let (names, next) = self.names(cursor, PAGE, None).await?;
        let lives = self.scattered(names.iter().map(|name| cmd("PTTL").arg(name).to_owned()).collect()).await?;
        // Sizes are sampled over the whole page: what lies side by side was often written together.
        let step = names.len().div_ceil(look.sizes.max(1)).max(1);
        let asked: Vec<Vec<u8>> = if look.sizes == 0 { Vec::new() } else { names.iter().step_by(step).cloned().collect() };
        let mut sizes = self.sizes(&asked).await?.into_iter();
        let mut keys = Vec::with_capacity(names.len());
        for (at, (name, life)) in names.into_iter().zip(lives).enumerate() {
            let bytes = if look.sizes > 0 && at % step == 0 { sizes.next().flatten() } else { None };
            let place = std::str::from_utf8(&name).ok().and_then(|name| self.keys.place(name));
            // -1: no life; -2: gone meanwhile.
            let left = match read::<i64>(life)? {
                -2 => continue,
                millis => u64::try_from(millis).map_or(Left::Forever, Left::Millis),
            };
            let given = match &place {
                Some(place) if look.give_lives && left == Left::Forever => self.give_life(&name, place).await?,
                _ => None,
            };
            keys.push(KeyFacts { place, left, bytes, given });
        }
        Ok(KeyPage { keys, next })
    }

    async fn servers(&self) -> Result<Vec<ServerFacts>> {
        let masters = self.masters().await?;
        try_join_all(masters.iter().map(|node| self.server(node))).await
    }

    async fn waiting(&self, call: &CallId) -> Result<Vec<(String, Timestamp)>> {
        let mut names = self.outbox_names(call).await?;
        names.truncate(MESSAGES);
        Ok(self.outbox_messages(call, &names).await?.into_iter().map(|entry| (entry.field, entry.since)).collect())
    }

    async fn at_rest(&self, call: &CallId) -> Result<AtRest> {
        let names = CallKey::ALL.map(|part| self.key(call, part));
        let mut look = pipe();
        for name in &names {
            look.cmd("PTTL").arg(name);
        }
        look.hgetall(self.key(call, CallKey::Context));
        let mut answers = self.pipeline(&look).await?;
        let context = answers.pop().ok_or_else(|| Error::internal("a pipeline without its answers"))?;
        let mut rest = AtRest::default();
        rest.count_context(&fields(context)?);
        for (name, life) in names.iter().zip(answers) {
            // -1: no life; -2: it is not there.
            let left = match read::<i64>(life)? {
                -2 => continue,
                millis => u64::try_from(millis).map_or(Left::Forever, Left::Millis),
            };
            rest.lives.extend(self.keys.place(name).map(|place| (place, left)));
        }
        let mut from = 0;
        loop {
            let slice = self.history(call, from, ENTRIES).await?;
            rest.count_entries(&slice);
            from += ENTRIES;
            if from >= slice.total {
                return Ok(rest);
            }
        }
    }

    async fn audio_facts(&self, now: Timestamp) -> Result<AudioFacts> {
        let index = self.keys.audio_index();
        let mut look = pipe();
        look.cmd("ZCOUNT").arg(&index).arg(now.millis() / 1000).arg("+inf");
        look.cmd("ZSCORE").arg(&index).arg(TOTAL);
        let [phrases, total] = exact(self.pipeline(&look).await?)?;
        let total: Option<f64> = read(total)?;
        // Sums of sizes are far below 2^53.
        Ok(AudioFacts { phrases: read(phrases)?, bytes: total.map_or(0, |sum| (-sum).max(0.0) as u64), max_bytes: self.tts_max_bytes })
    }

    async fn purge_audio(&self, cursor: ScanCursor) -> Result<(u64, Option<ScanCursor>)> {
        let (names, next) = self.names(cursor, PAGE, Some(&self.keys.audio("*"))).await?;
        let unlink = |name: &Vec<u8>| cmd("UNLINK").arg(name).to_owned();
        let removed = self.scattered(names.iter().map(unlink).collect::<Vec<Cmd>>()).await?;
        let removed = removed.into_iter().map(read::<u64>).sum::<Result<u64>>()?;
        if next.is_none() {
            let mut change = pipe();
            change.unlink(self.keys.audio_index()).ignore();
            self.pipeline(&change).await?;
        }
        Ok((removed, next))
    }
}

impl AsyncAzureRedisManager {
    /// The next page of names, of whichever app, those alone that match a pattern where one is given.
    pub(super) async fn names(&self, cursor: ScanCursor, count: u64, pattern: Option<&str>) -> Result<(Vec<Vec<u8>>, Option<ScanCursor>)> {
        let ScanCursor { mut nodes, at } = cursor;
        if nodes.is_empty() {
            nodes = self.masters().await?;
        }
        let Some(node) = nodes.last() else { return Err(Error::internal("a server without masters")) };
        let mut command = cmd("SCAN");
        command.arg(at).arg("COUNT").arg(count);
        if let Some(pattern) = pattern {
            command.arg("MATCH").arg(pattern);
        }
        let (at, names): (u64, Vec<Vec<u8>>) = read(self.on_node(node, &command).await?)?;
        if at == 0 {
            nodes.pop();
        }
        let done = at == 0 && nodes.is_empty();
        Ok((names, if done { None } else { Some(ScanCursor { nodes, at }) }))
    }
}
