//! Speaks with the Functions host: its files, its envelope, its routes and its way to deliver messages.

pub mod admission;
pub mod bodies;
pub mod callbacks;
pub mod compose;
pub mod deliver;
pub mod envelope;
pub mod failpoint;
pub mod http;
pub mod json;
pub mod line;
pub mod link;
pub mod manifest;
pub mod route;
pub mod router;
pub mod server;
