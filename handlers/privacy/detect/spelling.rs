//! Names that are spelled: "smith s m i t h", "k a u r, kilo alpha uniform romeo", "s as in sam".
//!
//! In: tokens and a place. Out: the first and last token of the letters, and how sure it is that they are a name's. Never
//! fails; looks at a bounded number of tokens.

mod ordinary;

use super::tokens::{Kind, Text};
use super::words::{self, Cue};
use ordinary::of_a_word;

/// The last token of the letters that spell what ends here, or its own last token.
pub(super) fn spelled_after(text: &Text<'_>, last: usize) -> usize {
    let mut at = last + 1;
    let bridge = ["thats", "that's", "that", "is", "spelled", "spelt", "spell", "its", "spelling", "it's", "so", "as", "uh", "um"];
    let mut steps = 0;
    while steps < 5 && (text.one_of(at, &bridge) || text.sign(at, b',') || text.sign(at, b'.') || text.sign(at, b'-') || text.sign(at, b'(')) {
        at += 1;
        steps += 1;
    }
    letters(text, at, 2).unwrap_or(last)
}

/// "smith s m i t h": a word and its letters.
pub(super) fn spells_itself(text: &Text<'_>, at: usize) -> Option<(usize, usize, f32)> {
    let said = text.get(at).filter(|t| t.kind == Kind::Word && t.end - t.start > 2).map(|_| text.said(at))?;
    let mut next = at + 1;
    while next < at + 4 && (text.one_of(next, &["thats", "spelled", "spelt", "is", "its", "so"]) || text.has(next, words::FILLER) || text.sign(next, b',')) {
        next += 1;
    }
    let mut spelled = 0;
    for letter in said.bytes() {
        next += usize::from(text.sign(next, b'-') || text.sign(next, b',') || text.sign(next, b'.'));
        if text.letter(next) != Some(letter.to_ascii_uppercase()) {
            return None;
        }
        spelled = next;
        next += 1;
    }
    if of_a_word(text, at + 1) {
        return None;
    }
    Some((at, spelled, 0.6))
}

/// Two letters or more with nothing else around, where a name is being said: "spelled k a", "u r".
pub(super) fn few_letters(text: &Text<'_>, at: usize) -> Option<(usize, usize, f32)> {
    let ends = ["thanks", "okay", "ok", "please", "spelled", "spelt", "spell"];
    let small = |n: usize| {
        text.has(n, words::FILLER)
            || text.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(_)))
            || text.letter(n).is_none() && text.has(n, words::WEAK)
            || text.one_of(n, &ends)
    };
    let last = (0..at).all(small).then(|| letters(text, at, 2)).flatten()?;
    (last + 1..text.tokens.len()).all(small).then_some((at, last, 0.6))
}

/// True where "that's my surname" follows the letters that begin here.
fn names_behind(text: &Text<'_>, at: usize) -> bool {
    letters(text, at, 3).is_some_and(|last| text.one_of(last + 1, &["thats", "is"]) && (last + 2..last + 5).any(|n| text.has(n, words::NAME)))
}

/// Letters that spell a name which was announced before: "last name s m i t h", "it is spelled s m i t h".
pub(super) fn spelled(text: &Text<'_>, at: usize, announced: bool) -> Option<(usize, usize, f32)> {
    let begins = text.letter(at).is_some() || text.has(at, words::NATO);
    let fresh = at == 0 || text.letter(at - 1).is_none();
    let announced = announced || (at.saturating_sub(3)..at).any(|n| text.one_of(n, &["spelled", "spelt"]));
    let announced = announced || text.hints.names && at > 1 && text.one_of(at - 2, &["spell"]) && begins && names_behind(text, at);
    // "i'll spell it for you n o v a k"
    let offered = begins && (at.saturating_sub(5)..at).any(|n| text.word(n, "spell")) && text.letter(at).is_some() && letters(text, at, 4).is_some();
    let announced = announced || offered;
    // "my name is nowhere on that form also u p s ...", "my name ... and the code is x q g"
    let of_a_name = |n: &usize| text.has(*n, words::NAME | words::SPELL) || text.get(*n).is_some_and(|t| t.kind == Kind::Mask);
    let from = (at.saturating_sub(16)..at).rev().find(of_a_name).unwrap_or(at);
    if (from..at).any(|n| text.has(n, words::NO_NAME) || text.get(n).is_some_and(|t| t.info.cue == Cue::Thing) || text.one_of(n, &["code", "codes"])) {
        return None;
    }
    if !(announced && begins && fresh) || text.has(at, words::NATO) && text.letter(at).is_none() && !text.has(at + 1, words::NATO) {
        return None;
    }
    // "spelled with a c or a k"
    if text.word(at, "a") && at > 0 && text.one_of(at - 1, &["with", "or", "and"]) && text.letter(at + 2).is_none() {
        return None;
    }
    // "the name of the app spelled k a y a k"
    if (at.saturating_sub(12)..at).rev().find(|n| text.has(*n, words::NAME)).is_some_and(|n| super::names::names_a_thing(text, n)) {
        return None;
    }
    if of_a_word(text, at) {
        return None;
    }
    // "dot t x t", "a p d f": what files are.
    if extension(text, at) {
        return None;
    }
    let near = (at.saturating_sub(12)..at).any(|n| text.has(n, words::NAME | words::SPELL) || text.get(n).is_some_and(|t| t.kind == Kind::Mask)) || at < 8;
    near.then(|| letters(text, at, 3)).flatten().map(|last| (at, last, 0.7))
}

/// True for letters that say what kind of file it is.
fn extension(text: &Text<'_>, at: usize) -> bool {
    const KINDS: [&str; 27] = [
        "txt", "pdf", "doc", "docx", "xls", "xlsx", "csv", "jpg", "jpeg", "png", "gif", "zip", "exe", "mpg", "mov", "avi", "ppt", "pptx", "xml", "html", "htm",
        "json", "bat", "iso", "rar", "ini", "dll",
    ];
    let end = (at..at + 6).find(|n| text.letter(*n).is_none()).unwrap_or(at + 6);
    let said = |kind: &str| kind.len() == end - at && kind.bytes().zip(at..end).all(|(letter, n)| text.letter(n) == Some(letter.to_ascii_uppercase()));
    KINDS.iter().any(|kind| said(kind))
}

/// The last token of at least so many letters in a row, with signs and "as in" between.
pub(super) fn letters(text: &Text<'_>, from: usize, least: usize) -> Option<usize> {
    let mut count = 0;
    let mut last = None;
    let mut at = from;
    while at < from + 90 {
        let step = if text.word(at, "double") && text.spoken_letter(at + 1).is_some() { 1 } else { 0 };
        if text.spoken_letter(at + step).is_none() {
            break;
        }
        count += 1 + step;
        at += 1 + step;
        let letter = text.letter(at - 1);
        let same = |n: usize| text.said(n).as_bytes().first().map(u8::to_ascii_uppercase) == letter && text.letter(n).is_none();
        if letter.is_some() && text.word(at, "as") && text.word(at + 1, "in") && text.get(at + 2).is_some_and(|t| t.kind == Kind::Word) {
            at += 3;
        } else if letter == Some(b'X') && text.word(at, "ray") {
            // "x ray"
            at += 1;
        } else if letter.is_some() && text.one_of(at, &["for", "like", "as"]) && same(at + 1) {
            at += 2;
        }
        last = Some(at - 1);
        while text.sign(at, b'-') || text.sign(at, b',') || text.sign(at, b'.') || text.has(at, words::FILLER) || text.one_of(at, &["then", "space"]) {
            at += 1;
        }
    }
    last.filter(|_| count >= least)
}
