//! rtvoice: the serverless back end of a phone voice agent on Azure Communication Services.
//!
//! The map of the house; dependencies point one way, and a test holds them to it:
//!
//! - `main`, [`dev`], [`ops`]: what an operator or the Functions host starts.
//! - [`host`]: speaks with the Functions host; runs functions.
//! - [`functions`]: one story per function; a function never calls another.
//! - [`steps`]: what several functions have in common.
//! - [`model`]: the rules, pure.
//! - [`privacy`]: the rules of privacy, the vault of keys, the audit log, breaches.
//! - [`telemetry`]: what the app counts of itself.
//! - [`ports`]: what the app needs from outside: contracts, and their backends beside them.
//! - [`app`]: chooses the backends; nothing else names them.
//! - [`config`]: reads the environment; nothing else does.
//! - [`error`]: what went wrong and what follows from it.

pub mod app;
pub mod config;
pub mod dev;
pub mod error;
pub mod functions;
pub mod host;
pub mod model;
pub mod ops;
pub mod ports;
pub mod privacy;
pub mod steps;
pub mod telemetry;
