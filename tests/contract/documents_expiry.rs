//! Expiry of documents: what is written into them, what the embedded file does with it, and what Cosmos DB must allow.

use std::sync::Arc;

use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::{Clock, ManualClock, SystemClock};
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::documents::retained::{Retained, rule};
use rtvoice::ports::documents::{Condition, Container, Documents, Put};
use rtvoice::ports::embedded::Embedded;
use rtvoice::privacy::retention::{Fault, bucket, judge, seconds_until};
use serde_json::{Value, json};

use super::documents::{connect, emulator};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const DAY: i64 = 86_400_000;

fn config() -> Config {
    Config::from_lookup(|_| None, std::env::temp_dir()).unwrap()
}

struct Bench {
    _folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    raw: Arc<EmbeddedDocuments>,
    store: Retained,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START));
    let file = Embedded::open(&folder.path().join("documents.db")).unwrap();
    let raw = Arc::new(EmbeddedDocuments::open(file, Arc::clone(&clock) as Arc<dyn Clock>).unwrap());
    let store = Retained::new(Arc::clone(&raw) as Arc<dyn Documents>, config().retention, Arc::clone(&clock) as Arc<dyn Clock>);
    Bench { _folder: folder, clock, raw, store }
}

impl Bench {
    async fn put(&self, container: Container, body: Value) -> Value {
        let put = self.store.put(container, &body, Condition::Always).await.unwrap();
        assert!(matches!(put, Put::Done(_)));
        let partition = body[container.partition_field()].as_str().unwrap();
        self.store.get(container, partition, body["id"].as_str().unwrap()).await.unwrap().map_or(Value::Null, |d| d.body)
    }
}

fn expiry(body: &Value) -> (i64, i64) {
    let at = Timestamp::parse(body["expiresAt"].as_str().unwrap()).unwrap();
    (at.since(START), body["ttl"].as_i64().unwrap())
}

#[tokio::test]
async fn each_kind_counts_from_its_own_moment() {
    let b = bench();
    let past = |days: i64| START.plus_millis(-days * DAY);
    let cases = [
        (Container::Transcripts, json!({"id": "header", "callConnectionId": "c", "endedAt": past(10)}), 80),
        (Container::Transcripts, json!({"id": "page", "callConnectionId": "c", "endedAt": past(10)}), 80),
        (Container::Transcripts, json!({"id": "turn-1", "callConnectionId": "c", "at": past(1)}), 89),
        (Container::Transcripts, json!({"id": "open", "callConnectionId": "c", "endedAt": null}), 90),
        (Container::Analytics, json!({"id": "c", "day": "d", "endedAt": past(100)}), 300),
        (Container::Analytics, json!({"id": "report", "day": "d"}), 400),
        (Container::Audit, json!({"id": "1", "stream": "s", "at": past(5)}), 730),
        (Container::Profiles, json!({"id": "profile", "user": "u1-a", "lastCallAt": past(700)}), 30),
        (Container::Profiles, json!({"id": "profile", "user": "u1-b"}), 730),
        (Container::DeadLetters, json!({"id": "m", "day": "d", "parkedAt": START}), 30),
        (Container::Keys, json!({"id": "uk-1", "user": "u1-c"}), 732),
        (Container::Keys, json!({"id": "uk-1", "user": "c1-d"}), 92),
        // A wrong clock does not keep a document.
        (Container::Transcripts, json!({"id": "future", "callConnectionId": "c", "endedAt": past(-1000)}), 90),
        // Its own word counts where it is the earlier one.
        (Container::Analytics, json!({"id": "short", "day": "d", "expiresAt": past(-1)}), 1),
        (Container::Analytics, json!({"id": "long", "day": "d", "expiresAt": past(-1000)}), 400),
    ];
    for (container, body, days) in cases {
        assert_eq!(expiry(&b.put(container, body.clone()).await), (days * DAY, days * 86_400), "{body}");
    }
    for (container, body) in [
        (Container::Keys, json!({"id": "2026-W47", "user": "epochs"})),
        (Container::Keys, json!({"id": "v1", "user": "index"})),
        (Container::Erasures, json!({"id": "e", "user": "u1-a"})),
        (Container::Breaches, json!({"id": "b"})),
    ] {
        let stored = b.put(container, body.clone()).await;
        assert_eq!(stored, body, "kept for ever");
        assert_eq!(rule(&config().retention, container, &body), None);
    }
}

#[tokio::test]
async fn a_document_that_is_rewritten_gets_a_fresh_ttl() {
    let b = bench();
    let header = json!({"id": "header", "callConnectionId": "c", "endedAt": START});
    assert_eq!(expiry(&b.put(Container::Transcripts, header.clone()).await), (90 * DAY, 90 * 86_400));
    b.clock.advance_millis(40 * DAY + 500);
    let read = b.store.get(Container::Transcripts, "c", "header").await.unwrap().unwrap();
    assert_eq!(read.written_at, START);
    let again = b.put(Container::Transcripts, read.body).await;
    assert_eq!(expiry(&again), (90 * DAY, 50 * 86_400), "rounded up to whole seconds");
    assert_eq!((seconds_until(START, START.plus_millis(1)), seconds_until(START.plus_millis(1), START)), (1, 1), "never below one");
}

#[tokio::test]
async fn what_has_expired_is_absent_everywhere_and_is_removed() {
    let b = bench();
    let late = json!({"id": "header", "callConnectionId": "c", "endedAt": START.plus_millis(-90 * DAY + 10_000)});
    b.put(Container::Transcripts, late.clone()).await;
    b.put(Container::Transcripts, json!({"id": "zz", "callConnectionId": "c"})).await;
    let stored = b.raw.get(Container::Transcripts, "c", "header").await.unwrap().unwrap();
    b.clock.advance_millis(10_000);
    assert_eq!(b.raw.get(Container::Transcripts, "c", "header").await.unwrap(), None);
    assert_eq!(b.raw.list(Container::Transcripts, "c", "", None, 10).await.unwrap().documents.len(), 1);
    assert_eq!(b.raw.scan(Container::Transcripts, None, 10).await.unwrap().documents.len(), 1);
    assert!(!b.raw.delete(Container::Transcripts, "c", "header", None).await.unwrap());
    assert_eq!(b.raw.put(Container::Transcripts, &late, Condition::Matches(&stored.etag)).await.unwrap(), Put::Conflict);
    let anew = b.raw.put(Container::Transcripts, &json!({"id": "header", "callConnectionId": "c"}), Condition::Absent).await.unwrap();
    assert!(matches!(anew, Put::Done(_)), "it is not in the way: {anew:?}");
}

#[tokio::test]
async fn a_file_of_before_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("documents.db");
    let before = rusqlite::Connection::open(&path).unwrap();
    before
        .execute_batch(
            "CREATE TABLE documents (container TEXT NOT NULL, partition TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, etag TEXT NOT NULL,
             PRIMARY KEY (container, partition, id)) STRICT;
             INSERT INTO documents VALUES ('transcripts', 'c', 'h', '{\"id\":\"h\",\"callConnectionId\":\"c\"}', '\"1\"');",
        )
        .unwrap();
    for _ in 0..2 {
        let store = EmbeddedDocuments::open(Embedded::open(&path).unwrap(), Arc::new(SystemClock)).unwrap();
        assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_users_keys_live_as_long_as_the_profile() {
    let b = bench();
    b.put(Container::Keys, json!({"id": "uk-1", "user": "u1-a", "wrapped": "x"})).await;
    b.put(Container::Keys, json!({"id": "uk-1", "user": "u1-b", "wrapped": "x"})).await;
    b.clock.advance_millis(700 * DAY);
    // The user calls once more, shortly before both would end.
    b.put(Container::Profiles, json!({"id": "profile", "user": "u1-a", "lastCallAt": b.clock.now()})).await;
    b.clock.advance_millis(40 * DAY);
    let key = b.store.get(Container::Keys, "u1-a", "uk-1").await.unwrap().expect("the profile can still be read").body;
    assert_eq!(expiry(&key).0, (700 + 732) * DAY);
    assert!(b.store.get(Container::Keys, "u1-b", "uk-1").await.unwrap().is_none(), "nobody needs it any more");
    // Wrapped anew, it serves no longer than before, also where the writer forgot what it read.
    let stored = b.store.get(Container::Keys, "u1-a", "uk-1").await.unwrap().unwrap();
    let anew = json!({"id": "uk-1", "user": "u1-a", "wrapped": "y"});
    assert!(matches!(b.store.put(Container::Keys, &anew, Condition::Matches(&stored.etag)).await.unwrap(), Put::Done(_)));
    let key = b.store.get(Container::Keys, "u1-a", "uk-1").await.unwrap().unwrap().body;
    assert_eq!((key["wrapped"].as_str(), expiry(&key)), (Some("y"), ((700 + 732) * DAY, (732 - 40) * 86_400)));
}

#[test]
fn faults_are_told_apart() {
    let rule = rule(&config().retention, Container::Transcripts, &json!({}));
    let body = |expires: i64, ttl: i64| json!({"id": "h", "endedAt": START, "expiresAt": START.plus_millis(expires), "ttl": ttl});
    let judged = |body: &Value, now: i64| judge(rule, body, START, START.plus_millis(now));
    assert_eq!(judged(&body(90 * DAY, 90 * 86_400), DAY), []);
    assert_eq!(judged(&body(90 * DAY, 90 * 86_400 + 200), DAY), [], "clocks may differ by minutes");
    assert_eq!(judged(&body(90 * DAY, 90 * 86_400), 90 * DAY), [Fault::Past]);
    assert_eq!(judged(&body(90 * DAY, 91 * 86_400), DAY), [Fault::Disagrees]);
    assert_eq!(judged(&body(89 * DAY, 90 * 86_400), DAY), [Fault::Disagrees]);
    assert_eq!(judged(&json!({"endedAt": START, "expiresAt": START.plus_millis(DAY)}), 0), [Fault::Disagrees]);
    assert_eq!(judged(&body(91 * DAY, 91 * 86_400), DAY), [Fault::Exceeds]);
    assert_eq!(judged(&json!({"endedAt": START}), 0), [Fault::Missing]);
    assert_eq!(judge(None, &json!({"id": "b"}), START, START), []);
    assert_eq!(judge(None, &json!({"id": "b", "ttl": 5}), START, START), [Fault::Missing]);
    assert_eq!(["<1d", "<7d", "<365d", "older"], [bucket(DAY - 1), bucket(DAY), bucket(365 * DAY - 1), bucket(365 * DAY)]);
}

#[tokio::test]
async fn a_container_on_cosmos_that_lets_nothing_expire_is_told_at_start() {
    use azure_data_cosmos::models::ContainerProperties;
    use azure_data_cosmos::{AccountReference, CosmosClientBuilder, RoutingStrategy};

    let emulator = emulator().await;
    let free = connect(&emulator, true);
    free.check().await.unwrap();
    connect(&emulator, false).check().await.expect("what is made in development lets its documents expire");
    let account = AccountReference::with_authentication_key(emulator.endpoint().parse().unwrap(), azure_core::credentials::Secret::new(emulator.key()));
    let client = CosmosClientBuilder::new().build(account, RoutingStrategy::PreferredRegions(Vec::new())).await.unwrap();
    client.create_database("hand", None).await.unwrap();
    let database = client.database_client("hand".to_owned());
    for container in Container::ALL {
        let properties = ContainerProperties::new(container.name(), format!("/{}", container.partition_field()).into());
        database.create_container(properties, None).await.unwrap();
    }
    let by_hand = rtvoice::ports::documents::cosmos::CosmosDocuments::connect(&emulator.config("hand"), None, false).unwrap();
    let e = by_hand.check().await.unwrap_err();
    assert_eq!(e.kind, Kind::Setting);
    assert!(e.detail.contains("COSMOS_DATABASE") && e.detail.contains("transcripts") && e.detail.contains("--ttl -1"), "{}", e.detail);
}
