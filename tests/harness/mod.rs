//! What tests need: real servers on free ports, ended by process id, and strict stand-ins for foreign services.

pub mod answer;
pub mod app;
pub mod attempts;
pub mod board;
pub mod browser;
pub mod call;
pub mod cosmos;
pub mod fake_handler;
pub mod faults;
pub mod front;
pub mod identity;
pub mod key_vault;
pub mod mail;
pub mod openai;
pub mod port;
pub mod process;
pub mod proxy;
pub mod pump;
pub mod redis;
pub mod residue;
pub mod service_bus;
pub mod speech;
pub mod stack;
pub mod stand_in;
pub mod stopwatch;

/// Whether a body was longer than was allowed, and did not merely break off.
pub fn is_too_long(e: &axum::Error) -> bool {
    std::error::Error::source(e).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
