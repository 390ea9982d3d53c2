//! Dates of birth that a caller says over several turns.
//!
//! In: texts. Out: spans. What was asked and announced finds the last part; the parts before it, which alone say too little,
//! are found from there. Never fails.

use super::super::birth;
use super::super::{Label, Role, Span};
use super::{Turn, add};

/// Most texts before the newest that hold parts of one date.
const EARLIER: usize = 3;

/// Marks the earlier parts of the date of which the newest text holds one.
pub(super) fn join(said: &[Turn<'_>], from: usize, newest: usize, spans: &mut [Vec<Span>]) {
    let begins = |s: &Span| s.label == Label::DateOfBirth && said[newest].text[..s.start].split_whitespace().count() <= 3;
    if !spans[newest].first().is_some_and(begins) {
        return;
    }
    let mut parts = 0;
    for n in (from..newest).rev().filter(|n| said[*n].role == Role::Caller) {
        let read = &said[n].read;
        let Some((first, last, announced)) = birth::tail(read) else { continue };
        let (start, end) = (read.tokens[first].start as usize, read.tokens[last].end as usize);
        if spans[n].is_empty() && (announced || said[n].asked.birth()) {
            add(&mut spans[n], said[n].text, start, end, Label::DateOfBirth, 0.6);
        }
        parts += 1;
        if announced || parts == EARLIER {
            return;
        }
    }
}
