//! What the app promises, shown on the real binary: whole calls, and calls to which everything happens that may.

mod admission;
mod archiving;
mod away;
mod bench;
mod connections;
mod copies;
mod deadlines;
mod instances;
mod killed;
mod leaks;
mod load;
mod log;
mod permutations;
mod plan;
mod poison;
mod redis_modes;
mod rotated;
mod scope;
mod split;
mod tampered;
mod whole_call;
mod wire;
