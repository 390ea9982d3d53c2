//! Legacy layouts on Redis. Their keys lie in slots of their own: in a cluster each is looked at by a command of its
//! own, all at once on one connection; otherwise one pipeline carries them.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::{Cmd, Value, cmd, pipe};

use super::calls::seconds;
use super::{AsyncAzureRedisManager, content as entry_content, fields, packed, parts, read};
use crate::error::{Error, Kind, Result};
use crate::model::call::{Session, field};
use crate::model::ids::CallId;
use crate::model::legacy::{Content, LegacyCall, LegacyKey, LegacyRaw, Role};
use crate::model::time::Timestamp;
use crate::ports::state::Calls as _;
use crate::ports::state::keys::{CallKey, RedisKeyManager, TtlPolicy};
use crate::ports::state::legacy::{Imported, Legacy, ScanCursor, Scanned};

/// Keys that one page of a scan looks at, about.
const PAGE: u64 = 1000;

type Bytes = Vec<u8>;

impl AsyncAzureRedisManager {
    /// Reads those of the keys that are there.
    async fn look(&self, keys: Vec<(Role, String)>) -> Result<Vec<LegacyKey>> {
        let types = self.scattered(keys.iter().map(|(_, key)| cmd("TYPE").arg(key).to_owned()).collect()).await?;
        let mut there = Vec::new();
        for ((role, name), found) in keys.into_iter().zip(types) {
            let found: String = read(found)?;
            if found != "none" {
                there.push((role, name, found));
            }
        }
        let commands = there.iter().flat_map(|(_, name, found)| [cmd("TTL").arg(name).to_owned(), reader(name, found)]);
        let mut answers = self.scattered(commands.collect()).await?.into_iter();
        let mut keys = Vec::new();
        for (role, name, found) in there {
            let (Some(ttl), Some(value)) = (answers.next(), answers.next()) else {
                return Err(Error::internal("a pipeline answered with another number of values"));
            };
            let ttl: i64 = read(ttl)?;
            // -2: expired in between.
            if ttl != -2 {
                keys.push(LegacyKey { name, role, ttl: u64::try_from(ttl).ok(), content: content(&found, value)? });
            }
        }
        Ok(keys)
    }

    async fn try_import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp, suffix: &str) -> Result<(String, Vec<Value>)> {
        let began = legacy.entries.first().map_or(now, |entry| entry.at.min(now));
        let extra = serde_json::to_string(&legacy.extra).map_err(Error::internal)?;
        let open_extra = extra.strip_suffix('}').ok_or_else(|| Error::internal("an object without its end"))?;
        let mut session: Vec<(&str, &str)> = Vec::new();
        session.extend(legacy.direction.as_deref().map(|direction| (field::DIRECTION, direction)));
        session.extend(legacy.user.as_ref().map(|user| (field::USER, user.as_str())));
        session.extend(legacy.phone_user.as_ref().map(|user| (field::PHONE_USER, user.as_str())));
        let mut invocation = self.turn_keys(&self.scripts.import_legacy, call);
        invocation.arg(now.millis()).arg(began.millis());
        for policy in [TtlPolicy::SessionHistory, TtlPolicy::Ended, TtlPolicy::ConversationContext, TtlPolicy::Outbox] {
            invocation.arg(self.ttl(policy));
        }
        invocation.arg(if legacy.ended { "1" } else { "" }).arg(open_extra).arg(legacy.entries.len()).arg(session.len());
        invocation.arg(legacy.key.as_deref().unwrap_or(""));
        for entry in &legacy.entries {
            let mut entry = entry.clone();
            entry.turn_id.push_str(suffix);
            invocation.arg(&entry.turn_id).arg(entry_content(&entry)?);
        }
        for (name, value) in session {
            invocation.arg(name).arg(value);
        }
        for (name, value) in &legacy.context {
            invocation.arg(name).arg(&packed(value)[..]);
        }
        parts(self.script(&invocation).await?)
    }
}

/// The command that reads a key of this type.
fn reader(name: &str, found: &str) -> Cmd {
    let (command, arguments): (&str, &[&str]) = match found {
        "string" => ("GET", &[]),
        "hash" => ("HGETALL", &[]),
        "list" => ("LRANGE", &["0", "-1"]),
        "set" => ("SMEMBERS", &[]),
        "zset" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
        "stream" => ("XRANGE", &["-", "+"]),
        // Types of modules: their own commands are unknown here.
        _ => ("EXISTS", &[]),
    };
    let mut command = cmd(command);
    command.arg(name);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

fn content(found: &str, value: Value) -> Result<Content> {
    let pairs = |value| Ok::<_, Error>(read::<Vec<(Bytes, Bytes)>>(value)?.into_iter().map(|(name, value)| (text(name), text(value))));
    let texts = |value| Ok::<_, Error>(read::<Vec<Bytes>>(value)?.into_iter().map(text));
    Ok(match found {
        "string" => Content::Text(text(read(value)?)),
        "hash" => Content::Hash(pairs(value)?.collect()),
        "list" => Content::List(texts(value)?.collect()),
        "set" => Content::Set(texts(value)?.collect()),
        "zset" => Content::Sorted(pairs(value)?.collect()),
        "stream" => {
            let entries = read::<Vec<(Bytes, Vec<Bytes>)>>(value)?.into_iter();
            let paired = |items: Vec<Bytes>| items.chunks(2).map(|pair| (text(pair[0].clone()), pair.get(1).cloned().map(text).unwrap_or_default())).collect();
            Content::Stream(entries.map(|(id, items)| (text(id), paired(items))).collect())
        }
        other => Content::Unread(other.to_owned()),
    })
}

/// Stored bytes as text; those that are no UTF-8 as `base64:` and their encoding.
fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| format!("base64:{}", STANDARD.encode(e.as_bytes())))
}

fn session(rest: Vec<Value>) -> Result<Session> {
    let fields = rest.into_iter().next().map(fields).transpose()?.unwrap_or_default();
    Session::from_fields(fields).ok_or_else(|| Error::internal("the import script answered without a session"))
}

#[async_trait]
impl Legacy for AsyncAzureRedisManager {
    async fn find(&self, call: &CallId) -> Result<Option<LegacyRaw>> {
        let mut keys = self.look(RedisKeyManager::legacy_keys(call)).await?;
        let browser = keys.iter().find_map(|key| match (&key.role, &key.content) {
            (Role::Map, Content::Text(id)) => CallId::parse(id.as_str()).ok(),
            _ => None,
        });
        if let Some(browser) = browser {
            keys.extend(self.look(RedisKeyManager::legacy_browser_keys(call, &browser)).await?);
        }
        Ok(if keys.is_empty() { None } else { Some(LegacyRaw { keys }) })
    }

    async fn import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Result<Imported> {
        let open = self.keys.open_calls_of(call);
        let mut register = pipe();
        // An activity that is known already counts for more than the import.
        register.cmd("ZADD").arg(&open).arg("NX").arg(now.millis()).arg(call.as_str()).ignore();
        register.expire(&open, seconds(self.ttl(TtlPolicy::OpenCalls))).ignore();
        self.pipeline(&register).await?;
        let (mut word, mut rest) = self.try_import(call, legacy, now, "").await?;
        if word == "taken" {
            // A client has used such turn ids itself: the archive merges by turn id, so ours must differ.
            (word, rest) = self.try_import(call, legacy, now, &format!("-{}", now.millis())).await?;
        }
        match word.as_str() {
            "imported" => Ok(Imported::Done(session(rest)?)),
            "before" => Ok(Imported::Before(session(rest)?)),
            "archived" => {
                self.touch_open(call, None).await?;
                Ok(Imported::Archived)
            }
            "rekey" => Ok(Imported::Rekey),
            _ => Err(Error::new(Kind::Conflict, "the turn ids of the legacy call are taken")),
        }
    }

    async fn mark_checked(&self, call: &CallId) -> Result<()> {
        self.script(&self.scripts.mark_checked.on([self.key(call, CallKey::Session)])).await.map(drop)
    }

    async fn retire(&self, keys: &[String]) -> Result<()> {
        let ttl = self.ttl(TtlPolicy::Migrated);
        self.scattered(keys.iter().map(|key| cmd("EXPIRE").arg(key).arg(ttl).to_owned()).collect()).await.map(drop)
    }

    async fn scan(&self, cursor: ScanCursor) -> Result<Scanned> {
        let ScanCursor { mut nodes, at } = cursor;
        if nodes.is_empty() {
            nodes = self.masters().await?;
        }
        let Some(node) = nodes.last() else { return Ok(Scanned::default()) };
        let mut command = cmd("SCAN");
        command.arg(at).arg("COUNT").arg(PAGE);
        let (next, keys): (u64, Vec<Bytes>) = read(self.on_node(node, &command).await?)?;
        let owners = keys.iter().filter_map(|key| self.keys.legacy_owner(std::str::from_utf8(key).ok()?)).collect();
        if next == 0 {
            nodes.pop();
        }
        let done = next == 0 && nodes.is_empty();
        Ok(Scanned { owners, keys: keys.len() as u64, next: if done { None } else { Some(ScanCursor { nodes, at: next }) } })
    }
}
