//! Addresses that a caller says over several turns.
//!
//! In: texts. Out: spans, where the newest text and up to three before it hold an address when read as one. Never fails.

use super::super::tokens::{Kind, Text};
use super::super::words::{self, Cue, Num};
use super::super::{Label, Role, Span, email};
use super::{Turn, add};

/// Most texts before the newest that hold parts of one address.
const EARLIER: usize = 3;

/// True where a text ends with something that may be the beginning of an address.
pub(super) fn open_end(read: &Text<'_>, spans: &[Span]) -> bool {
    let Some(last) = read.tokens.last() else { return false };
    if last.kind == Kind::Mask || spans.last().is_some_and(|s| s.end == last.end as usize && s.label != Label::EmailAddress) {
        return false;
    }
    *read.facts().open_end.get_or_init(|| open_behind(read))
}

fn open_behind(read: &Text<'_>) -> bool {
    let from = read.tokens.len().saturating_sub(12);
    let stops = |n: usize| read.has(n, words::STOP) && !read.has(n, words::AT | words::WEAK | words::FILLER) && !read.one_of(n, &ENDS);
    let plain = from == 0 && !(0..read.tokens.len()).any(|n| stops(n) || read.has(n, words::REMARK));
    (from..read.tokens.len()).any(|n| {
        let info = read.tokens[n].info;
        let place = is_place(read, n);
        let at = (info.flags & words::AT != 0 || read.sign(n, b'@')) && (n + 1 == read.tokens.len() || (plain || leads_on(read)) && !place);
        info.sign != 0 || at || info.cue == Cue::Mail || read.letter(n).is_some_and(|l| !matches!(l, b'I' | b'A'))
    })
}

/// True for an "at" of a place or a time: "someone is at the door".
pub(super) fn is_place(read: &Text<'_>, at: usize) -> bool {
    read.one_of(at + 1, &["the", "a", "an", "my", "our", "your", "this", "that", "home", "least", "once"]) && !read.word(at + 2, "rate")
}

/// True where a text holds an "at" that may be an address's.
pub(super) fn holds_at(read: &Text<'_>) -> bool {
    read.hints.at && (0..read.tokens.len()).any(|n| (read.has(n, words::AT) || read.sign(n, b'@')) && !is_place(read, n))
}

/// Joins the newest caller's text with up to three before it, most first.
pub(super) fn join(said: &[Turn<'_>], from: usize, newest: usize, spans: &mut [Vec<Span>]) {
    let own = &said[newest].read;
    if !(holds_at(own) || leads_on(own) || may_end(own)) {
        return;
    }
    let mut parts = vec![newest];
    for n in (from..newest).rev().filter(|n| said[*n].role == Role::Caller) {
        let read = &said[n].read;
        let answers = bare_part(read) && said[n].asked.cue == Cue::Mail;
        // "okay at" before "at gmail dot com" says it twice.
        let twice = read.tokens.len() <= 3 && read.tokens.last().is_some_and(|t| t.info.flags & words::AT != 0) && leads_on(&said[parts[0]].read);
        if (open_end(read, &spans[n]) || answers) && !twice {
            parts.insert(0, n);
        }
        let announces = read.tokens.iter().any(|t| t.info.cue == Cue::Mail && t.info.flags & words::PROVIDER == 0);
        if announces || parts.len() > EARLIER {
            break;
        }
    }
    for from in 0..parts.len().saturating_sub(1) {
        if joined(said, &parts[from..], spans) {
            return;
        }
    }
    // Only "at example dot com" tells that what was said before is the beginning of an address.
    if leads_on(own) {
        let before = (from..newest).rev().filter(|n| said[*n].role == Role::Caller).find(|n| said_last(&said[*n].read));
        if let Some(before) = before.filter(|n| spans[*n].is_empty()) {
            joined(said, &[before, newest], spans);
        }
    }
}

/// Most letters and digits of a part that holds nothing else.
const MANY: usize = 16;

/// True for one or a few words that may be part of an address where one was asked for.
pub(super) fn bare_part(read: &Text<'_>) -> bool {
    *read.facts().bare_part.get_or_init(|| bare_part_now(read))
}

fn bare_part_now(read: &Text<'_>) -> bool {
    let small = |n: usize| read.has(n, words::FILLER | words::WEAK) || read.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(_))) || read.one_of(n, &ENDS);
    let held: Vec<usize> = (0..read.tokens.len()).filter(|n| !small(*n)).collect();
    let spoken =
        |n: usize| read.spoken_letter(n).is_some() || read.get(n).is_some_and(|t| t.kind == Kind::Digits || !matches!(t.info.num, Num::None | Num::Slip));
    let moment = |n: usize| n > 0 && read.word(n, "second") && read.one_of(n - 1, &["one", "a", "just"]);
    let remark = (0..read.tokens.len()).any(|n| read.has(n, words::REMARK) || read.one_of(n, &["im"]) || moment(n));
    !remark
        && (1..=if held.iter().all(|n| spoken(*n)) { MANY } else { 3 }).contains(&held.len())
        // Only hesitation between them: "the tv is loud" is no part of anything.
        && held.windows(2).all(|w| (w[0] + 1..w[1]).all(|n| read.has(n, words::FILLER) || !read.get(n).is_some_and(|t| t.kind == Kind::Word)))
        && held.iter().all(|n| (spoken(*n) || !read.has(*n, words::STOP | words::CORRECT)) && read.get(*n).is_some_and(|t| t.kind != Kind::Mask))
}

/// True where a text is a few words that may be a mailbox, or ends with them: "the address is anna smith".
fn said_last(read: &Text<'_>) -> bool {
    let links = |n: usize| read.one_of(n, &["its", "to", "address"]) || read.word(n, "is") && n > 0 && read.one_of(n - 1, &["address", "mail", "email", "it"]);
    let from = (0..read.tokens.len()).rev().find(|n| links(*n));
    let tail = from.map_or(0, |n| read.tokens.get(n + 1).map_or(read.text.len(), |t| t.start as usize));
    bare_part(&Text::new(&read.text[tail..]))
}

/// What may stand behind a part.
const ENDS: [&str; 7] = ["thanks", "thank", "you", "okay", "ok", "please", "yes"];

/// A text without the small talk at its end.
fn ends_address(text: &str) -> &str {
    let read = Text::new(text);
    let small =
        |n: usize| read.one_of(n, &ENDS) || read.has(n, words::FILLER) || read.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'?' | b'!')));
    let end = (0..read.tokens.len()).rev().find(|n| !small(*n)).map_or(0, |n| read.tokens[n].end as usize);
    &text[..end]
}

/// True for the end of a domain without its dot or its "at": "gmail dot com", "co dot uk".
pub(super) fn may_end(read: &Text<'_>) -> bool {
    read.hints.dots || read.tokens.iter().any(|t| t.info.sign == b'.' || t.info.flags & words::PROVIDER != 0)
}

/// Reads the parts as one text; marks them where an address lies across all of them.
fn joined(said: &[Turn<'_>], parts: &[usize], spans: &mut [Vec<Span>]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let mut text = ends_address(said[*first].text).to_owned();
    // Each part: its text, where it stands in the whole, and how much of its beginning was left out.
    let mut places = vec![(*first, 0, text.len(), 0)];
    for n in rest {
        text.push(' ');
        // "at what", the agent asked.
        if asked_where(said, *n) && !text.ends_with(" at ") {
            text.push_str("at ");
        }
        let whole = ends_address(said[*n].text);
        let begin = whole.len() - begins_address(whole).len();
        places.push((*n, text.len(), text.len() + whole.len() - begin, begin));
        text.push_str(&whole[begin..]);
    }
    let read = Text::new(&text);
    let mut found = Vec::new();
    email::find(&read, said[*first].asked, &mut found);
    for value in found {
        let (Some(begin), Some(end)) = (read.get(value.first), read.get(value.last)) else { continue };
        let (start, stop) = (begin.start as usize, end.end as usize);
        if start >= places[0].2 || stop <= places.last().map_or(0, |p| p.1) {
            continue;
        }
        for (n, from, to, begin) in &places {
            let (a, b) = (start.max(*from), stop.min(*to));
            if a < b {
                add(&mut spans[*n], said[*n].text, a - from + begin, b - from + begin, value.label, value.score);
            }
        }
        return true;
    }
    false
}

/// True where the agent asked for the domain right before this text, which begins with it.
fn asked_where(said: &[Turn<'_>], n: usize) -> bool {
    let asks = |one: &Turn<'_>| one.role == Role::Agent && one.read.tokens.len() <= 4 && (0..one.read.tokens.len()).any(|at| one.read.has(at, words::AT));
    n > 0 && asks(&said[n - 1]) && !leads_on(&said[n].read) && may_end(&said[n].read)
}

/// True where a text begins with the rest of an address.
pub(super) fn leads_on(text: &Text<'_>) -> bool {
    *text.facts().leads_on.get_or_init(|| {
        let read = Text::new(begins(text));
        read.has(0, words::AT) || read.sign(0, b'@') || read.get(0).is_some_and(|t| t.info.sign != 0)
    })
}

/// A text without the small talk at its beginning.
fn begins_address(text: &str) -> &str {
    begins(&Text::new(text))
}

fn begins<'a>(read: &Text<'a>) -> &'a str {
    let spells = |n: usize| read.letter(n).is_some() && read.spoken_letter(n + 1).is_some();
    let small = |n: usize| {
        read.has(n, words::FILLER) || (read.has(n, words::WEAK) && !spells(n) && read.get(n).is_some_and(|t| t.info.num == Num::None)) || read.sign(n, b',')
    };
    let first = (0..read.tokens.len()).find(|n| !small(*n)).unwrap_or(0);
    read.get(first).map_or(read.text, |t| &read.text[t.start as usize..])
}
