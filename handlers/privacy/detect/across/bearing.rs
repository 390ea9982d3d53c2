//! What one text can have to do with others of its conversation: most talk has nothing to do with any.
//!
//! In: one text. Out: its bearing. Where the newest text is quiet and none before it leads to a name, nor to an address that it
//! could be the end of, [`super::detect_across`] finds nothing in it and nothing new in them. Never fails.

use super::super::asked::{Asked, announced};
use super::super::plain::Plain;
use super::super::tokens::{Kind, Text};
use super::super::words::{self, Cue};
use super::super::{Label, PIECE, detect_read};
use super::mail;

/// What a text can have to do with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearing {
    /// Nothing is found in it, whatever was asked before it but a name or an address.
    pub quiet: bool,
    /// Something is found in it where nothing was asked: what was said before may have hidden it from those who read it.
    pub holds: bool,
    /// It may be a whole e-mail address where one was asked for.
    pub holds_address: bool,
    /// It may be the end of an e-mail address.
    pub ends_address: bool,
    /// It asks for a name, announces one or ends with one.
    pub leads_to_name: bool,
    /// It asks for an e-mail address, announces or begins one.
    pub leads_to_address: bool,
}

impl Bearing {
    /// Of a text that may have to do with everything.
    pub const ANY: Self = Self { quiet: false, holds: true, holds_address: true, ends_address: true, leads_to_name: true, leads_to_address: true };

    /// The bearing of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.len() > PIECE || Plain::of(text).is_some() {
            return Self::ANY;
        }
        let read = Text::new(text);
        let hints = read.hints;
        let spans = detect_read(&read, Asked::default());
        let named = |label: Label| {
            let masked = |n: usize| read.tokens[n].kind == Kind::Mask && Label::named(read.said(n).trim_matches(['[', ']'])) == Some(label);
            spans.iter().any(|span| span.label == label) || hints.masks && (0..read.tokens.len()).any(masked)
        };
        let (asks, announces) = (Asked::read(&read), announced(&read));
        let either = |is: fn(Asked) -> bool| is(asks) || announces.is_some_and(is);
        Self {
            quiet: spans.is_empty() && hints.numbers == 0 && !hints.masks && !hints.inner_dots && hints.colons == 0 && !mail::leads_on(&read),
            holds: !spans.is_empty(),
            holds_address: mail::holds_at(&read),
            // "com." may end one, "Thank you." not.
            ends_address: mail::may_end(&read) && (read.has(0, words::WEAK | words::FILLER) || !read.has(0, words::STOP)),
            leads_to_name: either(|asked| asked.name) || named(Label::PersonName),
            leads_to_address: either(|asked| asked.cue == Cue::Mail)
                || named(Label::EmailAddress)
                || read.tokens.iter().any(|t| t.info.cue == Cue::Mail)
                || mail::open_end(&read, &[])
                || mail::bare_part(&read),
        }
    }
}
