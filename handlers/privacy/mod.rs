//! Privacy: what keeps a caller's words and numbers from resting in clear, and from outlasting their time.
//!
//! `detect` finds them in what was said, written or spoken; `retention` says how long a document is kept.

pub mod detect;
pub mod retention;
