//! The detector of personal values: scored sets, single classes, properties, and the command around it.

mod across;
mod classes;
mod command;
mod generate;
mod properties;
mod scores;
