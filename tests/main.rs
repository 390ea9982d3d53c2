//! All tests in one binary. `harness` starts what they need; `contract` holds one suite per port.

mod contract;
mod harness;
mod properties;
