//! E-mail addresses: written, spoken, spelled, and in any mixture of these.
//!
//! In: tokens. Out: findings. From each "@" or "at" the domain is read forward and the mailbox backward; a word belongs
//! to the mailbox if a dot, a dash or the like joins it, if it spells or counts, or if nothing speaks against it. Never
//! fails; looks at a bounded number of tokens for each "at".

mod between;
mod instead;

use super::asked::Asked;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label};
use instead::{corrected, put_right};

/// Most tokens of a mailbox.
const MAILBOX: usize = 70;

/// Most tokens of a domain.
const DOMAIN: usize = 40;

/// How far before the mailbox "email" may stand.
const ANNOUNCED: usize = 14;

/// Finds them all.
pub(super) fn find(text: &Text<'_>, asked: Asked, found: &mut Vec<Found>) {
    let mut floor = 0;
    let mut at = 0;
    while at < text.tokens.len() {
        let begins = (text.sign(at, b'@') || text.has(at, words::AT)) && at >= floor;
        if let Some(value) = begins.then(|| address(text, at, floor, asked)).flatten() {
            (floor, at) = (value.last + 1, value.last);
            found.push(value);
        }
        at += 1;
    }
}

fn address(text: &Text<'_>, at: usize, floor: usize, asked: Asked) -> Option<Found> {
    let domain = corrected(text, at).or_else(|| domain(text, at + 1).map(|domain| put_right(text, domain)))?;
    // "the statement at nadia dot cloud at example dot com": the second one is the sign.
    let again = (domain.last + 1..domain.last + 4).find(|n| !text.has(*n, words::FILLER)).is_some_and(|n| text.has(n, words::AT) || text.sign(n, b'@'));
    if again && !domain.provider && !text.sign(at, b'@') {
        return None;
    }
    let announced = asked.cue == Cue::Mail || (at.saturating_sub(ANNOUNCED)..at).any(|n| cued(text, n));
    let mailbox = mailbox(text, at, floor, announced)?;
    let written = text.sign(at, b'@');
    let sure = written || announced || mailbox.strength > 0;
    let first = taken_back(text, mailbox.first, floor).unwrap_or(mailbox.first);
    let alone = first == 0 || text.one_of(first - 1, &["is", "its"]);
    let accepted = match (domain.dots, domain.end) {
        // "28 shares at 140.53", "i got two at target dot com"
        _ if domain.numbers => false,
        _ if !announced && !domain.provider && !written && counts_only(text, first, at) && !leads(text, first, floor) => false,
        // "the hotel at booking dot com"
        _ if !announced && !written && mailbox.strength == 0 && is_shop(text, at + 1) && !leads(text, first, floor) => false,
        (0, _) => domain.provider && (sure || alone),
        (_, End::Known) => true,
        // Nobody says "dot in" of anything else.
        (_, End::Word) => sure || domain.provider || text.word(domain.last - 1, "dot"),
        (_, End::Unknown) => sure,
    };
    let score = 0.6 + if announced { 0.15 } else { 0.0 } + if written { 0.15 } else { 0.0 } + if domain.end == End::Known { 0.09 } else { 0.0 };
    accepted.then_some(Found { first, last: domain.last, label: Label::EmailAddress, score })
}

/// True for a mailbox of one number in words, or two.
fn counts_only(text: &Text<'_>, first: usize, at: usize) -> bool {
    let said = (first..at).filter(|n| !text.has(*n, words::FILLER | words::CORRECT) && !text.one_of(*n, &["that", "make"]));
    at - first < 8
        && said.clone().count() <= 3
        && said.into_iter().all(|n| text.get(n).is_some_and(|t| matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Hundred)))
}

/// Where a mailbox began that was taken back right before this place: "jane dot doe at no sorry jane dot smith at ...".
fn taken_back(text: &Text<'_>, first: usize, floor: usize) -> Option<usize> {
    let mut at = first;
    let mut corrected = false;
    while at > floor && first - at < 4 && text.has(at - 1, words::CORRECT | words::FILLER | words::WEAK) {
        at -= 1;
        corrected |= text.has(at, words::CORRECT);
    }
    let sign = at.checked_sub(1).filter(|n| corrected && *n > floor && (text.has(*n, words::AT) || text.sign(*n, b'@')))?;
    mailbox(text, sign, floor, true).filter(|m| m.strength > 0).map(|m| m.first)
}

fn cued(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| t.info.cue == Cue::Mail) || text.one_of(at, &["reach", "address", "username"])
}

/// True for the name of a shop whose site people speak of and have no mailbox at.
fn is_shop(text: &Text<'_>, at: usize) -> bool {
    text.one_of(at, &["booking", "hotels", "amazon", "ebay", "argos", "expedia", "airbnb", "target", "walmart", "tesco", "etsy", "alibaba", "ikea", "netflix"])
}

/// How a domain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Known,
    /// With a top-level domain that is a word as well.
    Word,
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Domain {
    last: usize,
    dots: usize,
    end: End,
    provider: bool,
    /// It holds no letter, so that it is none.
    numbers: bool,
}

/// True for a dot inside a name: glued on both sides, or spoken.
pub(super) fn is_dot(text: &Text<'_>, at: usize) -> bool {
    let Some(token) = text.get(at) else { return false };
    match token.kind {
        Kind::Sign(b'.') => text.glued_after(at) && token.glued,
        Kind::Word => token.info.sign == b'.',
        _ => false,
    }
}

fn is_dash(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| (t.kind == Kind::Sign(b'-') && t.glued && text.glued_after(at)) || (t.kind == Kind::Word && t.info.sign == b'-'))
}

fn hesitates(text: &Text<'_>, at: usize) -> bool {
    text.has(at, words::FILLER) && !text.word(at, "like")
}

/// Reads labels and dots from a token on.
fn domain(text: &Text<'_>, from: usize) -> Option<Domain> {
    let mut at = from;
    if text.word(at, "the") && text.word(at + 1, "rate") {
        // "at the rate", as the sign is called in India.
        at += 2;
    }
    while hesitates(text, at) || text.one_of(at, &["sign", "symbol", "of"]) {
        at += 1;
    }
    at = between::behind_manner(text, at);
    let first = at;
    let mut domain: Option<Domain> = None;
    let (mut dots, mut plain) = (0, 0);
    let mut provider = false;
    while at < first + DOMAIN {
        let next = label(text, at, dots > 0)?.max(at);
        if next == at {
            break;
        }
        provider |= is_provider(text, at, next);
        plain += usize::from(text.letter(at).is_none());
        let mut after = next;
        while hesitates(text, after) {
            after += 1;
        }
        let spaced = text.sign(after, b'.') && !text.glued_after(after) && provider && text.has(after + 1, words::TLD) && !text.has(after + 1, words::TLD_WORD);
        let dot = is_dot(text, after) || spaced;
        if dots > 0 {
            let end = ending(text, at, next);
            // "at twenty nine point eight", "at 6 a.m": no domain ends with one letter.
            let counts = |n: usize| text.get(n).is_some_and(|t| t.kind != Kind::Word || t.info.num != Num::None || t.info.sign == b'.');
            let numbers = (first..next).all(counts) || next == at + 1 && text.letter(at).is_some();
            domain = Some(Domain { last: next - 1, dots, end, provider, numbers });
            // "mail dot cloud travel dot com"
            let long = text.get(at).is_some_and(|t| t.end - t.start > 4) && text.has(after + 2, words::TLD) && !text.has(after + 2, words::TLD_WORD);
            let two_words =
                (end != End::Known || long) && !dot && !is_dash(text, after) && is_dot(text, after + 1) && label(text, after, true).is_some_and(|n| n > after);
            if !dot && !is_dash(text, after) && !two_words {
                break;
            }
        }
        if dot {
            (dots, plain) = (dots + 1, 0);
            at = after + 1;
        } else if is_dash(text, after) {
            plain = 0;
            at = after + 1;
        } else if provider && dots == 0 && text.one_of(after, &["com", "net", "org"]) {
            // "at gmail com": the dot was swallowed.
            return Some(Domain { last: after, dots: 1, end: End::Known, provider, numbers: false });
        } else {
            // Of a provider named without a dot no more belongs to it: "at icloud wait i need ...".
            let split = at > first && !text.has(at - 1, words::PROVIDER) && is_provider(text, at - 1, at);
            if dots == 0 && (is_provider(text, at, next) || split) {
                domain = Some(Domain { last: next - 1, dots, end: End::Unknown, provider, numbers: false });
            }
            if plain >= 4 {
                break;
            }
            at = after;
        }
        while hesitates(text, at) || (dot && text.sign(at, b',')) {
            at += 1;
        }
        if label(text, at, dots > 0).is_none() {
            break;
        }
    }
    domain
}

/// Where the label (or word of a label) that begins here ends; nothing where none begins.
fn label(text: &Text<'_>, at: usize, after_dot: bool) -> Option<usize> {
    let token = text.get(at)?;
    let mut end = at + 1;
    match token.kind {
        Kind::Digits => {}
        Kind::Word if token.info.sign != 0 || text.has(at, words::AT) => return None,
        Kind::Word if text.spoken_letter(at).is_some() || letter_of_word(text, at).is_some() => {
            end = letter_of_word(text, at).unwrap_or(end);
            if after_dot {
                while let Some(next) = letter_of_word(text, end).or_else(|| text.letter(end).map(|_| end + 1)) {
                    end = next;
                }
                return Some(end);
            }
        }
        Kind::Word => {
            let followed = is_dot(text, end) || is_dash(text, end);
            let counts = matches!(token.info.num, Num::Unit | Num::Teen | Num::Tens);
            let hosted = text.word(at, "mail") && at > 0 && text.one_of(at - 1, &["g", "hot", "gee", "proton", "jee"]);
            let site = ["mail", "my", "the", "our", "first", "best", "live", "go", "get", "try", "all", "new", "good", "only", "just", "one"];
            // "at keller and sons dot co dot uk"
            let company =
                text.word(at, "and") && at > 1 && !text.has(at - 1, words::STOP | words::PLACE | words::PROVIDER | words::AT) && is_dot(text, end + 1);
            let hosted = hosted || company || (text.one_of(at, &site) && (is_dot(text, end + 1) || is_dot(text, end + 2)));
            if !after_dot && !followed && !counts && !hosted && text.has(at, words::STOP) && !text.has(at, words::PROVIDER) {
                return None;
            }
        }
        Kind::Sign(_) | Kind::Mask => return None,
    }
    while text.get(end).is_some_and(|t| t.glued && matches!(t.kind, Kind::Word | Kind::Digits)) {
        end += 1;
    }
    Some(end)
}

/// "c as in charlie", "c for charlie": where it ends.
pub(super) fn letter_of_word(text: &Text<'_>, at: usize) -> Option<usize> {
    text.letter(at)?;
    if text.word(at + 1, "as") && text.word(at + 2, "in") && text.get(at + 3).is_some_and(|t| t.kind == Kind::Word) {
        return Some(at + 4);
    }
    // "x ray", "x-ray"
    let ray = at + 1 + usize::from(text.sign(at + 1, b'-'));
    if text.word(at, "x") && text.word(ray, "ray") {
        return Some(ray + 1);
    }
    let same = |n: usize| text.said(n).as_bytes().first().map(u8::to_ascii_uppercase) == text.letter(at) && text.letter(n).is_none();
    (text.one_of(at + 1, &["for", "like", "as"]) && same(at + 2)).then_some(at + 3)
}

fn is_provider(text: &Text<'_>, at: usize, next: usize) -> bool {
    let mail = |n: usize| text.word(n, "mail");
    text.has(at, words::PROVIDER)
        || (next == at + 1 && text.one_of(at, &["g", "hot", "gee", "proton", "jee"]) && mail(next))
        || (text.word(at, "out") && text.word(next, "look"))
        || (text.letter(at) == Some(b'I') && text.word(next, "cloud"))
        || (mail(at) && at > 0 && text.one_of(at - 1, &["g", "hot", "gee", "proton", "jee"]))
}

/// How the label `at..next` ends a domain.
fn ending(text: &Text<'_>, at: usize, next: usize) -> End {
    let flags = if next == at + 1 {
        text.get(at).map_or(0, |t| t.info.flags)
    } else {
        let letters: String = (at..next).filter_map(|n| text.letter(n)).map(|l| char::from(l.to_ascii_lowercase())).collect();
        if letters.len() == next - at { words::look_up(&letters).flags } else { 0 }
    };
    match flags & (words::TLD | words::TLD_WORD) {
        0 => End::Unknown,
        flag if flag & words::TLD_WORD != 0 => End::Word,
        _ => End::Known,
    }
}

struct Mailbox {
    first: usize,
    /// How much in it is no plain word: signs, letters, digits.
    strength: usize,
}

/// What a token before the "at" is to the mailbox.
enum Piece {
    /// It joins what is on both sides.
    Joint,
    /// It belongs to it, back to this token; true where it is no plain word.
    Part(usize, bool),
    /// It may stand inside.
    Between(usize),
    /// The mailbox begins behind it.
    Outside,
}

fn mailbox(text: &Text<'_>, at: usize, floor: usize, announced: bool) -> Option<Mailbox> {
    let mut first = None;
    let (mut strength, mut plain) = (0_usize, 0);
    // `signed`: it was written in one piece, with signs inside.
    let (mut joined, mut signed) = (false, false);
    let (mut left, mut right) = (at, at);
    // Words that nothing joins belong to it only if what announces an address comes right before them.
    let mut surely: Option<(usize, usize)> = None;
    let most = if announced { 4 } else { 2 };
    while left > floor && at - left < MAILBOX {
        left -= 1;
        // What is written without white space to the right belongs together.
        let written = text.get(left + 1).is_some_and(|t| t.glued) && left + 1 == right && (left + 1 < at || text.sign(at, b'@'));
        match piece(text, left, right, joined || written, floor, first.is_none()) {
            Piece::Joint => {
                strength += 1;
                signed |= written && text.get(at).is_some_and(|t| t.kind == Kind::Sign(b'@') && t.glued);
                (first, joined, plain) = (Some(left), true, 0);
                right = left;
            }
            Piece::Part(begin, strong) => {
                let begin = begin.max(floor);
                if strong {
                    strength += 1;
                } else if !joined && !written {
                    // "Unsubscribe anna_smith7@example.com"
                    if signed {
                        left += 1;
                        break;
                    }
                    plain += 1;
                    if plain > most {
                        left += 1;
                        break;
                    }
                    // The one beside digits or letters is no question, nor is a given name.
                    let beside = plain == 1 && first.is_some_and(|n| spells(text, n));
                    if let Some(sure) = first.filter(|_| surely.is_none() && !beside && !text.has(begin, words::GIVEN)) {
                        surely = Some((sure, strength));
                    }
                }
                (first, joined) = (Some(begin), false);
                (left, right) = (begin, begin);
            }
            Piece::Between(begin) => left = begin.max(floor),
            Piece::Outside => {
                left += 1;
                break;
            }
        }
    }
    if let Some(sure) = surely.filter(|_| !leads(text, left, floor)) {
        (first, strength) = (Some(sure.0), sure.1);
    }
    // It begins with a letter or a digit.
    let mut first = first?;
    while first < at && text.get(first).is_some_and(|t| (matches!(t.kind, Kind::Sign(_)) || t.info.sign != 0) && !text.sign(first, b'_')) {
        first += 1;
        strength = strength.saturating_sub(1);
    }
    (first < at).then_some(Mailbox { first, strength })
}

/// True where an address is announced right before this place, or nothing was said before it.
fn leads(text: &Text<'_>, at: usize, floor: usize) -> bool {
    let links = [
        "is", "its", "thats", "email", "address", "to", "at", "reach", "mail", "contact", "emails", "be", "me", "was", "as", "yes", "yeah", "okay", "sure",
        "from", "under", "with",
    ];
    let small = |n: usize| hesitates(text, n) || text.sign(n, b',') || text.sign(n, b':');
    let mut before = at;
    while before > floor && small(before - 1) {
        before -= 1;
    }
    before == floor || before < at && !hesitates(text, before) || text.one_of(before - 1, &links)
}

fn spells(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| {
        t.kind == Kind::Digits
            || t.info.sign != 0
            || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Repeat | Num::Hundred | Num::Thousand)
            || text.spoken_letter(at).is_some()
    })
}

fn piece(text: &Text<'_>, at: usize, right: usize, joined: bool, floor: usize, none_yet: bool) -> Piece {
    let Some(token) = text.get(at) else { return Piece::Outside };
    match token.kind {
        Kind::Mask => Piece::Outside,
        Kind::Digits => Piece::Part(at, true),
        Kind::Sign(sign) => match sign {
            b'_' => Piece::Joint,
            b'.' | b'-' | b'+' | b'\'' | b'%' | b'~' if joined && (token.glued || sign != b'.') && none_or_glued(text, at) => Piece::Joint,
            b'.' | b',' | b'-' if at > floor && spells(text, at - 1) && (spells(text, right) || none_yet) => Piece::Between(at),
            b',' if between::beside_manner(text, at) || at > floor && !none_yet && spells(text, right) && text.has(at - 1, words::CORRECT) => {
                Piece::Between(at)
            }
            b',' if at > floor + 2 && [3, 4].iter().any(|n| at >= floor + n && letter_of_word(text, at - n) == Some(at)) => Piece::Between(at),
            _ => Piece::Outside,
        },
        Kind::Word => spoken_piece(text, at, right, joined, floor, none_yet),
    }
}

/// True where a sign is written inside an address: something is glued to both sides.
fn none_or_glued(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| t.glued) && text.glued_after(at)
}

fn spoken_piece(text: &Text<'_>, at: usize, right: usize, joined: bool, floor: usize, none_yet: bool) -> Piece {
    let Some(token) = text.get(at) else { return Piece::Outside };
    if token.info.sign != 0 && !matches!(token.info.sign, b':' | b'/') {
        return if between::denied(text, at) { Piece::Outside } else { Piece::Joint };
    }
    // "anna under score smith"
    if at > floor && text.word(at, "score") && text.word(at - 1, "under") || text.word(at, "under") && text.word(at + 1, "score") {
        return Piece::Joint;
    }
    // "j as in john": from its last word back to its letter.
    for begin in [at.checked_sub(3), at.checked_sub(2), at.checked_sub(1)].into_iter().flatten().filter(|begin| *begin >= floor) {
        if letter_of_word(text, begin) == Some(at + 1) {
            return Piece::Part(begin, true);
        }
    }
    if let Some(begin) = between::begin(text, at, right, none_yet) {
        return Piece::Between(begin.max(floor));
    }
    let alone = !joined && (none_yet || !spells(text, right));
    match token.info.num {
        Num::Unit if between::is_pronoun(text, at) => return Piece::Outside,
        _ if between::is_age(text, at) => return Piece::Outside,
        Num::Unit | Num::Teen | Num::Tens | Num::Hundred | Num::Thousand => return Piece::Part(at, true),
        Num::Repeat if spells(text, right) => return Piece::Part(at, true),
        _ => {}
    }
    if text.spoken_letter(at).is_some() {
        // "i" and "a" are words as well.
        let word = matches!(text.letter(at), Some(b'I' | b'A'))
            && alone
            && !behind_letter(text, at, floor)
            && !(at > floor && text.has(at - 1, words::GIVEN | words::FAMILY));
        return if word && !text.get(at + 1).is_some_and(|t| t.glued) { Piece::Outside } else { Piece::Part(at, true) };
    }
    if hesitates(text, at) || (text.has(at, words::CORRECT) && !none_yet) {
        return Piece::Between(at);
    }
    let behind_sign = at > floor && text.get(at - 1).is_some_and(|t| t.kind == Kind::Word && t.info.sign != 0) && !between::denied(text, at - 1);
    if joined || behind_sign {
        return Piece::Part(at, behind_sign);
    }
    // "my personal one is", "i got two"
    let verb = text.one_of(at, &["is", "are"]) || text.one_of(at, &["got", "think", "guess", "hold"]) && at > 0 && text.word(at - 1, "i");
    if text.has(at, words::WEAK) && !verb && at > floor && spells(text, at - 1) && spells(text, right) && !none_yet {
        return Piece::Between(at);
    }
    let numbered = text.get(right).is_some_and(|t| t.kind == Kind::Digits || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens));
    if (none_yet || numbered) && between::is_office(text, at) && (leads(text, at, floor) || between::leads_to_office(text, at)) {
        return Piece::Part(at, false);
    }
    // "i bought two at", "they sell one at"
    let counted = text.get(right).is_some_and(|t| matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens));
    let stops = words::STOP | if none_yet || counted { words::PLACE } else { 0 };
    if token.info.flags & stops != 0 || token.info.num == Num::Slip { Piece::Outside } else { Piece::Part(at, false) }
}

/// True where letters or digits stand before this token, with a comma between or without.
fn behind_letter(text: &Text<'_>, at: usize, floor: usize) -> bool {
    let before = at.saturating_sub(1 + usize::from(at > floor + 1 && text.sign(at - 1, b',')));
    at > floor && before >= floor && spells(text, before)
}
