//! What the app promises, shown on the real binary: whole calls, and calls to which everything happens that may.

mod archiving;
mod awaits;
mod away;
mod bench;
mod cluster;
mod copies;
mod deadlines;
mod faults;
mod instances;
mod killed;
mod leaks;
mod load;
mod log;
mod mishaps;
mod permutations;
mod poison;
mod redis_modes;
mod refusing;
mod rotated;
mod services;
mod split;
mod tampered;
mod whole_call;
mod wire;
