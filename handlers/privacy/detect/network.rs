//! Web addresses and addresses of the Internet Protocol, written and spoken.
//!
//! In: tokens. Out: findings. Four numbers up to 255 with dots between are an address of version 4 unless they are a
//! version; version 6 is what the standard library reads as one. Never fails.

use std::net::Ipv6Addr;

use super::asked::Asked;
use super::context::Context;
use super::email::is_dot;
use super::numbers::{Run, Sep, Shape};
use super::things;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label};

/// Most tokens of a web address.
const LONGEST: usize = 200;

/// Most tokens of a name.
const NAME: usize = 24;

/// Finds them all.
pub(super) fn find(text: &Text<'_>, _: Asked, found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.tokens.len() {
        let value = match text.tokens[at].kind {
            Kind::Word => scheme(text, at).or_else(|| spoken_scheme(text, at)).or_else(|| name(text, at)),
            _ => None,
        };
        let value = value.or_else(|| if text.tokens[at].kind == Kind::Mask { None } else { version_6(text, at) });
        match value {
            Some(value) => {
                at = value.last + 1;
                found.push(value);
            }
            None => at += 1,
        }
    }
    if text.hints.numbers >= 4 && text.hints.dots {
        version_4(text, found);
    }
}

fn url(first: usize, last: usize, score: f32) -> Option<Found> {
    Some(Found { first, last, label: Label::Url, score })
}

/// The last token of what goes on from here without white space, without the signs of a sentence's end.
fn unbroken(text: &Text<'_>, at: usize) -> usize {
    let mut last = at;
    while last < at + LONGEST && text.glued_after(last) && text.get(last + 1).is_some_and(|t| t.kind != Kind::Mask) {
        last += 1;
    }
    while last > at && text.get(last).is_some_and(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b'"' | b'\'' | b'>' | b']')))
    {
        last -= 1;
    }
    last
}

/// "https://...", "www.example.com".
fn scheme(text: &Text<'_>, at: usize) -> Option<Found> {
    let scheme = text.one_of(at, &["http", "https", "ftp", "ftps", "sftp", "ws", "wss"]);
    let slashes = text.sign(at + 1, b':') && text.sign(at + 2, b'/') && text.sign(at + 3, b'/');
    let www = text.word(at, "www") && text.sign(at + 1, b'.') && is_dot(text, at + 1);
    if !(scheme && slashes || www) {
        return None;
    }
    let last = unbroken(text, at);
    (last > at + 1).then(|| url(at, last, 0.95)).flatten()
}

/// "w w w dot example dot com", "h t t p s colon slash slash ...", "https colon slash slash ...".
fn spoken_scheme(text: &Text<'_>, at: usize) -> Option<Found> {
    let mut next = at;
    let letters = |from: usize, word: &[u8]| word.iter().enumerate().all(|(n, letter)| text.letter(from + n) == Some(*letter));
    let mut known = false;
    for (word, spelled) in [("https", &b"HTTPS"[..]), ("http", &b"HTTP"[..])] {
        let length = if text.word(at, word) {
            1
        } else if letters(at, spelled) {
            spelled.len()
        } else {
            continue;
        };
        let colon = at + length;
        if (text.word(colon, "colon") || text.sign(colon, b':')) && text.one_of(colon + 1, &["slash", "double", "forward"]) {
            next = colon + 1;
            while text.one_of(next, &["slash", "double", "forward"]) {
                next += 1;
            }
            known = true;
            break;
        }
    }
    let www = match () {
        () if text.word(next, "www") => 1,
        () if letters(next, b"WWW") => 3,
        () if text.word(next, "triple") && text.letter(next + 1) == Some(b'W') => 2,
        () if (0..3).all(|n| text.word(next + 2 * n, "double") && text.one_of(next + 2 * n + 1, &["u", "you"])) => 6,
        () => 0,
    };
    if www > 0 && is_dot(text, next + www) {
        next += www + 1;
        known = true;
    }
    if !known {
        return None;
    }
    let last = labels(text, next)?;
    url(at, path(text, last), 0.9)
}

/// The last token of spoken labels with dots between, the last of them a known one.
fn labels(text: &Text<'_>, from: usize) -> Option<usize> {
    let mut at = from;
    let mut last = None;
    let mut words_in_a_row = 0;
    while at < from + 60 {
        let token = text.get(at)?;
        if is_dot(text, at) {
            let end = last_label(text, at + 1)?;
            words_in_a_row = 0;
            if is_dot(text, end.0 + 1) {
                at = end.0 + 1;
                continue;
            }
            if end.1 {
                last = Some(end.0);
                break;
            }
            at = end.0 + 1;
            continue;
        }
        let joint = token.info.sign == b'-' || text.sign(at, b'-');
        let plain = matches!(token.kind, Kind::Word | Kind::Digits) && text.spoken_letter(at).is_none();
        words_in_a_row += usize::from(plain);
        if !joint && !matches!(token.kind, Kind::Word | Kind::Digits) || words_in_a_row > 4 {
            break;
        }
        at += 1;
    }
    last
}

/// The last token of the label that begins here, and whether it can be the last of a name.
fn last_label(text: &Text<'_>, at: usize) -> Option<(usize, bool)> {
    let mut end = at;
    let mut spelled = String::new();
    while let Some(letter) = text.letter(end).filter(|_| spelled.len() < 12) {
        spelled.push(char::from(letter.to_ascii_lowercase()));
        end += 1;
    }
    if end > at {
        return Some((end - 1, words::look_up(&spelled).flags & (words::TLD | words::TLD_WORD) != 0));
    }
    let token = text.get(at)?;
    matches!(token.kind, Kind::Word | Kind::Digits).then(|| (at, text.has(at, words::TLD | words::TLD_WORD)))
}

/// The last token of the path behind a name: written, or "slash help".
fn path(text: &Text<'_>, last: usize) -> usize {
    if text.glued_after(last) && (text.sign(last + 1, b'/') || text.sign(last + 1, b':') || text.sign(last + 1, b'?') || text.sign(last + 1, b'#')) {
        return unbroken(text, last);
    }
    let mut last = last;
    while (text.word(last + 1, "slash") || text.one_of(last + 1, &["forward"]) && text.word(last + 2, "slash"))
        && text.get(last + 2).is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Digits))
    {
        last += if text.word(last + 1, "forward") { 3 } else { 2 };
        while text.get(last + 1).is_some_and(|t| t.info.sign == b'-' || t.info.sign == b'.') && text.get(last + 2).is_some_and(|t| t.kind == Kind::Word) {
            last += 2;
        }
    }
    last
}

/// A name by its end: "example.com", "example dot co dot uk slash help".
fn name(text: &Text<'_>, at: usize) -> Option<Found> {
    let dot = at + 1;
    if !(is_dot(text, dot) && (text.sign(dot, b'.') || text.word(dot, "dot"))) {
        return None;
    }
    let written = text.sign(dot, b'.');
    let first = if written { begin(text, at, true) } else { announced_words(text, begin(text, at, false)) };
    let mut end = dot;
    let mut last = None;
    let mut by_word = false;
    while end < at + NAME && is_dot(text, end) && text.sign(end, b'.') == written {
        let Some((label, known)) = last_label(text, end + 1) else { break };
        if known {
            by_word = text.has(label, words::TLD_WORD);
            last = Some(label);
        } else if !is_dot(text, label + 1) {
            last = None;
        }
        end = label + 1;
    }
    let last = last?;
    // "example.comx1" is something else.
    if written && text.get(last + 1).is_some_and(|t| t.glued && matches!(t.kind, Kind::Word | Kind::Digits | Kind::Sign(b'@' | b'_'))) {
        return None;
    }
    // A framework's name.
    if written && is_framework(text, at, last) {
        return None;
    }
    let spoken_word = !written && text.has(at, words::STOP) && first == at;
    let number = !written && text.get(at).is_some_and(|t| !matches!(t.info.num, Num::None | Num::Month | Num::Slip));
    let behind = path(text, last);
    // "my email is anna dot n o": the beginning of an address.
    let mailed = !written && behind == last && (first.saturating_sub(3)..first).any(|n| text.get(n).is_some_and(|t| t.info.cue == Cue::Mail));
    if mailed
        || spoken_word
        || number
        || (by_word && behind == last && !(text.word(last - 1, "dot") && led_to(text, first, last)))
        || (text.has(at, words::STOP) && by_word && last == at + 2)
    {
        return None;
    }
    // A sentence that goes on without white space: "Done.Net".
    if written && text.said(last).starts_with(|c: char| c.is_ascii_uppercase()) && !text.said(at).bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    url(first, behind, if written { 0.7 } else { 0.6 })
}

/// True between words that lead to a site and such as no place is named with: "apply through baxters dot in by".
fn led_to(text: &Text<'_>, first: usize, last: usize) -> bool {
    let leads = first > 0 && text.one_of(first - 1, &["through", "via", "visit", "at", "from", "website", "site", "on"]);
    let goes_on =
        ["by", "for", "or", "and", "to", "with", "before", "if", "when", "please", "then", "instead", "today", "now", "but", "because", "it", "i", "you"];
    leads && (text.get(last + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(last + 1, &goes_on))
}

/// True for "ASP.NET" and its kin.
fn is_framework(text: &Text<'_>, at: usize, last: usize) -> bool {
    last == at + 2 && text.word(last, "net") && text.one_of(at, &["asp", "vb", "ado", "ml"])
}

/// The first of the words that make one label with the one that begins here, where a site is announced right before them:
/// "the site is falcon books dot gov".
fn announced_words(text: &Text<'_>, first: usize) -> usize {
    let plain = |n: usize| {
        let stops = words::STOP | words::NEUTRAL | words::WEAK | words::FILLER | words::CORRECT | words::PLACE;
        text.letter(n).is_none()
            && text.get(n).is_some_and(|t| t.kind == Kind::Word && t.info.sign == 0 && t.info.num == Num::None && t.info.flags & stops == 0)
    };
    let mut at = first;
    let leads = ["url", "link", "website", "type", "open", "tried", "try", "page", "visit", "visited", "browsed"];
    while at > 0 && first - at < 2 && plain(at - 1) && !text.one_of(at - 1, &leads) {
        at -= 1;
    }
    let goes = at > 1 && text.word(at - 1, "to") && text.one_of(at - 2, &["go", "going", "went", "goes"]);
    let goes = goes || at > 0 && text.one_of(at - 1, &["tried", "visit", "visited", "browsed", "url"]);
    let announced = at > 0
        && text.one_of(at - 1, &["is", "its", "to", "at", "was", "visit", "on", "url", "link", "website", "type", "open", "tried", "try", "page"])
        && (at.saturating_sub(6)..at).any(|n| text.one_of(n, &["site", "website", "url", "link", "page", "browse", "homepage", "domain", "web", "browser"]));
    if announced || goes { at } else { first }
}

/// The first token of the label that ends here.
fn begin(text: &Text<'_>, at: usize, written: bool) -> usize {
    let mut first = at;
    if written {
        while first > 0
            && at - first < NAME
            && text.get(first).is_some_and(|t| t.glued)
            && matches!(text.tokens[first - 1].kind, Kind::Word | Kind::Digits | Kind::Sign(b'-'))
        {
            first -= 1;
        }
        return first;
    }
    if text.letter(at).is_some() {
        while first > 0 && at - first < NAME && text.letter(first - 1).is_some() {
            first -= 1;
        }
    }
    while first > 1
        && at - first < NAME
        && text.get(first - 1).is_some_and(|t| t.info.sign == b'-' && t.kind == Kind::Word)
        && text.tokens[first - 2].kind == Kind::Word
    {
        first -= 2;
    }
    first
}

/// Four numbers up to 255 with dots between.
fn version_4(text: &Text<'_>, found: &mut Vec<Found>) {
    let (mut run, mut context) = (Run::default(), Context::default());
    let mut at = 0;
    while let Some(next) = run.next(text, at) {
        at = next;
        let taken = found.iter().any(|value| value.first <= run.last && run.first <= value.last);
        if run.parts.len() < 4 || run.digits.len() > 24 || run.plus || taken {
            continue;
        }
        let Some(last) = octets(text, &run) else { continue };
        (run.last, at) = (last, last + 1);
        context.read(text, run.first, run.last, Asked::default());
        let numbered = text.one_of(run.last + 1, &["release", "version", "build", "update", "firmware"]);
        if !context.nearest_of_a_thing() && !numbered && !released(text, run.first) {
            found.push(Found { first: run.first, last: run.last, label: Label::IpAddress, score: 0.9 });
        }
    }
}

/// True behind what has releases: "i o s", "android".
fn released(text: &Text<'_>, first: usize) -> bool {
    const SYSTEMS: [&str; 16] =
        ["ios", "android", "windows", "ubuntu", "linux", "kernel", "java", "python", "chrome", "firefox", "safari", "edge", "macos", "debian", "php", "ipados"];
    let on = first.checked_sub(1).is_some_and(|n| text.one_of(n, &SYSTEMS));
    on || things::abbreviated(text, first)
}

/// The last token of four octets that a run holds: with dots between, or commas alone. What follows the last of them without
/// fitting into it is no part of it: "seventy three two days ago".
fn octets(text: &Text<'_>, run: &Run) -> Option<usize> {
    let between = |n: usize| run.parts[n - 1].last + 1..run.parts[n].first;
    let dot = |n: usize| run.parts[n].sep == Sep::Dot || between(n).any(|t| text.get(t).is_some_and(|t| t.info.sign == b'.'));
    let comma = |n: usize| between(n).len() == 1 && text.sign(between(n).start, b',');
    let dotted = (1..run.parts.len()).any(dot);
    let mut starts = vec![0];
    starts.extend((1..run.parts.len()).filter(|n| if dotted { dot(*n) } else { comma(*n) }));
    let spoken_of = |n: usize| text.one_of(n, &["ip", "address", "router", "server", "gateway", "dns", "host", "subnet"]);
    if starts.len() != 4 || !dotted && !(run.first.saturating_sub(12)..run.first).any(spoken_of) {
        return None;
    }
    let fits = |from: usize, to: usize| octet(run, from, to).is_some_and(|value| value < 256);
    if !starts.windows(2).all(|pair| fits(pair[0], pair[1])) {
        return None;
    }
    let end = (starts[3] + 1..=run.parts.len()).rev().find(|end| fits(starts[3], *end))?;
    Some(run.parts[end - 1].last)
}

/// The number that the parts `from..to` make.
fn octet(run: &Run, from: usize, to: usize) -> Option<u32> {
    let (first, last) = (run.parts.get(from)?, run.parts.get(to - 1)?);
    let digits = &run.digits[first.at..last.at + last.len];
    // "two hundred three"
    if to == from + 2 && first.shape == Shape::Round && first.len == 3 && last.len == 1 && digits[1..3] == *b"00" {
        return Some(u32::from(digits[0] - b'0') * 100 + u32::from(digits[3] - b'0'));
    }
    (digits.len() <= 3).then(|| digits.iter().fold(0_u32, |n, d| n * 10 + u32::from(d - b'0')))
}

/// Groups of hexadecimal digits with colons between.
fn version_6(text: &Text<'_>, at: usize) -> Option<Found> {
    let begins = text.hints.colons >= 2 && !text.get(at).is_some_and(|t| t.glued && at > 0);
    if !begins || !(text.sign(at, b':') || text.sign(at + 1, b':') || text.sign(at + 2, b':') || text.sign(at + 3, b':') || text.sign(at + 4, b':')) {
        return None;
    }
    let at = if text.sign(at, b'[') || text.sign(at, b'(') || text.sign(at, b'"') { at + 1 } else { at };
    let mut last = unbroken(text, at);
    // A length of prefix or a zone is no part of the address.
    if let Some(end) = (at..=last).find(|n| text.sign(*n, b'/') || text.sign(*n, b'%') || text.sign(*n, b']')) {
        last = end.checked_sub(1)?;
    }
    let slice = text.text.get(text.get(at)?.start as usize..text.get(last)?.end as usize)?;
    let digits = slice.bytes().filter(u8::is_ascii_digit).count();
    let few = slice.bytes().filter(u8::is_ascii_hexdigit).count() < 4 && !slice.starts_with(':');
    let address = slice.len() <= 45 && slice.len() >= 3 && digits > 0 && !few && slice.parse::<Ipv6Addr>().is_ok();
    address.then_some(Found { first: at, last, label: Label::IpAddress, score: 0.95 })
}
