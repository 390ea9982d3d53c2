//! What the app counts of itself: histograms, merging, what instances share, and the rules of alerts.

mod alerts;
mod away;
mod board;
mod episodes;
mod figures;
mod lines;
mod traces;
