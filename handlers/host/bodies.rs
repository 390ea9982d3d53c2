//! Memory for request bodies that are on their way: who sends slowly holds what has arrived and no more.
//!
//! In: for whom a body is, how large it may become, and what of it has come. Out: a [`Leave`], held until the body is whole. Bodies that may
//! be large have a pool of their own, so that they cannot crowd out turns, and of each pool one key may hold a share. Refuses, and takes
//! nothing, where there is no room.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Largest limit of a body that counts as small.
pub const SMALL: usize = 256 << 10;
/// Least that a body on its way is counted as, in KiB: its connection has a buffer.
const FIRST: usize = 4;
/// Memory of small bodies, in KiB for each seat: a turn's body may have 64.
const SMALL_KIB: usize = 64;

/// Both pools of a room.
#[derive(Debug)]
pub struct Bodies {
    small: Pool,
    large: Pool,
}

#[derive(Debug)]
struct Pool {
    kib: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    kib: usize,
    by_key: HashMap<u64, usize>,
}

/// Leave to keep what has come of one body; given back when dropped.
#[derive(Debug)]
pub struct Leave {
    bodies: Arc<Bodies>,
    large: bool,
    key: u64,
    /// What the key may hold, in KiB.
    share: usize,
    kib: usize,
}

impl Bodies {
    /// Pools for so many seats: so many KiB for each seat in all, and at least what four of the largest bodies take.
    pub fn new(seats: usize, kib: usize, largest: usize) -> Self {
        let small = (seats * SMALL_KIB).max(4 * SMALL / 1024);
        let large = (seats * (kib - SMALL_KIB)).max(4 * largest / 1024);
        Self { small: Pool { kib: small, held: Mutex::default() }, large: Pool { kib: large, held: Mutex::default() } }
    }

    /// Leave for a body of at most `limit` bytes of which `bytes` have come. The key may hold one in `part` of the pool.
    pub fn begin(self: &Arc<Self>, key: u64, part: usize, limit: usize, bytes: usize) -> Option<Leave> {
        let large = limit > SMALL;
        let mut leave = Leave { bodies: Arc::clone(self), large, key, share: self.pool(large).kib / part.max(1), kib: 0 };
        leave.grow(bytes).then_some(leave)
    }

    /// What is held, in KiB.
    pub fn held(&self) -> usize {
        self.small.held().kib + self.large.held().kib
    }

    /// Whether three quarters of a pool are held.
    pub fn is_pressed(&self) -> bool {
        [&self.small, &self.large].into_iter().any(|pool| pool.held().kib * 4 >= pool.kib * 3)
    }

    const fn pool(&self, large: bool) -> &Pool {
        if large { &self.large } else { &self.small }
    }
}

impl Pool {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave {
    /// Leave for so many bytes in all; false where there is no room for them.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.div_ceil(1024).max(FIRST).saturating_sub(self.kib);
        if more == 0 {
            return true;
        }
        let pool = self.bodies.pool(self.large);
        let mut held = pool.held();
        let of_key = held.by_key.get(&self.key).copied().unwrap_or_default() + more;
        if held.kib + more > pool.kib || of_key > self.share {
            return false;
        }
        held.kib += more;
        held.by_key.insert(self.key, of_key);
        drop(held);
        self.kib += more;
        true
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut held = self.bodies.pool(self.large).held();
        held.kib -= self.kib;
        if let Entry::Occupied(mut of_key) = held.by_key.entry(self.key) {
            *of_key.get_mut() -= self.kib;
            if *of_key.get() == 0 {
                of_key.remove();
            }
        }
    }
}
