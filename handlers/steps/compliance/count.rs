//! Counting the documents of one container: by age, and by what is wrong with their expiry.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::time::Timestamp;
use crate::ports::documents::Document;
use crate::privacy::retention::{self, Fault, Rule};

/// Fields that tell when something happened, the most telling first; without one it is the moment of writing.
const BORN: [&str; 9] = ["keptFrom", "endedAt", "at", "lastCallAt", "parkedAt", "requestedAt", "detectedAt", "ts", "created"];

/// What one container holds.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Whether the walk came to its end.
    pub complete: bool,
    documents: u64,
    ages: BTreeMap<&'static str, u64>,
    faults: BTreeMap<Fault, u64>,
    oldest: Option<Timestamp>,
}

impl Count {
    /// Counts one document.
    pub fn add(&mut self, rule: Option<Rule>, document: &Document, now: Timestamp) {
        let born = |field: &str| document.body.get(field)?.as_str().and_then(Timestamp::parse);
        let born = BORN.iter().find_map(|field| born(field)).unwrap_or(document.written_at);
        self.documents += 1;
        *self.ages.entry(retention::bucket(now.since(born))).or_default() += 1;
        self.oldest = Some(self.oldest.map_or(born, |oldest| oldest.min(born)));
        for fault in retention::judge(rule, &document.body, document.written_at, now) {
            *self.faults.entry(fault).or_default() += 1;
        }
    }

    fn of(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    /// How much is against the rules.
    pub fn violations(&self) -> u64 {
        self.faults.values().sum()
    }

    /// As the report shows it.
    pub fn view(&self) -> Value {
        let ages: serde_json::Map<String, Value> =
            retention::buckets().map(|bucket| (bucket.to_owned(), json!(self.ages.get(bucket).copied().unwrap_or(0)))).collect();
        json!({
            "documents": self.documents,
            "complete": self.complete,
            "ages": ages,
            "oldest": self.oldest,
            "withoutExpiry": self.of(Fault::Missing),
            "pastExpiry": self.of(Fault::Past),
            "ttlDisagrees": self.of(Fault::Disagrees),
            "exceedsPolicy": self.of(Fault::Exceeds),
        })
    }
}
