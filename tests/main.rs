//! All tests in one binary. `harness` starts what they need; `contract` holds one suite per port, `functions` one
//! per function; `layout` holds the house to its rules.

mod contract;
mod dev_host;
mod dev_loop;
mod envelope;
mod functions;
mod harness;
mod journeys;
mod layout;
mod legacy;
mod manifest;
mod ops;
mod phrase;
mod privacy;
mod properties;
mod settings;
mod simulation;
mod telemetry;
