//! Values that a caller gives over several turns.
//!
//! In: the last texts of a conversation. Out: the spans of each. What was asked, announced or said in part tells what the
//! next text is; and the end of a caller's turn and the beginning of his next ones are read as one text: what lies across
//! them is a value if it would be one in a single turn. What the agent repeats of it is found too. Looks at a bounded number
//! of texts. Never fails.

mod bearing;
mod dates;
mod echo;
mod mail;
mod numbers;
mod remembered;

use super::asked::{Asked, announced, asks_other, names_other};
use super::plain::Plain;
use super::tokens::{Kind, Reading, Text};
use super::words;
use super::{Label, Role, Said, Span, birth, detect_read, names};

pub use bearing::Bearing;
pub(super) use echo::Pairs;
pub(super) use numbers::Runs;
pub use remembered::{Remembered, detect_newest};

/// How many of the caller's texts that hold anything at all, the newest included, may hold parts of one value.
pub const WINDOW: usize = 6;

/// How many of the caller's texts are looked through for them.
const LOOKED_THROUGH: usize = 12;

/// How many texts before one are read for what was asked.
const ASKED_WITHIN: usize = 12;

/// One text of a conversation, read.
struct Turn<'a> {
    role: Role,
    text: &'a str,
    read: Text<'a>,
    /// What was asked before it.
    asked: Asked,
}

impl<'a> Turn<'a> {
    /// A text of which nothing is known, but what was read in it before.
    fn new(role: Role, text: &'a str, reading: Option<Reading>) -> Self {
        let read = reading.map_or_else(|| Text::new(text), |reading| reading.of(text));
        Self { role, text, read, asked: Asked::default() }
    }
}

/// Finds the values in the last texts of a conversation, the last being the newest. The answer has the spans of each
/// text, in order; texts before the window of [`WINDOW`] caller's texts have none.
#[must_use]
pub fn detect_across(said: &[Said<'_>]) -> Vec<Vec<Span>> {
    in_plain(said, |said| {
        let mut spans: Vec<Vec<Span>> = Vec::with_capacity(said.len());
        let mut turns: Vec<Turn<'_>> = said.iter().map(|one| Turn::new(one.role, one.text, None)).collect();
        let from = window(&turns);
        let mut asked = Asked::default();
        for (n, turn) in turns.iter_mut().enumerate() {
            turn.asked = asked;
            spans.push(if n < from { Vec::new() } else { alone(turn) });
            if n + ASKED_WITHIN >= from {
                asked = follow(turn, &spans[n]);
            }
        }
        join(&turns, from, &mut spans);
        spans
    })
}

/// Lets digits of other scripts be read as plain ones: `find` sees plain texts, and the spans are those of the texts as said.
fn in_plain(said: &[Said<'_>], find: impl FnOnce(&[Said<'_>]) -> Vec<Vec<Span>>) -> Vec<Vec<Span>> {
    let plain: Vec<Option<Plain>> = said.iter().map(|one| Plain::of(one.text)).collect();
    if plain.iter().all(Option::is_none) {
        return find(said);
    }
    let texts: Vec<Said<'_>> = said.iter().zip(&plain).map(|(one, plain)| plain.as_ref().map_or(*one, |p| Said { text: &p.text, ..*one })).collect();
    let mut spans = find(&texts);
    for (spans, plain) in spans.iter_mut().zip(&plain) {
        if let Some(plain) = plain {
            spans.iter_mut().for_each(|span| *span = plain.back(*span));
        }
    }
    spans
}

/// The first text that is looked at.
fn window(said: &[Turn<'_>]) -> usize {
    let callers = said.iter().enumerate().rev().filter(|(_, s)| s.role == Role::Caller).map(|(n, _)| n).take(LOOKED_THROUGH);
    let mut holding = 0;
    let window = callers.take_while(|n| {
        holding += usize::from(holds_anything(&said[*n].read));
        holding <= WINDOW
    });
    window.last().unwrap_or(0)
}

/// What is in a text by itself.
fn alone(turn: &Turn<'_>) -> Vec<Span> {
    match turn.role {
        Role::Caller => detect_read(&turn.read, turn.asked),
        Role::Agent => detect_read(&turn.read, Asked { name: false, open: None, ..turn.asked }),
    }
}

/// What is asked after a text in which these values were found.
fn follow(turn: &Turn<'_>, spans: &[Span]) -> Asked {
    match turn.role {
        Role::Caller => turn.asked.heard(&turn.read, spans),
        Role::Agent => turn.asked.after(&turn.read),
    }
}

/// True where a text may hold a part of a value.
fn holds_anything(read: &Text<'_>) -> bool {
    let hints = read.hints;
    let signs = || *read.facts().holds.get_or_init(|| read.text.contains('_') || read.tokens.iter().any(|t| t.info.sign != 0));
    hints.numbers > 0 || hints.at || hints.letters > 1 || signs()
}

/// True where a later text of the same caller may still change what is found in this one: it holds digits, letters, a name
/// or parts of an address that are no value by themselves.
#[must_use]
pub fn may_continue(text: &str, spans: &[Span]) -> bool {
    if let Some(plain) = Plain::of(text) {
        let spans: Vec<Span> = spans.iter().map(|span| plain.there(*span)).collect();
        return may_continue(&plain.text, &spans);
    }
    may_go_on(&Text::new(text), spans)
}

/// The same of a text that was read.
fn may_go_on(read: &Text<'_>, spans: &[Span]) -> bool {
    numbers::fragments(read, spans).iter().any(|f| f.digits.len() >= 2 || f.soft)
        || mail::open_end(read, spans)
        || spans.is_empty() && mail::bare_part(read)
        || names::alone(read).is_some()
        || birth::tail(read).is_some()
}

/// Joins the newest caller's text with the ones before it.
fn join(said: &[Turn<'_>], from: usize, spans: &mut [Vec<Span>]) {
    let Some(newest) = (from..said.len()).rev().find(|n| said[*n].role == Role::Caller) else { return };
    let (named, asked) = (begun(said, newest, names_other).max(from), begun(said, newest, asks_other).max(from));
    numbers::join(said, (named, asked), newest, spans);
    mail::join(said, named, newest, spans);
    dates::join(said, named, newest, spans);
    first_name(said, asked, newest, spans);
    echo::echoes(said, from, spans);
}

/// The first text after the last question or announcement before this one: what stands before it is part of something else.
fn begun(said: &[Turn<'_>], newest: usize, asks: fn(&Text<'_>) -> bool) -> usize {
    let other = |one: &Turn<'_>| match one.role {
        Role::Agent => asks(&one.read),
        Role::Caller => announced(&one.read).is_some(),
    };
    said[..newest].iter().rposition(other).map_or(0, |n| n + 1)
}

/// A name that was said alone, of which only the last name that follows tells that it is one.
fn first_name(said: &[Turn<'_>], from: usize, newest: usize, spans: &mut [Vec<Span>]) {
    let follows = spans[newest].first().filter(|s| s.label == Label::PersonName && said[newest].text[..s.start].split_whitespace().count() <= 2);
    if follows.is_none() {
        return;
    }
    let before = (from..newest).rev().filter(|n| said[*n].role == Role::Caller && spans[*n].is_empty()).take(2);
    for n in before {
        let read = &said[n].read;
        if let Some((first, last)) = names::alone(read).filter(|_| !read.tokens.iter().any(|t| t.kind == Kind::Mask || t.info.flags & words::NAME != 0)) {
            let (start, end) = (read.tokens[first].start as usize, read.tokens[last].end as usize);
            add(&mut spans[n], said[n].text, start, end, Label::PersonName, 0.6);
            return;
        }
    }
}

/// Adds a span where it overlaps none. Spans are in order and never overlap.
fn add(spans: &mut Vec<Span>, text: &str, start: usize, end: usize, label: Label, score: f32) {
    if !(start < end && text.is_char_boundary(start) && text.is_char_boundary(end)) {
        return;
    }
    let first = spans.partition_point(|s| s.end <= start);
    let behind = first + spans[first..].partition_point(|s| s.start < end);
    // A part that was taken for a whole gives way to the whole.
    let parts = first + usize::from(spans.get(first).is_some_and(|s| s.start < start));
    let parts = parts..behind - usize::from(behind > parts && spans[behind - 1].end > end);
    let free = parts == (first..behind);
    spans.splice(parts, free.then_some(Span { start, end, label, score }));
}
