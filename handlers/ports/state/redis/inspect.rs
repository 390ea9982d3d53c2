//! Walks over keys and values on Redis: SCAN on one master after the other, TTL and TYPE of what it names, and reads that
//! are bounded in number and size. Nothing here blocks the server for longer than one small page.

use async_trait::async_trait;
use redis::{Cmd, Value, cmd, pipe};

use super::{AsyncAzureRedisManager, read};
use crate::error::Result;
use crate::ports::state::inspect::{Held, Inspection, KeyPlace, TEXT_BYTES, TEXTS, Unexpiring, Values, clear};
use crate::ports::state::keys::TtlPolicy;
use crate::ports::state::legacy::ScanCursor;

/// Keys that one page looks at, about.
const PAGE: u64 = 500;
/// Keys whose values one page reads, about.
const VALUES: u64 = 50;

type Bytes = Vec<u8>;

/// One page of names with their kinds.
struct Named {
    keys: Vec<(Bytes, KeyPlace)>,
    next: Option<ScanCursor>,
}

impl AsyncAzureRedisManager {
    /// The next page of names that are ours or legacy ones.
    async fn named(&self, cursor: ScanCursor, count: u64) -> Result<Named> {
        let (names, next) = self.names(cursor, count, None).await?;
        let placed = |name: Bytes| {
            let place = self.keys.place(std::str::from_utf8(&name).ok()?)?;
            Some((name, place))
        };
        let keys = names.into_iter().filter_map(placed).collect();
        Ok(Named { keys, next })
    }

    /// What these keys hold, as text.
    async fn held(&self, keys: Vec<(Bytes, KeyPlace)>) -> Result<Vec<Held>> {
        let types = self.scattered(keys.iter().map(|(name, _)| cmd("TYPE").arg(name).to_owned()).collect()).await?;
        let mut typed = Vec::new();
        for ((name, place), found) in keys.into_iter().zip(types) {
            let found: String = read(found)?;
            if let Some(command) = reader(&name, &found) {
                typed.push((place, found, command));
            }
        }
        let answers = self.scattered(typed.iter().map(|(_, _, command)| command.clone()).collect()).await?;
        typed.into_iter().zip(answers).map(|((place, found, _), value)| Ok(Held { place, texts: texts(&found, value)? })).collect()
    }
}

/// The bounded read of a key of this type; none where the type is none that we know, or the key is gone.
fn reader(name: &[u8], found: &str) -> Option<Cmd> {
    let most = TEXTS.to_string();
    let last = (TEXTS - 1).to_string();
    let bytes = (TEXT_BYTES - 1).to_string();
    let (command, arguments): (&str, Vec<&str>) = match found {
        "string" => ("GETRANGE", vec!["0", &bytes]),
        "hash" => ("HSCAN", vec!["0", "COUNT", &most]),
        "set" => ("SSCAN", vec!["0", "COUNT", &most]),
        "list" => ("LRANGE", vec!["0", &last]),
        "zset" => ("ZRANGE", vec!["0", &last]),
        _ => return None,
    };
    let mut read = cmd(command);
    read.arg(name).arg(arguments);
    Some(read)
}

fn texts(found: &str, value: Value) -> Result<Vec<(String, String)>> {
    let plain = |values: Vec<Bytes>| values.into_iter().filter_map(clear).map(|text| (String::new(), text)).take(TEXTS).collect();
    Ok(match found {
        "string" => plain(vec![read(value)?]),
        "hash" => {
            let (_, pairs): (u64, Vec<(Bytes, Bytes)>) = read(value)?;
            pairs.into_iter().filter_map(|(name, value)| Some((clear(name)?, clear(value)?))).take(TEXTS).collect()
        }
        "set" => plain(read::<(u64, Vec<Bytes>)>(value)?.1),
        _ => plain(read(value)?),
    })
}

#[async_trait]
impl Inspection for AsyncAzureRedisManager {
    async fn unexpiring(&self, cursor: ScanCursor) -> Result<Unexpiring> {
        let Named { keys, next } = self.named(cursor, PAGE).await?;
        let lives = self.scattered(keys.iter().map(|(name, _)| cmd("TTL").arg(name).to_owned()).collect()).await?;
        let mut found = Vec::new();
        let looked = keys.len() as u64;
        for ((_, place), life) in keys.into_iter().zip(lives) {
            // -1: no TTL; -2: gone meanwhile.
            if read::<i64>(life)? == -1 {
                found.push(place);
            }
        }
        Ok(Unexpiring { looked, found, next })
    }

    async fn values(&self, cursor: ScanCursor) -> Result<Values> {
        let Named { mut keys, next } = self.named(cursor, VALUES).await?;
        keys.retain(|(_, place)| place.component != "tts");
        Ok(Values { held: self.held(keys).await?, next })
    }

    async fn plant(&self, id: &str, text: &str) -> Result<()> {
        let mut plant = pipe();
        plant.set_ex(self.keys.canary(id), text, self.ttl(TtlPolicy::Canary)).ignore();
        self.pipeline(&plant).await.map(drop)
    }

    async fn planted(&self, id: &str) -> Result<Option<Held>> {
        let name = self.keys.canary(id);
        let place = self.keys.place(&name);
        let keys = place.into_iter().map(|place| (name.clone().into_bytes(), place)).collect();
        Ok(self.held(keys).await?.pop())
    }

    async fn uproot(&self, id: &str) -> Result<()> {
        let mut uproot = pipe();
        uproot.del(self.keys.canary(id)).ignore();
        self.pipeline(&uproot).await.map(drop)
    }
}
