//! A point in time, in whole milliseconds since 1970 UTC; in JSON an RFC 3339 string in UTC with milliseconds.

use chrono::{DateTime, Datelike as _, NaiveDate, SecondsFormat, Timelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time plus `millis` milliseconds.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this time; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day as `YYYY-MM-DD`.
    pub fn day(self) -> String {
        self.utc().format("%Y-%m-%d").to_string()
    }

    /// As a chrono time; out-of-range values become 1970.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// Reads an RFC 3339 time with any offset and any number of fractional digits.
    pub fn parse(text: &str) -> Option<Self> {
        ours(text).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis())))
    }
}

/// Where year, month, day, hour, minute, second and milliseconds stand in a time as it is written here.
const PARTS: [(usize, usize); 7] = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 23)];

/// Reads a time as it is written here; none for any other form. A turn reads one with each entry of its window.
fn ours(text: &str) -> Option<Timestamp> {
    let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let separated = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')].iter().all(|(at, byte)| text[*at] == *byte);
    let digit = |number: u32, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'));
    let part = |(from, to): (usize, usize)| text[from..to].iter().try_fold(0, digit);
    let [year, month, day, hour, minute, second, millis] = PARTS.map(part);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year?).ok()?, month?, day?).filter(|_| separated)?;
    Some(Timestamp(date.and_hms_milli_opt(hour?, minute?, second?, millis?)?.and_utc().timestamp_millis()))
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let utc = self.utc();
        let Some(year) = u32::try_from(utc.year()).ok().filter(|year| *year <= 9999) else {
            return f.write_str(&utc.to_rfc3339_opts(SecondsFormat::Millis, true));
        };
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [year, utc.month(), utc.day(), utc.hour(), utc.minute(), utc.second(), utc.timestamp_subsec_millis()];
        for ((from, to), mut number) in PARTS.into_iter().zip(parts) {
            for place in text[from..to].iter_mut().rev() {
                *place = b"0123456789"[(number % 10) as usize];
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("must be an RFC 3339 time, such as 2026-01-15T10:00:00Z"))
    }
}
