//! Words that count elsewhere and count nothing here: "the last four digits", "this one", "oh no".
//!
//! In: tokens and a place. Out: whether the number there is none of a run's. Never fails; looks at a few tokens.

use super::super::tokens::{Kind, Text};
use super::super::words::{self, Num};

/// True where "four" in "the last four digits" tells how many digits come.
pub(super) fn announces(text: &Text<'_>, at: usize) -> bool {
    let counts = |n: usize| text.get(n).is_some_and(|t| matches!(t.info.num, Num::Unit | Num::Teen) || t.kind == Kind::Digits && t.end - t.start <= 2);
    let which = |n: usize| text.one_of(n, &["last", "first", "next", "final", "other", "remaining", "middle"]);
    let tells = |n: usize| text.one_of(n, &["digits", "digit", "are", "is", "numbers", "were", "of"]);
    let announced = |n: usize| n > 0 && counts(n) && which(n - 1) && (tells(n + 1) || text.one_of(n - 1, &["last", "final"]));
    // "and then the three on the back"
    let behind = counts(at)
        && at > 0
        && text.word(at - 1, "the")
        && text.word(at + 1, "on")
        && text.word(at + 2, "the")
        && text.one_of(at + 3, &["back", "front", "reverse"]);
    behind || (which(at) && announced(at + 1)) || announced(at) || (counts(at) && text.one_of(at + 1, &["digits", "digit"]))
}

/// True where a word that counts counts nothing: "one moment", "this one".
pub(super) fn counts_nothing(text: &Text<'_>, at: usize) -> bool {
    if announces(text, at) {
        return true;
    }
    // "oh sorry", "oh no": no zero.
    if text.one_of(at, &["oh", "o"]) && text.has(at + 1, words::CORRECT) {
        return true;
    }
    // "p o number": a letter.
    if text.letter(at).is_some() && at > 0 && (text.letter(at - 1).is_some() || text.sign(at - 1, b'.') && text.get(at - 1).is_some_and(|t| t.glued)) {
        return text.one_of(at + 1, &["number", "numbers", "no", "box", "num", "is", "was"]) || text.sign(at + 1, b'#') || text.sign(at + 1, b'.');
    }
    if !text.word(at, "one") {
        // "that one's"
        let which = ["this", "that", "which", "the", "home", "new", "old", "other", "work", "second", "first", "next", "last"];
        return text.word(at, "ones") && (text.said(at).len() > 4 || at > 0 && text.one_of(at - 1, &which));
    }
    let after = ["second", "sec", "moment", "minute", "of", "more", "thing", "day", "time", "way", "another", "that", "who", "last", "question"];
    let before = ["this", "that", "which", "any", "each", "every", "no", "the", "another", "only", "other", "which", "just", "new", "old", "good", "american"];
    // "the three on the back", "no no one": the digit is one.
    let corrected = at > 1 && text.one_of(at - 1, &["no", "that", "another"]) && text.has(at - 2, words::CORRECT | words::FILLER);
    let named = at > 0 && text.one_of(at - 1, &["american", "other", "new", "old"]);
    // "... nine one that texted me"
    let ends = at > 0
        && text.one_of(at + 1, &["that", "who", "last", "of", "way", "day"])
        && text.get(at - 1).is_some_and(|t| !matches!(t.info.num, Num::None | Num::Slip));
    text.one_of(at + 1, &after) && !ends || named || !corrected && (at > 0 && text.one_of(at - 1, &before) && !follows_digit(text, at + 1))
}

fn follows_digit(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| t.kind == Kind::Digits || matches!(t.info.num, Num::Unit | Num::Repeat))
}
