//! Finds personal values in what was said, written or spoken, and masks them.
//!
//! Pure and deterministic: text in, spans out. Digits of other scripts count as the plain ones. Tokens keep their place;
//! each kind of value has a grammar over them; words nearby raise, lower or forbid. What was found joins nothing else,
//! and a masked text is read as if its masks were found, so that masking twice changes nothing. Time is linear in the
//! text. Never fails.

mod across;
mod aside;
mod asked;
mod birth;
mod card;
mod context;
mod corrected;
mod email;
mod facts;
mod iban;
mod name_words;
mod names;
mod network;
mod numbers;
mod phone;
mod plain;
mod spelling;
mod things;
mod tokens;
mod values;
mod words;
mod written;

use asked::Asked;
use plain::Plain;
use tokens::{Kind, Text};

pub use across::{Bearing, Remembered, WINDOW, detect_across, detect_newest, may_continue};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// A telephone number, with its extension.
    PhoneNumber,
    /// The number of a payment card.
    CreditCard,
    /// An e-mail address.
    EmailAddress,
    /// A social security number of the United States, or its last four digits.
    UsSsn,
    /// An international bank account number.
    IbanCode,
    /// An address of IP version 4 or 6.
    IpAddress,
    /// A web address.
    Url,
    /// A date, or a year, of which was said that it is a birth.
    DateOfBirth,
    /// A PIN, a card's check value or a one-time code.
    Pin,
    /// The number of an account or of a bank.
    AccountNumber,
    /// A person's name, spelled or said, where the words around it leave no doubt.
    PersonName,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::PhoneNumber,
        Self::CreditCard,
        Self::EmailAddress,
        Self::UsSsn,
        Self::IbanCode,
        Self::IpAddress,
        Self::Url,
        Self::DateOfBirth,
        Self::Pin,
        Self::AccountNumber,
        Self::PersonName,
    ];

    /// The label of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str() == name)
    }

    /// Its name, as masks and reports have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhoneNumber => "PHONE_NUMBER",
            Self::CreditCard => "CREDIT_CARD",
            Self::EmailAddress => "EMAIL_ADDRESS",
            Self::UsSsn => "US_SSN",
            Self::IbanCode => "IBAN_CODE",
            Self::IpAddress => "IP_ADDRESS",
            Self::Url => "URL",
            Self::DateOfBirth => "DATE_OF_BIRTH",
            Self::Pin => "PIN",
            Self::AccountNumber => "ACCOUNT_NUMBER",
            Self::PersonName => "PERSON_NAME",
        }
    }
}

/// A value in a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// What it is.
    pub label: Label,
    /// How sure that is, above 0 and at most 1.
    pub score: f32,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person on the phone.
    Caller,
    /// The voice agent.
    Agent,
}

/// One text of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Who said it.
    pub role: Role,
    /// As it was said, or with masks.
    pub text: &'a str,
}

/// Texts up to this many bytes are read in one piece.
const PIECE: usize = 64 * 1024;

/// How far pieces of a longer text overlap, in bytes; no value is longer.
const OVERLAP: usize = 2 * 1024;

/// Most rounds; texts of people need two or three.
const ROUNDS: usize = 32;

/// A value by the tokens that hold it.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// First token.
    first: usize,
    /// Last token.
    last: usize,
    label: Label,
    score: f32,
}

/// Finds the values in one text: in order, never overlapping.
#[must_use]
pub fn detect(text: &str) -> Vec<Span> {
    match Plain::of(text) {
        Some(plain) => detect_asked(&plain.text, Asked::default()).into_iter().map(|span| plain.back(span)).collect(),
        None => detect_asked(text, Asked::default()),
    }
}

/// As [`detect`], knowing what was asked before.
fn detect_asked(text: &str, asked: Asked) -> Vec<Span> {
    if text.len() <= PIECE {
        return one_piece(&Text::new(text), asked);
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = boundary(text, (start + PIECE).min(text.len()));
        // What ends close to the cut may go on behind it: the next piece finds it whole.
        let sure = if end == text.len() { end } else { boundary(text, end - OVERLAP) };
        let found = one_piece(&Text::new(&text[start..end]), asked).into_iter().map(|s| Span { start: s.start + start, end: s.end + start, ..s });
        spans.extend(found.filter(|s| s.start < sure));
        if end == text.len() {
            break;
        }
        start = word_start(text, sure).max(spans.last().map_or(0, |s| s.end));
    }
    spans
}

/// The nearest place at or before this one where a character begins.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The nearest place at or before this one where a word begins, if there is one close by.
fn word_start(text: &str, at: usize) -> usize {
    let floor = boundary(text, at.saturating_sub(64));
    text[floor..at].rfind(char::is_whitespace).map_or(at, |n| boundary(text, floor + n + 1))
}

/// As [`detect_asked`], of a text that was read already.
fn detect_read(read: &Text<'_>, asked: Asked) -> Vec<Span> {
    if read.text.len() <= PIECE { one_piece(read, asked) } else { detect_asked(read.text, asked) }
}

fn one_piece(read: &Text<'_>, asked: Asked) -> Vec<Span> {
    let mut spans = Vec::new();
    // What was found is a mask to all that look after it; a round in which nobody finds anything is the last.
    let mut covered = None;
    for _ in 0..ROUNDS {
        if !round(read, &mut covered, asked, &mut spans) {
            break;
        }
    }
    spans.sort_by_key(|s| s.start);
    spans
}

/// Finds one kind of value.
type Finder = fn(&Text<'_>, Asked, &mut Vec<Found>);

/// Lets each kind of value that can be there look once, those with the clearest form first; tells whether any was found.
/// What is covered stands in `covered`, as soon as anything is.
fn round<'a>(read: &Text<'a>, covered: &mut Option<Text<'a>>, asked: Asked, spans: &mut Vec<Span>) -> bool {
    let hints = read.hints;
    let kinds: [(bool, Finder); 6] = [
        (hints.at, email::find),
        (hints.inner_dots || hints.colons > 0 || (hints.dots && hints.numbers >= 4), network::find),
        (hints.numbers > 0 && read.text.len() >= 15, iban::find),
        (hints.numbers > 0 && (hints.birth || hints.letters > 2 || asked.birth()), birth::find),
        (hints.numbers > 0, values::find),
        (hints.names || hints.letters > 2 || asked.any_name(), names::find),
    ];
    let before = spans.len();
    let mut found = Vec::new();
    for (_, find) in kinds.into_iter().filter(|(possible, _)| *possible) {
        let text = covered.as_ref().unwrap_or(read);
        find(text, asked, &mut found);
        // What holds a mask was found before; of two that overlap the first stays.
        found.retain(|f| f.first <= f.last && (f.first..=f.last).all(|n| text.get(n).is_some_and(|t| t.kind != Kind::Mask)));
        found.sort_by_key(|f| f.first);
        found.dedup_by(|next, kept| next.first <= kept.last);
        let place = |f: &Found| Some((text.get(f.first)?.start as usize, text.get(f.last)?.end as usize));
        spans.extend(found.iter().filter_map(|f| place(f).map(|(start, end)| Span { start, end, label: f.label, score: f.score.clamp(0.01, 1.0) })));
        if !found.is_empty() {
            *covered = Some(text.covered(&found));
            found.clear();
        }
    }
    spans.len() > before
}

/// The text with each value replaced by its label in brackets. Spans must be as [`detect`] gives them; one that does
/// not fit the text is passed over.
#[must_use]
pub fn mask(text: &str, spans: &[Span]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        let Some(before) = text.get(at..span.start) else { continue };
        if span.end < span.start || !text.is_char_boundary(span.end) || span.end > text.len() {
            continue;
        }
        masked.push_str(before);
        masked.push('[');
        masked.push_str(span.label.as_str());
        masked.push(']');
        at = span.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    masked
}
