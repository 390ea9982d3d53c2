//! The Redis backend: [`AsyncAzureRedisManager`], on one multiplexed connection to a server or a cluster.
//!
//! Each method is one script or one pipeline on one hash slot. Values that hold a turn are frames: numbers and the
//! payload, with a space between, so that the scripts number and route them without reading them. Envelopes, which are
//! text everywhere else, lie here as their raw bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use redis::{Cmd, FromRedisValue, Value};

use self::auditing::{Invocation, Named};

use super::keys::{CallKey, RedisKeyManager, TtlPolicy};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::model::conversation::Entry;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::audit::Audit;
use crate::ports::identity::Identity;
use crate::privacy::envelope;
use crate::telemetry::Metrics;
use crate::telemetry::metric::TTL_WRITTEN;

mod archiving;
mod auditing;
mod auth;
mod bare;
mod board;
mod caches;
mod calls;
mod health;
mod inspect;
mod legacy;
mod link;
mod nodes;
mod outbox;
mod persons;
mod sending;
mod silence;
mod upkeep;
mod workers;

pub use bare::{BareRedis, ServerFigures, Template};
pub use link::install_tls13;

/// Redis as the state store.
pub struct AsyncAzureRedisManager {
    link: link::Link,
    audit: Audit,
    metrics: Arc<Metrics>,
    keys: RedisKeyManager,
    scripts: Scripts,
    look_back: isize,
    tts_max_bytes: u64,
    memory: caches::MemoryGauge,
}

struct Scripts {
    apply: Named,
    commit: Named,
    settle: Named,
    attach_profile: Named,
    close: Named,
    attempt_auth: Named,
    clear_auth: Named,
    claim: Named,
    release: Named,
    index_audio: Named,
    drop_claim: Named,
    import_legacy: Named,
    mark_checked: Named,
    rekey: Named,
    give_life: Named,
    erase: Named,
    episode: Named,
}

impl Scripts {
    fn new() -> Self {
        Self {
            apply: Named::new("redis.apply", include_str!("redis/apply.lua")),
            commit: Named::new("redis.commit", include_str!("redis/commit.lua")),
            settle: Named::new("redis.settle", include_str!("redis/settle.lua")),
            attach_profile: Named::new("redis.attach_profile", include_str!("redis/attach_profile.lua")),
            close: Named::new("redis.close", include_str!("redis/close.lua")),
            attempt_auth: Named::new("redis.attempt_auth", include_str!("redis/attempt_auth.lua")),
            clear_auth: Named::new("redis.clear_auth", include_str!("redis/clear_auth.lua")),
            claim: Named::new("redis.claim", include_str!("redis/claim.lua")),
            release: Named::new("redis.release", include_str!("redis/release.lua")),
            index_audio: Named::new("redis.index_audio", include_str!("redis/index_audio.lua")),
            drop_claim: Named::new("redis.drop_claim", include_str!("redis/drop_claim.lua")),
            import_legacy: Named::new("redis.import_legacy", include_str!("redis/import_legacy.lua")),
            mark_checked: Named::new("redis.mark_checked", include_str!("redis/mark_checked.lua")),
            rekey: Named::new("redis.rekey", include_str!("redis/rekey.lua")),
            give_life: Named::new("redis.give_life", include_str!("redis/give_life.lua")),
            erase: Named::new("redis.erase", include_str!("redis/erase.lua")),
            episode: Named::new("redis.episode", include_str!("redis/episode.lua")),
        }
    }
}

impl AsyncAzureRedisManager {
    /// Prepares the connection that the settings describe; nothing is sent before the first call. `identity` is
    /// needed where the settings choose Entra. Errors: `Setting`.
    pub fn new(config: &Config, identity: Option<Identity>) -> Result<Self> {
        let redis = config.redis.as_ref().ok_or_else(|| Error::new(Kind::Setting, "REDIS_HOST must be set, for example REDIS_HOST=localhost"))?;
        Ok(Self {
            link: link::Link::new(redis, config.ca_file.as_deref(), identity)?,
            audit: Audit::off(),
            metrics: Arc::default(),
            keys: RedisKeyManager::new(config),
            scripts: Scripts::new(),
            // At most 200 by the settings.
            look_back: config.look_back() as isize,
            tts_max_bytes: config.tts_max_bytes,
            memory: caches::MemoryGauge::default(),
        })
    }

    /// Notes every operation in this log.
    #[must_use]
    pub fn audited_by(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts what it does here.
    #[must_use]
    pub fn measured(mut self, metrics: Arc<Metrics>) -> Self {
        self.link = self.link.measured(Arc::clone(&metrics));
        self.metrics = metrics;
        self
    }

    fn key(&self, call: &CallId, key: CallKey) -> String {
        self.keys.call(call, key)
    }

    /// The life of a key that is being written.
    fn ttl(&self, policy: TtlPolicy) -> u64 {
        let ttl = self.keys.ttl(policy);
        self.metrics.record(TTL_WRITTEN, policy.kind(), ttl);
        ttl
    }

    /// The keys that the scripts on calls and turns take, in their order.
    fn turn_keys<'a>(&self, script: &'a Named, call: &CallId) -> Invocation<'a> {
        let keys = [CallKey::Session, CallKey::Events, CallKey::Summary, CallKey::Context, CallKey::History, CallKey::Turns, CallKey::Outbox];
        script.on(keys.map(|key| self.key(call, key)))
    }
}

/// A command on one key, put together without growing where what follows is short.
fn on(name: &str, key: &str) -> Cmd {
    let mut command = Cmd::with_capacity(6, name.len() + key.len() + 64);
    command.arg(name).arg(key);
    command
}

/// Reads one answer as the shape that a command promises.
fn read<T: FromRedisValue>(value: Value) -> Result<T> {
    T::from_redis_value(value).map_err(|e| Error::internal(e.to_string()))
}

/// The parts of a script's answer: a word and what follows it.
fn parts(value: Value) -> Result<(String, Vec<Value>)> {
    let mut values: Vec<Value> = read(value)?;
    if values.is_empty() {
        return Err(Error::internal("a script answered nothing"));
    }
    let word = read(values.remove(0))?;
    Ok((word, values))
}

fn fields(value: Value) -> Result<BTreeMap<String, String>> {
    Ok(read::<Vec<(String, Vec<u8>)>>(value)?.into_iter().map(|(name, value)| (name, unpacked(value))).collect())
}

/// First byte of an envelope. No text of ours begins with it.
const ENVELOPE: u8 = 1;

/// A value as it is stored: of an envelope's text its bytes.
fn packed(text: &str) -> Cow<'_, [u8]> {
    match envelope::from_text(text) {
        Some(bytes) if bytes.first() == Some(&ENVELOPE) => Cow::Owned(bytes),
        _ => Cow::Borrowed(text.as_bytes()),
    }
}

/// A stored value as text. Bytes that are no text are taken for an envelope: who opens it refuses it.
fn unpacked(bytes: Vec<u8>) -> String {
    if bytes.first() == Some(&ENVELOPE) {
        return envelope::to_text(&bytes);
    }
    String::from_utf8(bytes).unwrap_or_else(|e| envelope::to_text(e.as_bytes()))
}

/// Splits a frame `{word} {rest}`.
fn word(frame: &[u8]) -> Result<(&str, &[u8])> {
    let broken = || Error::internal("a stored frame is too short");
    let end = frame.iter().position(|b| *b == b' ').ok_or_else(broken)?;
    Ok((std::str::from_utf8(&frame[..end]).map_err(|_| broken())?, &frame[end + 1..]))
}

/// Splits a frame `{number} {rest}`.
fn number(frame: &[u8]) -> Result<(u64, &[u8])> {
    let (number, rest) = word(frame)?;
    Ok((number.parse().map_err(|_| Error::internal("a stored frame has no number"))?, rest))
}

/// What a frame holds of an entry: `{rev} {JSON}`, and after a line feed, which JSON does not hold, what is sealed.
fn content(entry: &Entry) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512 + entry.sealed.as_ref().map_or(0, Vec::len));
    bytes.extend_from_slice(entry.rev.to_string().as_bytes());
    bytes.push(b' ');
    serde_json::to_writer(&mut bytes, entry).map_err(Error::internal)?;
    if let Some(sealed) = &entry.sealed {
        bytes.push(b'\n');
        bytes.extend_from_slice(sealed);
    }
    Ok(bytes)
}

/// Reads a history frame: `{seq} {rev} {entry}`.
fn entry(frame: &[u8]) -> Result<(u64, Entry)> {
    let (seq, rest) = number(frame)?;
    let (rev, rest) = number(rest)?;
    let (json, sealed) = match rest.iter().position(|b| *b == b'\n') {
        Some(end) => (&rest[..end], Some(rest[end + 1..].to_vec())),
        None => (rest, None),
    };
    // The parser's message could quote what a caller said; its position is enough.
    let entry: Entry = serde_json::from_slice(json).map_err(|e| Error::internal(format!("a stored entry is not readable at column {}", e.column())))?;
    Ok((seq, Entry { rev: u32::try_from(rev).unwrap_or(u32::MAX), sealed, ..entry }))
}

fn millis(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse().unwrap_or_default())
}
