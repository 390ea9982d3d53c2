//! What a run of digits says once its corrections are taken at their word.
//!
//! In: a run. Out: the number of digits it has where one reading of it has a telephone number's form or a card's. How much
//! "no sorry" takes back is not said: what is said anew is compared with what stands before it, and else each part is tried.
//! Never fails; a run has few parts, and few readings are tried.

use super::numbers::{Run, Sep, Shape};
use super::{card, phone};

/// Most readings of one run.
const READINGS: usize = 96;

/// Most parts that one correction takes back.
const TAKEN: usize = 7;

/// Most digits that corrections take back from a telephone number.
const TAKEN_DIGITS: usize = 6;

/// Longest run with corrections that is read so, in digits.
const LONGEST: usize = 40;

/// Digits that may have been meant, with the lengths of their parts.
#[derive(Debug, Clone, Default)]
struct Reading {
    digits: Vec<u8>,
    parts: Vec<usize>,
}

/// What the digits are by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An issued card's number with the right check digit.
    Card,
    /// A telephone number of this length.
    Phone(usize),
}

/// What a reading of the run has the form of, if one has any.
pub(super) fn form(run: &Run) -> Option<Form> {
    if run.parts.iter().all(|p| p.sep != Sep::Correction) {
        if run.digits.len() < 10 {
            return None;
        }
        let card = (13..=19).contains(&run.digits.len()) && checked(&run.digits) && !card::timestamp(&run.digits) || apart(run);
        let alone = || {
            let parts = run.parts.iter().map(|p| p.len).collect();
            telephone(&Reading { digits: run.digits.clone(), parts })
        };
        return if card { Some(Form::Card) } else { alone() };
    }
    if run.digits.len() > LONGEST {
        return None;
    }
    let said_anew = resumed(run);
    let national = run.digits.first().is_some_and(|d| matches!(d, b'0' | b'1' | b'9'));
    if let Some(length) = said_anew.filter(|length| *length == 10 || *length <= 12 && national) {
        return Some(Form::Phone(length));
    }
    let readings = readings(run);
    if readings.iter().any(|r| matches!(r.digits.len(), 15 | 16) && checked(&r.digits)) {
        return Some(Form::Card);
    }
    readings.iter().filter(|r| run.digits.len() - r.digits.len() <= TAKEN_DIGITS).find_map(telephone)
}

/// True where what is left can be a card's number, whatever its check digit.
pub(super) fn issued(run: &Run) -> bool {
    readings(run).iter().any(|r| matches!(r.digits.len(), 15 | 16) && card::issued(&r.digits))
}

/// True where one pair said apart makes a card's number: "twenty one" for 20 and 1.
fn apart(run: &Run) -> bool {
    if !matches!(run.digits.len(), 14 | 15) {
        return false;
    }
    let pairs = run.parts.iter().filter(|p| p.shape == Shape::Pair && p.len == 2 && run.digits[p.at] > b'1' && run.digits[p.at + 1] != b'0');
    pairs.into_iter().any(|pair| {
        let mut digits = run.digits.clone();
        digits.insert(pair.at + 1, b'0');
        checked(&digits)
    })
}

fn checked(digits: &[u8]) -> bool {
    card::luhn(digits) && card::issued(digits)
}

/// A national number: ten or eleven digits that begin with a zero, or those of the North American plan in its groups.
fn telephone(reading: &Reading) -> Option<Form> {
    let digits = &reading.digits[..];
    let zero = digits.first() == Some(&b'0') && digits.get(1).is_some_and(|d| *d != b'0') && matches!(digits.len(), 10 | 11);
    let own = if digits.len() == 11 && digits[0] == b'1' { &digits[1..] } else { digits };
    let from = digits.len() - own.len();
    let bound = |at: usize| {
        reading
            .parts
            .iter()
            .scan(0, |sum, len| {
                Some({
                    *sum += len;
                    *sum
                })
            })
            .any(|sum| sum == from + at)
    };
    let american = phone::plan(own) && bound(3) && bound(6);
    (zero || american).then_some(Form::Phone(digits.len()))
}

/// How many digits are left where those behind the last correction are said anew with one of them changed: "two five four
/// one no sorry seven five four one".
fn resumed(run: &Run) -> Option<usize> {
    let at = run.parts.iter().rev().find(|p| p.sep == Sep::Correction).map(|p| p.at)?;
    let (before, behind) = run.digits.split_at(at);
    let changed = |n: usize| before[n..].iter().zip(behind).filter(|(a, b)| a != b).count();
    let places = (0..at).filter(|n| (3..=11).contains(&(at - n)) && at - n <= behind.len() && changed(*n) <= 1);
    // Short of one digit or with one too many.
    let begun = (0..at).filter(|n| at - n >= 3 && at - n <= behind.len() + 1 && before[*n..].iter().zip(behind).take_while(|(a, b)| a == b).count() >= 3);
    let fits = |n: &usize| matches!(n + behind.len(), 10 | 11 | 12 | 15 | 16);
    places.filter(fits).min_by_key(|n| changed(*n)).or_else(|| begun.into_iter().find(fits)).map(|n| n + behind.len())
}

/// What the run may mean, where each correction takes back some of the parts before it.
fn readings(run: &Run) -> Vec<Reading> {
    let mut readings = vec![Reading::default()];
    for part in &run.parts {
        if part.sep == Sep::Correction {
            let shorter = |r: &Reading, taken: usize| {
                let parts = r.parts[..r.parts.len() - taken].to_vec();
                Reading { digits: r.digits[..parts.iter().sum()].to_vec(), parts }
            };
            readings = readings.iter().flat_map(|r| (1..=TAKEN.min(r.parts.len())).map(|taken| shorter(r, taken)).collect::<Vec<_>>()).take(READINGS).collect();
        }
        for reading in &mut readings {
            reading.digits.extend_from_slice(&run.digits[part.at..part.at + part.len]);
            reading.parts.push(part.len);
        }
    }
    readings
}
