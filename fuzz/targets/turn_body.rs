//! The body of a turn: what is taken keeps to the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtvoice::functions::conversation_turn;

fuzz_target!(|body: &[u8]| {
    if let Err(e) = conversation_turn::check("fuzzed-call", body) {
        assert!(!e.detail.is_empty());
    }
});
