//! Cuts a text into words, digits and signs, each with its place in the text.
//!
//! In: a text, which is never rewritten. Out: tokens in order; white space stands between them as "not glued". A mask
//! (`[LABEL]`) is one token that joins nothing. Never fails.

use std::cell::OnceCell;

use super::facts::Facts;
use super::words::{self, Cue, Info, Key, Num};
use super::{Found, Label};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, with apostrophes inside.
    Word,
    /// ASCII digits.
    Digits,
    /// One sign; dashes of all kinds are `-`, unknown signs are 0.
    Sign(u8),
    /// A value that was found, or a mask that the text holds already.
    Mask,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// What it is.
    pub kind: Kind,
    /// The first byte of a word in lower case; 0 for all others.
    pub initial: u8,
    /// No white space before it.
    pub glued: bool,
    /// What is known of a word.
    pub info: Info,
}

/// A text and its tokens.
pub(super) struct Text<'a> {
    /// As it was said.
    pub text: &'a str,
    /// In order.
    pub tokens: Vec<Token>,
    /// What kinds of value the tokens can make at all.
    pub hints: Hints,
    /// What was asked of the tokens before.
    facts: OnceCell<Box<Facts>>,
}

/// What was read in a text, to be kept beside it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    tokens: Vec<Token>,
    hints: Hints,
    facts: OnceCell<Box<Facts>>,
}

impl Reading {
    /// The text, read: what is kept must be of the same text.
    pub fn of(self, text: &str) -> Text<'_> {
        Text { text, tokens: self.tokens, hints: self.hints, facts: self.facts }
    }

    /// How much memory it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.tokens.capacity() * size_of::<Token>() + self.facts.get().map_or(0, |_| size_of::<Facts>())
    }
}

/// What stands in a text at all, so that most detectors need not look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    /// Digits, and words that count.
    pub numbers: u32,
    /// Signs and words that stand for `@`.
    pub at: bool,
    /// Signs and words that stand for `.` inside something or behind it.
    pub dots: bool,
    /// The same between two things that touch it, and words.
    pub inner_dots: bool,
    /// Two colons.
    pub colons: u32,
    /// A word that announces or carries a name.
    pub names: bool,
    /// A word that announces a birth.
    pub birth: bool,
    /// Words of one letter, or letters glued to digits.
    pub letters: u32,
    /// A mask.
    pub masks: bool,
}

impl<'a> Text<'a> {
    /// Reads a text, which must be shorter than 4 GiB.
    pub fn new(text: &'a str) -> Self {
        let mut this = Self { text, tokens: Vec::with_capacity(text.len() / 4 + 4), hints: Hints::default(), facts: OnceCell::new() };
        this.read();
        this
    }

    /// What was asked of the tokens before.
    pub fn facts(&self) -> &Facts {
        self.facts.get_or_init(Box::default)
    }

    /// What was read, to be kept.
    pub fn keep(self) -> Reading {
        Reading { tokens: self.tokens, hints: self.hints, facts: self.facts }
    }

    fn read(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        let mut glued = false;
        while let Some(byte) = bytes.get(at).copied() {
            if byte.is_ascii_alphabetic() {
                at = self.word_from(at, glued);
                glued = true;
                continue;
            }
            if byte.is_ascii_whitespace() {
                at += 1;
                glued = false;
                continue;
            }
            let (kind, end) = if byte.is_ascii_digit() {
                (Kind::Digits, end_of(bytes, at, |b| b.is_ascii_digit()))
            } else if byte == b'[' {
                mask_end(bytes, at).map_or((Kind::Sign(byte), at + 1), |end| (Kind::Mask, end))
            } else if byte.is_ascii() {
                (Kind::Sign(byte), at + 1)
            } else {
                let Some(c) = self.text[at..].chars().next() else { return };
                let end = at + c.len_utf8();
                if c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{202a}'..='\u{202e}') {
                    // Marks of direction and width stand in pasted numbers and separate nothing.
                    glued = glued && !c.is_whitespace();
                    at = end;
                    continue;
                }
                if c.is_alphabetic() {
                    at = self.word_from(at, glued);
                    glued = true;
                    continue;
                }
                (Kind::Sign(plain(c)), end)
            };
            self.push(kind, at, end, glued);
            at = end;
            glued = true;
        }
    }

    /// Takes the word that starts here; tells where it ends.
    #[inline]
    fn word_from(&mut self, start: usize, glued: bool) -> usize {
        let bytes = self.text.as_bytes();
        let mut key = Key::default();
        let mut at = start;
        while let Some(byte) = bytes.get(at).copied().filter(u8::is_ascii_alphabetic) {
            key.push(byte);
            at += 1;
        }
        let info = match bytes.get(at) {
            Some(byte) if *byte == b'\'' || !byte.is_ascii() => {
                let key;
                (at, key) = self.rare_word(start);
                key.map_or_else(Info::default, words::known)
            }
            _ => words::known(key),
        };
        self.push_word(start, at, glued, info);
        at
    }

    /// A word with apostrophes or letters beyond ASCII: where it ends, and its key if it can be one that is known.
    fn rare_word(&self, start: usize) -> (usize, Option<Key>) {
        let bytes = self.text.as_bytes();
        let (mut key, mut foreign, mut typographic) = (Key::default(), false, false);
        let mut at = start;
        while let Some(byte) = bytes.get(at).copied() {
            if byte.is_ascii_alphabetic() {
                key.push(byte);
                at += 1;
            } else if byte == b'\'' {
                if !bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) {
                    break;
                }
                at += 1;
            } else if byte.is_ascii() {
                break;
            } else {
                let Some(c) = self.text[at..].chars().next() else { break };
                let apostrophe = c == '\u{2019}' && bytes.get(at + c.len_utf8()).is_some_and(u8::is_ascii_alphabetic);
                // Marks on letters belong to the word.
                if !apostrophe && !c.is_alphabetic() && !matches!(c, '\u{300}'..='\u{36f}') {
                    break;
                }
                typographic |= apostrophe;
                foreign |= !apostrophe;
                at += c.len_utf8();
            }
        }
        let known = !(foreign || typographic && at - start > words::LONGEST);
        (at, known.then_some(key))
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, glued: bool) {
        let hints = &mut self.hints;
        match kind {
            Kind::Digits => hints.numbers += 1,
            Kind::Sign(b'@') => hints.at = true,
            Kind::Sign(b'.') => hints.dots |= glued,
            Kind::Sign(b':') => hints.colons += 1,
            Kind::Mask => hints.masks = true,
            Kind::Word | Kind::Sign(_) => {}
        }
        self.take(Token { start: place(start), end: place(end), kind, initial: 0, glued, info: Info::default() });
    }

    fn push_word(&mut self, start: usize, end: usize, glued: bool, info: Info) {
        let hints = &mut self.hints;
        hints.numbers += u32::from(!matches!(info.num, Num::None | Num::Slip | Num::Scale));
        hints.at |= info.flags & words::AT != 0;
        hints.dots |= info.sign == b'.';
        hints.inner_dots |= info.sign == b'.';
        hints.names |= info.flags & (words::NAME | words::TITLE | words::SPELL | words::INTRO | words::GIVEN) != 0;
        hints.birth |= info.cue == Cue::Birth;
        hints.letters += u32::from(end - start == 1 || info.flags & words::NATO != 0);
        let initial = self.text.as_bytes()[start].to_ascii_lowercase();
        self.take(Token { start: place(start), end: place(end), kind: Kind::Word, initial, glued, info });
    }

    fn take(&mut self, token: Token) {
        self.hints.inner_dots |= token.glued && self.tokens.last().is_some_and(|before| before.kind == Kind::Sign(b'.') && before.glued);
        self.tokens.push(token);
    }

    /// The token at a place, if there is one.
    pub fn get(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at)
    }

    /// The token before a place.
    pub fn before(&self, at: usize) -> Option<&Token> {
        at.checked_sub(1).and_then(|at| self.tokens.get(at))
    }

    /// What a token says.
    pub fn said(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |t| &self.text[t.start as usize..t.end as usize])
    }

    /// True for a word with one of these flags.
    pub fn has(&self, at: usize, flags: u32) -> bool {
        self.tokens.get(at).is_some_and(|t| t.info.flags & flags != 0)
    }

    /// True for this sign.
    pub fn sign(&self, at: usize, sign: u8) -> bool {
        self.tokens.get(at).is_some_and(|t| t.kind == Kind::Sign(sign))
    }

    /// True for this word, in any case; `word` is in lower case.
    #[inline(always)]
    pub fn word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| self.says(token, word))
    }

    /// True for one of these words.
    #[inline(always)]
    pub fn one_of(&self, at: usize, words: &[&str]) -> bool {
        // Which letters the words begin with is known when this is compiled, and few words get past it.
        let initials =
            if words.len() > SHORT { u32::MAX } else { words.iter().fold(0, |all, word| all | word.as_bytes().first().map_or(0, |byte| letter_bit(*byte))) };
        self.tokens.get(at).is_some_and(|token| letter_bit(token.initial) & initials != 0 && self.says_one(token, words))
    }

    #[inline(never)]
    fn says_one(&self, token: &Token, words: &[&str]) -> bool {
        words.iter().any(|word| self.says(token, word))
    }

    /// True where a token is this word. Most are not, which the first byte and the length tell.
    #[inline(always)]
    fn says(&self, token: &Token, word: &str) -> bool {
        let length = (token.end - token.start) as usize;
        word.as_bytes().first() == Some(&token.initial) && length >= word.len() && self.same(token, word)
    }

    #[inline(never)]
    fn same(&self, token: &Token, word: &str) -> bool {
        let said = &self.text.as_bytes()[token.start as usize..token.end as usize];
        if said.len() == word.len() {
            return said.eq_ignore_ascii_case(word.as_bytes());
        }
        // Apostrophes count nothing: "that's" is "thats".
        said.iter().any(|b| *b == b'\'' || !b.is_ascii())
            && self.text[token.start as usize..token.end as usize]
                .chars()
                .filter(|c| !matches!(c, '\'' | '\u{2019}'))
                .map(|c| c.to_ascii_lowercase())
                .eq(word.chars())
    }

    /// The letter that a token of one letter is, in upper case.
    pub fn letter(&self, at: usize) -> Option<u8> {
        let token = self.tokens.get(at)?;
        let single = token.kind == Kind::Word && token.end - token.start == 1;
        single.then(|| self.text.as_bytes()[token.start as usize].to_ascii_uppercase())
    }

    /// The letter that a token stands for: itself, or the first of a word of the phonetic alphabet.
    pub fn spoken_letter(&self, at: usize) -> Option<u8> {
        self.letter(at).or_else(|| self.has(at, words::NATO).then(|| self.said(at).as_bytes()[0].to_ascii_uppercase()))
    }

    /// True where a token follows this one without white space.
    pub fn glued_after(&self, at: usize) -> bool {
        self.tokens.get(at + 1).is_some_and(|t| t.glued)
    }

    /// The same with what was found, in order, turned into masks.
    pub fn covered(&self, found: &[Found]) -> Self {
        let mut kept = Vec::with_capacity(self.tokens.len());
        let mut found = found.iter().peekable();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = self.tokens[at];
            match found.peek() {
                Some(value) if value.first == at => {
                    let end = self.tokens.get(value.last).map_or(token.end, |t| t.end);
                    kept.push(Token { end, kind: Kind::Mask, initial: 0, info: Info::default(), ..token });
                    at = value.last + 1;
                    found.next();
                }
                _ => {
                    kept.push(token);
                    at += 1;
                }
            }
        }
        Self { text: self.text, tokens: kept, hints: Hints { masks: true, ..self.hints }, facts: OnceCell::new() }
    }
}

/// Lists up to this length are told by the first letters of their words.
const SHORT: usize = 24;

/// One bit for each letter; other bytes share them.
#[inline(always)]
const fn letter_bit(byte: u8) -> u32 {
    1 << (byte & 31)
}

/// A place as tokens have it. A text is cut into pieces far below 4 GiB before it is read.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn end_of(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|b| !belongs(*b)).map_or(bytes.len(), |n| start + n)
}

/// Where the mask that starts with this bracket ends.
fn mask_end(bytes: &[u8], start: usize) -> Option<usize> {
    let end = end_of(bytes, start + 1, |b| b.is_ascii_uppercase() || b == b'_');
    let inside = std::str::from_utf8(bytes.get(start + 1..end)?).ok()?;
    (bytes.get(end) == Some(&b']') && Label::ALL.iter().any(|label| label.as_str() == inside)).then_some(end + 1)
}

/// The plain form of a sign.
fn plain(c: char) -> u8 {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => b'-',
        '\u{ff0b}' => b'+',
        '\u{ff08}' => b'(',
        '\u{ff09}' => b')',
        '\u{ff20}' => b'@',
        '\u{ff0e}' | '\u{b7}' | '\u{2024}' => b'.',
        '\u{20ac}' | '\u{a3}' | '\u{a5}' | '\u{20b9}' | '\u{20bd}' => b'$',
        _ => 0,
    }
}
