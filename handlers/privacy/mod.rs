//! Privacy: what keeps a caller's words and numbers from resting in clear, and from outlasting their time.

pub mod retention;
