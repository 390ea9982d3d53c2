//! What tests need: real servers on free ports, ended by process id, and strict stand-ins for foreign services.

pub mod answer;
pub mod app;
pub mod board;
pub mod browser;
pub mod call;
pub mod cosmos;
pub mod fake_handler;
pub mod faults;
pub mod identity;
pub mod key_vault;
pub mod mail;
pub mod openai;
pub mod process;
pub mod proxy;
pub mod pump;
pub mod redis;
pub mod residue;
pub mod service_bus;
pub mod speech;
pub mod stack;
pub mod stand_in;
