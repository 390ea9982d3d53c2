//! Events of ACS in either schema, alone or in a batch.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtvoice::host::json;
use rtvoice::model::acs::events;

fuzz_target!(|body: &[u8]| {
    let Ok(value) = json::parse(body) else { return };
    let Ok(events) = events(&value) else { return };
    for event in events {
        let _ = (event.name(), event.call(), event.effect());
        for (name, value) in event.fields() {
            assert!(!name.is_empty() && value.len() <= 64 * 1024);
        }
    }
});
