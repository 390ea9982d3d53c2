//! Values written in digits, by the lengths of their groups.
//!
//! In: a run of written groups and what is near it. Out: findings. The longest series of groups that has the form of a
//! card, a social security number or a telephone number is taken; where no form fits, the words near it decide. Groups
//! that dashes or dots join are never taken apart. Never fails.

use super::context::Context;
use super::corrected::{self, Form};
use super::numbers::{Part, Run, Sep};
use super::phone::{self, Needs};
use super::things::Whose;
use super::values::{self, Count};
use super::words::Cue;
use super::{Found, Label, card};

/// Most groups of one value.
const GROUPS: usize = 9;

/// From here on a form needs no words to speak for it.
const CLEAR: f32 = 0.65;

/// Judges a run of written groups.
pub(super) fn judge(run: &Run, context: &Context, found: &mut Vec<Found>) {
    let before = found.len();
    if let Some((label, score)) = corrected_form(run, context) {
        found.push(Found { first: run.first, last: run.last, label, score });
        return;
    }
    let parts = &run.parts;
    let loose = |n: usize| parts.get(n).is_none_or(|p| !matches!(p.sep, Sep::Dash | Sep::Dot));
    let mut at = 0;
    while at < parts.len() {
        let longest = (at + GROUPS).min(parts.len());
        let forms = || {
            let ends = (at + 1..=longest).rev().filter(|end| loose(*end));
            ends.filter_map(|end| form(run, at, end, context).map(|(label, score)| (end, label, score)))
        };
        // The longest that is clear by its form, else the longest.
        let fits = if loose(at) { forms().find(|(_, _, score)| *score >= CLEAR).or_else(|| forms().next()) } else { None };
        match fits {
            // A longer series that only begins like a card's is something else.
            Some((end, Label::CreditCard, _))
                if end < parts.len() && parts[end].sep == Sep::Space && !card::issued(&run.digits[parts[at].at..parts[end].at]) =>
            {
                return;
            }
            Some((end, label, score)) => {
                let end = said_anew(parts, end);
                let first = if at == 0 { run.first } else { opening(run, at) };
                found.push(Found { first, last: parts[end - 1].last, label, score });
                at = end;
            }
            None => at += 1,
        }
    }
    if found.len() == before {
        without_form(run, context, found);
    }
}

/// Where the groups end with which the last one is said anew: "5500 0000 0000 0004 sorry 0014".
fn said_anew(parts: &[Part], end: usize) -> usize {
    let goes_on = parts.get(end + 1).is_some_and(|next| !matches!(next.sep, Sep::Comma | Sep::Words | Sep::Correction));
    let anew = parts.get(end).is_some_and(|part| part.sep == Sep::Correction && end > 1 && part.len == parts[end - 1].len);
    if anew && !goes_on { end + 1 } else { end }
}

/// What a number is of which a group was taken back: "305 391 4897 sorry 4397". More digits than that are two numbers.
fn corrected_form(run: &Run, context: &Context) -> Option<(Label, f32)> {
    let corrected = run.parts.iter().any(|part| part.sep == Sep::Correction);
    if !corrected || run.plus || context.unit || context.of_a_thing() {
        return None;
    }
    let offered = context.has(Cue::Card) || context.bare;
    match corrected::form(run) {
        Some(Form::Card) if (16..=24).contains(&run.digits.len()) && !context.has(Cue::Phone) => Some((Label::CreditCard, 0.9)),
        Some(Form::Phone(_)) if run.digits.len() <= 17 && !context.announces_other() => Some((Label::PhoneNumber, 0.7)),
        None if offered && (17..=24).contains(&run.digits.len()) && corrected::issued(run) => Some((Label::CreditCard, 0.7)),
        _ => None,
    }
}

/// The first token of a part inside a run: its parenthesis, if it has one.
fn opening(run: &Run, at: usize) -> usize {
    let part = run.parts[at];
    let gap = part.first - run.parts[at - 1].last;
    if part.sep == Sep::Paren && gap > 1 { part.first - 1 } else { part.first }
}

/// What the groups `from..to` have the form of.
fn form(run: &Run, from: usize, to: usize, context: &Context) -> Option<(Label, f32)> {
    let parts = &run.parts[from..to];
    let (first, last) = (parts.first()?, parts.last()?);
    let digits = &run.digits[first.at..last.at + last.len];
    if digits.len() > 19 {
        return None;
    }
    let mut groups = [0; GROUPS];
    let mut signs = [Sep::Start; GROUPS];
    for (n, part) in parts.iter().enumerate() {
        (groups[n], signs[n]) = (part.len, part.sep);
    }
    signs[0] = Sep::Start;
    let (groups, signs) = (&groups[..parts.len()], &signs[..parts.len()]);
    let listed = signs.iter().any(|s| matches!(s, Sep::Comma | Sep::Words | Sep::Correction));
    if from == 0 && run.plus {
        return international(digits, listed);
    }
    // What is announced as an account's is one, unless it is printed and checked as cards are.
    if of_an_account(context) && !(groups.len() > 3 && card::luhn(digits) && card::issued(digits)) {
        return None;
    }
    if let Some(score) = card_form(digits, groups, signs, context) {
        return Some((Label::CreditCard, score));
    }
    if context.of_a_thing() {
        return None;
    }
    if social(digits, groups, signs) {
        return Some((Label::UsSsn, if context.has(Cue::Social) { 0.95 } else { 0.7 }));
    }
    telephone(run, digits, groups, signs, context, listed).map(|score| (Label::PhoneNumber, score))
}

/// True where an account is announced last, and nothing else of the kind.
fn of_an_account(context: &Context) -> bool {
    let nearest = context.cues.iter().find(|near| near.cue != Cue::Number);
    nearest.is_some_and(|near| near.cue == Cue::Account && near.direct) && !context.on_account && !context.has(Cue::Card) && !context.has(Cue::Phone)
}

fn international(digits: &[u8], listed: bool) -> Option<(Label, f32)> {
    let longest = if digits.starts_with(b"1") { 11 } else { 15 };
    ((7..=longest).contains(&digits.len()) && !listed && !digits.starts_with(b"00")).then_some((Label::PhoneNumber, 0.9))
}

fn social(digits: &[u8], groups: &[usize], signs: &[Sep]) -> bool {
    groups == [3, 2, 4] && signs[1] == signs[2] && matches!(signs[1], Sep::Dash | Sep::Space | Sep::Dot) && !digits.starts_with(b"000")
}

/// How sure it is that the groups are a card's.
fn card_form(digits: &[u8], groups: &[usize], signs: &[Sep], context: &Context) -> Option<f32> {
    if !(12..=19).contains(&digits.len()) || context.unit {
        return None;
    }
    let listed = signs.iter().any(|s| matches!(s, Sep::Comma | Sep::Words | Sep::Correction));
    let (luhn, issued) = (card::luhn(digits), card::issued(digits));
    let of_a_thing = context.of_a_thing();
    let offered = context.has(Cue::Card) && !of_a_thing;
    let sure = |base: f32| (base + if luhn { 0.2 } else { 0.0 } + if issued { 0.1 } else { 0.0 } + if offered { 0.1 } else { 0.0 }).min(0.99);
    let printed = matches!(groups, [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 1..=3]);
    let slashed = signs.contains(&Sep::Slash);
    if printed {
        return (!of_a_thing || (luhn && issued && !context.plainly_of_a_thing())).then(|| sure(0.6));
    }
    if of_a_thing {
        return None;
    }
    if offered && !listed && !slashed {
        return Some(sure(0.6));
    }
    if context.has(Cue::Phone) && digits.len() <= 15 {
        return None;
    }
    let uniform =
        groups.len() == 1 || matches!(groups, [4, 4, 4] | [4, 4, 5] | [4, 4, 4, 1..=3] | [6, 13] | [4, 3, 3, 3] | [8, 8] | [4, 5, 6] | [6, 6] | [8, 11]);
    // No telephone number is that long, however its groups fall.
    let uniform = uniform || (digits.len() >= 15 && issued && groups.len() <= 5);
    if listed || !uniform || card::timestamp(digits) {
        return None;
    }
    match (luhn, issued) {
        (true, true) => Some(sure(0.5)),
        (false, true) => (digits.len() >= 15 || context.bare).then(|| sure(0.4)),
        (_, false) => (digits.len() >= 13 && (context.bare || context.has(Cue::Number)) && groups.len() == 1).then(|| sure(0.3)),
    }
}

fn telephone(run: &Run, digits: &[u8], groups: &[usize], signs: &[Sep], context: &Context, listed: bool) -> Option<f32> {
    let american = matches!(groups, [3, 3, 4] | [1, 3, 3, 4]);
    // "020, 7223, 8449"
    let paused = digits[0] == b'0' && matches!(digits.len(), 10 | 11) && matches!(groups.len(), 3 | 4) && signs.iter().skip(1).all(|sign| *sign == Sep::Comma);
    if listed && !paused && (!american || signs.contains(&Sep::Correction)) {
        return None;
    }
    // What is announced as something else, and has no form but its length, is that.
    let other = context.cues.first().is_some_and(|near| near.direct && matches!(near.cue, Cue::Account | Cue::Social | Cue::Pin | Cue::Card))
        || context.cues.iter().any(|near| near.direct && near.cue == Cue::Account && !context.has(Cue::Phone));
    if groups.len() == 1 && (other || context.unit) {
        return None;
    }
    let (score, needs) = phone::national(digits, groups, signs, run.paren && groups.len() > 1)?;
    let part_of_other = context.cues.iter().any(|near| near.direct && matches!(near.cue, Cue::Card | Cue::Social | Cue::Birth | Cue::Pin));
    if part_of_other && needs == Needs::Announced && !context.has(Cue::Phone) {
        return None;
    }
    let raised = if context.has(Cue::Phone) { 0.2 } else { 0.0 };
    let announced = context.has(Cue::Phone)
        || context.bare
        || context.cues.iter().any(|near| near.cue == Cue::Number && (near.direct || groups.len() > 1) && near.distance <= 8);
    match needs {
        Needs::Nothing => Some(score + raised),
        Needs::Announced => (announced && !other && (context.whose != Whose::Unknown || context.has(Cue::Phone))).then_some(score + raised),
    }
}

/// Where no form fits, the words decide, for each piece and then for all of it.
fn without_form(run: &Run, context: &Context, found: &mut Vec<Found>) {
    if context.of_a_thing() {
        return;
    }
    let breaks = |part: &Part| matches!(part.sep, Sep::Comma | Sep::Words | Sep::Correction);
    let mut from = 0;
    while from < run.parts.len() {
        let to = (from + 1..run.parts.len()).find(|n| breaks(&run.parts[*n])).unwrap_or(run.parts.len());
        if let Some((label, score)) = piece(run, from, to, context) {
            let first = if from == 0 { run.first } else { run.parts[from].first };
            found.push(Found { first, last: run.parts[to - 1].last, label, score });
            return;
        }
        from = to;
    }
    if let Some((label, score)) = piece(run, 0, run.parts.len(), context) {
        found.push(Found { first: run.first, last: run.last, label, score });
    }
}

fn piece(run: &Run, from: usize, to: usize, context: &Context) -> Option<(Label, f32)> {
    let parts = &run.parts[from..to];
    let (first, last) = (parts.first()?, parts.last()?);
    let digits = &run.digits[first.at..last.at + last.len];
    let groups: Vec<usize> = parts.iter().map(|p| p.len).collect();
    let signs: Vec<Sep> = parts.iter().enumerate().map(|(n, p)| if n == 0 { Sep::Start } else { p.sep }).collect();
    if phone::dated(digits, &groups, &signs) || phone::decimals(signs.iter().copied()) {
        return None;
    }
    let count = Count::of(run, digits.len());
    let dots = signs.iter().skip(1).any(|s| *s == Sep::Dot);
    let announced = values::announced(digits, count, context);
    if dots && announced.is_none_or(|(label, _)| !matches!(label, Label::PhoneNumber | Label::CreditCard)) {
        return None;
    }
    announced.or_else(|| {
        let near = context.cues.iter().any(|near| near.cue == Cue::Number && near.direct && near.distance <= 8);
        let long = near && !context.unit && !context.has(Cue::Account) && !context.has(Cue::Pin);
        if long { values::some_number(digits, count, false) } else { None }
    })
}
