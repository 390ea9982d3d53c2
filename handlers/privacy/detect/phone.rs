//! Telephone numbers as they are written, by the lengths of their groups and the signs between.
//!
//! In: digits, lengths of groups, signs. Out: how sure it is that this is a telephone number, and what else must speak
//! for it. Groupings are those that national numbering plans print.

use super::numbers::Sep;

/// What a grouping needs besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// A number that is announced as one, or that stands alone.
    Announced,
}

/// Judges the groups of a number without a plus. `signs[n]` stands before group `n`.
pub(super) fn national(digits: &[u8], groups: &[usize], signs: &[Sep], paren: bool) -> Option<(f32, Needs)> {
    let total = digits.len();
    if dated(digits, groups, signs) || decimal(groups, signs) || decimals(signs.iter().copied()) {
        return None;
    }
    let zero = digits.first() == Some(&b'0');
    if groups.len() == 1 {
        return contiguous(digits);
    }
    if paren && (7..=14).contains(&total) && groups.iter().all(|g| *g <= 8) {
        return Some((0.8, Needs::Nothing));
    }
    if let Some(score) = american(digits, groups) {
        return Some((score, Needs::Nothing));
    }
    // 00 44 ..., 011 44 ...
    let abroad = (digits.starts_with(b"00") && digits.get(2).is_some_and(|d| *d != b'0')) || groups[0] == 3 && digits.starts_with(b"011");
    if abroad && (9..=18).contains(&total) {
        return Some((0.75, Needs::Nothing));
    }
    if signs.iter().skip(1).any(|s| *s == Sep::Slash) {
        let area = groups.len() > 1 && signs[1] == Sep::Slash && signs.iter().filter(|s| **s == Sep::Slash).count() == 1;
        return (zero && area && (7..=13).contains(&total)).then_some((0.6, Needs::Nothing));
    }
    if zero && (8..=12).contains(&total) && groups.iter().all(|g| (1..=9).contains(g)) && groups[0] >= 2 {
        let clear = total >= 9 && (groups[0] <= 8);
        return Some(if clear { (0.6, Needs::Nothing) } else { (0.5, Needs::Announced) });
    }
    grouped(digits, groups, signs)
}

/// (NXX) NXX-XXXX and its kin, with or without the 1.
fn american(digits: &[u8], groups: &[usize]) -> Option<f32> {
    let (digits, groups) = if groups[0] == 1 && digits.first() == Some(&b'1') { (&digits[1..], &groups[1..]) } else { (digits, groups) };
    let valid = plan(digits);
    match groups {
        [3, 3, 4] => Some(if valid { 0.75 } else { 0.65 }),
        [3, 3, 2, 2] | [3, 7] | [6, 4] | [10] if valid => Some(0.55),
        _ => None,
    }
}

/// True for ten digits of the North American plan.
pub(super) fn plan(digits: &[u8]) -> bool {
    digits.len() == 10 && digits[0] >= b'2' && digits[3] >= b'2'
}

fn contiguous(digits: &[u8]) -> Option<(f32, Needs)> {
    let total = digits.len();
    if total == 10 && plan(digits) || (total == 11 && digits[0] == b'1' && plan(&digits[1..])) {
        return Some((0.5, Needs::Nothing));
    }
    let repeated = digits.iter().all(|d| *d == digits[0]);
    if digits[0] == b'0' && digits.get(1).is_some_and(|d| *d != b'0') && (10..=11).contains(&total) && !repeated {
        return Some((0.5, Needs::Nothing));
    }
    if digits.starts_with(b"00") && digits.get(2).is_some_and(|d| *d != b'0') && (11..=15).contains(&total) {
        return Some((0.5, Needs::Nothing));
    }
    let day = total == 8 && dated(digits, &[4, 2, 2], &[Sep::Start, Sep::Dash, Sep::Dash]);
    ((7..=15).contains(&total) && !day).then_some((0.45, Needs::Announced))
}

/// Groupings without a zero in front.
fn grouped(digits: &[u8], groups: &[usize], signs: &[Sep]) -> Option<(f32, Needs)> {
    let total = digits.len();
    let dots = signs.iter().skip(1).all(|s| *s == Sep::Dot);
    let thousands = groups[1..].iter().all(|g| *g == 3) && groups[0] <= 3;
    let needs = match groups {
        [3, 4, 4] | [2, 4, 4] | [5, 5] | [3, 2, 2, 2] | [2, 3, 2, 2] | [1, 3, 3, 2, 2] | [3, 2, 3] | [2, 4, 5] | [2, 5, 4] | [2, 3, 4] | [5, 4] | [5, 6] => {
            Needs::Nothing
        }
        [3, 4] if signs[1] == Sep::Dash && digits[0] >= b'2' => Needs::Nothing,
        [3, 3, 3] if !dots && signs[1] != Sep::Space => Needs::Nothing,
        _ => Needs::Announced,
    };
    let plausible = (7..=15).contains(&total) && groups.iter().all(|g| *g <= 8) && !(thousands && dots) && groups.len() <= 7;
    plausible.then_some((if needs == Needs::Nothing { 0.5 } else { 0.4 }, needs))
}

/// 2024-01-15, 15.01.2024, 1/15/24.
pub(super) fn dated(digits: &[u8], groups: &[usize], signs: &[Sep]) -> bool {
    let [a, b, c] = groups else { return years(digits, groups) };
    let same = signs.get(1) == signs.get(2) && matches!(signs.get(1), Some(Sep::Dash | Sep::Dot | Sep::Slash | Sep::Space));
    let value = |from: usize, len: usize| {
        digits.get(from..from + len).map_or(0, |d| d.iter().fold(0, |n: u32, digit| n.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0')))))
    };
    let (x, y, z) = (value(0, *a), value(*a, *b), value(a + b, *c));
    let day_month = |p: u32, q: u32| (1..=31).contains(&p) && (1..=31).contains(&q) && (p <= 12 || q <= 12);
    let year = |y: u32| (1900..=2099).contains(&y);
    same && ((*a == 4 && *b <= 2 && *c <= 2 && year(x) && day_month(y, z))
        || (*a <= 2 && *b <= 2 && *c == 4 && year(z) && day_month(x, y))
        || (*a <= 2 && *b <= 2 && *c == 2 && signs.get(1) != Some(&Sep::Space) && day_month(x, y)))
}

/// 2019-2020.
fn years(digits: &[u8], groups: &[usize]) -> bool {
    groups == [4, 4] && [&digits[..4], &digits[4..]].iter().all(|year| year.starts_with(b"19") || year.starts_with(b"20"))
}

/// 3.14159265, 555.0123.
fn decimal(groups: &[usize], signs: &[Sep]) -> bool {
    groups.len() == 2 && signs.get(1) == Some(&Sep::Dot)
}

/// 27.24, 23.32, 16.3: dots between two groups and never three, more than once.
pub(super) fn decimals(signs: impl Iterator<Item = Sep> + Clone) -> bool {
    let dots = signs.clone().filter(|sign| *sign == Sep::Dot).count();
    dots > 1 && signs.clone().zip(signs.skip(1)).all(|pair| pair != (Sep::Dot, Sep::Dot))
}

/// True where a run with digits in words is a date: "2024 01 15" read out by parts stays.
pub(super) fn dated_parts(run: &super::numbers::Run) -> bool {
    let groups: Vec<usize> = run.parts.iter().take(4).map(|p| p.len).collect();
    let signs: Vec<Sep> = run.parts.iter().take(4).enumerate().map(|(n, p)| if n == 0 { Sep::Start } else { p.sep }).collect();
    run.parts.len() == 3 && dated(&run.digits, &groups, &signs)
}
