//! Privacy: what keeps a caller's words and numbers from resting in clear, and from outlasting their time.
//!
//! `detect` finds personal values in what was said, written or spoken. `envelope` and `cipher` seal single values, `ciphers`
//! remembers those of calls, `vault` holds the keys that they are sealed with, `refused` counts what was not what it said;
//! `audit` chains the audit log, `breach` is the workflow of a breach. The vendor crate of the ciphers stands in `crypto`
//! alone. `retention` says how long a document is kept.

pub mod audit;
pub mod breach;
pub mod cipher;
pub mod ciphers;
pub mod crypto;
pub mod detect;
pub mod envelope;
pub mod refused;
pub mod retention;
pub mod vault;
