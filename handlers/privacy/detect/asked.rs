//! What a conversation is waiting for: what the agent asked, what the caller announced and has not said yet, and what he
//! said in part.
//!
//! In: texts in order, each with what was found in it. Out: what the next text answers. Small remarks and talk beside it
//! change nothing; another question does. Never fails; looks at a bounded number of tokens.

use super::context::{announced_before, cue};
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Label, Span};

/// Most tokens of the end of a text in which it announces something.
const ANNOUNCING: usize = 14;

/// Most tokens of talk beside it.
const ASIDE: usize = 16;

/// What the next text may answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// A number, an address or a date.
    pub cue: Cue,
    /// A name.
    pub name: bool,
    /// A name or a date of birth that the caller's last words ended with: it may go on.
    pub open: Option<Label>,
}

impl Asked {
    /// After a text of the agent: small remarks change nothing, nor does what only asks for the rest.
    pub fn after(self, text: &Text<'_>) -> Self {
        match text.facts().turned.get_or_init(|| turned(text)) {
            Turned::Other => Self::read(text),
            Turned::Over => Self { open: self.open.filter(|open| *open == Label::DateOfBirth), ..Self::default() },
            Turned::Same => self,
        }
    }

    /// After a text of the caller in which these values were found.
    pub fn heard(self, text: &Text<'_>, spans: &[Span]) -> Self {
        if let Some(announced) = announced(text) {
            // "the number is" says no more than was known.
            let known = announced.cue == Cue::Number && matches!(self.cue, Cue::Phone | Cue::Card | Cue::Account | Cue::Social | Cue::Pin);
            return if known { Self { name: false, open: None, ..self } } else { announced };
        }
        let value = last_value(text, spans);
        let begun = begun(text).filter(|(cue, _)| *cue != Cue::Number || matches!(self.cue, Cue::Birth | Cue::Mail | Cue::None));
        if let Some((cue, at)) =
            begun.filter(|(_, at)| value.is_none_or(|(_, last)| last <= *at || spans.last().is_some_and(|s| s.end > text.tokens[*at].start as usize)))
        {
            let open = (cue == Cue::Birth && text.tokens.len() - at <= 4).then_some(Label::DateOfBirth);
            return Self { cue, name: false, open };
        }
        if let Some((label, last)) = value {
            let ends = text.tokens.len() - last <= 4;
            let open = Some(label).filter(|label| ends && matches!(label, Label::PersonName | Label::DateOfBirth));
            let cue = match label {
                Label::PhoneNumber => Cue::Phone,
                Label::CreditCard => Cue::Card,
                Label::EmailAddress => Cue::Mail,
                Label::UsSsn => Cue::Social,
                Label::AccountNumber | Label::IbanCode => Cue::Account,
                Label::Pin => Cue::Pin,
                Label::DateOfBirth => Cue::Birth,
                Label::IpAddress | Label::Url | Label::PersonName => self.cue,
            };
            return Self { cue, name: self.name && label != Label::PersonName, open };
        }
        if text.tokens.len() <= ASIDE { self } else { Self { name: false, open: None, ..self } }
    }

    /// True where a birth was asked for, or said in part.
    pub fn birth(self) -> bool {
        self.cue == Cue::Birth || self.open == Some(Label::DateOfBirth)
    }

    /// True where a name was asked for, or said in part.
    pub fn any_name(self) -> bool {
        self.name || self.open == Some(Label::PersonName)
    }

    /// Reads a question or a request; nothing where the text is neither.
    pub fn read(text: &Text<'_>) -> Self {
        *text.facts().read.get_or_init(|| Self::read_now(text))
    }

    fn read_now(text: &Text<'_>) -> Self {
        let mut asked = Self::default();
        let count = text.tokens.len();
        if !(0..count).any(|n| text.sign(n, b'?') || text.one_of(n, &REQUEST_WORDS)) {
            return asked;
        }
        let said = |list: &[&str]| (0..count).any(|n| text.one_of(n, list));
        // "the name on the card", "what name is the booking under": still a name.
        let mut of_name = false;
        // The last thing that is named is what is asked for.
        for at in count.saturating_sub(60)..count {
            of_name &= !(text.one_of(at, &["and", "then", "also"]) || matches!(text.get(at).map(|t| t.kind), Some(Kind::Sign(_))));
            match cue(text, at) {
                Cue::None => {}
                Cue::Card | Cue::Account | Cue::Thing | Cue::Phone if of_name => {}
                // "the number on the card" asks for the card's.
                Cue::Number if asked.cue != Cue::None => {}
                // "the best number to reach you"
                Cue::Number if said(&["number", "numbers"]) && said(&["reach", "call", "ring", "text", "contact", "callback", "best"]) => {
                    (asked.cue, asked.name) = (Cue::Phone, false);
                }
                found => (asked.cue, asked.name) = (found, false),
            }
            if asks_name(text, at) {
                (asked.name, of_name) = (true, of_name || names_of(text, at));
                if of_name {
                    asked.cue = Cue::None;
                }
            }
            // "who am i speaking with", "who is calling"
            let who = |n: usize| text.one_of(n, &["who", "whos", "whom"]);
            if text.one_of(at, &["speaking", "calling", "talking"]) && (at.saturating_sub(5)..at).any(who) {
                (asked.cue, asked.name) = (Cue::None, true);
            }
        }
        // "how do you spell it"
        asked.name |= asked.cue == Cue::None && said(&["spell", "spelled", "spelling"]);
        asked
    }
}

/// Words of which a question or a request has one.
const REQUEST_WORDS: [&str; 23] = [
    "your", "please", "need", "confirm", "provide", "what", "whats", "which", "may", "can", "could", "tell", "and", "spell", "say", "when", "who", "whos",
    "whom", "how", "give", "get", "read",
];

/// True for the word of a question that asks for a name: "your last name", "the patient's name", "surname".
fn asks_name(text: &Text<'_>, at: usize) -> bool {
    const BEFORE: [&str; 26] = [
        "your",
        "last",
        "first",
        "full",
        "middle",
        "the",
        "a",
        "family",
        "callers",
        "second",
        "what",
        "whats",
        "which",
        "maiden",
        "legal",
        "given",
        "patients",
        "holders",
        "customers",
        "guests",
        "passengers",
        "cardholders",
        "cardholder",
        "members",
        "account",
        "other",
    ];
    let person = at > 0 && text.one_of(at - 1, &BEFORE);
    text.has(at, words::NAME) && (person || text.one_of(at + 1, &["please", "on"])) || text.one_of(at, &["surname", "lastname", "firstname"])
}

/// True where what a name stands on or under is told behind it.
fn names_of(text: &Text<'_>, at: usize) -> bool {
    text.one_of(at + 1, &["on", "of", "for", "is", "under", "as", "associated", "listed", "printed", "in"])
}

/// What a text of the agent does to what was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// It asks for something else.
    Other,
    /// It thanks for the answer.
    Over,
    /// Nothing.
    Same,
}

fn turned(text: &Text<'_>) -> Turned {
    if asks_other(text) {
        return Turned::Other;
    }
    // "thanks, what comes next": the same goes on.
    let goes_on = ["next", "rest", "remaining", "continue", "after", "more", "go"];
    let over = (0..text.tokens.len()).any(|n| text.one_of(n, &["thanks", "thank"])) && !(0..text.tokens.len()).any(|n| text.one_of(n, &goes_on));
    if over { Turned::Over } else { Turned::Same }
}

/// Most tokens of a request to go on.
const REQUEST: usize = 12;

/// True for a question of the agent that the rest of what was begun does not answer.
pub(super) fn asks_other(text: &Text<'_>) -> bool {
    match read_other(text) {
        None => false,
        Some(read) => {
            let words = ["how", "what", "when", "where", "which", "why", "who", "anything"];
            read.name || read.cue != Cue::None || (0..text.tokens.len()).any(|n| text.one_of(n, &words))
        }
    }
}

/// True for one that asks for something else of the caller's own. An order's number is none: what was begun and fits may as
/// well go on, and it is the worse mistake to leave it.
pub(super) fn names_other(text: &Text<'_>) -> bool {
    read_other(text).is_some_and(|read| read.name || !matches!(read.cue, Cue::None | Cue::Number | Cue::Thing))
}

/// What is asked for; nothing where it is no more than the rest of what was begun.
fn read_other(text: &Text<'_>) -> Option<Asked> {
    *text.facts().other.get_or_init(|| read_other_now(text))
}

fn read_other_now(text: &Text<'_>) -> Option<Asked> {
    let read = Asked::read(text);
    let has = |list: &[&str]| (0..text.tokens.len()).any(|n| text.one_of(n, list));
    let rest = [
        "next",
        "rest",
        "remaining",
        "part",
        "continue",
        "follows",
        "follow",
        "comes",
        "after",
        "half",
        "go",
        "goes",
        "year",
        "month",
        "day",
        "again",
        "then",
        "last",
        "digits",
        "at",
        "dot",
    ];
    let named = read.name || !matches!(read.cue, Cue::None | Cue::Number | Cue::Thing) || (read.cue == Cue::Thing && !has(&["part"]));
    (text.tokens.len() > REQUEST || named || !has(&rest)).then_some(read)
}

/// What a text announces without saying it: "my card number is", "my name is", "i was born on".
pub(super) fn announced(text: &Text<'_>) -> Option<Asked> {
    *text.facts().announced.get_or_init(|| announced_now(text))
}

fn announced_now(text: &Text<'_>) -> Option<Asked> {
    let mut end = text.tokens.len();
    let small = |n: usize| text.has(n, words::FILLER) || text.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(_)));
    while end > 0 && small(end - 1) {
        end -= 1;
    }
    let last = end.checked_sub(1)?;
    let from = end.saturating_sub(ANNOUNCING);
    let links = ["is", "are", "was", "its", "thats", "be", "in", "on", "the"];
    let links = text.one_of(last, &links) || end < text.tokens.len() && text.sign(end, b':');
    let held = |n: usize| {
        text.get(n)
            .is_some_and(|t| matches!(t.kind, Kind::Digits | Kind::Mask) || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Ordinal | Num::Month))
    };
    let mut number = false;
    for at in (from..end).rev() {
        if held(at) {
            return None;
        }
        if text.word(at, "called") && at + 1 == end && at > 0 && text.one_of(at - 1, &["im", "am"]) {
            return Some(Asked { name: true, ..Asked::default() });
        }
        let behind = end - at - 1;
        if text.has(at, words::NAME) {
            let given = at > 0 && text.one_of(at - 1, &["my", "first", "last", "full", "middle", "family", "given", "second"]);
            let waits = text.word(last, "is") && behind <= 6 || behind == 0 && (text.said(at).len() > 5 || given && end <= 4);
            return (waits && (given || behind == 1)).then_some(Asked { name: true, ..Asked::default() });
        }
        match cue(text, at) {
            Cue::None | Cue::Thing => {}
            Cue::Number => number |= links && behind <= 4,
            found => {
                let birth = found == Cue::Birth && text.word(at, "born") && behind <= 3;
                let lone = end <= 4
                    && behind <= 2
                    && (0..at).all(|n| small(n) || text.letter(n).is_some() || text.has(n, words::WEAK) || text.one_of(n, &["my", "the", "your"]));
                let waits = links && behind <= 8 || lone;
                return (birth || waits).then_some(Asked { cue: found, ..Asked::default() });
            }
        }
        if !(text.has(at, words::NEUTRAL | words::STOP | words::FILLER | words::WEAK) || small(at) || text.letter(at).is_some()) {
            return None;
        }
    }
    number.then_some(Asked { cue: Cue::Number, ..Asked::default() })
}

/// What a text announces and begins to say: "my card number is four five three nine", "my email is anna dot".
fn begun(text: &Text<'_>) -> Option<(Cue, usize)> {
    *text.facts().begun.get_or_init(|| begun_now(text))
}

fn begun_now(text: &Text<'_>) -> Option<(Cue, usize)> {
    let said = |t: &super::tokens::Token| t.kind == Kind::Digits || !matches!(t.info.num, Num::None | Num::Slip | Num::Scale | Num::Hundred | Num::Thousand);
    let last = text.tokens.iter().rposition(said).filter(|at| !text.has(at + 1, words::UNIT));
    let number = last.and_then(|at| Some((announced_before(text, at)?, at)));
    let number = number.or_else(|| {
        let at = last.filter(|at| text.tokens[*at].info.num != Num::Month)?;
        (at.saturating_sub(ANNOUNCING)..at).any(|n| cue(text, n) == Cue::Number).then_some((Cue::Number, at))
    });
    let mail =
        text.tokens.iter().rposition(|t| t.info.cue == Cue::Mail).filter(|at| (at + 1..at + 3).any(|n| text.one_of(n, &["is", "its", "address", "would"])));
    let mail = mail.filter(|at| number.is_none_or(|(_, number)| *at < number));
    // "born in november": a month is a date where a birth is spoken of.
    let lone_month = |(cue, at): &(Cue, usize)| *cue == Cue::Birth || text.tokens[*at].info.num != Num::Month;
    number.filter(lone_month).or_else(|| mail.map(|at| (Cue::Mail, at)))
}

/// The label of the last value in a text, found or masked before, and its last token.
fn last_value(text: &Text<'_>, spans: &[Span]) -> Option<(Label, usize)> {
    let masked = if text.hints.masks { text.tokens.iter().enumerate().rev().find(|(_, t)| t.kind == Kind::Mask) } else { None };
    let masked = masked.and_then(|(n, t)| Some((Label::named(text.said(n).trim_matches(['[', ']']))?, n, t.end as usize)));
    let found = spans.last().and_then(|span| Some((span.label, text.tokens.iter().rposition(|t| t.end as usize <= span.end)?, span.end)));
    let (label, at, _) = found.into_iter().chain(masked).max_by_key(|(_, _, end)| *end)?;
    Some((label, at))
}
