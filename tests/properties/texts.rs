//! What is written and read by hand, because a turn does it often, is what the general way writes and reads.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};
use proptest::prelude::*;
use rtvoice::model::phrase::{hex, is_folded};
use rtvoice::model::stages::Millis;
use rtvoice::model::time::Timestamp;
use rtvoice::model::trace::TraceContext;
use rtvoice::ports::replies::spoken;
use unicode_normalization::UnicodeNormalization as _;

/// The first and the last millisecond of the years that have four digits, and some beyond.
const YEARS: std::ops::Range<i64> = -70_000_000_000_000..260_000_000_000_000;

proptest! {
    #[test]
    fn times_are_written_as_rfc_3339_has_them(millis in YEARS) {
        let time = Timestamp::from_millis(millis);
        prop_assert_eq!(time.to_string(), time.utc().to_rfc3339_opts(SecondsFormat::Millis, true));
        prop_assert_eq!(Timestamp::parse(&time.to_string()), DateTime::parse_from_rfc3339(&time.to_string()).ok().map(|_| time));
    }

    #[test]
    fn times_are_read_as_rfc_3339_has_them(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9][.,:][0-9]{2}[0-9Zz+][Zz0]") {
        prop_assert_eq!(Timestamp::parse(&text), DateTime::parse_from_rfc3339(&text).ok().map(|time| Timestamp::from_millis(time.timestamp_millis())));
    }

    #[test]
    fn traces_are_written_as_they_were_read(trace in 1_u128.., span in 1_u64.., flags: u8) {
        let text = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
        let context = TraceContext::parse(&text).expect("a context");
        prop_assert_eq!(context.to_string(), text);
        prop_assert_eq!(format!("{} {}", context.trace, context.span), format!("{trace:032x} {span:016x}"));
    }

    #[test]
    fn bytes_are_written_in_hexadecimal(bytes: Vec<u8>) {
        let mut text = String::new();
        bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a string takes all"));
        prop_assert_eq!(hex(&bytes), text);
    }

    #[test]
    fn milliseconds_are_written_with_three_digits(micros in 0_u64..1 << 40) {
        let millis = micros as f64 / 1000.0;
        prop_assert_eq!(Millis(millis).to_string(), format!("{millis:.3}"));
    }

    #[test]
    fn what_counts_as_folded_needs_nothing(text in "[ -~]{0,3}[ ab]{0,8}[ é\t\u{7f}]{0,2}") {
        let folded = text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = text.is_ascii() && !text.chars().any(char::is_control);
        prop_assert_eq!(is_folded(&text), plain && !text.is_empty() && folded == text);
        if is_folded(&text) {
            prop_assert_eq!(spoken::clean(&text), text);
        }
    }
}

#[test]
fn what_is_no_time_is_told_as_none() {
    assert_eq!([f64::NAN, -1.0, 0.0004].map(|millis| Millis(millis).to_string()), ["0.000", "0.000", "0.000"]);
}
