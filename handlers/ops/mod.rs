//! Operators' commands.

pub mod migrate;
pub mod pii;
