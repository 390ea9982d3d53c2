//! Other scripts' digits and full-width letters and signs, read as the plain ones that they stand for.
//!
//! In: a text as it was said. Out: the same with each of these as one ASCII character, and the way back from places in it
//! to places in the original; nothing where there is none, as in most texts. Never fails.

use super::Span;

/// The zeros of the decimal digits beyond ASCII; nine more follow each (Unicode 15, general category Nd).
const ZEROS: [char; 67] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{11f50}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e4f0}',
    '\u{1e950}',
    '\u{1fbf0}',
];

/// A text in plain characters.
#[derive(Debug)]
pub(super) struct Plain {
    /// The text.
    pub text: String,
    /// Behind each character that was replaced: the place here, and the place in the original.
    places: Vec<(usize, usize)>,
}

impl Plain {
    /// The text in plain characters, if that is another one.
    pub fn of(text: &str) -> Option<Self> {
        if text.is_ascii() || !text.chars().any(|c| plain(c).is_some()) {
            return None;
        }
        let mut this = Self { text: String::with_capacity(text.len()), places: Vec::new() };
        for (at, c) in text.char_indices() {
            this.text.push(plain(c).unwrap_or(c));
            if plain(c).is_some() {
                this.places.push((this.text.len(), at + c.len_utf8()));
            }
        }
        Some(this)
    }

    /// A span of this text in the original.
    pub fn back(&self, span: Span) -> Span {
        let to = |at: usize| match self.places.partition_point(|(here, _)| *here <= at).checked_sub(1) {
            Some(n) => self.places[n].1 + (at - self.places[n].0),
            None => at,
        };
        Span { start: to(span.start), end: to(span.end), ..span }
    }

    /// A span of the original in this text.
    pub fn there(&self, span: Span) -> Span {
        let to = |at: usize| match self.places.partition_point(|(_, original)| *original <= at).checked_sub(1) {
            Some(n) => self.places[n].0 + (at - self.places[n].1),
            None => at,
        };
        Span { start: to(span.start), end: to(span.end), ..span }
    }
}

/// The ASCII character that another one stands for.
fn plain(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    // Full-width forms are in the order of ASCII.
    if matches!(c, '\u{ff01}'..='\u{ff5e}') {
        return char::from_u32(u32::from(c) - 0xff01 + 0x21);
    }
    let zero = ZEROS[ZEROS.partition_point(|zero| *zero <= c).checked_sub(1)?];
    let value = u32::from(c) - u32::from(zero);
    if value < 10 { char::from_digit(value, 10) } else { None }
}
