//! The rules of calls, turns and transcripts: pure, without I/O, async or a clock.

pub mod acs;
pub mod analytics;
pub mod archive;
pub mod call;
pub mod conversation;
pub mod ids;
pub mod legacy;
pub mod phrase;
pub mod profile;
pub mod stages;
pub mod time;
pub mod trace;
pub mod transcript;
