//! Operators' commands.

pub mod alerts;
pub mod bench;
pub mod keys;
pub mod load;
pub mod migrate;
pub mod parked;
pub mod pii;
pub mod plan;
pub mod scan;
