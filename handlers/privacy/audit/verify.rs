//! Verification: what is stored against what the chain, the signatures, the heads and the register say.
//!
//! In: documents as they were read, in the order of their ids, and the keys. Out: findings, each with stream and number.
//! After a finding the check goes on behind it, so that one change is not reported for all that follows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::entry::Hash;
use super::records::{Batch, HEAD, Head, REGISTER, Register, Registration, SETTINGS, SettingsRecord, batch_id};
use super::seal::Key;
use crate::model::time::Timestamp;

/// Action of the entries that name a record of settings.
pub const SETTINGS_RECORD: &str = "settings.record";
/// Findings of one stream after which no more are listed.
const MOST: usize = 50;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stream, or `streams` for the register.
    pub stream: String,
    /// The entry (or the number in the register) from which on it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong: `edited`, `missing`, `order`, `truncated`, `signature`, `head`, `unregistered`, `unknown-key`.
    pub what: &'static str,
    /// The same in words.
    pub detail: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "{} {seq}: {}: {}", self.stream, self.what, self.detail),
            None => write!(f, "{}: {}: {}", self.stream, self.what, self.detail),
        }
    }
}

/// Reads a stored document strictly: it must be exactly what this version would have written.
fn read<T: Serialize + DeserializeOwned>(body: Value) -> Option<T> {
    let read: T = serde_json::from_value(body.clone()).ok()?;
    (serde_json::to_value(&read).ok()? == body).then_some(read)
}

/// The check of one stream.
#[derive(Debug)]
pub struct Checker<'a> {
    stream: String,
    keys: &'a [Key],
    head: Option<Head>,
    at_head: Option<Hash>,
    next: u64,
    prev: Hash,
    settings: Vec<String>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    /// Begins with the head, which must have been read before the batches.
    pub fn new(stream: &str, head: Option<Value>, keys: &'a [Key]) -> Self {
        let mut this = Self {
            stream: stream.to_owned(),
            keys,
            head: None,
            at_head: None,
            next: 1,
            prev: Hash::origin(stream),
            settings: Vec::new(),
            findings: Vec::new(),
        };
        let Some(body) = head else { return this };
        match read::<Head>(body) {
            Some(head) if head.id == HEAD && head.stream == stream => {
                let signed = this.signature(&head.key_id, None, |key| head.is_signed(key));
                this.head = signed.then_some(head);
            }
            _ => this.find(None, "head", "the head is not one that was written here"),
        }
        this
    }

    fn find(&mut self, seq: Option<u64>, what: &'static str, detail: impl Into<String>) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { stream: self.stream.clone(), seq, what, detail: detail.into() });
        }
    }

    fn signature(&mut self, key_id: &str, seq: Option<u64>, is_signed: impl Fn(&Key) -> bool) -> bool {
        let Some(key) = self.keys.iter().find(|key| key.id() == key_id) else {
            self.find(seq, "unknown-key", "signed with a key that is not known here");
            return false;
        };
        let good = is_signed(key);
        if !good {
            self.find(seq, "signature", "the signature is wrong");
        }
        good
    }

    /// Takes the next document of the stream.
    pub fn document(&mut self, id: &str, body: Value) {
        if id == HEAD {
            return;
        }
        let seq = id.parse::<u64>().ok();
        let Some(batch) = read::<Batch>(body).filter(|batch| batch.id == id && batch.stream == self.stream && !batch.entries.is_empty()) else {
            return self.unreadable(seq);
        };
        self.signature(&batch.key_id, seq, |key| batch.is_signed(key));
        if batch.entries.first().is_some_and(|first| batch_id(first.seq) != id) {
            self.find(seq, "order", "the batch does not begin with the entry that it is named for");
        }
        for entry in &batch.entries {
            self.settings.extend(entry.key.clone().filter(|_| entry.action == SETTINGS_RECORD));
            if entry.seq > self.next {
                self.find(Some(self.next), "missing", format!("{} entries are missing", entry.seq - self.next));
            } else if entry.seq < self.next {
                self.find(Some(entry.seq), "order", "the entry comes twice or too late");
            } else if entry.prev != self.prev {
                self.find(Some(entry.seq), "edited", "the entry, or the one before it, is not the one that was written");
            }
            self.next = entry.seq.saturating_add(1);
            self.prev = entry.hash();
            if self.head.as_ref().is_some_and(|head| head.seq == entry.seq) {
                self.at_head = Some(self.prev);
            }
        }
        if batch.hash != self.prev {
            self.find(batch.entries.last().map(|e| e.seq), "edited", "the last entry of the batch is not the one that was written");
        }
    }

    /// A document of which not even the entries can be told. What follows it names the gap.
    fn unreadable(&mut self, seq: Option<u64>) {
        self.find(seq.or(Some(self.next)), "edited", "the document is not one that was written here");
    }

    /// The records of settings that its entries name, and takes them.
    pub fn settings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.settings)
    }

    /// Ends the check. An unregistered stream may be one that was killed while it was opened: then it is empty.
    pub fn finish(mut self, registered: bool) -> (Vec<Finding>, u64) {
        let last = self.next - 1;
        if !registered && last > 0 {
            self.find(None, "unregistered", "the register does not know this stream");
        }
        match self.head.clone() {
            None if (registered || last > 0) && !self.findings.iter().any(|f| f.seq.is_none()) => {
                self.find(None, "head", "the stream has no head: it was deleted, or the whole stream was");
            }
            None => {}
            Some(head) if head.seq > last => {
                self.find(Some(self.next), "truncated", format!("the head says that {} entries were written", head.seq));
            }
            Some(head) => {
                let at_head = if head.seq == 0 { Some(Hash::origin(&self.stream)) } else { self.at_head };
                if at_head != Some(head.hash) {
                    self.find(Some(head.seq), "edited", "the entry is not the one that the head names");
                }
                if head.closed && head.seq < last {
                    self.find(Some(head.seq + 1), "head", "entries follow the head that closed the stream");
                }
            }
        }
        (self.findings, last)
    }
}

/// Checks the register. `documents` are those of its partition with their ids; what was opened at or before `expired` may
/// have gone. Out: the registrations that stand, in their order.
pub fn register(documents: Vec<(String, Value)>, keys: &[Key], expired: Timestamp) -> (Vec<Registration>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut find = |seq: Option<u64>, what, detail: &str| findings.push(Finding { stream: REGISTER.to_owned(), seq, what, detail: detail.to_owned() });
    let mut head = None;
    let mut all: Vec<Registration> = Vec::new();
    for (id, body) in documents {
        if id == HEAD {
            match read::<Register>(body).filter(|r| r.id == HEAD && r.stream == REGISTER) {
                Some(register) => {
                    if keys.iter().any(|key| key.id() == register.last.key_id && !register.is_signed(key)) {
                        find(None, "signature", "the signature of the head of the register is wrong");
                    }
                    head = Some(register.last);
                }
                None => find(None, "head", "the head of the register is not one that was written here"),
            }
            continue;
        }
        match read::<Registration>(body).filter(|r| r.id == id && r.stream == REGISTER) {
            Some(registration) => all.push(registration),
            None => find(None, "edited", &format!("the registration {id} is not one that was written here")),
        }
    }
    match &head {
        None if all.is_empty() => {}
        None => find(None, "head", "the register has no head"),
        Some(last) => match all.iter().find(|r| r.id == last.id) {
            Some(stored) if stored == last => {}
            Some(_) => find(Some(last.seq), "edited", "the last registration is not the one that the head names"),
            // Its own document may not have been written yet, and can be written again at any time.
            None => all.push(last.clone()),
        },
    }
    all.sort_by_key(|r| r.seq);
    let mut before: Option<&Registration> = None;
    for this in &all {
        match keys.iter().find(|key| key.id() == this.key_id) {
            None => find(Some(this.seq), "unknown-key", "signed with a key that is not known here"),
            Some(key) if !this.is_signed(key) => find(Some(this.seq), "signature", "the signature is wrong"),
            Some(_) => {}
        }
        let next = before.map_or(1, |b| b.seq + 1);
        let gone = this.prev_at.is_some_and(|at| at <= expired);
        if this.seq < next {
            find(Some(this.seq), "order", "two registrations have one number");
        } else if this.seq > next && !gone {
            find(Some(next), "missing", &format!("{} registrations are missing", this.seq - next));
        } else if this.seq == next && before.map_or_else(|| Hash::origin(REGISTER), Registration::hash) != this.prev {
            find(Some(this.seq), "edited", "the registration, or the one before it, is not the one that was written");
        }
        before = Some(this);
    }
    if let (Some(last), Some(end)) = (&head, all.last())
        && end.seq > last.seq
    {
        find(Some(last.seq + 1), "head", "the head of the register is older than the register");
    }
    (all, findings)
}

/// Checks the records of settings, which must have been read after the streams. `named` is what the entries of all streams
/// name; a record that is newer than any of them was written by a process that was killed before it could note it.
pub fn settings(documents: Vec<(String, Value)>, named: &[String], keys: &[Key]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |seq: Option<u64>, what, detail: String| findings.push(Finding { stream: SETTINGS.to_owned(), seq, what, detail });
    let mut last: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for name in named {
        let mut parts = name.splitn(4, ':').skip(1);
        if let (Some(environment), Some(Ok(seq)), Some(hash)) = (parts.next(), parts.next().map(str::parse), parts.next()) {
            let newest = last.entry(environment).or_insert((seq, hash));
            *newest = (*newest).max((seq, hash));
        }
    }
    for (id, body) in documents {
        let named = last.remove(id.as_str());
        let Some(record) = read::<SettingsRecord>(body).filter(|r| r.id == id && r.stream == SETTINGS) else {
            find(None, "edited", format!("the record of {id} is not one that was written here"));
            continue;
        };
        match keys.iter().find(|key| key.id() == record.key_id) {
            None => find(Some(record.seq), "unknown-key", format!("the record of {id} is signed with a key that is not known here")),
            Some(key) if !record.is_signed(key) => find(Some(record.seq), "signature", format!("the signature of the record of {id} is wrong")),
            Some(_) => {}
        }
        match named {
            Some((seq, _)) if record.seq < seq => find(Some(seq), "truncated", format!("the record of {id} is older than the last one that was noted")),
            Some((seq, hash)) if record.seq == seq && record.hash().to_string() != hash => {
                find(Some(seq), "edited", format!("the record of {id} is not the one that was noted"));
            }
            _ => {}
        }
    }
    for (environment, (seq, _)) in last {
        find(Some(seq), "missing", format!("the record of {environment} is missing"));
    }
    findings
}
