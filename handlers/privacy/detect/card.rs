//! Numbers of payment cards: their issuers, lengths and check digit.
//!
//! Pure arithmetic on digits. The check digit says how sure a finding is, never whether it is one: recognisers change
//! single digits.

/// True where the check digit is right.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            if n % 2 == 1 { if value > 4 { 2 * value - 9 } else { 2 * value } } else { value }
        })
        .sum();
    digits.len() > 1 && sum.is_multiple_of(10)
}

/// The number that the first digits make.
fn prefix(digits: &[u8], length: usize) -> u32 {
    digits.iter().take(length).fold(0, |n, digit| n * 10 + u32::from(digit.wrapping_sub(b'0')))
}

/// True where an issuer has numbers that begin so and are as long (ranges as ISO/IEC 7812 issuers publish them).
pub(super) fn issued(digits: &[u8]) -> bool {
    let (two, three, four) = (prefix(digits, 2), prefix(digits, 3), prefix(digits, 4));
    match digits.len() {
        12 => maestro(two, four),
        13 => digits[0] == b'4' || maestro(two, four),
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39) || maestro(two, four),
        15 => matches!(two, 34 | 37) || matches!(four, 1800 | 2131 | 2014 | 2149) || maestro(two, four),
        16 => {
            digits[0] == b'4'
                || matches!(two, 51..=55 | 62 | 65 | 60 | 81 | 82 | 36 | 30)
                || matches!(four, 2200..=2204 | 2221..=2720 | 3528..=3589 | 9792 | 8600 | 6011)
                || matches!(three, 636..=639 | 644..=649)
                || maestro(two, four)
        }
        17 | 18 => maestro(two, four) || matches!(two, 62 | 65 | 60),
        19 => digits[0] == b'4' || maestro(two, four) || matches!(two, 62 | 65 | 60 | 35 | 36 | 22),
        _ => false,
    }
}

fn maestro(two: u32, four: u32) -> bool {
    matches!(two, 50 | 56..=58 | 60..=69) || matches!(four, 604 | 6304 | 5018 | 5020 | 5038)
}

/// True for a day and a time written without signs, as log files and serial numbers have them.
pub(super) fn timestamp(digits: &[u8]) -> bool {
    let (year, rest) = (prefix(digits, 4), digits.get(4..).unwrap_or_default());
    let (month, day) = (prefix(rest, 2), prefix(rest.get(2..).unwrap_or_default(), 2));
    matches!(digits.len(), 12 | 14 | 17) && (1990..=2099).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}
