//! The contract of the documents port.
