//! Privacy: what keeps a caller's words and numbers from resting in clear, and from outlasting their time.
//!
//! `detect` finds them in what was said, written or spoken. `envelope` and `cipher` seal single values, `vault` holds the
//! keys that they are sealed with, `refused` counts what was not what it said. The vendor crate of the ciphers stands in
//! `crypto` alone. `retention` says how long a document is kept.

pub mod cipher;
pub mod crypto;
pub mod detect;
pub mod envelope;
pub mod refused;
pub mod retention;
pub mod vault;
