//! The buckets of every histogram: fixed, so that those of all instances and all times merge by adding.
//!
//! Values are whole numbers in the metric's own unit. Below 8 each value has a bucket; above, each doubling has 8 buckets of
//! equal width, so that a quantile is off by at most an eighth. What lies above 2^28 counts in the last bucket.

use std::collections::BTreeMap;

/// Buckets of a doubling.
const PARTS: u64 = 8;
/// Number of buckets.
pub const BUCKETS: usize = 208;

/// The bucket of a value.
pub const fn bucket(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let doubling = 63 - value.leading_zeros() as u64;
    let part = (value >> (doubling - 3)) & (PARTS - 1);
    let index = (PARTS + (doubling - 3) * PARTS + part) as usize;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The smallest value of a bucket; of the one after the last, where the last ends.
pub const fn lowest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let (doubling, part) = ((bucket - PARTS) / PARTS, (bucket - PARTS) % PARTS);
    (PARTS + part) << doubling
}

/// How values were spread: counts by bucket, those that are not zero, and the sum of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    /// Counts by bucket.
    pub buckets: BTreeMap<u16, u64>,
    /// Sum of all values.
    pub sum: u64,
}

impl Spread {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.sum += other.sum;
    }

    /// What has come since an earlier state of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |(bucket, count): (&u16, &u64)| {
            let more = count.saturating_sub(earlier.buckets.get(bucket).copied().unwrap_or_default());
            (more > 0).then_some((*bucket, more))
        };
        Self { buckets: self.buckets.iter().filter_map(grown).collect(), sum: self.sum.saturating_sub(earlier.sum) }
    }

    /// The value below which this share of all values lies, interpolated within its bucket; none without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * total as f64;
        let mut before = 0.0;
        for (bucket, count) in &self.buckets {
            let count = *count as f64;
            if before + count >= rank {
                let (from, to) = (lowest(usize::from(*bucket)) as f64, lowest(usize::from(*bucket) + 1) as f64);
                return Some(from + (to - from) * ((rank - before) / count).clamp(0.0, 1.0));
            }
            before += count;
        }
        self.buckets.keys().next_back().map(|last| lowest(usize::from(*last) + 1) as f64)
    }

    /// How many values lie at or above this one, counted by whole buckets.
    pub fn at_least(&self, value: u64) -> u64 {
        let first = bucket(value);
        self.buckets.iter().filter(|(bucket, _)| usize::from(**bucket) >= first).map(|(_, count)| count).sum()
    }

    /// How many values lie in buckets that end at or below this value.
    pub fn below(&self, value: u64) -> u64 {
        self.buckets.iter().filter(|(bucket, _)| lowest(usize::from(**bucket) + 1) <= value).map(|(_, count)| count).sum()
    }
}
