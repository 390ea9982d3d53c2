//! Looking after the embedded file: pages of keys in the order of their names, and cached audio.

use async_trait::async_trait;

use super::{EmbeddedState, Step};
use crate::error::Result;
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::embedded::failure;
use crate::ports::state::MESSAGES;
use crate::ports::state::keys::CallKey;
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{AtRest, AudioFacts, ENTRIES, KeyFacts, KeyPage, Left, Look, ServerFacts, Upkeep};

use super::table::Life;

/// Keys of one page.
const PAGE: u64 = 200;

impl Step<'_> {
    /// One page of keys. `longest` is the longest life in milliseconds: what has more counts as without end.
    fn key_page(&self, cursor: &ScanCursor, look: Look) -> Result<KeyPage> {
        let after = cursor.nodes.first().map_or("", String::as_str);
        let rows = self.table.keys_after(after, PAGE)?;
        let next = if rows.len() as u64 == PAGE { rows.last().map(|(key, _)| ScanCursor { nodes: vec![key.clone()], at: 0 }) } else { None };
        let longest = self.rules.keys.longest_life().saturating_mul(1000);
        let step = rows.len().div_ceil(look.sizes.max(1)).max(1);
        let mut keys = Vec::with_capacity(rows.len());
        for (at, (key, expires)) in rows.into_iter().enumerate() {
            let place = self.rules.keys.place(&key);
            let millis = u64::try_from(Timestamp::from_millis(expires).since(self.table.now())).unwrap_or(0);
            let left = if millis > longest { Left::Forever } else { Left::Millis(millis) };
            let bytes = if look.sizes > 0 && at % step == 0 { Some(self.table.bytes(&key)?) } else { None };
            let given = place.as_ref().filter(|_| look.give_lives && left == Left::Forever).and_then(|place| self.rules.keys.remedy(place));
            if let Some(seconds) = given {
                self.table.touch(&key, Life::Anew(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)))?;
            }
            keys.push(KeyFacts { place, left, bytes, given });
        }
        Ok(KeyPage { keys, next })
    }
}

#[async_trait]
impl Upkeep for EmbeddedState {
    async fn key_page(&self, cursor: ScanCursor, look: Look) -> Result<KeyPage> {
        if look.give_lives {
            return self.write(move |step| step.key_page(&cursor, look)).await;
        }
        self.read(move |step| step.key_page(&cursor, look)).await
    }

    async fn servers(&self) -> Result<Vec<ServerFacts>> {
        let rules = std::sync::Arc::clone(&self.rules);
        let facts = self.file.read(move |tx| {
            let number = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(failure);
            let longest = i64::try_from(rules.keys.longest_life()).unwrap_or(i64::MAX).saturating_mul(1000);
            let bound = rules.clock.now().plus_millis(longest).millis();
            Ok(ServerFacts {
                node: "embedded".to_owned(),
                version: rusqlite::version().to_owned(),
                used_bytes: number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
                keys: number("SELECT count(*) FROM state_keys")?,
                expiring: number(&format!("SELECT count(*) FROM state_keys WHERE expires_at <= {bound}"))?,
                policy: Some("noeviction".to_owned()),
                connections: 1,
                append_only: true,
                persisting: true,
                ..ServerFacts::default()
            })
        });
        Ok(vec![facts.await?])
    }

    async fn waiting(&self, call: &CallId) -> Result<Vec<(String, Timestamp)>> {
        let call = call.clone();
        self.read(move |step| {
            let mut names = step.outbox_names(&call)?;
            names.truncate(MESSAGES);
            Ok(step.messages(&call, names)?.into_iter().map(|entry| (entry.field, entry.since)).collect())
        })
        .await
    }

    async fn at_rest(&self, call: &CallId) -> Result<AtRest> {
        let call = call.clone();
        self.read(move |step| {
            let mut rest = AtRest::default();
            rest.count_context(&step.table.fields(&step.key(&call, CallKey::Context))?);
            for name in CallKey::ALL.map(|part| step.key(&call, part)) {
                let Some(seconds) = step.table.seconds_left(&name)? else { continue };
                let left = if seconds > step.rules.keys.longest_life() { Left::Forever } else { Left::Millis(seconds.saturating_mul(1000)) };
                rest.lives.extend(step.rules.keys.place(&name).map(|place| (place, left)));
            }
            let mut from = 0;
            loop {
                let slice = step.history(&call, from, ENTRIES)?;
                rest.count_entries(&slice);
                from += ENTRIES;
                if from >= slice.total {
                    return Ok(rest);
                }
            }
        })
        .await
    }

    async fn audio_facts(&self, now: Timestamp) -> Result<AudioFacts> {
        self.read(move |step| {
            let mut facts = AudioFacts { max_bytes: step.rules.tts_max_bytes, ..AudioFacts::default() };
            for (member, until) in step.table.members(&step.rules.keys.audio_index(), 0, u64::MAX)? {
                let bytes = member.split_once(':').and_then(|(_, bytes)| bytes.parse::<u64>().ok());
                if let (Some(bytes), true) = (bytes, until > now.millis()) {
                    facts.phrases += 1;
                    facts.bytes += bytes;
                }
            }
            Ok(facts)
        })
        .await
    }

    async fn purge_audio(&self, cursor: ScanCursor) -> Result<(u64, Option<ScanCursor>)> {
        self.write(move |step| {
            let prefix = step.rules.keys.audio("");
            let after = cursor.nodes.first().cloned().unwrap_or_else(|| prefix.clone());
            let rows = step.table.keys_after(&after, PAGE)?;
            let mut removed = 0;
            let mut last = None;
            for (key, _) in rows.iter().take_while(|(key, _)| key.starts_with(&prefix)) {
                step.table.remove(key)?;
                removed += 1;
                last = Some(key.clone());
            }
            let next = last.filter(|_| removed == PAGE).map(|key| ScanCursor { nodes: vec![key], at: 0 });
            if next.is_none() {
                step.table.remove(&step.rules.keys.audio_index())?;
            }
            Ok((removed, next))
        })
        .await
    }
}
