//! Privacy: sealing, keys and what follows from them.

mod audit;
mod envelope;
mod keys;
mod root_key;
mod rotation;
mod vault;
