//! The limit that a turn is measured against: its own commands, sent by the bare client.
//!
//! In: calls, and a [`Template`] of what one real turn sent. Out: the same pipelines and scripts with arguments of the same
//! size, their answers read and thrown away: no deadline, no audit, no sealing, no decoding. Also what the server says of
//! itself. Fails as the server does, and with `Setting` on a cluster.

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{InfoDict, Pipeline, Value, cmd, pipe};

use super::auditing::Invocation;
use super::calls::{Commit, exact, seconds};
use super::link::failure;
use super::{AsyncAzureRedisManager, read};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::ids::{CallId, TurnId};
use crate::model::time::Timestamp;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::state::keys::{CallKey, TtlPolicy};

/// Keys looked at in one step of a walk.
const STEP: usize = 1000;

/// The bare client.
pub struct BareRedis {
    manager: AsyncAzureRedisManager,
    connection: MultiplexedConnection,
}

/// What one turn of a call sent.
#[derive(Debug, Clone, Default)]
pub struct Template {
    content: Vec<u8>,
    wrap: String,
    pairs: Vec<(String, Vec<u8>)>,
    times: String,
}

/// What the server counts since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerFigures {
    /// Times that it read from a connection: round trips, where one client waits for each answer.
    pub reads: u64,
    /// Commands, those inside scripts included.
    pub commands: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Processor time, in microseconds.
    pub cpu_micros: f64,
}

impl ServerFigures {
    /// What came to pass since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            reads: self.reads.saturating_sub(earlier.reads),
            commands: self.commands.saturating_sub(earlier.commands),
            bytes_in: self.bytes_in.saturating_sub(earlier.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(earlier.bytes_out),
            cpu_micros: self.cpu_micros - earlier.cpu_micros,
        }
    }
}

impl BareRedis {
    /// Connects as the settings say, with their prefix.
    pub async fn connect(config: &Config) -> Result<Self> {
        let manager = AsyncAzureRedisManager::new(config, None)?;
        let connection = manager.link.bare().await?;
        Ok(Self { manager, connection })
    }

    async fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        pipeline.query_async(&mut self.connection.clone()).await.map_err(failure)
    }

    async fn script(&self, invocation: &Invocation<'_>) -> Result<Value> {
        invocation.send(self.connection.clone()).await.map_err(failure)
    }

    /// What the last turn of this call sent, the pairs of its context included.
    pub async fn template(&self, call: &CallId) -> Result<Template> {
        let key = |part| self.manager.key(call, part);
        let mut look = pipe();
        look.cmd("LINDEX").arg(key(CallKey::History)).arg(-1);
        look.cmd("HGET").arg(key(CallKey::Session)).arg("_key");
        look.hgetall(key(CallKey::Context));
        look.hgetall(key(CallKey::Turns));
        let [frame, wrap, context, turns]: [Value; 4] = exact(self.pipeline(&look).await?)?;
        let frame: Option<Vec<u8>> = read(frame)?;
        let frame = frame.ok_or_else(|| Error::internal("the call to measure has no turn"))?;
        let (_, content) = super::number(&frame)?;
        let pairs: Vec<(String, Vec<u8>)> = read(context)?;
        let turns: Vec<(String, String)> = read(turns)?;
        Ok(Template {
            content: content.to_vec(),
            wrap: read::<Option<String>>(wrap)?.unwrap_or_default(),
            pairs: pairs.into_iter().filter(|(name, _)| !name.starts_with('_')).collect(),
            times: turns.into_iter().find(|(name, _)| name.starts_with(':')).map(|(_, times)| times).unwrap_or_default(),
        })
    }

    /// One turn: load, commit, then the look for its phrase beside settling. `hash` is that of a cached phrase.
    pub async fn turn(&self, call: &CallId, turn: &TurnId, like: &Template, hash: &str) -> Result<()> {
        self.pipeline(&self.manager.load_commands(call, turn)).await?;
        self.commit(call, turn, like).await?;
        let times = (format!(":{turn}"), like.times.clone());
        let settle = self.manager.settle_script(call, &waiting_field(turn), 0, &times);
        let phrase = self.manager.look_for_phrase(hash);
        tokio::try_join!(self.pipeline(&phrase), self.script(&settle)).map(drop)
    }

    /// The commit alone, by its script.
    pub async fn commit(&self, call: &CallId, turn: &TurnId, like: &Template) -> Result<()> {
        let now = SystemClock.now();
        let commit =
            Commit { call, turn: turn.as_str(), now, content: &like.content, user: ("keep", ""), wrap: &like.wrap, sets: like.pairs.len(), revisions: 0 };
        let mut invocation = self.manager.commit_script(&commit);
        for (name, value) in &like.pairs {
            invocation.arg(name).arg(&value[..]);
        }
        self.script(&invocation).await.map(drop)
    }

    /// What the commit script does for a new turn, as a transaction: it decides nothing, so it is no replacement.
    pub async fn transaction(&self, call: &CallId, turn: &TurnId, like: &Template) -> Result<()> {
        let key = |part| self.manager.key(call, part);
        let (session, context, history, turns, outbox) =
            (key(CallKey::Session), key(CallKey::Context), key(CallKey::History), key(CallKey::Turns), key(CallKey::Outbox));
        let now = SystemClock.now();
        let frame = [b"1000 ".as_slice(), &like.content].concat();
        let mut change = pipe();
        change.atomic();
        change.cmd("HMGET").arg(&session).arg("status").arg("_key");
        change.cmd("HGET").arg(&turns).arg(turn.as_str());
        change.cmd("EXISTS").arg(key(CallKey::Summary));
        change.hgetall(&context);
        change.cmd("HINCRBY").arg(&session).arg("lastSeq").arg(1);
        change.cmd("HSET").arg(&session).arg("lastActivity").arg(now.millis());
        change.cmd("HSET").arg(&outbox).arg(waiting_field(turn)).arg(waiting(now, &like.wrap, &frame));
        change.cmd("RPUSH").arg(&history).arg(&frame);
        change.cmd("HSET").arg(&turns).arg(turn.as_str()).arg(1000);
        change.cmd("EXISTS").arg(&context);
        if !like.pairs.is_empty() {
            let command = change.cmd("HSET").arg(&context);
            for (name, value) in &like.pairs {
                command.arg(name).arg(&value[..]);
            }
        }
        let life = |policy| seconds(self.manager.ttl(policy));
        for key in [&session, &key(CallKey::Events), &history, &turns] {
            change.expire(key, life(TtlPolicy::SessionHistory));
        }
        change.expire(&context, life(TtlPolicy::ConversationContext)).expire(&outbox, life(TtlPolicy::Outbox));
        self.pipeline(&change).await.map(drop)
    }

    /// Where the audio of a phrase lies, for [`BareRedis::get`].
    pub fn audio_key(&self, hash: &str) -> String {
        self.manager.keys.audio(hash)
    }

    /// A plain GET.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let value: Vec<u8> = cmd("GET").arg(key).query_async(&mut self.connection.clone()).await.map_err(failure)?;
        Ok(value.into())
    }

    /// Bytes that all keys of a call take, by the server's own account, and how many keys there are.
    pub async fn call_bytes(&self, call: &CallId) -> Result<(u64, usize)> {
        let mut look = pipe();
        for part in CallKey::ALL {
            look.cmd("MEMORY").arg("USAGE").arg(self.manager.key(call, part)).arg("SAMPLES").arg(0);
        }
        let sizes: Vec<Option<u64>> = look.query_async(&mut self.connection.clone()).await.map_err(failure)?;
        Ok((sizes.iter().flatten().sum(), sizes.iter().flatten().count()))
    }

    /// What the server counts.
    pub async fn figures(&self) -> Result<ServerFigures> {
        let mut look = pipe();
        look.cmd("INFO").arg("stats").cmd("INFO").arg("cpu");
        let [stats, cpu]: [String; 2] = exact(look.query_async::<Vec<String>>(&mut self.connection.clone()).await.map_err(failure)?)?;
        let (stats, cpu) = (InfoDict::new(&stats), InfoDict::new(&cpu));
        let count = |name| stats.get::<u64>(name).unwrap_or_default();
        let time = |name| cpu.get::<f64>(name).unwrap_or_default();
        Ok(ServerFigures {
            reads: count("total_reads_processed"),
            commands: count("total_commands_processed"),
            bytes_in: count("total_net_input_bytes"),
            bytes_out: count("total_net_output_bytes"),
            cpu_micros: (time("used_cpu_user") + time("used_cpu_sys")) * 1e6,
        })
    }

    /// Removes every key under the prefix of the settings; how many there were.
    pub async fn clear(&self) -> Result<u64> {
        let pattern = format!("{}*", self.manager.keys.root());
        let (mut cursor, mut removed) = (0_u64, 0);
        loop {
            let mut step = cmd("SCAN");
            step.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
            let (next, keys): (u64, Vec<String>) = step.query_async(&mut self.connection.clone()).await.map_err(failure)?;
            if !keys.is_empty() {
                removed += cmd("UNLINK").arg(&keys).query_async::<u64>(&mut self.connection.clone()).await.map_err(failure)?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(removed);
            }
        }
    }
}

/// A message in the outbox: since when, its revision, the wrapped key, the turn's frame.
fn waiting(now: Timestamp, wrap: &str, frame: &[u8]) -> Vec<u8> {
    let wrap = if wrap.is_empty() { "-" } else { wrap };
    [format!("{} 0 {wrap} ", now.millis()).as_bytes(), frame].concat()
}

/// Name of a turn in the outbox.
fn waiting_field(turn: &TurnId) -> String {
    format!("t:{turn}")
}
