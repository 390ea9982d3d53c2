//! Walks over keys and values on the embedded file: pages of keys in the order of their names. Every key has an expiry
//! here; one that lies beyond the longest policy is what a key without a TTL is in Redis.

use async_trait::async_trait;

use super::{EmbeddedState, Step};
use crate::error::Result;
use crate::ports::state::inspect::{Held, Inspection, KeyPlace, TEXTS, Unexpiring, Values, clear};
use crate::ports::state::keys::TtlPolicy;
use crate::ports::state::legacy::ScanCursor;

/// Keys of one page.
const PAGE: u64 = 200;

/// One page of keys with their kinds and expiries in milliseconds.
struct Named {
    keys: Vec<(String, KeyPlace, i64)>,
    next: Option<ScanCursor>,
}

impl Step<'_> {
    /// The next page of keys.
    fn named(&self, cursor: &ScanCursor) -> Result<Named> {
        let after = cursor.nodes.first().map_or("", String::as_str);
        let rows = self.table.keys_after(after, PAGE)?;
        let next = if rows.len() as u64 == PAGE { rows.last().map(|(key, _)| ScanCursor { nodes: vec![key.clone()], at: 0 }) } else { None };
        let placed = rows.into_iter().filter_map(|(key, at)| self.rules.keys.place(&key).map(|place| (key, place, at)));
        Ok(Named { keys: placed.collect(), next })
    }

    fn held(&self, key: &str, place: KeyPlace) -> Result<Held> {
        let named = self.table.fields(key)?.into_iter();
        let items = self.table.items(key, 0, TEXTS as u64)?.into_iter().map(|(_, text)| (String::new(), text));
        let members = self.table.members(key, 0, TEXTS as u64)?.into_iter().map(|(text, _)| (String::new(), text));
        let value = self.table.value(key)?.and_then(clear).map(|text| (String::new(), text));
        Ok(Held { place, texts: named.chain(items).chain(members).chain(value).take(TEXTS).collect() })
    }
}

#[async_trait]
impl Inspection for EmbeddedState {
    async fn unexpiring(&self, cursor: ScanCursor) -> Result<Unexpiring> {
        self.read(move |step| {
            let Named { keys, next } = step.named(&cursor)?;
            let longest = i64::try_from(step.rules.keys.longest_life()).unwrap_or(i64::MAX).saturating_mul(1000);
            let bound = step.table.now().plus_millis(longest).millis();
            let looked = keys.len() as u64;
            let found = keys.into_iter().filter(|(_, _, at)| *at > bound).map(|(_, place, _)| place).collect();
            Ok(Unexpiring { looked, found, next })
        })
        .await
    }

    async fn values(&self, cursor: ScanCursor) -> Result<Values> {
        self.read(move |step| {
            let Named { keys, next } = step.named(&cursor)?;
            let held = keys.into_iter().filter(|(_, place, _)| place.component != "tts").map(|(key, place, _)| step.held(&key, place));
            Ok(Values { held: held.collect::<Result<_>>()?, next })
        })
        .await
    }

    async fn plant(&self, id: &str, text: &str) -> Result<()> {
        let (id, text) = (id.to_owned(), text.to_owned());
        self.write(move |step| step.table.set_value(&step.rules.keys.canary(&id), text.as_bytes(), step.anew(TtlPolicy::Canary))).await
    }

    async fn planted(&self, id: &str) -> Result<Option<Held>> {
        let id = id.to_owned();
        self.read(move |step| {
            let key = step.rules.keys.canary(&id);
            let there = step.table.exists(&key)?;
            step.rules.keys.place(&key).filter(|_| there).map(|place| step.held(&key, place)).transpose()
        })
        .await
    }

    async fn uproot(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |step| step.table.remove(&step.rules.keys.canary(&id))).await
    }
}
