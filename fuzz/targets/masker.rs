//! The detector and the masker: spans lie on characters, in order and apart, and masking takes away just them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtvoice::privacy::detect::{detect, mask};

fuzz_target!(|text: &str| {
    let spans = detect(text);
    let mut end = 0;
    for span in &spans {
        assert!(span.start >= end && span.end > span.start && span.end <= text.len(), "{span:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
        end = span.end;
    }
    let masked = mask(text, &spans);
    if spans.is_empty() {
        assert_eq!(masked, text);
    }
});
