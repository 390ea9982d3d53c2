//! The local host: plays the Azure Functions host on a laptop, over the same protocol.
//!
//! `host` starts and stops it; `child` keeps the handler's process as the real host does; `front` serves the routes;
//! `eventgrid`, `admin` and `timers` are the other ways into a function; `keys` guards them with `--auth`; `demo` plays a
//! call through it. `tap` notes what comes in, and `watch` keeps the handler in step with its sources.

pub mod admin;
pub mod child;
pub mod demo;
pub mod eventgrid;
pub mod front;
pub mod host;
pub mod keys;
pub mod log;
pub mod settings;
pub mod table;
pub mod tap;
pub mod timers;
pub mod watch;
