//! Steps that several functions share: a function never calls another function, it takes the same step.

pub mod alerts;
pub mod archive;
pub mod archiving;
pub mod audit;
pub mod breach;
pub mod compliance;
pub mod dashboard;
pub mod erasure;
pub mod events;
pub mod exposure;
pub mod health;
pub mod masking;
pub mod open_calls;
pub mod outbox;
pub mod parking;
pub mod patience;
pub mod profile;
pub mod retention;
pub mod speech;
pub mod watch;
pub mod weekly;
