//! Properties, tried on many generated cases.

mod keys;
mod model;
pub mod state;
mod texts;
