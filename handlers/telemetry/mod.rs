//! What the app counts and measures of itself: one enum of every metric, and one registry in the process.
//!
//! In: adds of one number under a typed label; on a turn's path each is one or two relaxed atomic adds, without a lock and
//! without an allocation. Out: [`Figures`], which merge over time and over instances, as Prometheus text and as JSON. Labels
//! are enums, so that no caller's words, ids or keys can become a time series. Nothing here fails.

pub mod figures;
pub mod histogram;
pub mod label;
pub mod lines;
pub mod metric;
pub mod prometheus;
pub mod registry;
pub mod storm;

pub use figures::{Figures, Series};
pub use histogram::Spread;
pub use metric::Metric;
pub use registry::Metrics;
