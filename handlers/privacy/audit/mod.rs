//! The audit log as a chain: entries, the documents that hold them, and how they are verified.
//!
//! Each process writes one stream a day. An entry names the hash of the one before it; a batch of entries is signed, a
//! head says how far its stream has come, and the register chains the streams themselves. So an edit, a deletion, a
//! reordering, a truncation behind a head and a missing stream are found by whoever has the key. What is deleted behind
//! the last head of a stream (at most 60 s of a process that was killed) cannot be told from what was never written.

mod entry;
mod records;
mod seal;
pub mod verify;

pub use entry::{Entry, Hash};
pub use records::{Batch, HEAD, Head, REGISTER, Register, Registration, SETTINGS, SettingsRecord, batch_id};
pub use seal::Key;
