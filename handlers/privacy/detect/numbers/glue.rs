//! What is glued to digits and makes them part of something else: letters, money, times, thousands.
//!
//! In: tokens and the place of digits. Out: whether they stand for themselves. Never fails; looks at a bounded number of
//! tokens.

use super::super::tokens::{Kind, Text};
use super::super::words::{Cue, Num};

/// True for digits that are not glued to letters, money, times or thousands.
pub(super) fn free(text: &Text<'_>, at: usize) -> bool {
    let money = at > 0 && text.sign(at - 1, b'$');
    !money && !joined_before(text, at) && !joined_after(text, at)
}

/// Most tokens that are followed from glue to glue.
const CHAIN: usize = 10;

fn is(text: &Text<'_>, at: usize, kinds: fn(Kind) -> bool) -> bool {
    text.get(at).is_some_and(|t| kinds(t.kind))
}

/// A hyphen of one byte; longer dashes join sentences, not names.
fn hyphen(text: &Text<'_>, at: usize) -> bool {
    text.sign(at, b'-') && text.get(at).is_some_and(|t| t.end - t.start == 1)
}

/// True for a word that counts, and for what stands before numbers with a hyphen.
fn harmless(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| !matches!(t.info.num, Num::None | Num::Month | Num::Ordinal) || t.info.cue == Cue::Phone)
}

/// "INV-2024", "a716-4466", "$5", "10:30", "1,234".
fn joined_before(text: &Text<'_>, start: usize) -> bool {
    let mut at = start;
    while at > 0 && start - at < CHAIN && text.get(at).is_some_and(|t| t.glued) {
        let digits = is(text, at, |kind| kind == Kind::Digits);
        if digits && is(text, at - 1, |kind| matches!(kind, Kind::Word | Kind::Sign(b'$' | b'\\' | b'&' | b'*'))) {
            return true;
        }
        // "file_2024_01": a name; "425_555_0123": only digits.
        if text.sign(at, b'_') && is(text, at - 1, |kind| kind == Kind::Word) {
            return true;
        }
        if hyphen(text, at) && is(text, at - 1, |kind| kind == Kind::Word) && !harmless(text, at - 1) {
            return true;
        }
        let thousands = text.sign(at - 1, b',') && text.get(at).is_some_and(|t| t.end - t.start == 3);
        let inside = at > 1 && text.get(at - 1).is_some_and(|t| t.glued) && is(text, at - 2, |kind| kind == Kind::Digits);
        let minutes = text.sign(at - 1, b':') && text.get(at).is_some_and(|t| t.end - t.start == 2);
        if digits && inside && (thousands || minutes) {
            return true;
        }
        if !is(text, at - 1, |kind| matches!(kind, Kind::Digits | Kind::Sign(b'-' | b'_'))) {
            return false;
        }
        at -= 1;
    }
    false
}

/// The same on the other side: "446655-a", "5%", "3rd"; but "0123x45" goes on with an extension.
fn joined_after(text: &Text<'_>, start: usize) -> bool {
    let mut at = start;
    while at - start < CHAIN && text.glued_after(at) {
        let digits = is(text, at, |kind| kind == Kind::Digits);
        if digits && is(text, at + 1, |kind| matches!(kind, Kind::Sign(b'%' | b'$' | b'&' | b'*'))) {
            return true;
        }
        if text.sign(at, b'_') && is(text, at + 1, |kind| kind == Kind::Word) {
            return true;
        }
        if is(text, at + 1, |kind| kind == Kind::Word) && (digits || hyphen(text, at)) {
            let goes_on = text.one_of(at + 1, &["x", "ext", "extn", "extension"]) || (hyphen(text, at) && harmless(text, at + 1));
            return !goes_on;
        }
        let thousands = text.sign(at + 1, b',') && text.get(at + 2).is_some_and(|t| t.end - t.start == 3);
        let inside = text.glued_after(at + 1) && is(text, at + 2, |kind| kind == Kind::Digits);
        let address = at > 0 && text.sign(at - 1, b'.') && text.get(at).is_some_and(|t| t.glued);
        let minutes = !address && text.sign(at + 1, b':') && text.get(at + 2).is_some_and(|t| t.end - t.start == 2);
        if digits && inside && (thousands || minutes) {
            return true;
        }
        if !is(text, at + 1, |kind| matches!(kind, Kind::Digits | Kind::Sign(b'-' | b'_'))) {
            return false;
        }
        at += 1;
    }
    false
}
