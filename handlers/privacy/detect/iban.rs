//! International bank account numbers, written and spelled.
//!
//! In: tokens. Out: findings. Country and length must fit; the check (mod 97, ISO 13616) says how sure it is, and
//! a number that is announced as an IBAN is one without it. Never fails.

use super::asked::Asked;
use super::tokens::{Kind, Text};
use super::words::Num;
use super::{Found, Label};

/// Country and length, from the IBAN registry.
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 \
    FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 \
    MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 \
    TR26 UA29 VA22 VG24 XK20 YE30";

/// Longest of all, in characters.
const LONGEST: usize = 34;

/// Most tokens of one, spelled with signs between.
const TOKENS: usize = 90;

/// Longest written group: the whole number but its country.
const GROUP: usize = 32;

/// How long a country's are.
fn length(country: [u8; 2]) -> Option<usize> {
    let entry = LENGTHS.split_ascii_whitespace().find(|entry| entry.as_bytes().starts_with(&country))?;
    entry.get(2..)?.parse().ok()
}

/// True where the remainder is 1.
fn checked(iban: &[u8]) -> bool {
    let turned = iban.iter().skip(4).chain(iban.iter().take(4));
    let rest = turned.fold(0_u32, |n, c| match c {
        b'0'..=b'9' => (n * 10 + u32::from(c - b'0')) % 97,
        _ => (n * 100 + u32::from(c.wrapping_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

/// Finds them all.
pub(super) fn find(text: &Text<'_>, _: Asked, found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.tokens.len() {
        match begins(text, at).then(|| read(text, at)).flatten() {
            Some(value) => {
                at = value.last + 1;
                found.push(value);
            }
            None => at += 1,
        }
    }
}

/// True where two letters begin here that may be a country's.
fn begins(text: &Text<'_>, at: usize) -> bool {
    let Some(token) = text.get(at).filter(|t| t.kind == Kind::Word) else { return false };
    if token.glued && at > 0 && matches!(text.get(at - 1).map(|t| t.kind), Some(Kind::Digits | Kind::Word)) {
        return false;
    }
    let counts = |n: usize| text.get(n).is_some_and(|t| t.kind == Kind::Digits || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Repeat));
    let second = next(text, at);
    if !(counts(second) || counts(next(text, second))) {
        return false;
    }
    let first = match text.spoken_letter(at) {
        Some(letter) => text.spoken_letter(second).map(|second| [letter, second]),
        None if token.end - token.start == 2 => <[u8; 2]>::try_from(text.said(at).as_bytes()).ok().map(|l| l.map(|c| c.to_ascii_uppercase())),
        None => None,
    };
    first.is_some_and(|country| length(country).is_some())
}

/// The place after a token and the signs behind it.
fn next(text: &Text<'_>, at: usize) -> usize {
    let mut at = at + 1;
    while at < text.tokens.len() && (text.sign(at, b'-') || text.sign(at, b',') || text.sign(at, b'.')) {
        at += 1;
    }
    at
}

fn read(text: &Text<'_>, first: usize) -> Option<Found> {
    let mut iban = [0_u8; LONGEST + 8];
    let mut count = 0;
    let mut at = first;
    let mut last_at = [first; LONGEST + 8];
    let announced = (first.saturating_sub(8)..first).any(|n| text.word(n, "iban"));
    while at < text.tokens.len() && at < first + TOKENS && count < LONGEST {
        let mut said = [0_u8; GROUP];
        let Some((length, end)) = characters(text, at, count, &mut said) else { break };
        for c in &said[..length] {
            if count < iban.len() {
                (iban[count], last_at[count]) = (*c, end - 1);
                count += 1;
            }
        }
        at = next(text, end - 1);
        while text.has(at, super::words::FILLER) || text.one_of(at, &["space", "dash", "then"]) {
            at += 1;
        }
        at = super::aside::end(text, at);
    }
    let country = [*iban.first()?, *iban.get(1)?];
    let length = length(country)?;
    let numbered = iban[2].is_ascii_digit() && iban[3].is_ascii_digit();
    // "no", "is", "at": words as well as countries.
    let word =
        text.letter(first).is_none() && text.has(first, super::words::STOP | super::words::CORRECT) && text.said(first).bytes().all(|b| b.is_ascii_lowercase());
    let whole = count >= length && numbered && (count == length || last_at[length - 1] != last_at[length]);
    if whole {
        let sure = checked(&iban[..length]);
        let digits = iban[..length].iter().filter(|c| c.is_ascii_digit()).count();
        // Words of two letters and digits behind them are common; most of a number's characters are digits.
        // "the number is six five ...": one chance in ninety-seven.
        let sure = sure && (!word || text.glued_after(first));
        if sure || announced || (digits * 2 > length && !word) {
            return Some(Found { first, last: last_at[length - 1], label: Label::IbanCode, score: if sure { 0.99 } else { 0.7 } });
        }
    }
    (announced && count >= 12 && numbered).then(|| Found { first, last: last_at[count - 1], label: Label::IbanCode, score: 0.6 })
}

/// The characters that a token stands for, and where what follows begins.
fn characters(text: &Text<'_>, at: usize, count: usize, said: &mut [u8; GROUP]) -> Option<(usize, usize)> {
    let (length, end) = one_or_two(text, at, count, said)?;
    // "seventy five hundred"
    if text.get(at).is_some_and(|t| t.kind == Kind::Word) && text.get(end).is_some_and(|t| t.info.num == Num::Hundred) {
        said.get_mut(length..length + 2)?.copy_from_slice(b"00");
        return Some((length + 2, end + 1));
    }
    Some((length, end))
}

/// The same without "hundred".
fn one_or_two(text: &Text<'_>, at: usize, count: usize, said: &mut [u8; GROUP]) -> Option<(usize, usize)> {
    let token = text.get(at)?;
    match (token.kind, token.info.num) {
        (Kind::Digits, _) => group(text, at, said),
        (Kind::Word, Num::Unit) if count >= 2 && !text.one_of(at, &["o"]) => put(&[b'0' + token.info.value], said, at + 1),
        (Kind::Word, Num::Teen) => put(&[b'1', b'0' + token.info.value % 10], said, at + 1),
        (Kind::Word, Num::Tens) => {
            let unit = if text.sign(at + 1, b'-') { at + 2 } else { at + 1 };
            let follows = text.get(unit).filter(|t| t.info.num == Num::Unit && t.info.value > 0);
            let digits = [b'0' + token.info.value / 10, b'0' + follows.map_or(0, |t| t.info.value)];
            put(&digits, said, follows.map_or(at + 1, |_| unit + 1))
        }
        (Kind::Word, Num::Repeat) => {
            let one = match text.get(at + 1)? {
                t if t.info.num == Num::Unit => b'0' + t.info.value,
                t if t.kind == Kind::Digits && t.end - t.start == 1 => text.said(at + 1).bytes().next()?,
                _ => text.spoken_letter(at + 1)?,
            };
            put(&[one; 4][..usize::from(token.info.value).min(4)], said, at + 2)
        }
        (Kind::Word, _) => match text.spoken_letter(at) {
            // "o" among digits is a zero.
            Some(b'O') if count >= 2 => put(b"0", said, at + 1),
            Some(letter) if letter.is_ascii_uppercase() => put(&[letter], said, at + 1),
            _ => group(text, at, said),
        },
        _ => None,
    }
}

fn put(characters: &[u8], said: &mut [u8; GROUP], end: usize) -> Option<(usize, usize)> {
    said.get_mut(..characters.len())?.copy_from_slice(characters);
    Some((characters.len(), end))
}

/// A written group.
fn group(text: &Text<'_>, at: usize, said: &mut [u8; GROUP]) -> Option<(usize, usize)> {
    let bytes = text.said(at).as_bytes();
    let glued = text.get(at).is_some_and(|t| t.glued) || text.glued_after(at);
    let letters = bytes[0].is_ascii_alphabetic();
    if !bytes.iter().all(u8::is_ascii_alphanumeric) || (letters && (bytes.len() > 6 || (bytes.len() > 2 && !glued && bytes.len() != 4))) {
        return None;
    }
    let length = bytes.len().min(GROUP);
    for (to, from) in said.iter_mut().zip(bytes) {
        *to = from.to_ascii_uppercase();
    }
    (bytes.len() <= GROUP).then_some((length, at + 1))
}
