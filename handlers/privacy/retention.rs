//! How long a document is kept: from which moment its time counts, what is written into it, and what is wrong with one.
//!
//! In: a body, the rule of its kind and the time. Out: the body with `expiresAt` (when it must be gone) and `ttl` (whole
//! seconds from this write to then, which the store counts), or the faults of a body that was read. Pure; nothing fails.

use serde_json::{Map, Value};

use crate::model::time::Timestamp;

/// The field that says when a document must be gone, an RFC 3339 time.
pub const EXPIRES_AT: &str = "expiresAt";
/// The field that tells the store in how many whole seconds from the write that is.
pub const TTL: &str = "ttl";

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
/// The longest `ttl` that Cosmos DB takes, in seconds (learn.microsoft.com/azure/cosmos-db/nosql/time-to-live).
const LONGEST: i64 = 2_147_483_647;
/// How far two clocks, ours and the store's, may be apart before a document is called wrong, in milliseconds.
const SLACK_MS: i64 = 300_000;

/// How long one kind of document is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Days.
    pub days: u32,
    /// Fields that may hold the moment from which they count: the first one with a time does. Without one it is the
    /// moment of writing.
    pub since: &'static [&'static str],
}

impl Rule {
    /// When this body must be gone, where it is written now. A moment in the future counts as now: a wrong clock must not
    /// keep a document.
    pub fn expires(&self, body: &Map<String, Value>, now: Timestamp) -> Timestamp {
        let since = self.since.iter().find_map(|field| time(body, field)).map_or(now, |since| since.min(now));
        since.plus_millis(i64::from(self.days).saturating_mul(DAY_MS))
    }
}

/// Writes the expiry into a body that is about to be written: by the rule, or earlier where the body says so itself.
/// A document without a rule that says nothing itself stays for ever.
pub fn stamp(rule: Option<Rule>, body: &mut Map<String, Value>, now: Timestamp) {
    let own = time(body, EXPIRES_AT);
    let by_rule = rule.map(|rule| rule.expires(body, now));
    match [own, by_rule].into_iter().flatten().min() {
        Some(expires) => {
            body.insert(EXPIRES_AT.to_owned(), expires.to_string().into());
            body.insert(TTL.to_owned(), seconds_until(expires, now).into());
        }
        None => {
            body.remove(EXPIRES_AT);
            body.remove(TTL);
        }
    }
}

/// Whole seconds from now to then, at least 1: the store takes no less, and what is past must go.
pub fn seconds_until(expires: Timestamp, now: Timestamp) -> i64 {
    let millis = expires.since(now);
    (millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) > 0)).clamp(1, LONGEST)
}

/// When a stored body must be gone, as it says itself.
pub fn expiry(body: &Value) -> Option<Timestamp> {
    time(body.as_object()?, EXPIRES_AT)
}

fn time(body: &Map<String, Value>, field: &str) -> Option<Timestamp> {
    Timestamp::parse(body.get(field)?.as_str()?)
}

/// What is wrong with a document that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It has no `expiresAt`, though its kind has a rule.
    Missing,
    /// It should be gone.
    Past,
    /// The store removes it at another time than it says.
    Disagrees,
    /// It stays for longer than its rule allows.
    Exceeds,
}

/// Judges one stored document. `written` is when it was written as the store knows it.
pub fn judge(rule: Option<Rule>, body: &Value, written: Timestamp, now: Timestamp) -> Vec<Fault> {
    let Some(fields) = body.as_object() else { return vec![Fault::Missing] };
    let Some(expires) = expiry(body) else {
        return if rule.is_some() || fields.contains_key(TTL) { vec![Fault::Missing] } else { Vec::new() };
    };
    let mut faults = Vec::new();
    if expires <= now {
        faults.push(Fault::Past);
    }
    // What was past its time when it was written has the shortest ttl there is.
    let meant = seconds_until(expires, written).saturating_mul(1000);
    let agrees = fields.get(TTL).and_then(Value::as_i64).is_some_and(|ttl| (ttl.saturating_mul(1000) - meant).abs() <= SLACK_MS || meant >= LONGEST * 1000);
    if !agrees {
        faults.push(Fault::Disagrees);
    }
    if rule.is_some_and(|rule| expires.since(rule.expires(fields, written)) > SLACK_MS) {
        faults.push(Fault::Exceeds);
    }
    faults
}

/// The bounds of the age buckets in days, each with the name of what is younger.
const AGES: [(i64, &str); 5] = [(1, "<1d"), (7, "<7d"), (30, "<30d"), (90, "<90d"), (365, "<365d")];
/// The bucket of everything else.
const OLDER: &str = "older";

/// The names of all buckets, the youngest first.
pub fn buckets() -> impl Iterator<Item = &'static str> {
    AGES.iter().map(|(_, name)| *name).chain([OLDER])
}

/// The bucket of a document of this age in milliseconds.
pub fn bucket(age_ms: i64) -> &'static str {
    AGES.iter().find(|(days, _)| age_ms < days * DAY_MS).map_or(OLDER, |(_, name)| name)
}
