//! The bearing of texts that were read lately.
//!
//! In: texts of a conversation. Out: what each has to do with others. Of each a keyed hash is kept with its bearing, in a table
//! of fixed size that all calls of the process share; what falls out of it is read again. Never fails.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::privacy::detect::Bearing;

/// Texts that are remembered at most: 64 KiB.
const TEXTS: usize = 8192;
/// Lowest bit of a place that is taken; the six above it are the bearing.
const TAKEN: u64 = 1;
const BITS: u64 = 0b111_1111;

/// The texts. Their hashes are under a key of this process, and tell texts apart by 57 bits: nobody can look for two that share
/// one.
#[derive(Debug)]
pub struct Talk {
    key: RandomState,
    texts: Box<[AtomicU64]>,
}

impl Default for Talk {
    fn default() -> Self {
        Self { key: RandomState::new(), texts: (0..TEXTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Talk {
    /// [`Bearing::of`] a text.
    pub fn bearing(&self, text: &str) -> Bearing {
        let hash = self.key.hash_one(text);
        let place = usize::try_from(hash >> 32).unwrap_or_default() % TEXTS;
        let Some(place) = self.texts.get(place) else { return Bearing::of(text) };
        let known = place.load(Ordering::Relaxed);
        if known & TAKEN != 0 && (known ^ hash) & !BITS == 0 {
            let mut bits = (1..).map(|n| known >> n & 1 != 0);
            let mut bit = || bits.next().unwrap_or_default();
            return Bearing { quiet: bit(), holds: bit(), holds_address: bit(), ends_address: bit(), leads_to_name: bit(), leads_to_address: bit() };
        }
        let bearing = Bearing::of(text);
        let Bearing { quiet, holds, holds_address, ends_address, leads_to_name, leads_to_address } = bearing;
        let bits = [quiet, holds, holds_address, ends_address, leads_to_name, leads_to_address];
        let bits = bits.iter().rev().fold(0, |bits, bit| bits << 1 | u64::from(*bit));
        place.store(hash & !BITS | bits << 1 | TAKEN, Ordering::Relaxed);
        bearing
    }
}
