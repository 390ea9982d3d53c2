//! Pure code on the way of a turn, one thread, against the least that its work takes: reading an envelope, masking a sentence, sealing and
//! opening what was said. In more detail: `cargo bench --bench pure`.

use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::report::Row;
use super::stage::Stage;
use super::turns::turn_body;
use super::{RowName, SAID};
use crate::app::App;
use crate::error::{Error, Result};
use crate::host::envelope::Envelope;
use crate::model::ids::CallId;
use crate::ports::state::keys::{CallKey, RedisKeyManager};
use crate::privacy::crypto::{Key, NONCE};
use crate::privacy::detect;
use crate::privacy::envelope::Place;

/// Repetitions of one measured piece, and pieces of each arm.
const PIECE: u32 = 500;
const PIECES: u32 = 40;
/// Bytes that are sealed: what a turn says.
const SEALED: usize = 256;

/// Mean time of one repetition of each, in nanoseconds; they take turns.
fn beside<A, B>(mut ours: impl FnMut() -> Result<A>, mut least: impl FnMut() -> Result<B>) -> Result<(f64, f64)> {
    let (mut of_ours, mut of_least) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..PIECES {
        let began = Instant::now();
        for _ in 0..PIECE {
            black_box(ours()?);
        }
        of_ours += began.elapsed();
        let began = Instant::now();
        for _ in 0..PIECE {
            black_box(least()?);
        }
        of_least += began.elapsed();
    }
    let mean = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(PIECE * PIECES);
    Ok((mean(of_ours), mean(of_least)))
}

/// The rows.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let app = App::new(stage.arm("pure", true))?;
    let call = CallId::parse("bench-pure")?;
    let cipher = app.vault.new_call(&call, None).await?;
    app.audit.close().await?;
    let row = |what: &str, (ours, least): (f64, f64), is: &str| Row::new(RowName::Pure, what, ours, "ns").limit(least, is);
    let request = json!({ "Url": "http://localhost:7071/api/calls/call-1/turns", "Method": "POST", "Query": {}, "Headers": { "Content-Type": ["application/json"] }, "Params": {}, "Body": turn_body(1) });
    let envelope = json!({ "Data": { "req": request }, "Metadata": {} }).to_string();
    let bytes = envelope.as_bytes();
    let decoding = beside(|| Envelope::parse(black_box(bytes))?.http("req"), || serde_json::from_slice::<Value>(black_box(bytes)).map_err(Error::internal))?;
    let masking = beside(
        || Ok(SAID.map(|text| detect::mask(black_box(text), &detect::detect(black_box(text))))),
        || Ok(SAID.map(|text| black_box(text).split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())),
    )?;
    let history = RedisKeyManager::new(&app.config).call(&call, CallKey::History);
    let (place, plain) = (Place::redis(&history, "t1", "entry"), [b'a'; SEALED]);
    let gcm = Key::random()?.gcm()?;
    let sealed = cipher.seal(&place, &plain)?;
    // The same nonce again and again: nothing of it is kept.
    let alone = |plain: &[u8]| {
        let mut out = Vec::new();
        gcm.seal([7; NONCE], b"", plain, &mut out).map(|()| out)
    };
    let bare = alone(&plain)?;
    let sealing = beside(|| cipher.seal(&place, black_box(&plain)), || alone(black_box(&plain)))?;
    let opening = beside(|| cipher.open(&place, black_box(&sealed)), || Ok(gcm.open([7; NONCE], b"", black_box(&bare))))?;
    Ok(vec![
        row("envelope of a turn, read and unwrapped", decoding, "serde_json alone on the same bytes"),
        row("eight sentences masked", masking, "the same cut into words in lower case"),
        row("what a turn says, sealed", sealing, "AES-256-GCM alone on the same 256 bytes"),
        row("the same, opened", opening, "AES-256-GCM alone"),
    ])
}
