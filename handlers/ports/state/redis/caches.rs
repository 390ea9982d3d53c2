//! Cached audio and profile copies on Redis.
//!
//! The key of a phrase holds its audio, or for 4 s the claim of whoever synthesises it: so asking and claiming are
//! one round trip. Audio is a WAV file and never begins like a claim.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{InfoDict, Pipeline, Value, cmd, pipe};
use tokio::time::Instant;

use super::auditing::Operation;
use super::calls::{exact, seconds};
use super::{AsyncAzureRedisManager, on, packed, read, unpacked};
use crate::error::Result;
use crate::model::ids::{CallId, UserToken};
use crate::model::time::Timestamp;
use crate::ports::state::keys::TtlPolicy;
use crate::ports::state::{Caches, Spoken};
use crate::telemetry::label::RedisOp;

/// What a claim begins with.
const CLAIM: &str = "claim:";
/// How long a claim holds.
const CLAIM_MILLIS: u64 = 4000;
/// Largest audio that is cached.
const MAX_AUDIO: usize = 4 << 20;
/// Share of the store's memory above which no audio is added.
const MEMORY_SHARE: f64 = 0.6;
/// How long a reading of the store's memory is good.
const READING: Duration = Duration::from_secs(5);

/// The last reading of how full the store is.
#[derive(Debug, Default)]
pub(super) struct MemoryGauge(Mutex<Option<(Instant, f64)>>);

impl AsyncAzureRedisManager {
    /// Share of `maxmemory` in use, of the fullest node; 0 where there is no limit.
    async fn memory_share(&self) -> Result<f64> {
        let fresh = |reading: &(Instant, f64)| reading.0.elapsed() < READING;
        if let Some((_, share)) = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner).filter(fresh) {
            return Ok(share);
        }
        let share = self.info("memory").await?.iter().map(share_of).fold(0.0, f64::max);
        *self.memory.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), share));
        Ok(share)
    }

    /// What asks for a phrase and claims it.
    fn phrase_commands(&self, hash: &str, claim: &str) -> Pipeline {
        let key = self.keys.audio(hash);
        let (mut look, mut take, mut ask) = (on("GETRANGE", &key), on("SET", &key), Pipeline::with_capacity(2));
        // One byte more than the claim, so that a longer token is not taken for the caller's.
        look.arg(0).arg(claim.len());
        take.arg(claim).arg("NX").arg("PX").arg(CLAIM_MILLIS);
        ask.add_command(look).add_command(take);
        ask
    }

    /// The same for measurements, with a claim that is nobody's.
    pub(super) fn look_for_phrase(&self, hash: &str) -> Pipeline {
        self.phrase_commands(hash, concat!("claim:", "00000000000000000000000000000000"))
    }

    /// One section of INFO, of every node.
    pub(super) async fn info(&self, section: &str) -> Result<Vec<InfoDict>> {
        let mut command = cmd("INFO");
        command.arg(section);
        let command = &command;
        let work = self.link.idempotent(RedisOp::Info, |mut connection| async move { command.query_async(&mut connection).await });
        let answer: Value = self.audited(|| Operation::of(std::iter::once(command)), work).await?;
        Ok(infos(&answer))
    }
}

/// What INFO answers, of every node.
pub(super) fn infos(answer: &Value) -> Vec<InfoDict> {
    let mut texts = Vec::new();
    collect(answer, &mut texts);
    texts.iter().map(|text| InfoDict::new(text)).collect()
}

/// The texts in an answer: a cluster answers with a map of nodes.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => texts.push(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|v| collect(v, texts)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, v)| collect(v, texts)),
        _ => {}
    }
}

fn share_of(info: &InfoDict) -> f64 {
    let (used, most) = (info.get::<f64>("used_memory").unwrap_or(0.0), info.get::<f64>("maxmemory").unwrap_or(0.0));
    if most > 0.0 { used / most } else { 0.0 }
}

#[async_trait]
impl Caches for AsyncAzureRedisManager {
    async fn phrase(&self, hash: &str, token: &str) -> Result<Spoken> {
        let claim = format!("{CLAIM}{token}");
        let ask = self.phrase_commands(hash, &claim);
        let [head, claimed]: [Value; 2] = exact(self.pipeline(&ask).await?)?;
        let head: Vec<u8> = read(head)?;
        // The caller's own claim stands there where the pipeline was sent a second time over a new connection.
        Ok(if !matches!(claimed, Value::Nil) || head == claim.as_bytes() {
            Spoken::Yours
        } else if head.is_empty() || head.starts_with(CLAIM.as_bytes()) {
            Spoken::Awaited
        } else {
            Spoken::Cached
        })
    }

    async fn audio(&self, hash: &str) -> Result<Option<Bytes>> {
        let mut look = pipe();
        look.get(self.keys.audio(hash));
        let [stored]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        Ok(read::<Option<Vec<u8>>>(stored)?.filter(|audio| !audio.starts_with(CLAIM.as_bytes())).map(Bytes::from))
    }

    async fn keep_audio(&self, hash: &str, audio: Bytes, now: Timestamp) -> Result<bool> {
        let key = self.keys.audio(hash);
        let fits = audio.len() <= MAX_AUDIO && self.memory_share().await? <= MEMORY_SHARE && self.book_audio(hash, audio.len(), now).await?;
        let mut change = pipe();
        if fits {
            change.cmd("SET").arg(&key).arg(&audio[..]).arg("EX").arg(self.ttl(TtlPolicy::TtsCache)).ignore();
            self.pipeline(&change).await?;
        } else {
            let mut invocation = self.scripts.drop_claim.on([key]);
            invocation.arg(CLAIM).arg("any");
            self.script(&invocation).await?;
        }
        Ok(fits)
    }

    async fn keep_private(&self, _call: &CallId, hash: &str, audio: Bytes) -> Result<()> {
        let mut change = pipe();
        change.set_ex(self.keys.audio(hash), &audio[..], self.ttl(TtlPolicy::PrivateAudio)).ignore();
        self.pipeline(&change).await.map(drop)
    }

    async fn drop_claim(&self, hash: &str, token: &str) -> Result<()> {
        let mut invocation = self.scripts.drop_claim.on([self.keys.audio(hash)]);
        invocation.arg(format!("{CLAIM}{token}")).arg("own");
        self.script(&invocation).await.map(drop)
    }

    async fn profile(&self, user: &UserToken) -> Result<Option<String>> {
        let mut look = pipe();
        look.get(self.keys.profile(user));
        let [stored]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        Ok(read::<Option<Vec<u8>>>(stored)?.map(unpacked))
    }

    async fn keep_profile(&self, user: &UserToken, profile: Option<&str>) -> Result<()> {
        let key = self.keys.profile(user);
        let mut change = pipe();
        match profile {
            Some(json) => change.set_ex(&key, &packed(json)[..], self.ttl(TtlPolicy::ProfileCache)).ignore(),
            None => change.unlink(&key).ignore(),
        };
        self.pipeline(&change).await.map(drop)
    }
}

impl AsyncAzureRedisManager {
    async fn book_audio(&self, hash: &str, bytes: usize, now: Timestamp) -> Result<bool> {
        let ttl = self.ttl(TtlPolicy::TtsCache);
        let now = now.millis() / 1000;
        let mut invocation = self.scripts.index_audio.on([self.keys.audio_index()]);
        invocation.arg(hash).arg(bytes).arg(now).arg(now.saturating_add(seconds(ttl)));
        invocation.arg(self.tts_max_bytes).arg(ttl);
        read(self.script(&invocation).await?)
    }
}
