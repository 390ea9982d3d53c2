//! Operators' commands.

pub mod migrate;
