//! What a run of digits says once its corrections are taken at their word.
//!
//! In: a run. Out: whether one reading of it is a card's number, and how many digits there are where the speaker went back
//! to an earlier place and said the rest anew. How much "no sorry" takes back is not said: each reading is tried, and what
//! the check digit or the digits said twice speak for counts. Never fails; a run has few parts.

use super::card;
use super::numbers::{Run, Sep};

/// Most digits that one correction takes back.
const TAKEN: usize = 10;

/// Most digits that are tried with a correction.
const LONGEST: usize = 40;

/// True where the digits are those of an issued card and its check digit is right, whatever corrections took back.
pub(super) fn is_card(run: &Run) -> bool {
    let whole = |digits: &[u8]| card::luhn(digits) && card::issued(digits);
    let Some(at) = last_correction(run) else {
        return (13..=19).contains(&run.digits.len()) && whole(&run.digits) && !card::timestamp(&run.digits);
    };
    if run.digits.len() > LONGEST {
        return false;
    }
    let (before, behind) = run.digits.split_at(at);
    (1..=TAKEN.min(at)).any(|taken| {
        let reading = [&before[..at - taken], behind].concat();
        matches!(reading.len(), 15 | 16) && whole(&reading)
    })
}

/// How many digits are left where those behind the last correction begin like some before it, and so replace them: "eight
/// two nine four two seven sorry eight two nine one two seven".
pub(super) fn resumed(run: &Run) -> Option<usize> {
    let at = last_correction(run)?;
    let (before, behind) = run.digits.split_at(at);
    // What is said anew is as long as what it replaces, or begins like it for longer.
    let same = |n: usize| before[n..].iter().zip(behind).take_while(|(a, b)| a == b).count();
    let places = (0..at).filter(|n| same(*n) >= 2 && (at - n == behind.len() || same(*n) >= 3 && at - n <= behind.len() + 1));
    let fits = places.filter(|n| matches!(n + behind.len(), 10 | 11 | 12 | 15 | 16));
    fits.min_by_key(|n| (at - n).abs_diff(behind.len())).map(|n| n + behind.len())
}

/// The first digit behind the last correction.
fn last_correction(run: &Run) -> Option<usize> {
    run.parts.iter().rev().find(|p| p.sep == Sep::Correction).map(|p| p.at)
}
