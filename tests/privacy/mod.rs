//! Privacy: sealing, keys and what follows from them.

mod audit;
mod audit_redis;
mod breach;
mod envelope;
mod keys;
mod root_key;
mod rotation;
mod vault;
