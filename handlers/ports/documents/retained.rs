//! The one place where documents get their expiry: in front of the store, so that no writer can forget it.
//!
//! In: any body. Out: the same with `expiresAt` and `ttl` by the settings, computed anew at every write. What a document
//! counts from it says itself: `endedAt` of what belongs to a call (`keptFrom` where that cannot be true), `at` of a turn, `lastCallAt` of a profile. A user's
//! keys are renewed with the profile that they serve. Fails as the store does; a renewal that fails is logged, and the
//! next change of the profile does it.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Condition, Container, Document, Documents, Page, Put, Written};
use crate::config::Retention;
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;
use crate::privacy::retention::{self, DAY_MS, EXPIRES_AT, Rule, TTL};

/// Partitions of the keys that everything rests on.
const SHARED_KEYS: [&str; 2] = ["epochs", "index"];
/// What the token of a call without a known user begins with.
const CALL_TOKEN: &str = "c1-";
/// Days that a key outlives what is sealed with it: it is written first, and the call then lasts.
const KEY_MARGIN: u32 = 2;
/// Keys of a user that are looked at together.
const KEYS: usize = 100;

/// The rule for a document of this container and body; none where it is kept for ever.
pub fn rule(periods: &Retention, container: Container, body: &Value) -> Option<Rule> {
    const CALL: &[&str] = &["keptFrom", "endedAt", "at"];
    let rule = |days, since| Some(Rule { days, since });
    match container {
        Container::Transcripts => rule(periods.transcripts, CALL),
        Container::Analytics => rule(periods.analytics, &["keptFrom", "endedAt"]),
        Container::Audit => {
            if is_signed(container, body) {
                None
            } else {
                rule(periods.audit, &[])
            }
        }
        Container::Profiles => rule(periods.profiles, &["lastCallAt"]),
        Container::DeadLetters => rule(periods.dead_letters, &["parkedAt"]),
        Container::Keys => {
            let user = body.get(Container::Keys.partition_field()).and_then(Value::as_str).unwrap_or_default();
            let calls = periods.transcripts.max(periods.dead_letters);
            let days = if user.starts_with(CALL_TOKEN) { calls } else { calls.max(periods.profiles) };
            if SHARED_KEYS.contains(&user) { None } else { rule(days.saturating_add(KEY_MARGIN), &[]) }
        }
        Container::Metrics => rule(periods.metrics, &["at"]),
        Container::Erasures | Container::Breaches => None,
    }
}

/// Whether a document says under a signature when it goes, which nobody may change afterwards: that of a log which is to
/// show every change. How long it is kept was settled when it was written.
pub fn is_signed(container: Container, body: &Value) -> bool {
    container == Container::Audit && [EXPIRES_AT, TTL, "signature"].iter().all(|field| body.get(field).is_some())
}

/// Documents that carry their expiry.
pub struct Retained {
    inner: Arc<dyn Documents>,
    periods: Retention,
    clock: Arc<dyn Clock>,
}

impl Retained {
    /// Puts the expiry in front of a store.
    pub fn new(inner: Arc<dyn Documents>, periods: Retention, clock: Arc<dyn Clock>) -> Self {
        Self { inner, periods, clock }
    }

    /// The body with its expiry, as it is written.
    async fn stamped<'a>(&self, container: Container, body: &'a Value, condition: Condition<'_>) -> Result<Cow<'a, Value>> {
        if is_signed(container, body) {
            return Ok(Cow::Borrowed(body));
        }
        let mut body = body.clone();
        let rule = rule(&self.periods, container, &body);
        // A key that is wrapped anew serves the same subject for no longer than before.
        if container == Container::Keys && rule.is_some() && condition != Condition::Absent && retention::expiry(&body).is_none() {
            let stored = match (body.get(Container::Keys.partition_field()).and_then(Value::as_str), body.get("id").and_then(Value::as_str)) {
                (Some(user), Some(id)) => self.inner.get(container, user, id).await?,
                _ => None,
            };
            if let (Some(expires), Some(fields)) = (stored.and_then(|key| retention::expiry(&key.body)), body.as_object_mut()) {
                fields.insert(EXPIRES_AT.to_owned(), expires.to_string().into());
            }
        }
        if let Some(fields) = body.as_object_mut() {
            retention::stamp(rule, fields, self.clock.now());
        }
        Ok(Cow::Owned(body))
    }

    /// Lets the keys of a user live as long as the profile that was just written.
    async fn renew_keys(&self, user: &str, profile: Timestamp) -> Result<()> {
        // What this call leaves behind is sealed with them, too, however short profiles are kept.
        let calls = i64::from(self.periods.transcripts.max(self.periods.dead_letters));
        let needed = profile.max(self.clock.now().plus_millis(calls * DAY_MS)).plus_millis(i64::from(KEY_MARGIN) * DAY_MS);
        let mut from: Option<String> = None;
        loop {
            let page = self.inner.list(Container::Keys, user, "", from.as_deref(), KEYS).await?;
            for key in page.documents {
                let late = retention::expiry(&key.body).is_some_and(|expires| needed.since(expires) > DAY_MS);
                let mut body = key.body;
                if let (true, Some(fields)) = (late, body.as_object_mut()) {
                    fields.insert(EXPIRES_AT.to_owned(), needed.to_string().into());
                    retention::stamp(None, fields, self.clock.now());
                    // Who changed or removed it meanwhile knows better.
                    self.inner.put(Container::Keys, &body, Condition::Matches(&key.etag)).await?;
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }
}

#[async_trait]
impl Documents for Retained {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        self.inner.get(container, partition, id).await
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        let body = self.stamped(container, body, condition).await?;
        let put = self.inner.put(container, &body, condition).await?;
        if let (Container::Profiles, Put::Done(_), Some(user), Some(expires)) =
            (container, &put, body.get(Container::Profiles.partition_field()).and_then(Value::as_str), retention::expiry(&body))
            && let Err(e) = self.renew_keys(user, expires).await
        {
            tracing::warn!(error = e.chain(), "the keys of a profile were not renewed with it");
        }
        Ok(put)
    }

    /// It says when it goes under its own signature.
    async fn insert(&self, container: Container, document: &Written) -> Result<Put> {
        self.inner.insert(container, document).await
    }

    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        self.inner.delete(container, partition, id, etag).await
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        self.inner.list(container, partition, id_prefix, from, limit).await
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        self.inner.scan(container, from, limit).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}
