//! Values that a caller gives over several turns.
//!
//! In: the last texts of a conversation. Out: the spans of each. The end of a caller's turn and the beginning of his
//! next ones are read as one text; what lies across them is a value if it would be one in a single turn, given what the
//! agent asked. What the agent repeats of it is found too. Looks at a bounded number of texts. Never fails.

use super::context::Asked;
use super::numbers::Run;
use super::tokens::{Kind, Text};
use super::words::{self, Num};
use super::{Label, Role, Said, Span, detect_asked, email};

/// How many of the caller's texts that hold anything at all, the newest included, may hold parts of one value.
pub const WINDOW: usize = 4;

/// How many of the caller's texts are looked through for them.
const LOOKED_THROUGH: usize = 8;

/// Finds the values in the last texts of a conversation, the last being the newest. The answer has the spans of each
/// text, in order; texts before the window of [`WINDOW`] caller's texts have none.
#[must_use]
pub fn detect_across(said: &[Said<'_>]) -> Vec<Vec<Span>> {
    let callers = said.iter().enumerate().rev().filter(|(_, s)| s.role == Role::Caller).map(|(n, _)| n).take(LOOKED_THROUGH);
    let mut holding = 0;
    let window = callers.take_while(|n| {
        holding += usize::from(holds_anything(said[*n].text));
        holding <= WINDOW
    });
    let from = window.last().unwrap_or(0);
    let mut spans: Vec<Vec<Span>> = Vec::with_capacity(said.len());
    let mut asked = question_before(said, from);
    for (n, one) in said.iter().enumerate() {
        if n < from {
            spans.push(Vec::new());
            continue;
        }
        spans.push(match one.role {
            Role::Caller => detect_asked(one.text, asked),
            Role::Agent => detect_asked(one.text, Asked { name: false, ..asked }),
        });
        if one.role == Role::Agent {
            asked = asked.after(&Text::new(one.text));
        }
    }
    join(said, from, &mut spans);
    spans
}

/// True where a text may hold a part of a value.
fn holds_anything(text: &str) -> bool {
    let read = Text::new(text);
    let hints = read.hints;
    hints.numbers > 0 || hints.at || hints.letters > 1 || text.contains('_') || read.tokens.iter().any(|t| t.info.sign != 0)
}

/// True where a later text of the same caller may still change what is found in this one: it holds digits, letters or
/// parts of an address that are no value by themselves.
#[must_use]
pub fn may_continue(text: &str, spans: &[Span]) -> bool {
    fragments(&Text::new(text), spans).iter().any(|f| f.digits.len() >= 2 || f.soft) || mailbox_end(text, spans)
}

fn question(said: &Said<'_>) -> Asked {
    match said.role {
        Role::Agent => Asked::read(&Text::new(said.text)),
        Role::Caller => Asked::default(),
    }
}

/// Digits in a text that are no value by themselves.
struct Fragment {
    start: usize,
    end: usize,
    digits: Vec<u8>,
    /// It was taken for a whole value, but may be a part of a longer one.
    soft: bool,
    /// How many tokens stand before and behind it that are more than hesitation.
    before: usize,
    after: usize,
}

fn fragments(text: &Text<'_>, spans: &[Span]) -> Vec<Fragment> {
    let mut found = Vec::new();
    let mut run = Run::default();
    let mut at = 0;
    while let Some(next) = run.next(text, at) {
        at = next;
        let (Some(first), Some(last)) = (text.get(run.first), text.get(run.last)) else { break };
        let (start, end) = (first.start as usize, last.end as usize);
        let taken = spans.iter().find(|s| s.start < end && start < s.end);
        let soft = taken.is_some_and(|s| s.label == Label::PhoneNumber && (6..10).contains(&run.digits.len()) && !run.plus);
        if (taken.is_some() && !soft) || run.amount {
            continue;
        }
        let words = |range: std::ops::Range<usize>| {
            range.filter(|n| !text.has(*n, words::FILLER | words::WEAK) && text.get(*n).is_some_and(|t| t.kind == Kind::Word)).count()
        };
        found.push(Fragment { start, end, digits: run.digits.clone(), soft, before: words(0..run.first), after: words(run.last + 1..text.tokens.len()) });
    }
    found
}

/// Joins the newest caller's text with the ones before it.
fn join(said: &[Said<'_>], from: usize, spans: &mut [Vec<Span>]) {
    let Some(newest) = (from..said.len()).rev().find(|n| said[*n].role == Role::Caller) else { return };
    let texts: Vec<(usize, Vec<Fragment>)> =
        (from..=newest).filter(|n| said[*n].role == Role::Caller).map(|n| (n, fragments(&Text::new(said[n].text), &spans[n]))).collect();
    numbers(said, newest, &texts, spans);
    continuation(said, newest, &texts, spans);
    addresses(said, newest, &texts, spans);
    echoes(said, from, spans);
}

/// Tries the newest text's first digits behind the last digits of one, two or three texts before it, most first.
fn numbers(said: &[Said<'_>], newest: usize, texts: &[(usize, Vec<Fragment>)], spans: &mut [Vec<Span>]) {
    let Some((_, own)) = texts.last() else { return };
    let Some(head) = own.first().filter(|f| f.before <= 8) else { return };
    let earlier: Vec<&(usize, Vec<Fragment>)> = texts[..texts.len() - 1].iter().filter(|(_, f)| !f.is_empty()).collect();
    for drop_echoes in [false, true] {
        for count in (1..=earlier.len()).rev() {
            let mut parts: Vec<(usize, &Fragment)> = Vec::with_capacity(count + 1);
            for (n, fragments) in &earlier[earlier.len() - count..] {
                let Some(tail) = fragments.last() else { continue };
                let repeated = drop_echoes && parts.last().is_some_and(|(_, before)| before.digits.ends_with(&tail.digits));
                if !repeated {
                    parts.push((*n, tail));
                }
            }
            parts.push((newest, head));
            let clean = parts.iter().skip(1).all(|(_, f)| f.before <= 8) && parts.iter().rev().skip(1).all(|(_, f)| f.after <= 8);
            if parts.len() > 1 && clean && joined(said, &parts, spans) {
                return;
            }
        }
    }
}

/// Reads the parts as one text; marks them where a value lies across all of them.
fn joined(said: &[Said<'_>], parts: &[(usize, &Fragment)], spans: &mut [Vec<Span>]) -> bool {
    let Some(((first, begin), (last, end))) = parts.first().zip(parts.last()) else { return false };
    let mut text = said[*first].text[..begin.start].to_owned();
    let mut places = Vec::with_capacity(parts.len());
    for (n, fragment) in parts {
        let start = text.len();
        text.push_str(&said[*n].text[fragment.start..fragment.end]);
        places.push((*n, start, text.len(), fragment));
        text.push(' ');
    }
    text.push_str(said[*last].text[end.end..].trim_start());
    let asked = question_before(said, *first);
    let soft = parts.iter().any(|(_, f)| f.soft);
    let total: usize = parts.iter().map(|(_, f)| f.digits.len()).sum();
    if soft && !((10..=19).contains(&total) && parts.iter().all(|(_, f)| f.digits.len() >= 2 && f.before + f.after <= 10)) {
        return false;
    }
    let loose = parts.iter().any(|(_, f)| f.digits.len() < 3 && parts.len() == 2);
    for span in detect_asked(&text, asked) {
        let across = places.first().is_some_and(|p| span.start < p.2) && places.last().is_some_and(|p| span.end > p.1);
        // Short parts join only where something announced the value.
        let too_long = soft && total > 12 && span.label == Label::PhoneNumber;
        if !across || too_long || (loose && span.score < 0.65) {
            continue;
        }
        for (n, start, stop, fragment) in &places {
            let from = fragment.start + span.start.saturating_sub(*start).min(stop - start);
            let to = if span.end >= *stop { fragment.end } else { fragment.start + (span.end - start) };
            let to = if n == last && span.end > *stop { said[*n].text.len().min(fragment.end + (span.end - stop)) } else { to };
            add(&mut spans[*n], said[*n].text, from, to, span.label, span.score);
        }
        return true;
    }
    false
}

/// Digits alone in a turn behind a turn that ended with a value are the rest of it, unless something else was asked.
fn continuation(said: &[Said<'_>], newest: usize, texts: &[(usize, Vec<Fragment>)], spans: &mut [Vec<Span>]) {
    let Some((_, own)) = texts.last() else { return };
    let Some(before) = (0..newest).rev().find(|n| said[*n].role == Role::Caller && (said[*n].text.contains('[') || holds_anything(said[*n].text))) else {
        return;
    };
    let [rest] = own.as_slice() else { return };
    if rest.soft
        || rest.before + rest.after > 3
        || !(2..=8).contains(&rest.digits.len())
        || spans[newest].iter().any(|s| s.start < rest.end && rest.start < s.end)
    {
        return;
    }
    let other = said[before + 1..newest].iter().any(|s| s.role == Role::Agent && question(s).cue != super::words::Cue::None);
    let Some((label, own_digits)) = ended_with(said[before].text, &spans[before]) else { return };
    // A whole telephone number has no rest; what was masked before may have had one.
    let whole = match label {
        Label::PhoneNumber => own_digits.is_some_and(|n| n >= 10),
        Label::CreditCard => own_digits.is_some_and(|n| n >= 16),
        _ => true,
    };
    if !other && !whole {
        add(&mut spans[newest], said[newest].text, rest.start, rest.end, label, 0.5);
    }
}

/// The label of the value that a text ends with, and how many digits it has if it still stands there.
fn ended_with(text: &str, spans: &[Span]) -> Option<(Label, Option<usize>)> {
    if let Some(span) = spans.last().filter(|s| text[s.end..].split_whitespace().count() <= 3) {
        let mut run = Run::default();
        let value = Text::new(text.get(span.start..span.end)?);
        run.next(&value, 0)?;
        return Some((span.label, Some(run.digits.len())));
    }
    let (_, tail) = text.rsplit_once('[')?;
    let (name, rest) = tail.split_once(']')?;
    let label = Label::ALL.into_iter().find(|label| label.as_str() == name)?;
    (rest.split_whitespace().count() <= 3).then_some((label, None))
}

/// What the agent asked before this text.
fn question_before(said: &[Said<'_>], at: usize) -> Asked {
    let texts = said[at.saturating_sub(2 * WINDOW)..at].iter().filter(|s| s.role == Role::Agent);
    texts.fold(Asked::default(), |asked, s| asked.after(&Text::new(s.text)))
}

/// Adds a span where it overlaps none.
fn add(spans: &mut Vec<Span>, text: &str, start: usize, end: usize, label: Label, score: f32) {
    let fits = start < end && text.is_char_boundary(start) && text.is_char_boundary(end);
    if fits {
        // A part that was taken for a whole gives way to the whole.
        spans.retain(|s| !(start <= s.start && s.end <= end));
    }
    if fits && !spans.iter().any(|s| s.start < end && start < s.end) {
        spans.push(Span { start, end, label, score });
        spans.sort_by_key(|s| s.start);
    }
}

/// True where a text ends with something that may be the beginning of an address.
fn mailbox_end(text: &str, spans: &[Span]) -> bool {
    let read = Text::new(text);
    let Some(last) = read.tokens.last() else { return false };
    if spans.last().is_some_and(|s| s.end == last.end as usize) {
        return false;
    }
    let from = read.tokens.len().saturating_sub(12);
    (from..read.tokens.len()).any(|n| {
        let info = read.tokens[n].info;
        info.sign != 0 || info.cue == words::Cue::Mail || read.letter(n).is_some_and(|l| !matches!(l, b'I' | b'A'))
    })
}

/// An address across the newest text and one or two of the caller's before it.
fn addresses(said: &[Said<'_>], newest: usize, texts: &[(usize, Vec<Fragment>)], spans: &mut [Vec<Span>]) {
    let earlier = || texts.iter().map(|(n, _)| *n).filter(|n| *n != newest).rev();
    let mut parts: Vec<usize> = earlier().filter(|n| mailbox_end(said[*n].text, &spans[*n])).take(2).collect();
    if parts.is_empty() && leads_on(said[newest].text) {
        parts.extend(earlier().next());
    }
    parts.reverse();
    parts.push(newest);
    // The last two first: three only where two make no address.
    for from in (0..parts.len().saturating_sub(1)).rev() {
        if joined_address(said, &parts[from..], spans) {
            return;
        }
    }
}

/// Reads the parts as one text; marks them where an address lies across all of them.
fn joined_address(said: &[Said<'_>], parts: &[usize], spans: &mut [Vec<Span>]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let mut text = said[*first].text.trim_end_matches(['.', ',', '?', '!', ' ']).to_owned();
    // Each part: its text, where it stands in the whole, and how much of its beginning was left out.
    let mut places = vec![(*first, 0, text.len(), 0)];
    for n in rest {
        text.push(' ');
        let whole = said[*n].text;
        let begin = whole.len() - begins_address(whole).len();
        places.push((*n, text.len(), text.len() + whole.len() - begin, begin));
        text.push_str(&whole[begin..]);
    }
    let read = Text::new(&text);
    let mut found = Vec::new();
    email::find(&read, question_before(said, *first), &mut found);
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

/// True where a text begins with the rest of an address.
fn leads_on(text: &str) -> bool {
    let read = Text::new(begins_address(text));
    read.has(0, words::AT) || read.sign(0, b'@') || read.get(0).is_some_and(|t| t.info.sign != 0)
}

/// A text without the small talk at its beginning.
fn begins_address(text: &str) -> &str {
    let read = Text::new(text);
    let small =
        |n: usize| read.has(n, words::FILLER) || (read.has(n, words::WEAK) && read.get(n).is_some_and(|t| t.info.num == Num::None)) || read.sign(n, b',');
    let first = (0..read.tokens.len()).find(|n| !small(*n)).unwrap_or(0);
    read.get(first).map_or(text, |t| &text[t.start as usize..])
}

/// What the agent repeats of the caller's values.
fn echoes(said: &[Said<'_>], from: usize, spans: &mut [Vec<Span>]) {
    let mut values: Vec<(Label, Vec<u8>)> = Vec::new();
    let mut pieces: Vec<(Label, Vec<u8>)> = Vec::new();
    for n in from..said.len() {
        if said[n].role == Role::Agent {
            continue;
        }
        for span in spans[n].iter().filter(|s| !matches!(s.label, Label::PersonName | Label::Url)) {
            let Some(value) = said[n].text.get(span.start..span.end) else { continue };
            let digits = digits_of(value);
            if digits.len() >= 2 {
                pieces.push((span.label, digits));
            }
        }
    }
    // Parts in several turns make one value, which may be repeated across their borders.
    for (label, digits) in &pieces {
        match values.iter_mut().find(|(l, _)| l == label) {
            Some((_, value)) => value.extend_from_slice(digits),
            None => values.push((*label, digits.clone())),
        }
    }
    if values.is_empty() {
        return;
    }
    for n in from..said.len() {
        let fragments = fragments(&Text::new(said[n].text), &spans[n]);
        for fragment in fragments.into_iter().filter(|f| !f.soft) {
            let least = if said[n].role == Role::Agent { 3 } else { 4 };
            let whole = fragment.before + fragment.after <= 3 && fragment.digits.len() >= 2 && said[n].role == Role::Agent;
            if fragment.digits.len() < least && !whole {
                continue;
            }
            let source = values.iter().find(|(_, value)| value.windows(fragment.digits.len()).any(|w| w == fragment.digits));
            if let Some((label, _)) = source {
                add(&mut spans[n], said[n].text, fragment.start, fragment.end, *label, 0.5);
            }
        }
    }
}

fn digits_of(value: &str) -> Vec<u8> {
    let text = Text::new(value);
    let mut run = Run::default();
    let mut digits = Vec::new();
    let mut at = 0;
    while let Some(next) = run.next(&text, at) {
        digits.extend_from_slice(&run.digits);
        at = next;
    }
    digits
}
