//! Names that are known as such where people are spoken of: "my husband john", "a lady named patricia", "payable to emily
//! okonkwo", "reservation for kowalski".
//!
//! In: tokens and a place. Out: the name that stands there. Never fails.

use super::super::asked::Asked;
use super::super::tokens::{Kind, Text};
use super::super::words::{self, Cue, Num};
use super::company::company;
use super::name;

/// Who is called by a given name behind it.
const PEOPLE: [&str; 32] = [
    "husband",
    "wife",
    "son",
    "daughter",
    "mother",
    "father",
    "mom",
    "mum",
    "dad",
    "brother",
    "sister",
    "partner",
    "girlfriend",
    "boyfriend",
    "fiance",
    "fiancee",
    "roommate",
    "neighbor",
    "neighbour",
    "boss",
    "colleague",
    "coworker",
    "aunt",
    "uncle",
    "cousin",
    "grandson",
    "granddaughter",
    "nephew",
    "niece",
    "landlord",
    "assistant",
    "friend",
];

/// The name that begins at this place or behind the words that lead to it.
pub(super) fn spoken_of(text: &Text<'_>, at: usize, asked: Asked, shouted: bool) -> Option<(usize, usize, f32)> {
    let family = |n: usize| text.has(n, words::FAMILY);
    if text.has(at, words::GIVEN) {
        // "my email's raj hoffmann": the beginning of an address.
        let mail = asked.cue == Cue::Mail || (at.saturating_sub(5)..at).any(|n| text.get(n).is_some_and(|t| t.info.cue == Cue::Mail));
        if mail {
            return None;
        }
        return if led_to(text, at) { named(text, at, shouted) } else { pair(text, at, shouted) };
    }
    if !family(at) {
        return titled(text, at);
    }
    // "doctor ramirez"
    let title = at > 0 && text.one_of(at - 1, &["doctor", "officer", "miss", "professor", "attorney", "captain", "nurse", "sergeant", "judge", "detective"]);
    // "under hernandez", "reservation for kowalski"
    let under = at > 0 && text.word(at - 1, "under");
    let held = at > 1 && text.word(at - 1, "for") && text.one_of(at - 2, &["reservation", "booking", "appointment", "table", "order"]);
    if !(title || under || held) || text.get(at).is_none_or(|t| t.info.num != Num::None) {
        return None;
    }
    named(text, at, shouted).filter(|(_, last, _)| follows(text, *last) && !company(text, at, *last))
}

/// "doctor nowak asked me": a word that is known as nothing else, between a title and what somebody does.
fn titled(text: &Text<'_>, at: usize) -> Option<(usize, usize, f32)> {
    const DOES: [&str; 18] = [
        "asked",
        "said",
        "told",
        "wants",
        "wanted",
        "called",
        "prescribed",
        "referred",
        "recommended",
        "sent",
        "gave",
        "suggested",
        "says",
        "saw",
        "wrote",
        "ordered",
        "put",
        "mentioned",
    ];
    const NONE: u32 = words::STOP | words::NO_NAME | words::FILLER | words::WEAK | words::NEUTRAL | words::CORRECT | words::REMARK | words::PLACE | words::UNIT;
    let title = at > 0 && text.one_of(at - 1, &["doctor", "dr", "nurse", "professor", "officer", "sergeant", "detective"]);
    let word = |n: usize| text.get(n).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 2 && t.info.num == Num::None && t.info.cue == Cue::None);
    let named = title && word(at) && !text.has(at, NONE) && text.one_of(at + 1, &DOES);
    named.then_some((at, at, 0.6))
}

/// The name that begins here, of at most two words where the second is no family name.
fn named(text: &Text<'_>, at: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let (first, last, _) = name(text, at, shouted)?;
    let known =
        |n: usize| text.has(n, words::GIVEN | words::FAMILY | words::WORD_NAME | words::PARTICLE) || text.letter(n).is_some() || capital_inside(text, n);
    let last = (first..=last).take_while(|n| *n == first || known(*n) || text.sign(*n, b'-') || text.sign(*n, b'.')).last()?;
    (!company(text, first, last)).then_some((first, last, 0.6))
}

fn capital_inside(text: &Text<'_>, at: usize) -> bool {
    text.said(at).starts_with(char::is_uppercase)
}

/// True where the words before a given name tell that somebody is called so.
fn led_to(text: &Text<'_>, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    let whose = |n: usize| n > 0 && text.one_of(n - 1, &["my", "his", "her", "our", "their", "your"]);
    // "bill" and the like: what follows a relation is a name; behind other words it takes more.
    let thing =
        text.one_of(at, &["bill", "mark", "grace", "rose", "grant", "art", "jack", "frank", "miles", "max", "victoria", "charlotte", "madison", "jose"]);
    match () {
        () if text.one_of(before, &PEOPLE) && whose(before) => true,
        () if text.one_of(before, &["named", "called"]) => {
            before > 0
                && text.one_of(before - 1, &["lady", "guy", "man", "woman", "someone", "somebody", "person", "girl", "agent", "rep", "gentleman", "colleague"])
        }
        () if text.word(before, "by") && before > 0 => text.one_of(before - 1, &["go", "goes", "going", "went"]) && !thing,
        // "is olga there"
        () if text.word(before, "is") && (before == 0 || text.one_of(before - 1, &["hi", "hello", "hey", "um"])) => {
            text.one_of(at + 1, &["there", "available", "around", "in"])
                && text.get(at + 2).is_none_or(|t| t.kind != Kind::Word || text.one_of(at + 2, &["today", "please"]))
                && !thing
        }
        // "[PERSON_NAME] ... no, it's emilia"
        () if text.one_of(before, &["its"]) || text.word(before, "is") && before > 0 && text.word(before - 1, "it") => {
            (before.saturating_sub(4)..before).any(|n| named_before(text, n)) && follows(text, at)
        }
        () => false,
    }
}

/// True for a value before which a name is announced.
fn named_before(text: &Text<'_>, at: usize) -> bool {
    let announces = |n: usize| text.has(n, words::NAME) || text.one_of(n, &["go", "goes", "called"]);
    text.get(at).is_some_and(|t| t.kind == Kind::Mask) && (at.saturating_sub(4)..at).any(announces)
}

/// A given name and a family name side by side, as a person's whole name: no street, no thing that is called so.
fn pair(text: &Text<'_>, at: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let next = at + 1 + usize::from(text.letter(at + 1).is_some());
    if !text.has(next, words::FAMILY) || text.get(next).is_none_or(|t| t.info.num != Num::None) {
        return None;
    }
    let things =
        ["a", "an", "the", "saint", "st", "san", "santa", "at", "new", "old", "via", "visit", "near", "this", "that", "these", "from", "in", "de", "and", "or"];
    if at > 0
        && (text.one_of(at - 1, &things)
            || text.has(at - 1, words::GIVEN)
            || text.get(at - 1).is_some_and(|t| t.kind == Kind::Digits || t.info.num != Num::None && t.info.num != Num::Slip))
    {
        return None;
    }
    named(text, at, shouted).filter(|(_, last, _)| *last >= next && follows(text, *last))
}

/// True where this goes on with a name, or ends what holds one.
pub(super) fn follows_name(text: &Text<'_>, at: usize) -> bool {
    text.has(at, words::GIVEN | words::FAMILY | words::WORD_NAME | words::PARTICLE)
        || capital_inside(text, at)
        || text.letter(at).is_some()
        || text.get(at).is_none_or(|t| matches!(t.kind, Kind::Sign(_)))
}

/// True where a name may end: what follows is no noun that it belongs to.
fn follows(text: &Text<'_>, last: usize) -> bool {
    let next = last + 1;
    let goes_on =
        ["who", "whos", "she", "he", "will", "said", "says", "told", "hes", "shes", "party", "dob", "born", "both", "here", "there", "speaking", "calling"];
    text.get(next).is_none_or(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'?' | b'!' | b';' | b')') | Kind::Mask))
        || text.has(next, words::STOP | words::AT | words::FILLER | words::NEUTRAL | words::CORRECT)
        || text.one_of(next, &goes_on)
}
