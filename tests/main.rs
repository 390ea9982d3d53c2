//! All tests in one binary. `harness` starts what they need; `contract` holds one suite per port; `journeys` plays
//! calls through the real binary.

mod contract;
mod dev_host;
mod envelope;
mod harness;
mod journeys;
mod legacy;
mod manifest;
mod phrase;
mod properties;
