//! rtvoice
pub mod config;
pub mod dev;
pub mod error;
pub mod host;
pub mod model;
pub mod ports;
