//! The breach workflow.
