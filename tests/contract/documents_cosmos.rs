//! What the documents port does on Cosmos DB alone: outages, refusals, missing containers, and what they become.

use std::time::Duration;

use rtvoice::config::CosmosConfig;
use rtvoice::error::Kind;
use rtvoice::ports::documents::cosmos::{CosmosDocuments, kind_of_status};
use rtvoice::ports::documents::{Condition, Container, Documents as _, Put};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::documents::{connect, emulator, page};
use crate::harness::cosmos::{CosmosEmulator, Fault};
use crate::harness::stopwatch::Stopwatch;

/// A store on Cosmos DB that is up and running.
async fn ready() -> (CosmosEmulator, CosmosDocuments) {
    let emulator = emulator().await;
    let store = connect(&emulator, true);
    store.check().await.unwrap();
    (emulator, store)
}

#[tokio::test]
async fn throttling_is_told_with_its_delay_and_not_waited_out() {
    let (emulator, store) = ready().await;
    let before = emulator.document_requests();
    emulator.fail_next(3, Fault::Throttle(Duration::from_millis(1234)));
    let watch = Stopwatch::start();
    let errors = [
        store.get(Container::Transcripts, "c", "h").await.unwrap_err(),
        store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.unwrap_err(),
        store.list(Container::Transcripts, "c", "", None, 5).await.unwrap_err(),
    ];
    watch.below(Duration::from_secs(1), "three refusals");
    for e in errors {
        assert_eq!((e.kind, e.retry_after), (Kind::Throttled, Some(Duration::from_millis(1234))), "{}", e.chain());
    }
    assert_eq!(emulator.document_requests() - before, 3);
}

#[tokio::test]
async fn outages_are_retried_once_where_that_is_harmless() {
    let (emulator, store) = ready().await;
    let body = page("c", "h");
    for (status, sub) in [(503, 0), (500, 0), (408, 0), (410, 0), (404, 1002)] {
        emulator.fail_next(1, Fault::Status(status, sub));
        let put = store.put(Container::Transcripts, &body, Condition::Always).await;
        assert!(matches!(put, Ok(Put::Done(_))), "{status}: {put:?}");
        emulator.fail_next(1, Fault::Status(status, sub));
        assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_some(), "{status}");
        emulator.fail_next(1000, Fault::Status(status, sub));
        let before = emulator.document_requests();
        let e = store.put(Container::Transcripts, &body, Condition::Always).await.unwrap_err();
        assert_eq!(e.kind, Kind::Unavailable, "{status}: {}", e.chain());
        // The SDK itself repeats a 404/1002, which says that nothing was done.
        assert!(sub == 1002 || emulator.document_requests() - before == 2, "{status}");
        emulator.recover();
    }
}

#[tokio::test]
async fn conditional_writes_are_never_sent_twice() {
    let (emulator, store) = ready().await;
    let Put::Done(etag) = store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.unwrap() else { panic!("refused") };
    for status in [503, 500, 408, 410] {
        emulator.fail_next(1, Fault::Status(status, 0));
        let before = emulator.document_requests();
        let e = store.put(Container::Transcripts, &page("c", "h"), Condition::Matches(&etag)).await.unwrap_err();
        assert_eq!(e.kind, Kind::Unavailable, "{status}: {}", e.chain());
        emulator.fail_next(1, Fault::Status(status, 0));
        assert_eq!(store.put(Container::Transcripts, &page("c", "new"), Condition::Absent).await.unwrap_err().kind, Kind::Unavailable, "{status}");
        emulator.fail_next(1, Fault::Status(status, 0));
        assert_eq!(store.delete(Container::Transcripts, "c", "h", Some(&etag)).await.unwrap_err().kind, Kind::Unavailable, "{status}");
        assert_eq!(emulator.document_requests() - before, 3, "{status}");
    }
}

#[tokio::test]
async fn hanging_ends_at_the_deadline_and_is_got_over() {
    let (emulator, store) = ready().await;
    emulator.fail_next(1000, Fault::Hang);
    let watch = Stopwatch::start();
    let (read, write, list) = tokio::join!(
        store.get(Container::Transcripts, "c", "h"),
        async { store.put(Container::Transcripts, &page("c", "h"), Condition::Absent).await },
        store.list(Container::Transcripts, "c", "", None, 5),
    );
    for kind in [read.unwrap_err().kind, write.unwrap_err().kind, list.unwrap_err().kind] {
        assert_eq!(kind, Kind::Deadline);
    }
    watch.below(Duration::from_millis(2500), "what hangs");
    emulator.recover();
    emulator.fail_next(1, Fault::LoseAnswer);
    assert_eq!(store.put(Container::Transcripts, &page("c", "h"), Condition::Absent).await.unwrap_err().kind, Kind::Deadline);
    assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_some(), "the effect of a lost answer is there");
}

#[tokio::test]
async fn that_hangs_at_start_is_reached_once_it_is_back() {
    let emulator = emulator().await;
    emulator.fail_all(Fault::Hang);
    let store = connect(&emulator, true);
    let watch = Stopwatch::start();
    let kind = store.get(Container::Transcripts, "c", "h").await.unwrap_err().kind;
    assert!(matches!(kind, Kind::Deadline | Kind::Unavailable), "{kind:?}");
    watch.below(Duration::from_millis(2500), "what hangs");
    emulator.recover();
    let watch = Stopwatch::start();
    while let Err(e) = store.get(Container::Transcripts, "c", "h").await {
        assert!(e.is_transient() && !watch.is_over(Duration::from_secs(15)), "{}", e.chain());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn out_of_reach_is_unavailable() {
    let (emulator, store) = ready().await;
    let gone = emulator.config("rtvoice");
    drop(emulator);
    for store in [store, CosmosDocuments::connect(&gone, None, true).unwrap()] {
        for e in [store.get(Container::Transcripts, "c", "h").await.unwrap_err(), store.check().await.unwrap_err()] {
            assert_eq!(e.kind, Kind::Unavailable, "{}", e.chain());
        }
    }
}

#[tokio::test]
async fn answers_that_break_off_are_no_verdict() {
    let (emulator, store) = ready().await;
    // Many requests at once make the SDK open more than one connection, between which it could switch.
    let reads = (0..100).map(|n| store.list(Container::Transcripts, if n % 2 == 0 { "a" } else { "b" }, "", None, 5));
    assert!(futures::future::join_all(reads).await.iter().all(Result::is_ok));
    for n in 0..10 {
        let body = page("c", &format!("h-{n}"));
        emulator.fail_next(1, Fault::BreakOff);
        let e = store.put(Container::Transcripts, &body, Condition::Absent).await.unwrap_err();
        assert_eq!(e.kind, Kind::Unavailable, "{}", e.chain());
        let read = store.get(Container::Transcripts, "c", &format!("h-{n}")).await.unwrap().unwrap();
        emulator.fail_next(1, Fault::BreakOff);
        let e = store.put(Container::Transcripts, &body, Condition::Matches(&read.etag)).await.unwrap_err();
        assert_eq!(e.kind, Kind::Unavailable, "{}", e.chain());
        emulator.fail_next(1, Fault::BreakOff);
        assert!(matches!(store.put(Container::Transcripts, &body, Condition::Always).await.unwrap(), Put::Done(_)));
    }
}

#[tokio::test]
async fn answers_each_method_with_one_request() {
    let (emulator, store) = ready().await;
    let before = emulator.document_requests();
    for n in 0..5 {
        store.put(Container::Transcripts, &page("c", &format!("h-{n}")), Condition::Absent).await.unwrap();
    }
    assert_eq!(store.list(Container::Transcripts, "c", "h-", None, 5).await.unwrap().documents.len(), 5);
    assert_eq!(store.list(Container::Transcripts, "c", "h-", None, 4).await.unwrap().documents.len(), 4);
    assert!(store.get(Container::Transcripts, "c", "h-0").await.unwrap().is_some());
    assert!(store.delete(Container::Transcripts, "c", "h-0", None).await.unwrap());
    assert_eq!(emulator.document_requests() - before, 9);
}

#[tokio::test]
async fn refusal_is_denied() {
    let emulator = emulator().await;
    for status in [401, 403] {
        emulator.fail_all(Fault::Status(status, 0));
        let e = connect(&emulator, false).check().await.unwrap_err();
        assert_eq!(e.kind, Kind::Denied, "{}", e.chain());
        emulator.recover();
    }
    let (emulator, store) = ready().await;
    emulator.fail_next(1, Fault::Status(403, 0));
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap_err().kind, Kind::Denied);
    emulator.fail_next(1, Fault::Status(413, 0));
    assert_eq!(store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.unwrap_err().kind, Kind::BadInput);
}

#[tokio::test]
async fn missing_containers_are_a_wrong_setting_or_created() {
    let emulator = emulator().await;
    let guarded = connect(&emulator, false);
    for e in [guarded.check().await.unwrap_err(), guarded.get(Container::Transcripts, "c", "h").await.unwrap_err()] {
        assert_eq!(e.kind, Kind::Setting, "{}", e.chain());
        assert!(e.detail.contains("COSMOS_DATABASE") && e.detail.contains("transcripts"), "{}", e.detail);
    }
    // An app that started while the account was away creates on first use.
    let free = connect(&emulator, true);
    assert!(free.get(Container::Analytics, "2026-01-15", "h").await.unwrap().is_none());
    assert_eq!(guarded.check().await.unwrap_err().kind, Kind::Setting);
    free.check().await.unwrap();
    guarded.check().await.unwrap();
    let other = CosmosDocuments::connect(&emulator.config("other"), None, false).unwrap();
    assert_eq!(other.check().await.unwrap_err().kind, Kind::Setting);
}

#[tokio::test]
async fn needs_a_key_or_an_identity() {
    let emulator = emulator().await;
    let config = CosmosConfig { key: None, ..emulator.config("rtvoice") };
    let e = CosmosDocuments::connect(&config, None, true).unwrap_err();
    assert_eq!(e.kind, Kind::Setting);
    assert!(e.detail.contains("COSMOS_KEY"));
}

#[test]
fn statuses_have_their_kinds() {
    for (status, sub, kind) in [
        (401, 0, Kind::Denied),
        (403, 0, Kind::Denied),
        (403, 3, Kind::Unavailable),
        (404, 1002, Kind::Unavailable),
        (408, 0, Kind::Unavailable),
        (410, 0, Kind::Unavailable),
        (413, 0, Kind::BadInput),
        (429, 3200, Kind::Throttled),
        (449, 0, Kind::Unavailable),
        (500, 0, Kind::Unavailable),
        (503, 20003, Kind::Unavailable),
        (400, 0, Kind::Internal),
    ] {
        assert_eq!(kind_of_status(status, sub), kind, "{status}/{sub}");
    }
}

#[tokio::test]
async fn versions_that_the_store_cannot_have_given_are_not_sent() {
    let (emulator, store) = ready().await;
    let written = store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.unwrap();
    assert!(matches!(written, Put::Done(_)));
    let before = emulator.document_requests();
    // `If-Match: *` would match any version.
    assert_eq!(store.put(Container::Transcripts, &page("c", "h"), Condition::Matches("*")).await.unwrap(), Put::Conflict);
    assert!(!store.delete(Container::Transcripts, "c", "h", Some("*")).await.unwrap());
    assert_eq!(emulator.document_requests(), before);
}

/// A server in front of the account that knows HTTP/1.1 alone and refuses the HTTP/2 preface as such servers do.
async fn without_http2(listener: TcpListener, account: String) {
    while let Ok((mut client, _)) = listener.accept().await {
        let account = account.clone();
        tokio::spawn(async move {
            let mut start = [0; 3];
            if client.peek(&mut start).await.is_ok() && start == *b"PRI" {
                // Read before the answer: closing with unread bytes would reset the connection, answer and all.
                client.read_exact(&mut [0; 24]).await?;
                client.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
                client.shutdown().await?;
                return tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop);
            }
            let mut server = TcpStream::connect(account).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
        });
    }
}

#[tokio::test]
async fn a_server_without_http2_is_served() {
    let emulator = emulator().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(without_http2(listener, emulator.endpoint().replace("http://", "")));
    let store = CosmosDocuments::connect(&CosmosConfig { endpoint, ..emulator.config("rtvoice") }, None, true).unwrap();
    let e = store.check().await;
    assert!(e.is_ok(), "{}", e.unwrap_err().chain());
    assert!(matches!(store.put(Container::Transcripts, &page("c", "h"), Condition::Absent).await.unwrap(), Put::Done(_)));
    assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_some());
}
