//! The Redis backend: [`AsyncAzureRedisManager`], on one multiplexed connection to a server or a cluster.
//!
//! Each method is one script or one pipeline on one hash slot. Values that hold a turn are frames: numbers, a space
//! and the payload bytes, so that the scripts number and route them without reading them.

use std::collections::BTreeMap;

use redis::{FromRedisValue, Script, ScriptInvocation, Value};

use super::keys::{CallKey, RedisKeyManager, TtlPolicy};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::model::conversation::Entry;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::identity::Identity;

mod archiving;
mod auth;
mod caches;
mod calls;
mod health;
mod inspect;
mod legacy;
mod link;
mod nodes;
mod outbox;
mod sending;
mod workers;

pub use link::install_tls13;

/// Redis as the state store.
pub struct AsyncAzureRedisManager {
    link: link::Link,
    keys: RedisKeyManager,
    scripts: Scripts,
    history_window: isize,
    tts_max_bytes: u64,
    memory: caches::MemoryGauge,
}

struct Scripts {
    apply: Script,
    commit: Script,
    settle: Script,
    attach_profile: Script,
    close: Script,
    attempt_auth: Script,
    clear_auth: Script,
    claim: Script,
    release: Script,
    index_audio: Script,
    drop_claim: Script,
    import_legacy: Script,
    mark_checked: Script,
}

impl Scripts {
    fn new() -> Self {
        Self {
            apply: Script::new(include_str!("redis/apply.lua")),
            commit: Script::new(include_str!("redis/commit.lua")),
            settle: Script::new(include_str!("redis/settle.lua")),
            attach_profile: Script::new(include_str!("redis/attach_profile.lua")),
            close: Script::new(include_str!("redis/close.lua")),
            attempt_auth: Script::new(include_str!("redis/attempt_auth.lua")),
            clear_auth: Script::new(include_str!("redis/clear_auth.lua")),
            claim: Script::new(include_str!("redis/claim.lua")),
            release: Script::new(include_str!("redis/release.lua")),
            index_audio: Script::new(include_str!("redis/index_audio.lua")),
            drop_claim: Script::new(include_str!("redis/drop_claim.lua")),
            import_legacy: Script::new(include_str!("redis/import_legacy.lua")),
            mark_checked: Script::new(include_str!("redis/mark_checked.lua")),
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
            keys: RedisKeyManager::new(config),
            scripts: Scripts::new(),
            // At most 200 by the settings.
            history_window: config.history_window as isize,
            tts_max_bytes: config.tts_max_bytes,
            memory: caches::MemoryGauge::default(),
        })
    }

    fn key(&self, call: &CallId, key: CallKey) -> String {
        self.keys.call(call, key)
    }

    fn ttl(&self, policy: TtlPolicy) -> u64 {
        self.keys.ttl(policy)
    }

    /// The keys that the scripts on calls and turns take, in their order.
    fn turn_keys<'a>(&self, script: &'a Script, call: &CallId) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        for key in [CallKey::Session, CallKey::Events, CallKey::Summary, CallKey::Context, CallKey::History, CallKey::Turns, CallKey::Outbox] {
            invocation.key(self.key(call, key));
        }
        invocation
    }
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
    read(value)
}

/// Splits a frame `{number} {rest}`.
fn number(frame: &str) -> Result<(u64, &str)> {
    let broken = || Error::internal("a stored frame has no number");
    let (number, rest) = frame.split_once(' ').ok_or_else(broken)?;
    Ok((number.parse().map_err(|_| broken())?, rest))
}

/// Reads a history frame: `{seq} {entry}`.
fn entry(frame: &str) -> Result<(u64, Entry)> {
    let (seq, json) = number(frame)?;
    // The parser's message could quote what a caller said; its position is enough.
    let entry = serde_json::from_str(json).map_err(|e| Error::internal(format!("a stored entry is not readable at column {}", e.column())))?;
    Ok((seq, entry))
}

fn millis(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse().unwrap_or_default())
}
