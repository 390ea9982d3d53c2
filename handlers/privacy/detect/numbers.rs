//! Runs of digits as people say and recognisers write them: "four two five", "forty-two eleven", "double oh", "425",
//! "eight hundred", with hesitation, small talk and corrections between.
//!
//! In: tokens. Out: one run after the other, each with its digits and its parts. What is glued to letters, an amount
//! of money, a time or an ordinal is no part of a run. Never fails; each token is looked at a bounded number of times.

mod glue;
mod nothing;

use super::aside;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use glue::free;
use nothing::{announces, counts_nothing};

/// How a part was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Digits.
    Written,
    /// One digit in words.
    Unit,
    /// Ten to ninety-nine in words.
    Pair,
    /// Hundreds and thousands.
    Round,
    /// Double, triple.
    Repeat,
}

/// What stands before a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sep {
    /// It is the first.
    Start,
    /// White space, or nothing.
    Space,
    /// A dash.
    Dash,
    /// A dot that touches both.
    Dot,
    /// A slash.
    Slash,
    /// A parenthesis.
    Paren,
    /// A comma, or the end of a sentence.
    Comma,
    /// Words.
    Words,
    /// Words that take something back.
    Correction,
}

/// A part of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// First token.
    pub first: usize,
    /// Last token.
    pub last: usize,
    /// Its first digit in the run.
    pub at: usize,
    /// How many digits.
    pub len: usize,
    pub shape: Shape,
    pub sep: Sep,
}

/// Digits that belong together as far as the text tells.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub parts: Vec<Part>,
    /// ASCII.
    pub digits: Vec<u8>,
    /// First token, a plus or parenthesis included.
    pub first: usize,
    /// Last token.
    pub last: usize,
    /// A plus stands before it.
    pub plus: bool,
    /// It holds a parenthesis.
    pub paren: bool,
    /// It is an amount.
    pub amount: bool,
    /// Most digits that corrections may have taken back.
    pub taken_back: usize,
    /// Words of small talk inside.
    pub weak: usize,
    /// How many digits stand before each "point"; one makes a decimal.
    points: Vec<usize>,
    /// Most words of any talk between two parts; none unless something is announced that is not whole without it.
    pub asides: usize,
    /// How often "thousand" was said.
    thousands: usize,
    /// Parts that were heard as another word.
    pub slips: usize,
    /// Most digits more that the same words may mean: "seventy two" is 72, or 70 and 2.
    pub slack: usize,
}

/// Most tokens between two parts.
const GAP: usize = 9;

/// Most words of small talk between two parts.
const SMALL_TALK: usize = 5;

impl Run {
    /// Nothing yet; reads on over so many words of any talk.
    pub fn with_asides(asides: usize) -> Self {
        Self { asides, ..Self::default() }
    }

    /// Finds the next run at or after a token; tells where to go on.
    pub fn next(&mut self, text: &Text<'_>, from: usize) -> Option<usize> {
        self.parts.clear();
        self.digits.clear();
        (self.plus, self.paren, self.amount, self.taken_back, self.weak, self.slack) = (false, false, false, 0, 0, 0);
        (self.slips, self.thousands) = (0, 0);
        self.points.clear();
        let mut at = from;
        loop {
            text.get(at)?;
            if let Some(end) = self.part(text, at, Sep::Start) {
                self.begin(text, at);
                return Some(self.rest(text, end));
            }
            at += 1;
        }
    }

    /// What stands before the first part and belongs to it.
    fn begin(&mut self, text: &Text<'_>, at: usize) {
        self.first = at;
        let mut before = at;
        if before > 0 && text.sign(before - 1, b'(') {
            before -= 1;
            (self.first, self.paren) = (before, true);
        }
        let is_plus = |n: usize| text.sign(n, b'+') || text.word(n, "plus");
        if before > 0 && is_plus(before - 1) {
            (self.first, self.plus) = (before - 1, true);
            // "(+44) 20 ..."
            if before > 1 && text.sign(before - 2, b'(') && text.get(before - 1).is_some_and(|t| t.glued) {
                (self.first, self.paren) = (before - 2, true);
            }
        }
    }

    /// The parts after the first, from a token on.
    fn rest(&mut self, text: &Text<'_>, mut at: usize) -> usize {
        while let Some((next, sep, weak)) = self.separator(text, at) {
            let before = self.digits.len();
            let Some(end) = self.part(text, next, sep) else { break };
            if sep == Sep::Correction {
                self.taken_back += 6.min(before);
            } else {
                self.weak += weak;
            }
            at = end;
        }
        self.last = self.parts.last().map_or(self.first, |p| p.last);
        self.amount |= self.points.len() == 1;
        self.amount |= text.get(self.last + 1).is_some_and(|t| t.info.num == Num::Scale);
        if self.paren && !(self.first..=self.last).any(|n| text.sign(n, b')')) {
            // "(425 555 0123)": the parenthesis is not the number's.
            self.first += usize::from(text.sign(self.first, b'('));
            self.paren = false;
        }
        at
    }

    /// True for decimals in a row: "thirty point three six twenty one point five", between whose points no telephone number
    /// has its groups.
    pub fn decimals(&self) -> bool {
        if self.plus {
            return false;
        }
        // 27.24, 23.32, 16.3
        if super::phone::decimals(self.parts.iter().map(|part| part.sep)) {
            return true;
        }
        if self.points.len() < 2 {
            return false;
        }
        let ends = self.points.iter().copied().skip(1).chain([self.digits.len()]);
        let mut groups: Vec<usize> = self.points.iter().zip(ends).map(|(from, to)| to.saturating_sub(*from)).collect();
        groups.insert(0, self.points[0]);
        let total = self.digits.len();
        let national = self.digits.first() == Some(&b'0') && (9..=11).contains(&total) && groups.iter().all(|g| *g >= 2);
        let printed = matches!(groups[..], [3, 3, 4] | [1, 3, 3, 4] | [3, 3, 3] | [3, 3, 2, 2] | [4, 3, 3] | [2, 3, 4] | [2, 4, 4] | [4, 4, 4, 4] | [3, 2, 4]);
        !(national || printed || groups.iter().all(|g| *g == 2))
    }

    /// Joins digits that were written one by one to groups: "5355 8394 6397 6 9 7 8".
    pub fn join_single(&mut self) {
        let mut joined: Vec<Part> = Vec::with_capacity(self.parts.len());
        for part in self.parts.drain(..) {
            let series = |p: &Part| p.shape == Shape::Written && p.len == p.last + 1 - p.first;
            match joined.last_mut() {
                Some(group) if part.sep == Sep::Space && part.len == 1 && series(&part) && series(group) => {
                    (group.last, group.len) = (part.last, group.len + 1);
                }
                _ => joined.push(part),
            }
        }
        self.parts = joined;
    }

    /// What stands between the parts, where the next one begins, and how much small talk that was.
    fn separator(&mut self, text: &Text<'_>, from: usize) -> Option<(usize, Sep, usize)> {
        let mut sep = Sep::Space;
        let (mut weak, mut asides) = (0, 0);
        let mut at = from;
        while at < from + GAP {
            let token = text.get(at)?;
            if starts(text, at, !self.digits.is_empty()) {
                return Some((at, sep, weak));
            }
            let aside = if token.kind == Kind::Word { aside::end(text, at) } else { at };
            if aside > at {
                at = aside;
                continue;
            }
            match token.kind {
                Kind::Sign(b'-' | b'_') => sep = sep_max(sep, Sep::Dash),
                // "...": a pause.
                Kind::Sign(b'.') if text.sign(at + 1, b'.') || text.sign(at - 1, b'.') => {}
                Kind::Sign(b'.') if token.glued && text.glued_after(at) => sep = sep_max(sep, Sep::Dot),
                Kind::Sign(b'/') => sep = sep_max(sep, Sep::Slash),
                Kind::Sign(b'(' | b')') => {
                    self.paren |= text.sign(at, b')');
                    sep = sep_max(sep, Sep::Paren);
                }
                Kind::Sign(b'.' | b',') => sep = sep_max(sep, Sep::Comma),
                Kind::Word if text.has(at, words::CORRECT) => sep = Sep::Correction,
                Kind::Word if token.info.sign != 0 && token.info.sign != b'+' => {
                    if text.word(at, "point") {
                        self.points.push(self.digits.len());
                    }
                    sep = sep_max(sep, if token.info.sign == b'-' { Sep::Dash } else { Sep::Words });
                }
                // "my bad"
                Kind::Word if text.word(at, "on") && at > 0 && text.word(at - 1, "hold") => {}
                Kind::Word if text.word(at, "my") && text.has(at + 1, words::CORRECT) => sep = Sep::Correction,
                Kind::Word if bracket(text, at) => sep = sep_max(sep, Sep::Words),
                Kind::Word if text.has(at, words::FILLER) => sep = sep_max(sep, Sep::Words),
                // "the galaxy s twenty is": whose number it is.
                Kind::Word if text.one_of(at, &["is", "was", "are", "were"]) && self.digits.len() <= 2 => return None,
                // "... three four by twenty euro", "so i'm fifty"
                Kind::Word if self.is_over(text, at) => return None,
                // "i got sixty three"
                Kind::Word if text.word(at, "got") && text.word(at - 1, "i") => return None,
                // Two numbers.
                Kind::Word if text.word(at, "and") && self.digits.len() >= 10 && said_from(text, at + 1) >= 9 => return None,
                Kind::Word if text.has(at, words::WEAK) && weak < SMALL_TALK => {
                    weak += 1;
                    sep = sep_max(sep, Sep::Words);
                }
                // "last four": tells which digits come, and is none of them.
                Kind::Word if counts_nothing(text, at) || announces(text, at) => sep = sep_max(sep, Sep::Words),
                Kind::Word if asides < self.asides && token.info.cue == Cue::None && !text.has(at, words::UNIT) => {
                    asides += 1;
                    sep = sep_max(sep, Sep::Words);
                }
                _ => return None,
            }
            at += 1;
        }
        None
    }

    /// True where what follows is an amount beside a whole number, or an age: "top up ... with two ninety nine".
    fn is_over(&self, text: &Text<'_>, at: usize) -> bool {
        let digits = self.digits.len();
        let beside = text.one_of(at, &["with", "by"]) && digits >= 9 && !text.one_of(at - 1, &["followed", "ends", "ending"]) && said_from(text, at + 1) <= 4;
        beside || digits >= 6 && text.one_of(at, &["im", "hes", "shes"]) && text.one_of(at - 1, &["so", "which"])
    }

    /// Takes the part that begins at a token; tells where it ends.
    fn part(&mut self, text: &Text<'_>, at: usize, sep: Sep) -> Option<usize> {
        if !starts(text, at, !self.digits.is_empty()) {
            return None;
        }
        let from = self.digits.len();
        let token = text.get(at)?;
        if self.parts.capacity() == 0 {
            self.parts.reserve(12);
            self.digits.reserve(24);
        }
        let (shape, end) = if token.kind == Kind::Digits {
            self.digits.extend_from_slice(text.said(at).as_bytes());
            self.written(text, at)
        } else {
            match token.info.num {
                Num::Unit => {
                    self.digits.push(b'0' + token.info.value);
                    self.scaled(text, at + 1, Shape::Unit)
                }
                // "from four two five ... to two one two ..."
                Num::Slip if text.one_of(at, &["to", "for"]) && self.is_from(text, at) => return None,
                Num::Slip => {
                    self.slips += 1;
                    self.digits.push(b'0' + token.info.value);
                    (Shape::Unit, at + 1)
                }
                Num::Teen => {
                    self.digits.extend([b'1', b'0' + token.info.value % 10]);
                    self.scaled(text, at + 1, Shape::Pair)
                }
                Num::Tens => self.tens(text, at, token.info.value / 10),
                Num::Repeat => self.repeated(text, at, token.info.value)?,
                _ => return None,
            }
        };
        self.parts.push(Part { first: at, last: end - 1, at: from, len: self.digits.len() - from, shape, sep });
        Some(end)
    }

    /// True where "from" stands before the first part, so that "to" at this place begins another number.
    fn is_from(&self, text: &Text<'_>, at: usize) -> bool {
        let first = self.parts.first().map_or(0, |part| part.first);
        let leads: &[&str] = if text.word(at, "to") { &["from"] } else { &["swap", "swapped", "exchange", "replace", "switch"] };
        (first.saturating_sub(3)..first).any(|n| text.one_of(n, leads)) && (self.digits.len() < 5 || said_from(text, at + 1) >= 7)
    }

    /// "8 hundred".
    fn written(&mut self, text: &Text<'_>, at: usize) -> (Shape, usize) {
        if text.get(at + 1).is_some_and(|t| matches!(t.info.num, Num::Hundred | Num::Thousand)) {
            return self.scaled(text, at + 1, Shape::Written);
        }
        (Shape::Written, at + 1)
    }

    /// "forty", "forty two", "forty-two".
    fn tens(&mut self, text: &Text<'_>, at: usize, tens: u8) -> (Shape, usize) {
        let unit = if text.sign(at + 1, b'-') { at + 2 } else { at + 1 };
        let follows = text.get(unit).filter(|t| t.info.num == Num::Unit && t.info.value > 0 && t.info.flags & words::FILLER == 0);
        match follows {
            Some(token) => {
                self.digits.extend([b'0' + tens, b'0' + token.info.value]);
                self.slack += usize::from(unit == at + 1);
                self.scaled(text, unit + 1, Shape::Pair)
            }
            None => {
                self.digits.extend([b'0' + tens, b'0']);
                self.scaled(text, at + 1, Shape::Pair)
            }
        }
    }

    /// "hundred" and "thousand" after what was just taken.
    fn scaled(&mut self, text: &Text<'_>, at: usize, shape: Shape) -> (Shape, usize) {
        let Some(token) = text.get(at) else { return (shape, at) };
        let zeros = match token.info.num {
            Num::Hundred => 2,
            Num::Thousand => 3,
            _ => return (shape, at),
        };
        // "fifty two thousand": an amount; "two thousand" may be a year, or the end of a number.
        let thousand = token.info.num == Num::Thousand;
        self.amount |= thousand && (shape == Shape::Pair || self.thousands > 0);
        // "four thousand four hundred"
        self.amount |= !thousand && self.thousands > 0 && self.parts.len() == 1;
        self.thousands += usize::from(thousand);
        let and = usize::from(text.word(at + 1, "and"));
        // "one hundred twenty three" is one number, "eight hundred five five five" is not.
        let small = text.get(at + 1 + and).map_or(Num::None, |t| t.info.num);
        let composed = matches!(small, Num::Teen | Num::Tens) || (and > 0 && small == Num::Unit);
        if !composed {
            self.digits.extend(std::iter::repeat_n(b'0', zeros));
            let more = text.get(at + 1).is_some_and(|t| matches!(t.info.num, Num::Hundred | Num::Thousand));
            self.amount |= more;
            return (Shape::Round, at + 1 + usize::from(more));
        }
        self.slack += 2 * (1 - and);
        let from = self.digits.len();
        let first = at + 1 + and;
        let value = text.get(first).map_or(0, |t| t.info.value);
        let end = match small {
            Num::Teen => {
                self.digits.extend([b'1', b'0' + value % 10]);
                first + 1
            }
            Num::Tens => {
                let unit = if text.sign(first + 1, b'-') { first + 2 } else { first + 1 };
                let follows = text.get(unit).filter(|t| t.info.num == Num::Unit && t.info.value > 0);
                // "one hundred and twenty seven hundred": two numbers.
                let follows = follows.filter(|_| text.get(unit + 1).is_none_or(|t| t.info.num != Num::Hundred));
                self.digits.extend([b'0' + value / 10, b'0' + follows.map_or(0, |t| t.info.value)]);
                follows.map_or(first + 1, |_| unit + 1)
            }
            _ => {
                self.digits.push(b'0' + value);
                first + 1
            }
        };
        let missing = zeros.saturating_sub(self.digits.len() - from);
        self.digits.splice(from..from, std::iter::repeat_n(b'0', missing));
        // "twenty three thousand four hundred": an amount.
        self.amount |= text.get(end).is_some_and(|t| matches!(t.info.num, Num::Hundred | Num::Thousand));
        (Shape::Round, end)
    }

    /// "double five", "triple 0".
    fn repeated(&mut self, text: &Text<'_>, at: usize, times: u8) -> Option<(Shape, usize)> {
        let digit = repeated_digit(text, at + 1)?;
        self.digits.extend(std::iter::repeat_n(digit, usize::from(times)));
        Some((Shape::Repeat, at + 2))
    }
}

/// "open parenthesis", said aloud.
fn bracket(text: &Text<'_>, at: usize) -> bool {
    let sign = ["parenthesis", "paren", "parentheses", "bracket", "brackets", "parens"];
    text.one_of(at, &sign) || (text.one_of(at, &["open", "close", "closed", "left", "right"]) && text.one_of(at + 1, &sign))
}

/// The stronger of two separators.
fn sep_max(a: Sep, b: Sep) -> Sep {
    if (a as u8) < (b as u8) { b } else { a }
}

fn repeated_digit(text: &Text<'_>, at: usize) -> Option<u8> {
    let token = text.get(at)?;
    match (token.kind, token.info.num) {
        (Kind::Digits, _) if token.end - token.start == 1 => text.said(at).bytes().next(),
        (_, Num::Unit) => Some(b'0' + token.info.value),
        _ => None,
    }
}

/// True where a part begins at this token.
fn starts(text: &Text<'_>, at: usize, inside: bool) -> bool {
    let Some(token) = text.get(at) else { return false };
    match token.kind {
        Kind::Digits => free(text, at) && !(inside && announces(text, at)),
        Kind::Word => match token.info.num {
            Num::Unit => !counts_nothing(text, at),
            Num::Teen | Num::Tens => !announces(text, at),
            Num::Repeat => repeated_digit(text, at + 1).is_some(),
            Num::Slip => inside && slipped(text, at),
            _ => false,
        },
        Kind::Sign(_) | Kind::Mask => false,
    }
}

/// How many digits are said from a token on, about.
fn said_from(text: &Text<'_>, from: usize) -> usize {
    let (mut at, mut count) = (from, 0);
    while let Some(token) = text.get(at).filter(|_| at < from + 30) {
        let aside = if token.kind == Kind::Word { aside::end(text, at) } else { at };
        at = aside.max(at + 1);
        count += match (token.kind, token.info.num) {
            (Kind::Digits, _) => (token.end - token.start) as usize,
            (_, Num::Unit) => 1,
            (_, Num::Teen | Num::Tens | Num::Repeat | Num::Hundred) => 2,
            (Kind::Sign(_), _) => 0,
            _ if aside == at || token.info.flags & (words::FILLER | words::CORRECT | words::WEAK) != 0 || token.info.sign == b'-' => 0,
            _ => break,
        };
    }
    count
}

/// True where "for" or "to" stands between digits that were said one by one.
fn slipped(text: &Text<'_>, at: usize) -> bool {
    let unit = |n: usize| text.get(n).is_some_and(|t| t.info.num == Num::Unit || (t.kind == Kind::Digits && t.end - t.start <= 4));
    let before = |n: usize| at.checked_sub(n).is_some_and(|n| unit(n) || text.get(n).is_some_and(|t| t.info.num == Num::Slip));
    let after = unit(at + 1) || text.get(at + 1).is_some_and(|t| matches!(t.info.num, Num::Slip | Num::Repeat));
    before(1) && before(2) && after
}
