//! Words of the language that people spell: "it's spelled r h y t h m", "how do you spell necessary".
//!
//! In: tokens and the place of letters. Out: whether they spell a word and no name. Where a name is spoken of at all they do not.
//! Never fails; looks at a bounded number of tokens.

use super::super::tokens::{Kind, Text};
use super::super::words::{self, Num};
use super::letters;

/// Words of which people often say how they are spelled.
const OFTEN: [&str; 46] = [
    "colour",
    "color",
    "grey",
    "gray",
    "rhythm",
    "queue",
    "receipt",
    "february",
    "wednesday",
    "cheque",
    "tyre",
    "tire",
    "theatre",
    "theater",
    "centre",
    "center",
    "yacht",
    "weird",
    "believe",
    "achieve",
    "niece",
    "restaurant",
    "liaison",
    "pharaoh",
    "schedule",
    "aluminium",
    "favourite",
    "favorite",
    "honour",
    "favour",
    "harbour",
    "labour",
    "separate",
    "accommodate",
    "definitely",
    "embarrass",
    "calendar",
    "grammar",
    "island",
    "knight",
    "knife",
    "friend",
    "height",
    "foreign",
    "whether",
    "receive",
];

/// Ends of words, and seldom of names.
const ENDS: [&str; 14] = ["tion", "sary", "ment", "eous", "ious", "ance", "ence", "ight", "able", "ible", "oeuvre", "rrhoea", "ology", "eive"];

/// Fewest letters of a word that its end tells.
const LONG: usize = 7;

/// What is called by a name that is no person's.
const THINGS: [&str; 34] = [
    "street",
    "road",
    "town",
    "city",
    "village",
    "county",
    "country",
    "brand",
    "password",
    "hint",
    "shop",
    "store",
    "product",
    "medicine",
    "drug",
    "tablet",
    "band",
    "film",
    "movie",
    "song",
    "company",
    "firm",
    "hotel",
    "game",
    "app",
    "wifi",
    "network",
    "domain",
    "website",
    "dish",
    "breed",
    "pronounced",
    "sounds",
    "avenue",
];

/// True where the letters from here spell a word.
pub(super) fn of_a_word(text: &Text<'_>, at: usize) -> bool {
    if (0..text.tokens.len()).any(|n| text.has(n, words::NAME | words::GIVEN | words::FAMILY)) {
        return false;
    }
    let from = (at..at + 4).find(|n| text.letter(*n).is_some()).unwrap_or(at);
    let behind = letters(text, from, 2).map_or(from, |last| last + 1);
    known(text, from, behind) || spoken_of(text, from, behind) || asked(text, from)
}

/// True for the letters of a word that is known, or has the end of one.
fn known(text: &Text<'_>, from: usize, behind: usize) -> bool {
    let said: String = (from..behind.min(from + 40)).filter_map(|n| text.letter(n)).map(|letter| char::from(letter.to_ascii_lowercase())).collect();
    let info = words::look_up(&said);
    let counts = !matches!(info.num, Num::None | Num::Slip);
    OFTEN.contains(&said.as_str())
        || said.len() > 3 && (counts || info.flags & words::STOP != 0)
        || said.len() >= LONG && ENDS.iter().any(|end| said.ends_with(end))
}

/// True where a word, or how it is said, is spoken of around the letters: "that's a weird word", "i before e".
fn spoken_of(text: &Text<'_>, from: usize, behind: usize) -> bool {
    let here = |n: usize| {
        text.one_of(n, &["word", "words", "silent", "plural", "dictionary"])
            || text.one_of(n, &["before", "after", "except"]) && text.letter(n + 1).is_some()
            || text.one_of(n, &["british", "american", "english"]) && text.one_of(n.saturating_sub(1), &["in", "the"])
    };
    (behind..behind + 12).any(here)
        || (from.saturating_sub(10)..from).any(|n| text.one_of(n, &["word", "words"]))
        || (from.saturating_sub(6)..from).any(|n| text.one_of(n, &THINGS))
}

/// True behind "how do you spell" and a word that is no name by what is known and how it is written.
fn asked(text: &Text<'_>, from: usize) -> bool {
    let spell = |n: &usize| text.one_of(*n, &["spell", "spelling"]) && (n.saturating_sub(4)..*n).any(|n| text.word(n, "how"));
    let Some(spell) = (from.saturating_sub(8)..from).find(spell) else { return false };
    let quoted = text.get(spell + 1).is_some_and(|t| matches!(t.kind, Kind::Sign(b'"' | b'\'' | 0)));
    let word = text.get(spell + 1).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 2);
    let somebodys = text.one_of(spell + 1, &["your", "his", "her", "their", "the", "that", "this", "them"]);
    quoted || word && !somebodys && text.said(spell + 1).starts_with(|c: char| c.is_lowercase())
}
