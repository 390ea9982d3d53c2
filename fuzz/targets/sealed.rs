//! Sealed envelopes: nothing but what was sealed for a place opens there, and no bytes bring the reader down.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::model::ids::CallId;
use rtvoice::privacy::envelope::{self, Place, Store};
use tokio::runtime::Runtime;

const PLACE: Place<'static> = Place { store: Store::Redis, container: "rtvoice:dev:conversation:c:history", id: "t1", field: "words/0" };

struct There {
    runtime: Runtime,
    app: App,
    call: CallId,
    wrap: String,
    sealed: Vec<u8>,
}

fn there() -> &'static There {
    static THERE: OnceLock<There> = OnceLock::new();
    THERE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("rtvoice-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("rtvoice.db").display().to_string();
        let lookup = |name: &str| (name == "EMBEDDED_PATH").then(|| file.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let guard = runtime.enter();
        let app = App::new(Config::from_lookup(lookup, folder).expect("settings")).expect("an app");
        drop(guard);
        let call = CallId::parse("fuzzed-call").expect("a call");
        let cipher = runtime.block_on(app.vault.new_call(&call, None)).expect("a cipher");
        let sealed = cipher.seal(&PLACE, b"555 0187").expect("sealed");
        There { runtime, app, call, wrap: cipher.wrap().to_owned(), sealed }
    })
}

fuzz_target!(|input: &[u8]| {
    let there = there();
    // What is fuzzed is a change of a true envelope, else the whole of it.
    let changed: Vec<u8> = match input.split_first() {
        Some((0, flips)) => there.sealed.iter().enumerate().map(|(n, byte)| byte ^ flips.get(n).copied().unwrap_or(0)).collect(),
        _ => input.to_vec(),
    };
    let cipher = there.runtime.block_on(there.app.vault.call(&there.call, &there.wrap)).expect("its cipher");
    match cipher.open(&PLACE, &changed) {
        Ok(plain) => assert!(changed == there.sealed && plain == b"555 0187"),
        Err(_) => assert!(changed != there.sealed),
    }
    let elsewhere = Place { id: "t2", ..PLACE };
    assert!(cipher.open(&elsewhere, &changed).is_err());
    if let Ok(text) = std::str::from_utf8(input) {
        if let Some(bytes) = envelope::from_text(text) {
            assert_eq!(envelope::to_text(&bytes), text, "an envelope has one text");
        }
        let _ = envelope::key_version(text);
        let _ = cipher.open_text(&PLACE, text);
        // A wrap is text that a store hands us.
        if text != there.wrap {
            assert!(there.runtime.block_on(there.app.vault.call(&there.call, text)).is_err());
        }
    }
    there.app.vault.refused().drain();
});
