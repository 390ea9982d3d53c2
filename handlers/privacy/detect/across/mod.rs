//! Values that a caller gives over several turns.
//!
//! In: the last texts of a conversation. Out: the spans of each. What was asked, announced or said in part tells what the
//! next text is; and the end of a caller's turn and the beginning of his next ones are read as one text: what lies across
//! them is a value if it would be one in a single turn. What the agent repeats of it is found too. Looks at a bounded number
//! of texts. Never fails.

mod dates;
mod echo;
mod mail;
mod numbers;

use super::asked::{Asked, announced, asks_other, names_other};
use super::plain::Plain;
use super::tokens::{Kind, Text};
use super::words;
use super::{Label, Role, Said, Span, birth, detect_asked, names};

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

/// Finds the values in the last texts of a conversation, the last being the newest. The answer has the spans of each
/// text, in order; texts before the window of [`WINDOW`] caller's texts have none.
#[must_use]
pub fn detect_across(said: &[Said<'_>]) -> Vec<Vec<Span>> {
    in_plain(said, Vec::new(), |said, spans| {
        let reads: Vec<Text<'_>> = said.iter().map(|one| Text::new(one.text)).collect();
        let from = window(said, &reads);
        let mut asked = Asked::default();
        let mut turns: Vec<Turn<'_>> = Vec::with_capacity(said.len());
        for (n, (one, read)) in said.iter().zip(reads).enumerate() {
            let turn = Turn { role: one.role, text: one.text, read, asked };
            spans.push(if n < from { Vec::new() } else { alone(&turn) });
            if n + ASKED_WITHIN >= from {
                asked = follow(&turn, &spans[n]);
            }
            turns.push(turn);
        }
        join(&turns, from, spans);
    })
}

/// As [`detect_across`], where the spans of all texts but the newest are known already; they may be added to. `spans`
/// must have one entry less than there are texts, and gets the newest's.
pub fn detect_newest(said: &[Said<'_>], spans: &mut Vec<Vec<Span>>) {
    if spans.len() + 1 != said.len() {
        return;
    }
    *spans = in_plain(said, std::mem::take(spans), |said, spans| {
        let mut reads: Vec<Text<'_>> = said.iter().map(|one| Text::new(one.text)).collect();
        let from = window(said, &reads);
        let first = from.min(said.len().saturating_sub(1 + ASKED_WITHIN));
        let mut asked = Asked::default();
        let mut turns: Vec<Turn<'_>> = Vec::with_capacity(said.len() - first);
        let mut known = spans.split_off(first);
        for (one, read) in said[first..].iter().zip(reads.drain(first..)) {
            let turn = Turn { role: one.role, text: one.text, read, asked };
            if known.len() == turns.len() {
                known.push(alone(&turn));
            }
            asked = follow(&turn, &known[turns.len()]);
            turns.push(turn);
        }
        join(&turns, from - first, &mut known);
        spans.append(&mut known);
    });
}

/// Lets digits of other scripts be read as plain ones: `find` sees plain texts, and the spans are those of the texts as said.
fn in_plain(said: &[Said<'_>], mut spans: Vec<Vec<Span>>, find: impl FnOnce(&[Said<'_>], &mut Vec<Vec<Span>>)) -> Vec<Vec<Span>> {
    let plain: Vec<Option<Plain>> = said.iter().map(|one| Plain::of(one.text)).collect();
    if plain.iter().all(Option::is_none) {
        find(said, &mut spans);
        return spans;
    }
    let texts: Vec<Said<'_>> = said.iter().zip(&plain).map(|(one, plain)| plain.as_ref().map_or(*one, |p| Said { text: &p.text, ..*one })).collect();
    let mapped = |spans: &mut Vec<Vec<Span>>, map: fn(&Plain, Span) -> Span| {
        for (spans, plain) in spans.iter_mut().zip(&plain) {
            if let Some(plain) = plain {
                spans.iter_mut().for_each(|span| *span = map(plain, *span));
            }
        }
    };
    mapped(&mut spans, Plain::there);
    find(&texts, &mut spans);
    mapped(&mut spans, Plain::back);
    spans
}

/// The first text that is looked at.
fn window(said: &[Said<'_>], reads: &[Text<'_>]) -> usize {
    let callers = said.iter().enumerate().rev().filter(|(_, s)| s.role == Role::Caller).map(|(n, _)| n).take(LOOKED_THROUGH);
    let mut holding = 0;
    let window = callers.take_while(|n| {
        holding += usize::from(holds_anything(&reads[*n]));
        holding <= WINDOW
    });
    window.last().unwrap_or(0)
}

/// What is in a text by itself.
fn alone(turn: &Turn<'_>) -> Vec<Span> {
    match turn.role {
        Role::Caller => detect_asked(turn.text, turn.asked),
        Role::Agent => detect_asked(turn.text, Asked { name: false, open: None, ..turn.asked }),
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
    hints.numbers > 0 || hints.at || hints.letters > 1 || read.text.contains('_') || read.tokens.iter().any(|t| t.info.sign != 0)
}

/// True where a later text of the same caller may still change what is found in this one: it holds digits, letters, a name
/// or parts of an address that are no value by themselves.
#[must_use]
pub fn may_continue(text: &str, spans: &[Span]) -> bool {
    if let Some(plain) = Plain::of(text) {
        let spans: Vec<Span> = spans.iter().map(|span| plain.there(*span)).collect();
        return may_continue(&plain.text, &spans);
    }
    let read = Text::new(text);
    numbers::fragments(&read, spans).iter().any(|f| f.digits.len() >= 2 || f.soft)
        || mail::open_end(&read, spans)
        || spans.is_empty() && mail::bare_part(&read)
        || names::alone(&read).is_some()
        || birth::tail(&read).is_some()
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

/// Adds a span where it overlaps none.
fn add(spans: &mut Vec<Span>, text: &str, start: usize, end: usize, label: Label, score: f32) {
    let fits = start < end && text.is_char_boundary(start) && text.is_char_boundary(end);
    if fits {
        // A part that was taken for a whole gives way to the whole.
        spans.retain(|s| !(start <= s.start && s.end <= end));
    }
    if fits && !spans.iter().any(|s| s.start < end && start < s.end) {
        spans.push(Span { start, end, label, score });
        spans.sort_by_key(|s| s.start);
    }
}
