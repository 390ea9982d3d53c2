//! Privacy: the detector and its scores, sealing, keys, and what follows from them.

mod across;
mod audit;
mod audit_redis;
mod blind;
mod breach;
mod classes;
mod command;
mod commands;
mod continued;
mod envelope;
mod generate;
mod keys;
mod properties;
mod remembered;
mod root_key;
mod rotation;
mod scores;
mod vault;
