//! rtvoice
pub mod config;
pub mod error;
pub mod model;
pub mod ports;
