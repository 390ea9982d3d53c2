//! The rules of privacy, pure: no I/O, no clock.

pub mod audit;
pub mod breach;
