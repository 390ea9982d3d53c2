//! What the app needs from outside, one folder per port: `mod.rs` is the contract, its siblings are the backends.
//!
//! A contract has the shape of the atomic unit that the story needs. Vendor crates appear in one backend each and
//! nowhere else.

pub mod audit;
pub mod board;
pub mod breaker;
pub mod clock;
pub mod documents;
pub mod embedded;
pub mod exchange;
pub mod export;
pub mod guarded;
pub mod http;
pub mod identity;
pub mod notices;
pub mod probe;
pub mod queue;
pub mod replies;
pub mod root_key;
pub mod running;
pub mod speech;
pub mod state;
pub mod tls;
pub mod webhook;
