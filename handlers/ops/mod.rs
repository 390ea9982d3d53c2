//! Operators' commands.

pub mod keys;
pub mod migrate;
pub mod pii;
pub mod scan;
