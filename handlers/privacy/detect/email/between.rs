//! What people say inside a mailbox that is no part of it: "all one word", "no make that", "the number".
//!
//! In: tokens and a place, read backward from the "at". Out: where such words begin. They join nothing and end nothing:
//! the mailbox goes on before them if anything there belongs to it. Never fails; looks at a bounded number of tokens.

use super::super::aside;
use super::super::tokens::Text;
use super::super::words::{self, Num};
use super::spells;

/// Most words of a correction.
const CORRECTION: usize = 6;

/// The first of the words that end here and are no part of the mailbox, if they are such. `right` is where the part behind
/// them begins; nothing was read yet where `none_yet`.
pub(super) fn begin(text: &Text<'_>, at: usize, right: usize, none_yet: bool) -> Option<usize> {
    if let Some(first) = manner(text, at) {
        return Some(first);
    }
    let aside = aside::begin(text, at);
    if aside < at {
        return Some(aside);
    }
    if none_yet {
        return None;
    }
    correction(text, at, spells(text, right)).or_else(|| part_named(text, at, right))
}

/// "all one word", "all together", "no spaces", "in lower case".
fn manner(text: &Text<'_>, at: usize) -> Option<usize> {
    let back = |n: usize, list: &[&str]| at.checked_sub(n).is_some_and(|n| text.one_of(n, list));
    let length = match () {
        () if text.one_of(at, &["word", "string"]) && back(1, &["one", "single"]) => 1,
        () if text.one_of(at, &["spaces", "space", "gaps", "gap", "breaks", "capitals", "caps", "punctuation", "dots", "dashes"]) => match () {
            () if back(1, &["no", "without", "zero"]) => 1,
            () if back(1, &["any"]) && back(2, &["without"]) => 2,
            () if text.one_of(at, &["caps", "capitals"]) => 0,
            () => return None,
        },
        () if text.one_of(at, &["together", "up"]) && back(1, &["run", "joined", "stuck", "squashed", "written", "put", "pushed", "close"]) => 1,
        () if text.one_of(at, &["case", "letters"]) && back(1, &["lower", "upper", "small", "lowercase"]) => 1,
        () if text.one_of(at, &["lowercase", "uppercase", "capital", "together", "altogether"]) => 0,
        () => return None,
    };
    let mut first = at - length;
    while first > 0 && at - first < 5 && text.one_of(first - 1, &["all", "as", "in", "with", "just", "a"]) {
        first -= 1;
    }
    Some(first)
}

/// "scratch that", "no make that", "i mean", "oops no wait"; before digits or letters "no it's" as well.
fn correction(text: &Text<'_>, at: usize, spelled: bool) -> Option<usize> {
    let anew = spelled && text.one_of(at, &["its", "thats"]) && at > 0 && text.has(at - 1, words::CORRECT);
    let mut first = at + 1 - usize::from(anew);
    let mut corrected = None;
    while let Some(n) = first.checked_sub(1).filter(|_| at + 1 - first < CORRECTION) {
        let corrects = text.has(n, words::CORRECT);
        if !corrects && !text.has(n, words::FILLER) && !text.one_of(n, &["that", "it", "i", "meant", "my", "me", "or"]) {
            break;
        }
        if corrects {
            corrected = Some(n);
        }
        first = n;
    }
    let mut first = corrected?;
    // "i mean", "or rather", "my bad"
    while first > 0 && text.one_of(first - 1, &["i", "or", "my", "let", "me"]) && text.has(first, words::CORRECT) && !text.has(first, words::FILLER) {
        first -= 1;
        if !text.one_of(first, &["me"]) {
            break;
        }
    }
    Some(first)
}

/// "the number" before digits, "the letter" before letters, "the word" before a word.
fn part_named(text: &Text<'_>, at: usize, right: usize) -> Option<usize> {
    let digits = text.one_of(at, &["number", "numbers", "digit", "digits", "numeral", "numerals", "figures"]) && spells(text, right);
    let letters = text.one_of(at, &["letter", "letters", "initial", "initials"]) && text.spoken_letter(right).is_some();
    if !digits && !letters && !text.word(at, "word") {
        return None;
    }
    let mut first = at;
    for list in [&["the", "a"][..], &["with", "and", "then", "by"], &["followed"]] {
        first -= usize::from(first > 0 && text.one_of(first - 1, list));
    }
    Some(first)
}

/// True for "one" where it is no digit: "the new one is", "that one's", "a long one sorry".
pub(super) fn is_pronoun(text: &Text<'_>, at: usize) -> bool {
    const WHICH: [&str; 34] = [
        "long", "new", "old", "personal", "work", "other", "easy", "simple", "short", "tricky", "funny", "silly", "right", "correct", "wrong", "business",
        "main", "home", "school", "private", "current", "another", "this", "that", "which", "the", "my", "only", "good", "best", "weird", "odd", "hard",
        "usual",
    ];
    if text.word(at, "ones") {
        return true;
    }
    let which = at > 0 && text.one_of(at - 1, &WHICH);
    text.word(at, "one")
        && (text.one_of(at + 1, &["is", "was", "would", "should", "will"]) || which && (text.has(at + 1, words::CORRECT) || text.sign(at + 1, b',')))
}

/// A mailbox that is no person's, though its word is one that people say elsewhere: "hello at", "contact at".
pub(super) fn is_office(text: &Text<'_>, at: usize) -> bool {
    text.one_of(at, &["hello", "contact", "help", "mail", "hi", "office"])
}

/// True behind what leads to such a mailbox.
pub(super) fn leads_to_office(text: &Text<'_>, at: usize) -> bool {
    at > 0 && (text.has(at - 1, words::CORRECT) || text.one_of(at - 1, &["use", "have", "with", "from", "under", "using", "try", "got"]))
}

/// True for a comma before or behind "all one word" and the like.
pub(super) fn beside_manner(text: &Text<'_>, comma: usize) -> bool {
    comma > 0 && manner(text, comma - 1).is_some() || (comma + 1..comma + 6).any(|end| manner(text, end) == Some(comma + 1))
}

/// The place behind "all one word" and the like and the commas around it: "info at, all one word, example dot com".
pub(super) fn behind_manner(text: &Text<'_>, at: usize) -> usize {
    let comma = |n: usize| n + usize::from(text.sign(n, b','));
    let begin = comma(at);
    (begin..begin + 5).rev().find(|end| manner(text, *end) == Some(begin)).map_or(at, |end| comma(end + 1))
}

/// True for a sign that is named as the wrong one: "not a dash sorry".
pub(super) fn denied(text: &Text<'_>, at: usize) -> bool {
    let article = usize::from(at > 0 && text.one_of(at - 1, &["a", "an", "the"]));
    at > article && text.word(at - article - 1, "not")
}

/// True for how old somebody was: "i was fifteen".
pub(super) fn is_age(text: &Text<'_>, at: usize) -> bool {
    let counts = text.get(at).is_some_and(|t| matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens));
    counts && at > 1 && text.one_of(at - 1, &["was", "turned", "am", "were"]) && text.one_of(at - 2, &["i", "he", "she", "we", "they"])
}
