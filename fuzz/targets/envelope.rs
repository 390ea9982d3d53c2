//! The host's envelope: three levels of JSON in JSON, whatever a client put into them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtvoice::host::envelope::Envelope;

fuzz_target!(|body: &[u8]| {
    let Ok(envelope) = Envelope::parse(body) else { return };
    for binding in ["req", "event", "message", "timer"] {
        let _ = envelope.json(binding);
        let _ = envelope.bytes(binding);
        let _ = envelope.binary(binding);
        let _ = envelope.http(binding);
    }
    if let Some(trace) = envelope.traceparent() {
        assert!(trace.len() <= body.len());
    }
    let _ = envelope.metadata_text("MessageId");
    let _ = envelope.application_property("Diagnostic-Id");
});
