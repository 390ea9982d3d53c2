//! The contract of the replies port.
