//! How an archive comes together: the union of turns by id, in order, cut into pages. An archive never shrinks.

use std::collections::{BTreeMap, BTreeSet};

use super::transcript::{ArchivedTurn, PAGE_BYTES};
use crate::error::{Error, Result};

/// Bytes that the seal of one turn adds besides, at most.
const SEAL_BYTES: usize = 100;

/// The union of turns by turn id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Union {
    turns: BTreeMap<String, ArchivedTurn>,
}

impl Union {
    /// Adds a turn. One whose words are there stays over one whose words were refused; else of two with one id the higher
    /// revision; of the same revision the one that was committed (it has a number); of two such the first. What was once
    /// answered without the state store stays marked so. True where the union changed.
    pub fn add(&mut self, turn: ArchivedTurn) -> bool {
        let id = turn.entry.turn_id.clone();
        let rank = |turn: &ArchivedTurn| (!turn.entry.is_refused(), turn.rev, turn.seq.is_some());
        match self.turns.get_mut(&id) {
            Some(kept) if rank(kept) >= rank(&turn) => {
                let changed = turn.degraded && !kept.degraded;
                kept.degraded |= turn.degraded;
                changed
            }
            kept => {
                // A revision that was sent without its number keeps the number that the turn has.
                let (seq, degraded) = kept.map_or((None, false), |kept| (kept.seq, kept.degraded));
                self.turns.insert(id, ArchivedTurn { seq: turn.seq.or(seq), degraded: turn.degraded || degraded, ..turn });
                true
            }
        }
    }

    /// Number of turns.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// True where this turn is there, in this revision or a higher one.
    pub fn holds(&self, turn_id: &str, rev: u32) -> bool {
        self.turns.get(turn_id).is_some_and(|kept| kept.rev >= rev)
    }

    /// The highest number.
    pub fn max_seq(&self) -> Option<u64> {
        self.turns.values().filter_map(|t| t.seq).max()
    }

    /// True only when turns 1 to `last` are all there, each once. Where a number stands twice the state store has
    /// forgotten what it had numbered, and nobody knows what else it forgot.
    pub fn is_complete(&self, last: u64) -> bool {
        let seqs: BTreeSet<u64> = self.turns.values().filter_map(|t| t.seq).filter(|seq| (1..=last).contains(seq)).collect();
        seqs.len() as u64 == last && !self.numbers_repeat()
    }

    fn numbers_repeat(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.turns.values().filter_map(|t| t.seq).any(|seq| !seen.insert(seq))
    }

    /// All turns in order: numbered ones by number; each one without a number, and each that was answered without one (its
    /// commit may have run much later, on a network that held it back), before the first other one that is later in time.
    /// Where numbers repeat, time alone tells the order.
    pub fn in_order(&self) -> Vec<&ArchivedTurn> {
        if self.numbers_repeat() {
            let mut turns: Vec<_> = self.turns.values().collect();
            turns.sort_by_key(|t| (t.entry.at, t.seq));
            return turns;
        }
        let (mut numbered, mut others): (Vec<_>, Vec<_>) = self.turns.values().partition(|t| t.seq.is_some() && !t.degraded);
        numbered.sort_by_key(|t| t.seq);
        others.sort_by_key(|t| (t.entry.at, t.seq));
        let mut ordered = Vec::with_capacity(self.turns.len());
        let mut others = others.into_iter().peekable();
        for turn in numbered {
            while let Some(other) = others.next_if(|other| other.entry.at < turn.entry.at) {
                ordered.push(other);
            }
            ordered.push(turn);
        }
        ordered.extend(others);
        ordered
    }

    /// The turns in order, cut into pages of at most [`PAGE_BYTES`] of JSON once they are sealed (a turn is never cut).
    pub fn pages(&self) -> Result<Vec<Vec<ArchivedTurn>>> {
        let mut pages: Vec<Vec<ArchivedTurn>> = Vec::new();
        let mut room = 0;
        for turn in self.in_order() {
            // Sealed, the words become a third longer.
            let bytes = serde_json::to_vec(turn).map_err(Error::internal)?.len() * 4 / 3 + SEAL_BYTES;
            match pages.last_mut() {
                Some(page) if bytes <= room => {
                    page.push(turn.clone());
                    room -= bytes;
                }
                _ => {
                    pages.push(vec![turn.clone()]);
                    room = PAGE_BYTES.saturating_sub(bytes);
                }
            }
        }
        Ok(pages)
    }
}
