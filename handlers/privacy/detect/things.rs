//! Whose number it is that words announce: a thing's ("the part number for the gasket is"), or somebody's.
//!
//! In: tokens and a place. Out: whether a thing is what the number before which one stands is said to be of. A noun before
//! "number" that is of no person, no place with a telephone and no telephone is a thing's. Never fails; looks at a bounded
//! number of tokens.

use super::context::cue;
use super::email::letter_of_word;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};

/// Most tokens of what a number is said to be.
const SUBJECT: usize = 18;

/// Ends of words that say where a telephone is: "spanish", "canadian", "chinese".
const ENDS: [&str; 4] = ["ish", "ian", "ese", "ican"];

/// Nouns before "number" that mean other things elsewhere.
const NUMBERED: [&str; 6] = ["file", "check", "cheque", "fault", "point", "statement"];

/// Nouns before "id" that mean other things elsewhere.
const IDENTIFIED: [&str; 4] = ["site", "box", "key", "file"];

/// True where "number" stands here behind a noun that is a thing's for all that is known: "application number".
pub(super) fn numbered(text: &Text<'_>, at: usize) -> bool {
    // "complaint er number"
    let Some(before) = (at.saturating_sub(3)..at).rev().find(|n| !text.has(*n, words::FILLER)) else { return false };
    let named = text.one_of(at, &["number", "numbers", "num"]);
    // "the coupon's number"
    if named && text.said(before).strip_suffix("'s").is_some_and(|owner| words::look_up(owner).cue == Cue::Thing) {
        return true;
    }
    // "sr number"
    let short = named && text.get(before).is_some_and(|t| t.kind == Kind::Word && t.end - t.start == 2 && t.info.flags == 0 && t.info.cue == Cue::None);
    if short && text.get(before).is_some_and(|t| t.info.num == Num::None) && !text.one_of(before, &["hq", "hr", "gp", "pa", "ex", "vp", "rv"]) {
        return true;
    }
    (named || text.one_of(at, &["id", "ids"]))
        && (noun(text, before) && !of_telephones(text, before) || text.one_of(before, if named { &NUMBERED[..] } else { &IDENTIFIED[..] }))
}

/// True for a word that tells what somebody does: "the gate man", "the bus driver", "the claims adjuster".
pub(super) fn is_somebody(text: &Text<'_>, at: usize) -> bool {
    const DOES: [&str; 18] = [
        "man", "mans", "woman", "womans", "guy", "guys", "lady", "ladys", "guard", "guards", "driver", "drivers", "manager", "managers", "keeper", "keepers",
        "adjuster", "agents",
    ];
    text.one_of(at, &DOES)
}

/// True for a word that may be a noun, and announces nothing that is known.
fn noun(text: &Text<'_>, at: usize) -> bool {
    const NONE: u32 = words::STOP
        | words::NEUTRAL
        | words::WEAK
        | words::FILLER
        | words::CORRECT
        | words::TITLE
        | words::PROVIDER
        | words::INTRO
        | words::UNIT
        | words::REMARK;
    text.get(at).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 2 && t.info.cue == Cue::None && t.info.num == Num::None && t.info.sign == 0)
        && !text.has(at, NONE | words::GIVEN | words::FAMILY)
}

/// True for what is no noun by its form, or stands before telephones that do not answer: "slowly", "if that's busy".
fn says_how(text: &Text<'_>, at: usize) -> bool {
    let said = text.said(at);
    said.ends_with("ly")
        || said.ends_with("ed")
        || text.one_of(
            at,
            &[
                "busy", "engaged", "occupied", "add", "show", "prefer", "gave", "accept", "note", "case", "owns", "off", "read", "prints", "save", "freeze",
                "run", "recharge", "reload",
            ],
        )
}

fn of_telephones(text: &Text<'_>, at: usize) -> bool {
    let said = text.said(at);
    text.has(at, words::TELEPHONED) || said.ends_with("'s") || ENDS.iter().any(|end| said.ends_with(end))
}

/// True where letters are spelled right before this place that stand for what a thing is known by: "e a n", "i n c".
pub(super) fn abbreviated(text: &Text<'_>, first: usize) -> bool {
    let links = |n: usize| {
        text.one_of(n, &["is", "was", "number", "code", "ends", "begins", "starts", "in", "with"])
            || text.has(n, words::FILLER)
            || text.sign(n, b':')
            || text.sign(n, b',')
            || text.sign(n, b'-')
            || text.one_of(n, &["dash", "hyphen", "slash"])
    };
    let mut end = first;
    while end > 0 && first - end < 3 && links(end - 1) {
        end -= 1;
    }
    let mut from = end;
    let mut letters = String::new();
    while let Some(letter) = from.checked_sub(1).filter(|_| letters.len() < 6).and_then(|n| text.letter(n)) {
        letters.insert(0, char::from(letter.to_ascii_lowercase()));
        from -= 1;
    }
    let named = (from.saturating_sub(4)..from).any(|n| text.has(n, words::NAME | words::SPELL));
    // "i a" are words, "u s" and "u k" are where a telephone is.
    let none = ["us", "uk", "id", "ok", "tv", "eu", "am", "pm", "ai", "ia", "cc", "ph", "ac", "ip", "dl", "nz", "sa", "in"];
    (2..=5).contains(&letters.len()) && !named && !none.contains(&letters.as_str()) && matches!(words::look_up(&letters).cue, Cue::None | Cue::Thing)
}

/// Most tokens of the letters before a code's digits.
const CODE: usize = 40;

/// Where the letters begin that stand right before digits as a code's: "b as in bravo a for alpha dash", "lima alpha dash",
/// "y dash"; and whether that is sure, as a letter alone may be anything. Nothing where there are none, or they spell a name.
pub(super) fn coded(text: &Text<'_>, first: usize) -> Option<(usize, bool)> {
    let dash = |n: usize| {
        text.one_of(n, &["dash", "hyphen", "slash", "stroke"]) || (text.sign(n, b'-') || text.sign(n, b'/')) && !text.get(n).is_some_and(|t| t.glued)
    };
    let small = |n: usize| text.has(n, words::FILLER) && text.letter(n).is_none() || text.sign(n, b',') || text.one_of(n, &["then", "space"]);
    let (mut at, mut begin) = (first, first);
    let (mut dashed, mut spelled) = (false, false);
    while at > 0 && first - at < CODE {
        let ended = [4, 3, 2].into_iter().filter_map(|n| at.checked_sub(n)).find(|n| letter_of_word(text, *n) == Some(at));
        match ended {
            Some(letter) => (at, begin, spelled) = (letter, letter, true),
            None if text.spoken_letter(at - 1).is_some() && text.get(at - 1).is_none_or(|t| matches!(t.info.num, Num::None | Num::Month)) => {
                spelled |= text.letter(at - 1).is_none();
                (at, begin) = (at - 1, at - 1);
            }
            None if dash(at - 1) => {
                dashed = true;
                at -= 1;
            }
            None if small(at - 1) => at -= 1,
            None => break,
        }
    }
    let abbreviation = (begin..first).any(|n| !matches!(cue(text, n), Cue::None | Cue::Thing));
    let named =
        || (begin.saturating_sub(6)..first).any(|n| text.has(n, words::NAME | words::SPELL | words::GIVEN | words::FAMILY) && text.spoken_letter(n).is_none());
    let article = begin + 1 == first && matches!(text.letter(begin), Some(b'A' | b'I' | b'O' | b'U'));
    let alone = begin + 1 == first && !article;
    (begin < first && (dashed || spelled || alone) && !abbreviation && !named()).then_some((begin, dashed || spelled))
}

/// What the words before a number say of whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Whose {
    /// Nothing.
    #[default]
    Unsaid,
    /// Something's of which nothing is known: "the estimate you printed is".
    Unknown,
    /// A thing's.
    Thing,
    /// Somebody's telephone or card, whatever thing it is for.
    Somebody,
}

/// What links a number to what it is of.
const VERBS: [&str; 16] =
    ["is", "was", "says", "said", "reads", "shows", "be", "begins", "starts", "equals", "ends", "has", "had", "thats", "stamped", "marked"];

/// Whose the number is by the clause before it, whatever is told of that before the verb: "the ticket you gave me last time
/// was", "your reference for today's call is".
pub(super) fn whose(text: &Text<'_>, first: usize) -> Whose {
    if abbreviated(text, first) {
        return Whose::Thing;
    }
    let ends = |n: usize| n > 0 && text.one_of(n, &["in", "with"]) && text.one_of(n - 1, &["ends", "begins", "starts", "ending", "beginning"]);
    let small = |n: usize| {
        text.has(n, words::FILLER)
            || text.sign(n, b',')
            || text.sign(n, b':')
            || text.one_of(n, &["it", "that", "like", "as", "marked", "stamped", "labelled", "labeled", "numbered", "number"])
            || ends(n)
    };
    let mut behind = first;
    while behind > 0 && first - behind < 4 && small(behind - 1) {
        behind -= 1;
    }
    let Some(verb) = behind.checked_sub(1).filter(|n| text.one_of(*n, &VERBS)) else {
        // "itinerary seven two nine ..."
        let beside = first.checked_sub(1).is_some_and(|n| noun(text, n) && !of_telephones(text, n) && !says_how(text, n));
        return if beside { Whose::Unknown } else { Whose::Unsaid };
    };
    let begin = clause(text, verb);
    let Some(head) = (begin..verb).find(|n| !matches!(cue(text, *n), Cue::None | Cue::Number | Cue::Mail)) else {
        let known = (begin..verb).any(|n| begins_anew(text, n) || text.has(n, words::GIVEN | words::FAMILY | words::NAME));
        let nouns = |telephoned: bool| {
            let one = |n: usize| noun(text, n) && n > 0 && determined(text, n - 1) && !text.said(n).ends_with("'s");
            (begin..verb).any(one) && (telephoned || !(begin..verb).any(|n| of_telephones(text, n) && !text.said(n).ends_with("'s")))
        };
        // "the safe box key is number"
        let numbered = (verb + 1..first).any(|n| text.word(n, "number"));
        return match () {
            () if !known && number_on_a_thing(text, begin, verb) => Whose::Unknown,
            () if known || !nouns(numbered) => Whose::Unsaid,
            () if numbered => Whose::Thing,
            () => Whose::Unknown,
        };
    };
    // What is named behind it at once is what it is: "the card reference", "the credit note".
    let noun = (head..verb).take_while(|n| *n == head || !matches!(cue(text, *n), Cue::None)).last().unwrap_or(head);
    let thing = cue(text, noun) == Cue::Thing || (head..=noun).any(|n| cue(text, n) == Cue::Thing) && cue(text, noun) == Cue::Number;
    let own = matches!(cue(text, noun), Cue::Phone | Cue::Card) && !text.word(noun, "charge");
    match () {
        () if thing && (noun + 1..verb).all(|n| !begins_anew(text, n)) => Whose::Thing,
        // "the phone number for my order is", "the card i used for the ticket was"
        () if own || matches!(cue(text, head), Cue::Phone | Cue::Card) && cue(text, noun) == Cue::Number => Whose::Somebody,
        () => Whose::Unsaid,
    }
}

/// True for "the number on the box", whatever that is; what somebody is known by holds telephone numbers: "on the account".
fn number_on_a_thing(text: &Text<'_>, begin: usize, verb: usize) -> bool {
    const OWN: [&str; 14] =
        ["account", "file", "record", "records", "profile", "system", "form", "website", "site", "letter", "screen", "contract", "list", "voicemail"];
    let at = (begin..verb).find(|n| text.one_of(*n, &["number", "numbers", "digits"]) && text.one_of(n + 1, &["on", "in", "under"]));
    at.is_some_and(|at| {
        text.one_of(at + 2, &["the", "my", "this", "that", "our", "your", "its"]) && !(at + 3..verb).any(|n| text.one_of(n, &OWN)) && at + 3 < verb
    })
}

/// True for a word that a noun follows.
fn determined(text: &Text<'_>, at: usize) -> bool {
    text.one_of(at, &["the", "a", "an", "this", "that", "my", "your", "our", "their", "his", "her"]) || noun(text, at)
}

/// Where the clause begins that ends with the verb at this place.
fn clause(text: &Text<'_>, verb: usize) -> usize {
    let ends = |n: usize| {
        let token = text.get(n);
        token.is_none_or(|t| matches!(t.kind, Kind::Mask | Kind::Digits | Kind::Sign(b'.' | b'?' | b'!' | b';')))
            || text.one_of(n, &["and", "but", "so", "because", "cause", "since", "if", "when", "where", "or", "then"])
            || text.one_of(n, &["is", "are", "was", "were", "isnt", "wasnt", "hasnt", "its"])
                && !text.one_of(n + 1, &["given", "told", "sent", "quoted", "issued", "assigned", "emailed", "handed", "printed", "on"])
    };
    // "with a rail card the rental agreement is"
    let anew = |n: usize| {
        text.one_of(n + 1, &["the", "my", "your", "our", "a", "an"]) && text.get(n).is_some_and(|t| matches!(t.info.cue, Cue::Card | Cue::Phone | Cue::Account))
    };
    // "no internet your ticket number is"
    let anew = |n: usize| anew(n) || text.one_of(n + 1, &["the", "my", "your", "our"]) && cue(text, n + 2) == Cue::Thing && noun(text, n);
    (verb.saturating_sub(SUBJECT)..verb).rev().find(|n| ends(*n) || anew(*n)).map_or(verb.saturating_sub(SUBJECT), |n| n + 1)
}

/// True where another subject stands here, which is somebody's: "my number", "call me", not "on my phone".
fn begins_anew(text: &Text<'_>, at: usize) -> bool {
    let found = cue(text, at);
    let within = (at.saturating_sub(3)..at).any(|n| text.one_of(n, &["on", "for", "of", "from", "with", "in", "to", "by", "about", "over", "during", "per"]));
    let owned = at > 0 && text.one_of(at - 1, &["my", "his", "her", "our", "their"]);
    let calls = text.one_of(at, &["call", "text", "ring", "reach", "contact"]) && text.one_of(at + 1, &["me", "us", "him", "her", "them", "back"]);
    match found {
        Cue::None | Cue::Thing | Cue::Mail => false,
        Cue::Number => calls || owned && !within,
        _ => !within,
    }
}
