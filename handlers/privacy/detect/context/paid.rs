//! Cards that nobody calls so: what something was paid with.
//!
//! In: tokens and the place of "with", "using" or "on". Out: whether a number that follows is what was paid with. Never fails;
//! looks at a few tokens.

use super::super::tokens::{Kind, Text};
use super::super::words::{self, Num};

/// How far before "with" the verb may stand.
const BEFORE: usize = 6;

/// What is done with a card to what follows the verb.
const PAYS: [&str; 26] = [
    "pay",
    "paying",
    "paid",
    "bought",
    "buy",
    "buying",
    "guarantee",
    "guaranteed",
    "secure",
    "secured",
    "settle",
    "settled",
    "purchase",
    "purchased",
    "book",
    "booked",
    "reserve",
    "reserved",
    "clear",
    "cleared",
    "cover",
    "covered",
    "renew",
    "renewed",
    "order",
    "ordered",
];

/// What is done on a card.
const HOLDS: [&str; 6] = ["hold", "holding", "guarantee", "guaranteed", "secure", "secured"];

/// True where paying was spoken of right before this place: "paid uh with", "guarantee the booking with", "hold the room on".
pub(super) fn paid(text: &Text<'_>, at: usize) -> bool {
    let small = |n: usize| text.has(n, words::FILLER) || text.one_of(n, &["you", "know"]);
    let from = at.saturating_sub(BEFORE);
    let on = text.word(at, "on");
    let said = (from..at).rev().find(|n| !small(*n));
    if !on && said.is_some_and(|n| text.one_of(n, &["pay", "paying", "paid"])) {
        return true;
    }
    let verbs: &[&str] = if on { &HOLDS } else { &PAYS };
    let of_something = |n: usize| text.one_of(n + 1, &["the", "my", "our", "it", "them", "this", "that", "off", "for", "a"]);
    // "with 10 11 12 and 13": what there were of something.
    let card = |n: usize| {
        let said = text.said(n);
        said.len() == 1 || said.len() > 3 && matches!(said.as_bytes()[0], b'2'..=b'6')
    };
    let counts = |n: usize| {
        text.get(n).is_some_and(|t| if t.kind == Kind::Digits { card(n) } else { matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Repeat) })
    };
    let next = (at + 1..at + 4).find(|n| !small(*n)).unwrap_or(at);
    counts(next) && (from..at).any(|n| text.one_of(n, verbs) && of_something(n))
}
