//! Operators' commands.

pub mod keys;
pub mod migrate;
