//! Dates of birth: dates of which is said that they are one.
//!
//! In: tokens. Out: findings. Any form of date counts, written or spoken, if a birth is announced before it, was asked
//! for, or is named right behind it. Never fails.

use super::aside;
use super::asked::Asked;
use super::context::{Context, IN_QUESTION, Near, announced_before};
use super::numbers::{Run, Sep, Shape};
use super::phone;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label};

/// Finds them all.
pub(super) fn find(text: &Text<'_>, asked: Asked, found: &mut Vec<Found>) {
    let mut run = Run::default();
    let mut context = Context::default();
    let asked = if asked.birth() { Asked { cue: Cue::Birth, ..asked } } else { asked };
    let answers = asked.birth() && answers(text);
    let mut at = 0;
    let mut before = None;
    while at < text.tokens.len() {
        let Some((last, whole)) = date(text, at, &mut run).or_else(|| if answers || named(text, at) { part(text, at, &mut run, asked) } else { None }) else {
            at += 1;
            continue;
        };
        context.read(text, at, last, asked);
        // "my date of birth is wrong on the ticket it should be"
        let wrong = (at.saturating_sub(4)..at).any(|n| text.word(n, "should")) && context.has(Cue::Birth);
        let birth = context
            .cues
            .iter()
            .find(|near| !(matches!(near.cue, Cue::Number | Cue::Mail | Cue::Phone) || near.cue == Cue::Thing && (wrong || on_it(text, at, near))));
        let named = named(text, at) && (text.hints.birth || asked.birth());
        let instead = whole && before.is_some_and(|end| put_right(text, end, at));
        let accepted = answers
            || !of_an_event(text, at)
                && (named
                    || instead
                    || birth.is_some_and(|near| {
                        let near_enough = near.direct || near.distance <= 3;
                        near.cue == Cue::Birth && (near_enough || whole && (near.distance < IN_QUESTION || !of_something(text, at, last)))
                    }));
        if accepted {
            let last = goes_on(text, last, &mut run);
            let floor = found.last().map_or(0, |f| f.last + 1);
            found.push(Found { first: taken_back(text, at, floor), last, label: Label::DateOfBirth, score: if whole { 0.9 } else { 0.7 } });
            before = Some(last);
            at = last + 1;
        } else {
            at += 1;
        }
    }
}

/// True for a thing on which a birth is said to stand: "date of birth on the licence".
fn on_it(text: &Text<'_>, at: usize, near: &Near) -> bool {
    let Some(thing) = at.checked_sub(near.distance + 1).filter(|n| near.direct && *n > 2) else { return false };
    let owned = text.one_of(thing - 1, &["the", "my", "his", "her", "your", "their", "this", "that"]);
    owned && text.one_of(thing - 2, &["on", "in", "for", "under"]) && text.get(thing - 3).is_some_and(|t| t.info.cue == Cue::Birth)
}

/// True for the date of what is booked or due: "your date of birth the engineer's booked for october the eighth".
fn of_an_event(text: &Text<'_>, at: usize) -> bool {
    const EVENTS: [&str; 16] = [
        "booked",
        "scheduled",
        "exam",
        "due",
        "expires",
        "expiring",
        "departs",
        "departing",
        "delivery",
        "appointment",
        "meeting",
        "installation",
        "surgery",
        "arrives",
        "arriving",
        "rescheduled",
    ];
    let before = (at.saturating_sub(5)..at).rev().find(|n| text.one_of(*n, &EVENTS) || text.get(*n).is_some_and(|t| t.info.cue == Cue::Birth));
    before.is_some_and(|n| text.one_of(n, &EVENTS)) && text.one_of(at.saturating_sub(1), &["for", "on", "by", "the", "is", "until"])
}

/// True where a text speaks of something else before its date: "my payment went through on ...", said instead of the birth that
/// was asked for.
fn of_something(text: &Text<'_>, at: usize, last: usize) -> bool {
    let small = words::STOP | words::NEUTRAL | words::FILLER | words::WEAK | words::CORRECT | words::REMARK | words::NO_NAME;
    let other = |n: usize| text.get(n).is_some_and(|t| t.kind == Kind::Word && t.info.num == Num::None && t.info.flags & small == 0 && t.info.cue == Cue::None);
    let costs = |n: usize| text.one_of(n, &["payment", "flight", "appointment", "meeting", "sale", "warranty", "update", "version", "room", "rooms"]);
    // "sure sweetheart it's march third": the answer, whatever is said before it.
    let ends = (last + 1..text.tokens.len()).all(|n| !other(n));
    let told = (at.saturating_sub(3)..at).any(|n| text.one_of(n, &["its", "thats", "mine", "is", "was", "be"]));
    !(ends && told) && (at.saturating_sub(16)..at).any(|n| other(n) || costs(n))
}

/// The first token of what was said before a date and taken back by it: "the second no the third of may".
fn taken_back(text: &Text<'_>, first: usize, floor: usize) -> usize {
    let links = |n: usize| text.has(n, words::CORRECT | words::FILLER) || text.one_of(n, &["i", "the", "its"]) || text.sign(n, b',');
    let floor = floor.max(first.saturating_sub(6));
    let Some(before) = (floor..first).rev().find(|n| !links(*n)) else { return first };
    let corrected = (before + 1..first).any(|n| text.has(n, words::CORRECT));
    let counts = |n: usize| n >= floor && text.get(n).is_some_and(|t| matches!(t.info.num, Num::Ordinal | Num::Unit | Num::Teen | Num::Tens | Num::Month));
    if !corrected || !counts(before) || moment(text, before) {
        return first;
    }
    (floor..before).rev().take_while(|n| counts(*n)).last().unwrap_or(before)
}

/// True where one date stands for another: "you have my date of birth as ... but it's ...".
fn put_right(text: &Text<'_>, end: usize, at: usize) -> bool {
    let links = [
        "but", "its", "it", "is", "should", "be", "say", "not", "actually", "and", "no", "really", "the", "thats", "that", "wrong", "instead", "of", "correct",
        "right", "one", "was",
    ];
    let marks = ["but", "not", "actually", "wrong", "instead", "should", "correct"];
    at > end + 1
        && at - end <= 9
        && (end + 1..at).all(|n| text.one_of(n, &links) || text.has(n, words::FILLER) || text.sign(n, b','))
        && (end + 1..at).any(|n| text.one_of(n, &marks))
}

/// True for a text that holds nothing but a date, or parts of one.
fn answers(text: &Text<'_>) -> bool {
    let small = ["in", "on", "of", "the", "born", "year", "month", "day", "and", "was", "i", "its", "thats", "it", "is", "my", "birthday", "birth"];
    let polite = [
        "thanks", "thank", "you", "please", "sure", "yes", "yeah", "okay", "ok", "right", "great", "perfect", "correct", "st", "nd", "rd", "th", "well",
        "then", "so",
    ];
    let dates = |n: usize| text.get(n).is_some_and(|t| t.kind == Kind::Digits || !matches!(t.info.num, Num::None | Num::Slip | Num::Scale));
    let other = |n: usize| text.has(n, words::FILLER | words::CORRECT) || text.one_of(n, &small) || text.one_of(n, &polite);
    let sign = |n: usize| text.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(_)));
    text.tokens.len() <= 20 && !(0..text.tokens.len()).any(|n| moment(text, n)) && (0..text.tokens.len()).all(|n| dates(n) || other(n) || sign(n))
}

/// "month is april", "day seventh"
fn named(text: &Text<'_>, at: usize) -> bool {
    // "is it day first": how dates are written.
    if text.word(at, "first") && !text.one_of(at + 1, &["month", "of"]) {
        return false;
    }
    let order = |n: usize| text.one_of(n, &["month", "day", "year"]) && text.word(n + 1, "first");
    if text.one_of(at, &["second", "third", "last"]) && (at.saturating_sub(6)..at + 6).any(order) {
        return false;
    }
    let before = at - usize::from(at > 1 && text.one_of(at - 1, &["is", "was"]));
    before > 0 && text.one_of(before - 1, &["month", "day", "year"])
}

/// "one second"
fn moment(text: &Text<'_>, at: usize) -> bool {
    text.one_of(at, &["second", "moment", "minute", "sec"]) && at > 0 && text.one_of(at - 1, &["one", "a", "just"])
}

/// A year, a month or a day alone, as the answer to what was asked or the rest of what was said.
fn part(text: &Text<'_>, at: usize, run: &mut Run, asked: Asked) -> Option<(usize, bool)> {
    let token = text.get(at)?;
    let lone = token.info.num == Num::Unit || token.kind == Kind::Digits && token.end - token.start == 1;
    if token.info.num == Num::Month {
        return Some((at, false));
    }
    let starts = token.kind == Kind::Digits || !matches!(token.info.num, Num::None | Num::Slip);
    let whole = year(text, at, run).filter(|last| starts && *last >= at);
    // A day beside a date that may be whole already is as likely a count.
    let day = day(text, at, run).filter(|_| !(lone && asked.open.is_some())).map(|end| end - 1);
    whole.max(day).map(|last| (last, false))
}

/// The last token of a date that goes on behind this one, with more of it ("on the third of march") or with another instead
/// ("i mean 1992").
fn goes_on(text: &Text<'_>, last: usize, run: &mut Run) -> usize {
    let mut end = last;
    loop {
        let (mut at, mut corrected, mut joined) = (end + 1, false, false);
        while at < end + 8 {
            corrected |= text.has(at, words::CORRECT);
            joined |= text.one_of(at, &["on", "in"]);
            let sign = text.sign(at, b',') || text.sign(at, b'.') || text.sign(at, b'-');
            if !(sign
                || text.has(at, words::CORRECT | words::FILLER)
                || text.one_of(at, &["i", "on", "in", "the", "its", "it", "is", "that", "thats", "was", "not"]))
            {
                break;
            }
            at += 1;
        }
        let more = joined && text.tokens[last].info.num != Num::Month && !dated(text, end);
        let next = match date(text, at, run) {
            Some((next, true)) if corrected || more => Some(next),
            Some((next, false)) if corrected => Some(next),
            _ if corrected => part(text, at, run, Asked::default()).map(|(next, _)| next),
            _ => None,
        };
        match next.filter(|next| *next > end) {
            // "october twenty eighth no wait fifteenth nineteen seventy four"
            Some(next) => end = if corrected && !dated_year(text, next) { year(text, next + 1, run).unwrap_or(next) } else { next },
            None => return end,
        }
    }
}

/// The parts of a date that a text ends with, and whether a birth is announced before them: first and last token.
pub(super) fn tail(text: &Text<'_>) -> Option<(usize, usize, bool)> {
    *text.facts().tail.get_or_init(|| tail_now(text))
}

fn tail_now(text: &Text<'_>) -> Option<(usize, usize, bool)> {
    let small = |n: usize| text.has(n, words::FILLER) || text.one_of(n, &["thanks", "okay", "ok", "please", "you", "thank", "right", "great"]);
    let sign = |n: usize| text.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'-' | b'/')));
    let dates = |n: usize| {
        text.get(n).is_some_and(|t| t.kind == Kind::Digits || !matches!(t.info.num, Num::None | Num::Slip | Num::Scale | Num::Repeat))
            || text.one_of(n, &["st", "nd", "rd", "th"])
    };
    let last = (0..text.tokens.len()).rev().find(|n| !small(*n) && !sign(*n)).filter(|n| dates(*n) && !moment(text, *n))?;
    let mut first = last;
    let mut at = last;
    while at > 0 && last - at < 12 && (dates(at - 1) || sign(at - 1) || text.one_of(at - 1, &["of", "the", "and", "uh", "um"])) {
        at -= 1;
        first = if dates(at) { at } else { first };
    }
    let announced = announced_before(text, first);
    let alone =
        (0..first).all(|n| small(n) || sign(n) || text.has(n, words::WEAK | words::CORRECT) || text.one_of(n, &["of", "the", "in", "on", "born", "was"]));
    (announced == Some(Cue::Birth) || announced.is_none() && alone).then_some((first, last, announced.is_some()))
}

/// True where this token ends a year: four digits, or two numbers with a century's before.
fn dated_year(text: &Text<'_>, last: usize) -> bool {
    let digits = text.get(last).is_some_and(|t| t.kind == Kind::Digits && t.end - t.start == 4);
    let pair = |n: usize| text.get(n).is_some_and(|t| matches!(t.info.num, Num::Teen | Num::Tens | Num::Thousand | Num::Hundred));
    digits || text.get(last).is_some_and(|t| matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens)) && last > 0 && pair(last - 1)
}

/// True where a month stands right before this token: the date has a day and a month already.
fn dated(text: &Text<'_>, last: usize) -> bool {
    (last.saturating_sub(6)..=last).any(|n| text.get(n).is_some_and(|t| t.info.num == Num::Month))
}

/// The last token of the date that begins here, and whether it is more than digits or a year.
fn date(text: &Text<'_>, at: usize, run: &mut Run) -> Option<(usize, bool)> {
    let token = text.get(at)?;
    if token.info.num == Num::Month {
        return month_first(text, at, run).map(|last| (last, true));
    }
    if let Some(last) = by_fields(text, at, run) {
        return Some((last, true));
    }
    let days = day(text, at, run).and_then(|end| day_first(text, end, run));
    if let Some(last) = days.max(year_first(text, at, run)) {
        return Some((last, true));
    }
    digits(text, at, run)
}

/// "day seventeen month four year nineteen ninety three", from the day on: the last token.
fn by_fields(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let named = at.checked_sub(1).is_some_and(|n| text.word(n, "day"));
    let end = skip(text, day(text, at, run).filter(|_| named)?, &[]);
    let month = skip(text, end + 1, &["is"]);
    let after = if text.get(month)?.info.num == Num::Month { month + 1 } else { day(text, month, run)? };
    let behind = skip(text, after, &[]);
    let last = text.word(end, "month") && text.word(behind, "year");
    year(text, behind + 1, run).filter(|_| last)
}

/// "nineteen eighty four on the third of march", "ninety eight august eleventh"
fn year_first(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let token = text.get(at)?;
    let pairs = matches!(token.info.num, Num::Teen | Num::Tens) || token.info.num == Num::Unit && text.get(at + 1).is_some_and(|t| t.info.num == Num::Thousand);
    if !(pairs || token.kind == Kind::Digits && matches!(token.end - token.start, 2 | 4)) {
        return None;
    }
    let end = year(text, at, run)? + 1;
    let next = skip(text, end + usize::from(text.sign(end, b',')), &["on", "the", "in", "of"]);
    let month = text.get(next)?.info.num == Num::Month;
    // "the twentieth of march" has no year in front.
    let joined = next > end || month;
    if month { month_day(text, next, run) } else { day(text, next, run).filter(|_| joined).and_then(|end| day_month(text, end)) }
}

/// "march third": the last token.
fn month_day(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let next = skip(text, at + 1, &["the", "on"]);
    day(text, next, run).map(|end| end - 1)
}

/// " of march" after a day: the last token.
fn day_month(text: &Text<'_>, end: usize) -> Option<usize> {
    let month = skip(text, end, &["of"]);
    (text.get(month)?.info.num == Num::Month).then_some(month)
}

/// "march third nineteen eighty four", "March 3rd, 1984", "march eighty four".
fn month_first(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let mut next = at + 1 + usize::from(text.sign(at + 1, b'.'));
    next = skip(text, next, &["the"]);
    if let Some(end) = day(text, next, run) {
        return Some(year(text, end, run).unwrap_or(end - 1));
    }
    let of = skip(text, at + 1, &["of", "in"]);
    let last = year(text, of, run)?;
    // "march of nineteen forty five the eighth"
    let behind = skip(text, last + 1 + usize::from(text.sign(last + 1, b',')), &["on", "the"]);
    Some(if text.word(behind - 1, "the") { day(text, behind, run).map_or(last, |end| end - 1) } else { last })
}

/// " of march 1984" after a day.
fn day_first(text: &Text<'_>, end: usize, run: &mut Run) -> Option<usize> {
    let mut month = skip(text, end, &["of", "day"]);
    month += usize::from(text.sign(month, b'-') || text.sign(month, b'/'));
    // "the fourth of the seventh nineteen seventy six"
    if text.word(month, "the") && text.get(month + 1).is_some_and(|t| t.info.num == Num::Ordinal && t.info.value <= 12) {
        return year(text, month + 2, run);
    }
    if text.get(month)?.info.num != Num::Month {
        return None;
    }
    Some(year(text, month + 1, run).unwrap_or(month))
}

/// The place behind these words, hesitation and what else is said to gain time.
fn skip(text: &Text<'_>, mut at: usize, list: &[&str]) -> usize {
    loop {
        let aside = aside::end(text, at);
        let hesitates = text.has(at, words::FILLER) && !text.word(at, "like");
        if aside == at && !hesitates && !text.one_of(at, list) {
            return at;
        }
        at = aside.max(at + 1);
    }
}

/// Where the day that begins here ends: "third", "twenty first", "3rd", "14".
fn day(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let token = text.get(at)?;
    match (token.kind, token.info.num) {
        (Kind::Digits, _) => {
            let value: u32 = text.said(at).parse().ok()?;
            let end = at + 1 + usize::from(text.glued_after(at) && text.one_of(at + 1, &["st", "nd", "rd", "th"]));
            (token.end - token.start <= 2 && (1..=31).contains(&value)).then_some(end)
        }
        (_, Num::Ordinal) => Some(at + 1),
        (_, Num::Tens) if token.info.value <= 30 => {
            let unit = at + 1 + usize::from(text.sign(at + 1, b'-'));
            let follows = text.get(unit).is_some_and(|t| t.info.num == Num::Ordinal && t.info.value < 10 || t.info.num == Num::Unit && t.info.value > 0);
            Some(if follows { unit + 1 } else { at + 1 })
        }
        (_, Num::Teen) => Some(at + 1),
        (_, Num::Unit) => {
            // "oh three"
            let zero = token.info.value == 0;
            let end = if zero { at + 2 } else { at + 1 };
            run.digits.clear();
            (!zero || text.get(at + 1).is_some_and(|t| t.info.num == Num::Unit)).then_some(end)
        }
        _ => None,
    }
}

/// The last token of the year that begins here or behind a comma.
fn year(text: &Text<'_>, at: usize, run: &mut Run) -> Option<usize> {
    let mut first = at + usize::from(text.sign(at, b',') || text.sign(at, b'-') || text.sign(at, b'/') || text.sign(at, b'\''));
    first = skip(text, first, &["of", "in", "the", "year", "and"]);
    // "18-Sep-1967"
    if text.get(first).is_some_and(|t| t.kind == Kind::Digits && t.glued && t.end - t.start == 4) && text.sign(first - 1, b'-') {
        return (text.said(first).starts_with("19") || text.said(first).starts_with("20")).then_some(first);
    }
    // "11SEP1941"
    if text.get(first).is_some_and(|t| t.kind == Kind::Digits && t.glued && t.end - t.start == 4) && first > 0 && text.tokens[first - 1].info.num == Num::Month
    {
        return Some(first);
    }
    first += usize::from(text.get(first).is_some_and(|t| matches!(t.kind, Kind::Sign(b'\'' | 0))));
    run.next(text, first)?;
    if run.parts.first()?.first != first {
        return None;
    }
    let near = run.parts.iter().enumerate().take_while(|(n, p)| *n == 0 || matches!(p.sep, Sep::Space | Sep::Dash)).count();
    // The longest first: four digits of a century, a round year with a unit, two digits.
    for taken in (1..=near.min(4)).rev() {
        let last = run.parts[taken - 1];
        let digits = &run.digits[..last.at + last.len];
        let round = taken == 2 && run.parts[0].shape == Shape::Round && digits.len() == 5 && last.shape == Shape::Unit;
        // "two thousand oh seven"
        let round = round || taken == 3 && run.parts[0].shape == Shape::Round && digits.len() == 6 && digits[4] == b'0';
        let century = digits.len() == 4 && (digits.starts_with(b"19") || digits.starts_with(b"20"));
        if century || round || (digits.len() == 2 && taken <= 2) {
            return Some(last.last);
        }
    }
    None
}

/// "03/14/1984", "oh three fourteen eighty four", and "nineteen eighty four" where somebody was born in it.
fn digits(text: &Text<'_>, at: usize, run: &mut Run) -> Option<(usize, bool)> {
    let before = at.checked_sub(1);
    let inside = before.is_some_and(|n| text.get(n).is_some_and(|t| t.kind == Kind::Digits || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens)));
    if inside || !text.get(at).is_some_and(|t| t.kind == Kind::Digits || matches!(t.info.num, Num::Unit | Num::Teen | Num::Tens | Num::Repeat)) {
        return None;
    }
    run.next(text, at)?;
    if run.parts.first()?.first != at || run.plus || run.amount {
        return None;
    }
    whole_date(run);
    // "mozart was born in seventeen fifty six"
    if of_the_dead(run) && before.is_some_and(|n| text.one_of(n, &["in", "year"])) {
        return None;
    }
    let count = run.digits.len();
    let listed = run.parts.iter().any(|p| p.sep == Sep::Correction);
    let slashes = (at..run.last).any(|n| text.sign(n, b'/') || text.get(n).is_some_and(|t| t.info.sign == b'/'));
    let year_alone = count == 4 && (run.digits.starts_with(b"19") || run.digits.starts_with(b"20"));
    if year_alone {
        let named = before.is_some_and(|n| text.one_of(n, &["in", "year", "is", "was", "of", "born"]));
        let named = named && before.is_none_or(|n| !text.word(n, "in") || (n.saturating_sub(3)..n).any(|n| text.word(n, "born")));
        let age = text.has(run.last + 1, words::UNIT);
        return (named && !age).then_some((run.last, false));
    }
    // "born in sixty two"
    let born = |n: usize| text.word(n, "in") && n > 0 && text.word(n - 1, "born");
    if count == 2 && run.parts.len() == 1 && before.is_some_and(born) {
        return (run.digits[0] >= b'2' && !text.has(run.last + 1, words::UNIT)).then_some((run.last, false));
    }
    let round = run.parts.iter().any(|p| p.shape == Shape::Round);
    // "six hundred fifteen dollars"
    if round && !slashes && text.has(run.last + 1, words::UNIT) {
        return None;
    }
    let whole = (5..=8).contains(&count) || (round && count <= 9);
    (whole || (slashes && count >= 3) || (count == 4 && run.parts.len() >= 2) || (listed && count <= 14))
        .then_some((run.last, slashes || whole && run.parts.len() == 3))
}

/// Cuts off what was said behind a date of three groups: "1972-11-03 so i'm fifty", "2018-01-07, six pounds two".
fn whole_date(run: &mut Run) {
    let Some([a, b, c]) = run.parts.get(..3).filter(|_| run.parts.len() > 3) else { return };
    if a.shape == Shape::Written && phone::dated(&run.digits[..c.at + c.len], &[a.len, b.len, c.len], &[Sep::Start, b.sep, c.sep]) {
        run.last = c.last;
        run.digits.truncate(c.at + c.len);
        run.parts.truncate(3);
    }
}

/// True for a year in which nobody was born who lives.
fn of_the_dead(run: &Run) -> bool {
    run.digits.len() == 4 && matches!(run.digits[..2], [b'1', b'0'..=b'8']) && run.parts.first().is_some_and(|p| p.shape == Shape::Pair || p.len == 4)
}
