//! What is known of a whole text once somebody has looked for it.
//!
//! A text of a conversation is asked the same questions again with each turn that follows; each is answered once, by the
//! module that it belongs to. What was found in a text, or asked before it, is no part of the answers. Never fails.

use std::cell::{Cell, OnceCell, RefCell};

use super::across::{Pairs, Runs};
use super::asked::{Asked, Turned};
use super::words::Cue;

/// Answers, each where it was asked for.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// `Asked::read`.
    pub read: OnceCell<Asked>,
    /// `Asked::after`, whatever was asked before.
    pub turned: OnceCell<Turned>,
    /// `asked::read_other`.
    pub other: OnceCell<Option<Asked>>,
    /// `asked::announced`.
    pub announced: OnceCell<Option<Asked>>,
    /// `asked::begun`.
    pub begun: OnceCell<Option<(Cue, usize)>>,
    /// `birth::tail`.
    pub tail: OnceCell<Option<(usize, usize, bool)>>,
    /// `names::alone`.
    pub alone: OnceCell<Option<(usize, usize)>>,
    /// `across::holds_anything`, as far as signs go.
    pub holds: OnceCell<bool>,
    /// `across::mail::leads_on`.
    pub leads_on: OnceCell<bool>,
    /// `across::mail::open_end`, as far as no value stands at the end.
    pub open_end: OnceCell<bool>,
    /// `across::mail::bare_part`.
    pub bare_part: OnceCell<bool>,
    /// All kinds of `context::cue` in the text, a bit for each.
    pub cues: OnceCell<u16>,
    /// The runs of digits.
    pub runs: OnceCell<Runs>,
    /// What stands beside what in it.
    pub pairs: OnceCell<Pairs>,
    /// The same for each of its values, with the value's first byte and the byte after its last.
    pub of_values: RefCell<Vec<(usize, usize, Pairs)>>,
    /// How many digits begin its last value, if any do; with the value's first byte and the byte after its last.
    pub last_digits: Cell<Option<(usize, usize, Option<usize>)>>,
}
