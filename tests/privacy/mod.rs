//! Privacy: sealing, keys and what follows from them.

mod audit;
mod envelope;
mod root_key;
mod vault;
