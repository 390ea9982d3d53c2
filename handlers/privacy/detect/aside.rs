//! What people say to gain time in the middle of a value: "let me see here", "hold on".
//!
//! In: tokens and a place. Out: where such a phrase ends or begins. It is no part of the value and takes nothing back.
//! Never fails.

use super::tokens::Text;

/// The phrases; of two that begin alike the longer comes first.
const PHRASES: [&[&str]; 23] = [
    &["let", "me", "see", "here"],
    &["let", "me", "see"],
    &["let", "me", "check"],
    &["let", "me", "look"],
    &["let", "me", "think"],
    &["lets", "see", "here"],
    &["lets", "see"],
    &["hold", "on", "a", "second"],
    &["hold", "on", "a", "sec"],
    &["hold", "on", "one", "second"],
    &["hold", "on"],
    &["hang", "on", "a", "second"],
    &["hang", "on", "a", "sec"],
    &["hang", "on"],
    &["bear", "with", "me"],
    &["give", "me", "a", "second"],
    &["give", "me", "a", "sec"],
    &["give", "me", "a", "moment"],
    &["one", "sec"],
    &["just", "a", "second"],
    &["just", "a", "sec"],
    &["just", "a", "moment"],
    &["you", "know"],
];

/// The place behind the phrase that begins here, or this place.
pub(super) fn end(text: &Text<'_>, at: usize) -> usize {
    let initial = text.said(at).as_bytes().first().map(u8::to_ascii_lowercase);
    if !matches!(initial, Some(b'l' | b'h' | b'b' | b'g' | b'o' | b'j' | b'y')) {
        return at;
    }
    let said = |phrase: &&&[&str]| phrase.iter().enumerate().all(|(n, word)| text.word(at + n, word));
    PHRASES.iter().find(said).map_or(at, |phrase| at + phrase.len())
}

/// The first token of the phrase that ends with this one, or this one.
pub(super) fn begin(text: &Text<'_>, at: usize) -> usize {
    let ends = ["see", "here", "check", "look", "think", "on", "me", "second", "sec", "moment", "know"];
    if !text.one_of(at, &ends) {
        return at;
    }
    (2..=4).rev().filter_map(|length| (at + 1).checked_sub(length)).find(|first| end(text, *first) == at + 1).unwrap_or(at)
}
