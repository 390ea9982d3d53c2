//! Digits that a caller says over several turns.
//!
//! In: texts with their digits that are no value yet. Out: spans, where the newest text's first digits and the last ones
//! of up to three texts before it are a value when read as one text. Never fails.

use std::ops::{Range, RangeInclusive};

use super::super::context::{announced_before, speaks_of};
use super::super::numbers::Run;
use super::super::tokens::{Kind, Text};
use super::super::words::{self, Cue};
use super::super::{Label, Role, Span, detect_asked};
use super::{Turn, add};

/// Digits in a text that are no value by themselves.
pub(super) struct Fragment<'t> {
    pub start: usize,
    pub end: usize,
    pub digits: &'t [u8],
    /// It was taken for a whole value, but may be a part of a longer one.
    pub soft: bool,
    /// How many tokens stand before and behind it that are more than hesitation.
    pub before: usize,
    pub after: usize,
    /// Something is announced before it: it is the first part of a value.
    pub opens: bool,
}

/// Most tokens that are more than hesitation before or behind a part that is not the first.
const BESIDE: usize = 4;

/// From so many digits on a part answers no question that does not name it.
const MANY: usize = 3;

/// Joins the newest caller's text with the ones before it.
/// What stands before the first place of `from` is part of something else; behind the second nothing was asked at all, so
/// that few digits count as well.
pub(super) fn join(said: &[Turn<'_>], from: (usize, usize), newest: usize, spans: &mut [Vec<Span>]) {
    let many = all_parts(&said[newest].read).next().is_some_and(|part| part.digits >= MANY);
    let (from, unasked) = (if many { from.0 } else { from.1 }, from.1);
    let opened = opened(said, from, newest, spans);
    let own = fragments(&said[newest].read, &spans[newest]);
    if own.is_empty() {
        return;
    }
    let callers = (from..newest).filter(|n| said[*n].role == Role::Caller);
    let mut texts: Vec<(usize, Vec<Fragment<'_>>)> = callers.map(|n| (n, fragments(&said[n].read, &spans[n]))).collect();
    texts.push((newest, own));
    if !opened {
        numbers(said, newest, &texts, spans);
    }
    continuation(said, unasked, newest, &texts, spans);
}

/// A run of digits that counts nothing.
#[derive(Debug)]
struct Whole {
    start: usize,
    end: usize,
    /// Where its digits stand in those of all runs.
    digits: Range<usize>,
    plus: bool,
    slips: usize,
    /// How many tokens stand before and behind it that are more than hesitation.
    before: usize,
    after: usize,
    /// What is announced before it.
    cue: Option<Cue>,
}

/// All runs of digits in a text that count nothing.
#[derive(Debug, Default)]
pub(in super::super) struct Runs {
    digits: Vec<u8>,
    each: Vec<Whole>,
}

impl Runs {
    fn of<'t>(text: &'t Text<'_>) -> &'t Self {
        text.facts().runs.get_or_init(|| Self::read(text))
    }

    fn read(text: &Text<'_>) -> Self {
        let mut this = Self::default();
        if text.hints.numbers == 0 {
            return this;
        }
        let mut run = Run::default();
        let mut at = 0;
        // How many words stand before a token.
        let all = words_in(text, 0..text.tokens.len());
        let (mut counted, mut words) = (0, 0);
        let mut words_before = |at: usize| {
            words += words_in(text, counted..at);
            counted = at.max(counted);
            words
        };
        while let Some(next) = run.next(text, at) {
            at = next;
            let (Some(first), Some(last)) = (text.get(run.first), text.get(run.last)) else { break };
            if run.amount || text.has(run.last + 1, words::UNIT) {
                continue;
            }
            let from = this.digits.len();
            this.digits.extend_from_slice(&run.digits);
            this.each.push(Whole {
                start: first.start as usize,
                end: last.end as usize,
                digits: from..this.digits.len(),
                plus: run.plus,
                slips: run.slips,
                before: words_before(run.first),
                after: all - words_before(run.last + 1),
                cue: announced_before(text, run.first),
            });
        }
        this
    }
}

pub(super) fn fragments<'t>(text: &'t Text<'_>, spans: &[Span]) -> Vec<Fragment<'t>> {
    let mut found = Vec::new();
    let runs = Runs::of(text);
    for run in &runs.each {
        let (start, end) = (run.start, run.end);
        let taken = spans.get(spans.partition_point(|s| s.end <= start)).filter(|s| s.start < end);
        let soft = taken.is_some_and(|s| s.label == Label::PhoneNumber && (2..10).contains(&run.digits.len()) && !run.plus);
        if taken.is_some() && !soft {
            continue;
        }
        let opens = run.cue.is_some();
        // "oh for heaven's sake"
        if !opens && run.slips > 0 && run.before + run.after > 0 {
            continue;
        }
        found.push(Fragment { start, end, digits: &runs.digits[run.digits.clone()], soft, before: run.before, after: run.after, opens });
    }
    found
}

/// Most texts before the newest that hold parts of one value.
const EARLIER: usize = 3;

/// How many digits make a value of what was announced, part after part; none for what only a grammar can tell.
fn sizes(cue: Cue) -> Option<(Label, RangeInclusive<usize>)> {
    match cue {
        Cue::Card => Some((Label::CreditCard, 8..=21)),
        Cue::Account => Some((Label::AccountNumber, 5..=18)),
        Cue::Social => Some((Label::UsSsn, 5..=11)),
        Cue::Phone => Some((Label::PhoneNumber, 7..=15)),
        _ => None,
    }
}

/// Marks the parts of a value from the text in which it was announced up to the newest, whatever each was taken for alone.
fn opened(said: &[Turn<'_>], from: usize, newest: usize, spans: &mut [Vec<Span>]) -> bool {
    let mut parts: Vec<(usize, Part<'_>)> = Vec::with_capacity(EARLIER + 1);
    let (mut cue, mut again) = (None, 0);
    for n in (from..=newest).rev().filter(|n| said[*n].role == Role::Caller) {
        let read = &said[n].read;
        let mut all = all_parts(read);
        let part = if n == newest { all.next() } else { all.next_back() };
        let beside = |part: &Part<'_>| if part.cue.is_some() { part.after } else { part.before + part.after };
        let Some(part) = part.filter(|part| beside(part) < BESIDE && (part.digits > 1 || beside(part) == 0)) else {
            if n == newest {
                return false;
            }
            continue;
        };
        // "my number is", after a whole card: another number.
        let numbered = || speaks_of(read, |cue| cue == Cue::Number);
        let opens = part.cue.or_else(|| {
            let asked = said[n].asked.cue;
            let again = sizes(asked).is_some_and(|(label, _)| open_value(said, from, n, spans).is_some_and(|(_, open, _)| open == label));
            numbered().then_some(if again { Cue::Phone } else { asked })
        });
        if spans[n].iter().any(|s| s.start < part.end && part.start < s.end && !of_digits(s.label)) {
            return false;
        }
        // What was said again, or by the agent, is no part of its own.
        again += usize::from(parts.last().is_some_and(|(_, later)| later.said == part.said && part.digits > 2));
        parts.push((n, part));
        if opens.is_some() {
            cue = opens;
            break;
        }
        if parts.len() > EARLIER + again {
            break;
        }
    }
    let asked = || parts.last().map(|(n, _)| said[*n].asked.cue);
    let Some((label, size)) = cue.or_else(asked).and_then(sizes).filter(|_| parts.len() > 1) else { return false };
    let repeated: usize = parts.windows(2).filter(|w| w[0].1.said == w[1].1.said && w[0].1.digits > 2).map(|w| w[0].1.digits).sum();
    let total: usize = parts.iter().map(|(_, part)| part.digits).sum();
    if !(size.contains(&total) || size.contains(&(total - repeated)))
        || (label == Label::PhoneNumber && parts.iter().skip(1).map(|(_, p)| p.digits).sum::<usize>() >= 10)
    {
        return false;
    }
    for (n, part) in parts {
        add(&mut spans[n], said[n].text, part.start, part.end, label, 0.7);
    }
    true
}

/// Digits in a text, and what is announced before them.
struct Part<'t> {
    start: usize,
    end: usize,
    digits: usize,
    /// The digits themselves.
    said: &'t [u8],
    before: usize,
    after: usize,
    cue: Option<Cue>,
}

/// All digits in a text that count nothing.
fn all_parts<'t>(text: &'t Text<'_>) -> impl DoubleEndedIterator<Item = Part<'t>> {
    // "oh for heaven's sake"
    let counted = |run: &&'t Whole| !(run.plus || run.cue.is_none() && run.slips > 0);
    let runs = Runs::of(text);
    let part = |run: &'t Whole| {
        let said = &runs.digits[run.digits.clone()];
        Part { start: run.start, end: run.end, digits: said.len(), said, before: run.before, after: run.after, cue: run.cue }
    };
    runs.each.iter().filter(counted).map(part)
}

/// How many of these tokens are words and more than hesitation.
fn words_in(text: &Text<'_>, range: Range<usize>) -> usize {
    range.filter(|n| !text.has(*n, words::FILLER | words::WEAK) && text.get(*n).is_some_and(|t| t.kind == Kind::Word)).count()
}

/// True for a value that is said in digits.
fn of_digits(label: Label) -> bool {
    matches!(label, Label::PhoneNumber | Label::CreditCard | Label::UsSsn | Label::AccountNumber | Label::Pin)
}

/// Tries the newest text's first digits behind the last digits of one, two or three texts before it, most first. A part that
/// something is announced for begins a value, so nothing is looked for before it.
fn numbers(said: &[Turn<'_>], newest: usize, texts: &[(usize, Vec<Fragment<'_>>)], spans: &mut [Vec<Span>]) {
    let Some((_, own)) = texts.last() else { return };
    let Some(head) = own.first().filter(|f| f.before <= 2 * BESIDE && !f.opens && (f.digits.len() > 1 || f.before + f.after == 0)) else { return };
    let mut earlier: Vec<(usize, &Fragment<'_>)> = Vec::with_capacity(EARLIER);
    for (n, fragments) in texts[..texts.len() - 1].iter().rev() {
        let Some(tail) = fragments.last().filter(|f| f.after <= BESIDE && (f.opens || f.digits.len() > 1 || f.before + f.after == 0)) else { continue };
        earlier.push((*n, tail));
        if tail.opens || tail.before > BESIDE || earlier.len() == EARLIER {
            break;
        }
    }
    earlier.reverse();
    let again = earlier.windows(2).any(|w| w[0].1.digits.ends_with(w[1].1.digits));
    for drop_echoes in [false, true].into_iter().take(1 + usize::from(again)) {
        for from in 0..earlier.len() {
            let mut parts: Vec<(usize, &Fragment<'_>)> = Vec::with_capacity(EARLIER + 1);
            for (n, tail) in &earlier[from..] {
                let repeated = drop_echoes && parts.last().is_some_and(|(_, before)| before.digits.ends_with(tail.digits));
                if !repeated {
                    parts.push((*n, *tail));
                }
            }
            parts.push((newest, head));
            if joined(said, &parts, spans) {
                return;
            }
        }
    }
}

/// Reads the parts as one text; marks them where a value lies across all of them.
fn joined(said: &[Turn<'_>], parts: &[(usize, &Fragment<'_>)], spans: &mut [Vec<Span>]) -> bool {
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
    let asked = said[*first].asked;
    let soft = parts.iter().any(|(_, f)| f.soft);
    let total: usize = parts.iter().map(|(_, f)| f.digits.len()).sum();
    if soft && !((10..=19).contains(&total) && parts.iter().all(|(_, f)| f.digits.len() >= 2 && f.before + f.after <= 10)) {
        return false;
    }
    let loose = parts.iter().any(|(_, f)| f.digits.len() < 3 && parts.len() == 2);
    for span in detect_asked(&text, asked) {
        let across = places.first().is_some_and(|p| span.start < p.2) && places.last().is_some_and(|p| span.end > p.1);
        // Short parts join only where something announced the value.
        let whole = parts[..parts.len() - 1].iter().filter(|(_, f)| f.soft).map(|(_, f)| f.digits.len()).sum::<usize>() >= 10;
        let too_long = soft && (total > 12 || whole) && span.label == Label::PhoneNumber || whole && span.score < 0.85;
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

/// Digits alone in a turn, behind turns whose values may go on, are the rest of them, unless something else was asked.
fn continuation(said: &[Turn<'_>], from: usize, newest: usize, texts: &[(usize, Vec<Fragment<'_>>)], spans: &mut [Vec<Span>]) {
    let Some((_, own)) = texts.last() else { return };
    let [rest] = own.as_slice() else { return };
    let taken = spans[newest].iter().any(|s| s.start < rest.end && rest.start < s.end);
    if rest.soft || rest.opens || rest.before + rest.after > 3 || !(2..=8).contains(&rest.digits.len()) || taken {
        return;
    }
    let Some((before, label, digits)) = open_value(said, from, newest, spans) else { return };
    // A whole value has no rest; of what was masked before nobody knows.
    let whole = digits.is_some_and(|n| {
        n + rest.digits.len()
            > match label {
                Label::PhoneNumber => 12,
                Label::UsSsn => 9,
                Label::CreditCard => 19,
                Label::AccountNumber => 17,
                _ => 0,
            }
            || n >= 16
            || n >= 10 && label == Label::PhoneNumber
    });
    if !whole && before >= from {
        add(&mut spans[newest], said[newest].text, rest.start, rest.end, label, 0.5);
    }
}

/// The last value that the caller's texts ended with: where it ended, what it is, and how many digits it has if all of them
/// still stand there.
fn open_value(said: &[Turn<'_>], from: usize, newest: usize, spans: &[Vec<Span>]) -> Option<(usize, Label, Option<usize>)> {
    let mut open: Option<(usize, Label, Option<usize>)> = None;
    for n in (from..newest).rev().filter(|n| said[*n].role == Role::Caller) {
        let Some((label, digits)) = ended_with(&said[n].read, &spans[n]) else {
            if open.is_some() || said[n].text.contains('[') || !spans[n].is_empty() {
                break;
            }
            // Digits of another kind: the value is over.
            if fragments(&said[n].read, &spans[n]).iter().any(|f| f.digits.len() >= 2) {
                break;
            }
            continue;
        };
        match &mut open {
            None => open = Some((n, label, digits)),
            Some((_, same, total)) if *same == label => *total = total.zip(digits).map(|(a, b)| a + b),
            Some(_) => break,
        }
        if speaks_of(&said[n].read, |cue| !matches!(cue, Cue::None | Cue::Number)) {
            break;
        }
    }
    open
}

/// The label of the value of digits that a text ends with, and how many digits it has if it still stands there.
fn ended_with(read: &Text<'_>, spans: &[Span]) -> Option<(Label, Option<usize>)> {
    let text = read.text;
    if let Some(span) = spans.last().filter(|s| text[s.end..].split_whitespace().take(4).count() <= 3) {
        let known = read.facts().last_digits.get().filter(|(start, end, _)| (*start, *end) == (span.start, span.end));
        let digits = known.map_or_else(|| first_digits(text.get(span.start..span.end).unwrap_or_default()), |(_, _, digits)| digits);
        read.facts().last_digits.set(Some((span.start, span.end, digits)));
        return Some((span.label, Some(digits?))).filter(|(label, _)| of_digits(*label));
    }
    let (_, tail) = text.rsplit_once('[')?;
    let (name, rest) = tail.split_once(']')?;
    let label = Label::named(name).filter(|label| of_digits(*label))?;
    (rest.split_whitespace().count() <= 3).then_some((label, None))
}

/// How many digits the first run in a value has.
fn first_digits(value: &str) -> Option<usize> {
    let mut run = Run::default();
    run.next(&Text::new(value), 0)?;
    Some(run.digits.len())
}
