//! Numbers, sizes and times as people read them at a glance.

use crate::model::time::Timestamp;

/// What stands where nothing is known.
pub const NONE: &str = "–";

/// Three figures at the most, without zeros at the end.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        _ if size >= 100.0 || value == value.trunc() => return format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count with spaces between the thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The number with its unit, or a dash.
pub fn maybe(value: Option<f64>, unit: &str) -> String {
    match value {
        None => NONE.to_owned(),
        Some(value) if unit.is_empty() => number(value),
        Some(value) if unit == "/s" => format!("{}/s", number(value)),
        Some(value) => format!("{}\u{a0}{unit}", number(value)),
    }
}

/// A part of 1 in hundredths, or a dash.
pub fn percent(share: Option<f64>) -> String {
    maybe(share.map(|share| share * 100.0), "%")
}

/// A size: `12.3 MiB`.
pub fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut scaled, mut unit) = (bytes.max(0.0), 0);
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{}\u{a0}{}", number(scaled), UNITS[unit])
}

/// A span of time: `12 s`, `5 min`, `3 h 20 min`, `2 d 3 h`.
pub fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0 if seconds > 0.001 => format!("{} ms", number(seconds * 1000.0)),
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min", whole / 60),
        7200..172_800 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
    .replace(' ', "\u{a0}")
}

/// How long ago that was.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    span((now.since(then) / 1000) as f64)
}

/// The time of the day, UTC.
pub fn clock(at: Timestamp) -> String {
    at.utc().format("%H:%M:%S").to_string()
}

/// `redis_connectivity` and `roundTripMs` as words.
pub fn spelt(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '_' | '-' => text.push(' '),
            c if c.is_ascii_uppercase() && !text.is_empty() && !text.ends_with(' ') => {
                text.push(' ');
                text.push(c.to_ascii_lowercase());
            }
            c => text.push(c),
        }
    }
    text
}
