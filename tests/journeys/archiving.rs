//! The longest call that there may be: 2,000 turns of 4,000 characters of four bytes.

use rtvoice::app::App;
use rtvoice::model::conversation::{Entry, Words};
use rtvoice::model::ids::CallId;
use rtvoice::model::time::Timestamp;
use rtvoice::model::transcript::ArchivedTurn;
use rtvoice::ports::documents::Container;
use rtvoice::steps::archive::{self, Facts};

use crate::harness::cosmos::CosmosEmulator;
use crate::harness::process::{Handler, eventually};

const TURNS: u64 = 2_000;

fn turns() -> Vec<ArchivedTurn> {
    let text = "\u{10348}".repeat(4000);
    let turn = |seq: u64| ArchivedTurn {
        seq: Some(seq),
        rev: 0,
        transcript: None,
        key: None,
        degraded: false,
        entry: Entry {
            turn_id: format!("turn-{seq}"),
            at: Timestamp::from_millis(1_768_471_200_000 + i64::try_from(seq).expect("small")),
            words: Words { user: Some(text.clone()), assistant: Some("Noted.".to_owned()), ..Words::default() },
            source: Some("scripted".to_owned()),
            ..Entry::default()
        },
    };
    (1..=TURNS).map(turn).collect()
}

async fn the_longest_call(app: &App) {
    let call = CallId::parse("the-longest-call").expect("an id");
    let wanted = turns();
    eventually("the record answers", String::new, async || app.documents.check().await.ok()).await;
    let written = archive::merge(app, &call, &wanted, &Facts::default()).await.expect("it is archived");
    // 32 MB of words, a million bytes a page.
    assert!(written.header.pages.len() > 32, "{}", written.header.pages.len());
    let read = archive::read(app, &call).await.expect("it can be read").expect("it is there");
    assert_eq!(read.header.turns, TURNS);
    let kept = read.union.in_order();
    assert!(kept.len() == wanted.len() && kept.into_iter().zip(&wanted).all(|(kept, wanted)| kept == wanted), "every word is there");
    for id in &read.header.pages {
        let page = app.documents.get(Container::Transcripts, call.as_str(), id).await.expect("it can be read").expect("it is there");
        assert!(page.body.to_string().len() < 1_900_000, "a page fits a document of 2 MB");
    }
    // Archived again it stays what it is.
    let again = archive::merge(app, &call, &wanted[..1], &Facts::default()).await.expect("it is archived");
    assert_eq!((again.etag, again.header), (read.etag, read.header));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_call_in_a_file() {
    let handler = Handler::start(Vec::new()).await;
    the_longest_call(handler.app()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_call_in_cosmos_db() {
    let cosmos = CosmosEmulator::start().await;
    let handler = Handler::start(vec![("COSMOS_ENDPOINT", cosmos.endpoint()), ("COSMOS_KEY", cosmos.key())]).await;
    the_longest_call(handler.app()).await;
}
