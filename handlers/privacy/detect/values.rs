//! What a run of digits is: telephone number, card, social security number, account, PIN, or nobody's.
//!
//! In: runs and the words around them. Out: findings. The words decide first, then how many digits there are and how
//! they were said; what is announced as an order or a flight stays. Never fails.

use super::asked::Asked;
use super::context::Context;
use super::corrected::{self, Form};
use super::numbers::{Part, Run, Sep, Shape};
use super::things::Whose;
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label, card, phone, written};

/// How many digits there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// If all corrections took back as much as they could.
    pub low: usize,
    /// As said.
    pub said: usize,
    /// If words that may be two numbers are two.
    pub high: usize,
}

impl Count {
    /// The count of a run's digits.
    pub fn of(run: &Run, said: usize) -> Self {
        Self { low: said.saturating_sub(run.taken_back), said, high: said + run.slack }
    }

    /// True where the number of digits may be in this range.
    pub fn within(self, low: usize, high: usize) -> bool {
        self.low <= high && self.high >= low
    }
}

/// Finds all values of digits.
pub(super) fn find(text: &Text<'_>, asked: Asked, found: &mut Vec<Found>) {
    let (mut run, mut context) = (Run::default(), Context::default());
    let mut at = 0;
    while let Some(next) = run.next(text, at) {
        at = next;
        let testing = text.one_of(run.last + 1, &["testing"]);
        if run.digits.len() < 3 || run.amount || testing || run.digits.len() <= 8 && at_a_rate(text, run.last) {
            continue;
        }
        context.read(text, run.first, extension(text, run.last), asked);
        context.read_whose(text, run.first);
        if let Some(end) = with_asides(text, &mut run, &context) {
            at = end;
            context.read(text, run.first, extension(text, run.last), asked);
            context.read_whose(text, run.first);
        }
        let from = found.len();
        let priced = matches!(run.parts[..], [Part { shape: Shape::Round, len: 3, .. }, Part { shape: Shape::Pair, .. }]);
        if priced && context.cues.first().is_none_or(|near| near.cue == Cue::Account) {
            continue;
        }
        let is_written = run.parts.iter().all(|p| p.shape == Shape::Written) && run.parts.iter().any(|p| p.len > 2);
        if is_written {
            run.join_single();
            written::judge(&run, &context, found);
        } else if let Some((label, score)) = spoken(&mut run, &context) {
            found.push(Found { first: run.first, last: run.last, label, score });
        }
        if let Some(value) = found[from..].last_mut().filter(|f| f.label == Label::PhoneNumber) {
            value.last = extension(text, value.last);
            at = at.max(value.last + 1);
        }
    }
}

/// True before "a month", "per person": what stands there is paid.
fn at_a_rate(text: &Text<'_>, last: usize) -> bool {
    text.one_of(last + 1, &["a", "an", "per", "each", "every"]) && text.has(last + 2, words::UNIT)
        || text.one_of(last + 1, &["monthly", "weekly", "yearly", "annually", "apiece"])
}

/// Most words of talk inside a number that was announced and is not whole without what follows.
const ASIDES: usize = 6;

/// Reads on behind talk in the middle of a number ("four five three nine where are my glasses one four eight eight"), where
/// the digits before it are too few for what was announced and those behind it make it whole; tells where it ends.
fn with_asides(text: &Text<'_>, run: &mut Run, context: &Context) -> Option<usize> {
    // "account number": the account's.
    let mut announced = context.cues.iter().filter(|near| near.direct && near.cue != Cue::Mail);
    let direct = announced.clone().find(|near| near.cue != Cue::Number).or_else(|| announced.next())?;
    let whole = match direct.cue {
        Cue::Card => 12..=21,
        Cue::Phone => 10..=13,
        Cue::Number => 10..=19,
        Cue::Social => 9..=10,
        _ => return None,
    };
    // Twelve digits are a card already, sixteen that check are a better one.
    let part = run.digits.len() + run.slack < *whole.start() || (direct.cue == Cue::Card && run.digits.len() < 16);
    let few = part && !context.last_digits && !context.unit && !context.of_a_thing();
    let goes_on =
        || (run.last + 1..run.last + 3 + ASIDES).any(|n| text.get(n).is_some_and(|t| t.kind == Kind::Digits || !matches!(t.info.num, Num::None | Num::Slip)));
    if !few || !goes_on() {
        return None;
    }
    let mut wide = Run::with_asides(ASIDES);
    let end = wide.next(text, run.parts.first()?.first)?;
    let better = run.digits.len() < *whole.start() || card::luhn(&wide.digits) && !card::luhn(&run.digits);
    let better = better && (direct.cue != Cue::Number || wide.digits.len() <= 13 || card::issued(&wide.digits));
    (better && whole.contains(&wide.digits.len()) && wide.digits.len() > run.digits.len() && !wide.amount && !text.has(wide.last + 1, words::UNIT)).then(|| {
        wide.asides = 0;
        *run = wide;
        end
    })
}

/// The last token of the extension that follows a telephone number, or the number's own.
fn extension(text: &Text<'_>, last: usize) -> usize {
    let mut at = last + 1;
    if text.sign(at, b',') || text.sign(at, b';') {
        at += 1;
    }
    at += usize::from(text.sign(at, b'('));
    if text.one_of(at, &["and", "with"]) {
        at += 1 + usize::from(text.one_of(at + 1, &["the", "an"]));
    }
    let begins = text.one_of(at, &["x", "ext", "extn", "xtn", "extension"]) || (text.sign(at, b'#') && text.glued_after(at));
    if !begins {
        return last;
    }
    at += 1;
    while text.sign(at, b'.') || text.sign(at, b':') || text.sign(at, b'#') || text.one_of(at, &["number", "is", "uh", "um", "no"]) {
        at += 1;
    }
    if text.get(at).is_some_and(|t| t.kind == Kind::Digits && t.glued && text.before(at).is_some_and(|b| b.kind == Kind::Word)) {
        return if text.glued_after(at) && text.get(at + 1).is_some_and(|t| t.kind == Kind::Word) { last } else { at };
    }
    let mut run = Run::default();
    if run.next(text, at).is_none() || run.parts.first().is_none_or(|p| p.first != at) {
        return last;
    }
    let fits = run.parts.iter().take_while(|p| p.at + p.len <= 6 && !matches!(p.sep, Sep::Comma | Sep::Words | Sep::Correction));
    fits.last().map_or(last, |p| p.last)
}

/// Judges a run with digits in words, or digits one by one.
fn spoken(run: &mut Run, context: &Context) -> Option<(Label, f32)> {
    trim(run);
    let run = &*run;
    let count = restarted(run).unwrap_or_else(|| Count::of(run, run.digits.len()));
    let international = run.digits.starts_with(b"011") && (13..=17).contains(&run.digits.len());
    let abroad = run.plus || international || (run.digits.starts_with(b"00") && run.digits.get(2).is_some_and(|d| *d != b'0'));
    if run.plus && count.within(8, 15) && !context.has(Cue::Card) {
        return Some((Label::PhoneNumber, 0.9));
    }
    if context.of_a_thing() || phone::dated_parts(run) {
        return None;
    }
    // "between 12.15 and 2.20"
    if phone::decimals(run.parts.iter().map(|part| part.sep)) {
        return None;
    }
    // "two to three for four": prepositions, unless a telephone number is announced.
    if run.slips * 3 > run.parts.len() && !context.has(Cue::Phone) {
        return None;
    }
    if counting(run) && !context.cues.iter().any(|near| near.direct && !matches!(near.cue, Cue::Number | Cue::Thing)) {
        return None;
    }
    let form = corrected::form(run);
    if form == Some(Form::Card) && card_by_itself(run, context) {
        return Some((Label::CreditCard, 0.9));
    }
    let count = match form {
        Some(Form::Phone(said)) if run.taken_back > 0 && !context.announces_other() => Count { low: said, said, high: said },
        _ => count,
    };
    if let Some(found) = announced(&run.digits, count, context) {
        return Some(found);
    }
    // A part of something else than a telephone number.
    let part_of_other = context.cues.iter().any(|near| near.direct && matches!(near.cue, Cue::Card | Cue::Social | Cue::Birth | Cue::Pin));
    if part_of_other && count.said < 10 && !context.has(Cue::Phone) {
        return None;
    }
    if abroad && count.within(10, 17) && !context.unit {
        return Some((Label::PhoneNumber, 0.65));
    }
    if context.unit {
        return None;
    }
    // What a number is of of which nothing is known, takes the form of a telephone number.
    let telephone = matches!(form, Some(Form::Phone(_)));
    let clear = run.taken_back == 0 && (telephone || phone::plan(&run.digits)) || telephone && run.digits[0] == b'0';
    if context.whose == Whose::Unknown && !context.has(Cue::Phone) && !clear {
        return None;
    }
    if run.decimals() {
        return None;
    }
    let number = if context.has(Cue::Number) { some_number(&run.digits, count, abroad) } else { None };
    number.or_else(|| if context.code.is_some() { None } else { unannounced(run, count, telephone, context) })
}

/// True for an issued card's number with the right check digit, where nothing says that it is something else's.
fn card_by_itself(run: &Run, context: &Context) -> bool {
    let other = context.cues.iter().find(|near| near.cue != Cue::Number).is_some_and(|near| near.direct && !matches!(near.cue, Cue::Card | Cue::Number));
    !other && !context.has(Cue::Phone) && !context.unit && !run.decimals()
}

/// The count of what was said anew from its beginning: "two one two five no wait two one two six ...".
fn restarted(run: &Run) -> Option<Count> {
    let again = |at: usize| at >= 3 && run.digits.get(at..at + 3).is_some_and(|anew| run.digits.starts_with(anew));
    let part = run.parts.iter().rev().find(|p| p.sep == Sep::Correction && again(p.at))?;
    let said = run.digits.len() - part.at;
    matches!(said, 10..=12 | 15 | 16).then_some(Count { low: said, said, high: said + run.slack })
}

/// Cuts off a number that was said some words behind a complete one: "... after that six".
fn trim(run: &mut Run) {
    let complete = |digits: usize| matches!(digits, 10 | 16) || (digits == 11 && run.digits[0] == b'1');
    let cut = run.parts.iter().position(|p| p.sep == Sep::Words && complete(p.at) && run.digits.len() - p.at <= 2);
    let cut = cut.filter(|cut| cut + 1 == run.parts.len());
    if let Some(cut) = cut.filter(|_| run.weak > 0 && run.taken_back == 0 && run.slack == 0) {
        run.digits.truncate(run.parts[cut].at);
        run.parts.truncate(cut);
        run.last = run.parts.last().map_or(run.first, |p| p.last);
    }
}

/// What the words announce, nearest first, where the count fits.
pub(super) fn announced(digits: &[u8], count: Count, context: &Context) -> Option<(Label, f32)> {
    let sure = |direct: bool| if direct { 0.85 } else { 0.7 };
    for near in &context.cues {
        let found = match near.cue {
            Cue::Social if count.within(9, 9) && (near.direct || context.whose != Whose::Unknown) => Some((Label::UsSsn, sure(near.direct))),
            Cue::Social if count.said == 4 && context.last_digits && (near.direct || near.distance <= 6) => Some((Label::UsSsn, 0.6)),
            Cue::Card if count.within(12, 19) || (12..=24).contains(&count.said) => {
                Some((Label::CreditCard, if card::luhn(digits) { 0.99 } else { sure(near.direct) }))
            }
            // The first or the next part of one.
            Cue::Card
                if near.direct && count.said >= 8 && !(count.said == 9 && context.has(Cue::Social)) && !context.has(Cue::Phone) && !context.last_digits =>
            {
                Some((Label::CreditCard, 0.6))
            }
            // "the phone number on my account"
            Cue::Account if context.has(Cue::Phone) && count.within(7, 15) => None,
            // "the number on the account"
            Cue::Account if context.on_account && (count.within(10, 12) || digits[0] == b'0' && count.within(9, 12)) => Some((Label::PhoneNumber, 0.65)),
            Cue::Account if !context.unit && (5..=18).contains(&count.said) && (near.direct || (near.distance <= 8 && count.said > 5)) => {
                Some((Label::AccountNumber, sure(near.direct)))
            }
            Cue::Pin if near.direct && count.within(3, 8) => Some((Label::Pin, 0.8)),
            Cue::Birth if near.direct && (4..=8).contains(&count.said) => Some((Label::DateOfBirth, 0.6)),
            Cue::Phone if count.within(7, 15) && (count.said >= 7 || !context.unit) => Some((Label::PhoneNumber, sure(near.direct))),
            Cue::Phone if count.said > 15 && said_twice(digits) => Some((Label::PhoneNumber, 0.7)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What a number is that is announced as no more than that.
pub(super) fn some_number(digits: &[u8], count: Count, abroad: bool) -> Option<(Label, f32)> {
    if (count.within(7, 12) && (7..=LONGEST_CORRECTED).contains(&count.said)) || (abroad && count.within(8, 17)) || said_twice(digits) {
        return Some((Label::PhoneNumber, 0.65));
    }
    by_length(digits, count)
}

/// More digits than this are no telephone number, of which some were taken back, but a card's.
const LONGEST_CORRECTED: usize = 14;

fn by_length(digits: &[u8], count: Count) -> Option<(Label, f32)> {
    if !count.within(13, 24) {
        return None;
    }
    // No card begins so; that many digits of which some were taken back are a telephone number.
    let corrected = count.low <= 12 && count.said > count.low && count.said <= 17 && !card::issued(digits) && matches!(digits[0], b'0' | b'1' | b'7'..=b'9');
    if (count.said <= 13 && !card::issued(digits)) || said_twice(digits) || corrected {
        return Some((Label::PhoneNumber, 0.5));
    }
    Some((Label::CreditCard, if card::luhn(digits) { 0.9 } else { 0.6 }))
}

/// A telephone number that was given twice in one breath.
fn said_twice(digits: &[u8]) -> bool {
    let half = digits.len() / 2;
    digits.len().is_multiple_of(2) && (half == 7 || (9..=13).contains(&half)) && digits[..half] == digits[half..]
}

/// What nobody announced must speak for itself.
fn unannounced(run: &Run, count: Count, telephone: bool, context: &Context) -> Option<(Label, f32)> {
    let single: usize = run.parts.iter().filter(|p| matches!(p.shape, Shape::Unit | Shape::Repeat | Shape::Written)).map(|p| p.len).sum();
    let share = single * 100 / run.digits.len().max(1);
    let distinct = (b'0'..=b'9').filter(|d| run.digits.contains(d)).count();
    // "in nineteen ninety one 50000 came"
    let year = matches!(&run.digits[..2.min(run.digits.len())], b"19" | b"20") && run.parts.iter().take(2).all(|p| p.shape == Shape::Pair);
    if year && run.parts.len() == 3 && run.parts[2].len > 2 && !context.bare {
        return None;
    }
    if distinct < 3 && !context.bare && !card::luhn(&run.digits) {
        return None;
    }
    if count.within(10, 12) && count.said >= 8 && count.said <= LONGEST_CORRECTED {
        let paired = (run.weak == 0 || context.bare) && !years(run);
        // Of few digits some of which were taken back no more is known than that they are few.
        let enough = count.said >= 10 || run.taken_back == 0;
        return (share >= 60 || (paired && (share >= 20 && enough || telephone || context.bare && (run.taken_back == 0 || count.said >= 9))))
            .then_some((Label::PhoneNumber, 0.6));
    }
    if count.high >= 13 {
        let paired = (run.weak == 0 || context.bare) && !years(run);
        let long = count.said >= 15 && !years(run) && (card::luhn(&run.digits) || card::issued(&run.digits));
        return if share >= 60 || paired || long { by_length(&run.digits, count) } else { None };
    }
    // A local number, digit by digit; eight or nine digits that nobody announces are as likely a thing's.
    let alone = count.said == 7
        && run.digits[0] >= b'2'
        && share >= 80
        && run.weak <= 1
        && distinct >= 4
        && run.taken_back == 0
        && run.slips == 0
        && context.led_to
        && !context.has(Cue::Thing);
    (alone || (context.bare && count.low <= 9 && count.said >= 7 && share >= 50)).then_some((Label::PhoneNumber, 0.4))
}

/// True where the run is nothing but years, ages or scores: pairs that people say in ordinary talk.
fn years(run: &Run) -> bool {
    let pairs = run.parts.iter().filter(|p| p.shape == Shape::Pair).collect::<Vec<_>>();
    let of_a_year = |n: usize| matches!(run.digits.get(n..n + 2), Some(b"19" | b"20" | b"18"));
    pairs.len() == run.parts.len() && pairs.len().is_multiple_of(2) && pairs.iter().step_by(2).all(|p| of_a_year(p.at))
}

/// True for counting: each part one more, or one less, or otherwise as far from the last as that from the one before.
fn counting(run: &Run) -> bool {
    let value = |at: usize, len: usize| run.digits[at..at + len].iter().take(6).fold(0_i64, |n, d| n * 10 + i64::from(d - b'0'));
    let mut values: Vec<i64> = run.parts.iter().take(24).map(|p| value(p.at, p.len)).collect();
    // "eight nine ten eleven oh at least"
    let none = |n: &usize| run.parts[*n].shape == Shape::Unit && values[*n] == 0;
    let zero = (0..values.len()).find(none).filter(|at| (at + 1..values.len()).all(|n| !none(&n)));
    if let Some(at) = zero.filter(|_| values.len() > 4 && values.iter().any(|value| *value > 9)) {
        values.remove(at);
    }
    if values.len() < 4 {
        return false;
    }
    let near = |a: i64, b: i64| (1..=2).contains(&(b - a));
    let rising = values.windows(2).all(|w| near(w[0], w[1]));
    // Primes, or what was drawn in a lottery: most of them have two digits, or one follows the other.
    let last = values.last().copied().unwrap_or_default();
    // "... sixty four one twenty eight"; what is taken back may begin anew.
    let anew = |n: usize| values.len() == run.parts.len() && run.parts[n].sep == Sep::Correction;
    let descents = (1..values.len()).filter(|n| values[*n] < values[n - 1] && !anew(*n)).count();
    let same = values.windows(2).filter(|w| w[0] == w[1]).count();
    let listed = values.len() >= 5 && run.digits[0] != b'0' && (10..100).contains(&last) && descents <= usize::from(values.len() > 7) && same <= 1;
    // "six fifteen six forty five seven fifteen"
    let quarters = values.len() >= 6 && values.chunks(2).all(|time| matches!(time, [1..=12, 15 | 30 | 45]));
    let falling = values.windows(2).all(|w| near(w[1], w[0]));
    let even = values[1] != values[0] && values.windows(2).all(|w| w[1] - w[0] == values[1] - values[0]);
    // "nine zero" ends a run through the digits.
    let through = values.windows(2).all(|w| w[1] - w[0] == 1 || (w[0] == 9 && w[1] == 0));
    let repeats = (1..=3).any(|period| values.len() > 2 * period && values.iter().zip(values.iter().skip(period)).all(|(a, b)| a == b));
    listed || quarters || rising || falling || even || through || (repeats && !card::luhn(&run.digits) && run.digits.len() < 13)
}
