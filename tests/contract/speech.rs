//! The contract of the speech port.
