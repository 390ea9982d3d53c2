//! Domains that are said instead of others: "at gmail i mean at example dot com", "at gmail dot co no aol dot com".
//!
//! In: tokens, and the place of the "at" or the domain behind it. Out: the domain that is meant, or with which it ends. Never
//! fails; looks at a bounded number of tokens.

use super::super::tokens::{Kind, Text};
use super::super::words;
use super::{Domain, End, domain, ending, is_dot, label};

/// The domain that is said instead of the one behind this "at": "at gmail i mean at example dot com".
pub(super) fn corrected(text: &Text<'_>, at: usize) -> Option<Domain> {
    let small = |n: usize| text.has(n, words::CORRECT | words::FILLER) || text.one_of(n, &["i", "that", "its", "no", "wait", "not"]) || text.sign(n, b',');
    let takes_back = (at + 2..at + 6).find(|n| small(*n))?;
    let sign = (takes_back..takes_back + 5).find(|n| !small(*n))?;
    // "at hotmail i mean web dot de"
    let behind = sign + usize::from(text.has(sign, words::AT) || text.sign(sign, b'@'));
    let said = (takes_back..sign).any(|n| text.has(n, words::CORRECT));
    let plain = (at + 1..takes_back).all(|n| text.get(n).is_some_and(|t| t.kind == Kind::Word && t.info.flags & words::STOP == 0));
    domain(text, behind).filter(|domain| said && plain && domain.dots > 0)
}

/// What stands between a domain and the one that is said instead: "no hang on", "i tell a lie it's".
const WORDS: [&str; 12] = ["i", "that", "its", "it", "should", "be", "hang", "hold", "on", "tell", "a", "lie"];

/// The domain that is said instead of a whole one: "at gmail dot co no aol dot com", "dot com sorry dot net".
pub(super) fn put_right(text: &Text<'_>, said: Domain) -> Domain {
    let small = |n: usize| text.has(n, words::CORRECT | words::FILLER) || text.sign(n, b',') || text.one_of(n, &WORDS);
    let begins = said.last + 1;
    let behind = (begins..begins + 8).find(|n| !small(*n)).unwrap_or(begins);
    if said.dots == 0 || !(begins..behind).any(|n| text.has(n, words::CORRECT) || text.word(n, "lie")) {
        return said;
    }
    if is_dot(text, behind) {
        let (mut last, mut known, mut dot) = (said.last, false, behind);
        while let Some(next) = if is_dot(text, dot) { label(text, dot + 1, true) } else { None } {
            known = ending(text, dot + 1, next) == End::Known;
            (last, dot) = (next - 1, next);
        }
        return if known { Domain { last, ..said } } else { said };
    }
    let from = behind + usize::from(text.has(behind, words::AT) || text.sign(behind, b'@'));
    match domain(text, from) {
        Some(anew) if anew.dots > 0 && !anew.numbers && anew.end != End::Unknown => Domain { last: anew.last, ..said },
        _ => said,
    }
}
