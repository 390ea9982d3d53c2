//! The chain of one stream while it is being written: notes become entries, entries become batches.

use super::note::{Note, Touched};
use crate::model::time::Timestamp;
use crate::privacy::audit::{Batch, Entry, Hash, Head, Key};

/// How far the stream has come.
#[derive(Clone)]
pub(super) struct Chain {
    /// The last head that was written.
    pub head: Head,
    /// What signs.
    pub key: Key,
    /// UTC day of the stream.
    pub day: String,
    seq: u64,
    prev: Hash,
}

impl Chain {
    /// The chain behind the first head of a stream.
    pub fn new(head: Head, key: Key, day: String) -> Self {
        Self { seq: head.seq, prev: head.hash, head, key, day }
    }

    /// Name of the stream.
    pub fn stream(&self) -> &str {
        &self.head.stream
    }

    /// Entries that no head names yet.
    pub fn is_ahead(&self) -> bool {
        self.seq > self.head.seq
    }

    /// The batch of these notes; the chain goes on behind it once it is [`Chain::written`].
    pub fn batch(&self, notes: &[Note], now: Timestamp) -> Batch {
        let (mut seq, mut prev) = (self.seq, self.prev);
        let mut entries = Vec::with_capacity(notes.len());
        for note in notes {
            seq += 1;
            let entry = self.entry(note, seq, prev, now);
            prev = entry.hash();
            entries.push(entry);
        }
        Batch::sealed(self.stream(), entries, self.head.period(), now, &self.key)
    }

    /// The batch stands in the record.
    pub fn written(&mut self, batch: &Batch) {
        if let Some(last) = batch.entries.last() {
            self.seq = last.seq;
            self.prev = batch.hash;
        }
    }

    /// The head that names everything written so far.
    pub fn next_head(&self, now: Timestamp, closed: bool) -> Head {
        self.head.next(self.seq, self.prev, now, closed, &self.key)
    }

    fn entry(&self, note: &Note, seq: u64, prev: Hash, now: Timestamp) -> Entry {
        let named = |data_type: &str, component: &str, key: &str| [data_type, ":", component, ":", &self.key.name(key)].concat();
        let (key, places) = match &note.touched {
            Some(Touched::Key(data_type, component, key)) => (Some(named(data_type, component, key)), Vec::new()),
            Some(Touched::Keys(keys)) => (keys.first().map(|(data_type, component, key)| named(data_type, component, key)), keys.places().collect()),
            Some(Touched::Named(name)) => (Some(name.clone().into_owned()), Vec::new()),
            None => (None, Vec::new()),
        };
        Entry {
            seq,
            ts: note.at.unwrap_or(now),
            actor: note.actor.as_ref().map_or_else(|| "system".to_owned(), ToString::to_string),
            action: note.action.clone().into_owned(),
            subject: note.person().map(str::to_owned),
            calls: note.calls().into_iter().map(str::to_owned).collect(),
            store: note.store.map(str::to_owned),
            key,
            // One kind is that of the key.
            places: if places.len() > 1 { places } else { Vec::new() },
            bytes: note.bytes,
            count: note.count,
            result: note.result.to_owned(),
            correlation_id: note.correlation.as_deref().map(str::to_owned),
            us: note.us,
            prev,
        }
    }
}
