//! One contract suite per port, run on every backend.

pub mod documents;
mod documents_cosmos;
mod documents_expiry;
pub mod documents_injected;
mod embedded_file;
mod http;
mod mail;
mod queue;
mod replies;
mod speech;
pub mod state;
