//! The contract of the documents port: one function per sentence, run on every backend.

use std::collections::BTreeSet;
use std::sync::Arc;

use rtvoice::error::Kind;
use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::documents::cosmos::CosmosDocuments;
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::documents::{Condition, Container, Documents, Put, Written};
use rtvoice::ports::embedded::Embedded;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::harness::cosmos::CosmosEmulator;

type Store = Arc<dyn Documents>;

/// Runs every sentence on every backend.
macro_rules! on_every_backend {
    ($($sentence:ident)+) => {
        mod embedded {
            $(#[tokio::test]
            async fn $sentence() {
                let folder = tempfile::tempdir().unwrap();
                let file = Embedded::open(&folder.path().join("documents.db")).unwrap();
                super::$sentence(std::sync::Arc::new(super::EmbeddedDocuments::open(file, std::sync::Arc::new(super::SystemClock)).unwrap())).await;
            })+
            use super::Embedded;
        }
        mod cosmos {
            $(#[tokio::test]
            async fn $sentence() {
                let emulator = super::emulator().await;
                super::$sentence(std::sync::Arc::new(super::connect(&emulator, true))).await;
            })+
        }
    };
}

on_every_backend! {
    a_document_reads_back_as_it_was_written
    what_was_never_written_is_none
    always_inserts_and_replaces_whole
    absent_writes_only_where_nothing_is
    an_insert_writes_what_its_maker_wrote_where_nothing_is
    matches_writes_only_over_that_version
    a_version_is_never_given_twice
    delete_tells_whether_it_removed
    of_twenty_writers_of_one_version_one_wins
    of_twenty_writers_of_an_absent_document_one_wins
    a_listing_is_ordered_bytewise_and_complete
    a_listing_holds_only_its_prefix
    a_listing_of_large_documents_is_complete
    a_page_has_one_to_a_thousand
    partitions_and_containers_are_apart
    a_scan_holds_all_partitions_once
    a_scan_holds_what_stands_while_others_come_and_go
    a_scan_takes_only_its_own_cursor
    fields_of_the_store_are_not_returned
    bad_input_is_refused_and_nothing_written
    a_body_may_have_two_mebibytes
    four_byte_characters_and_numbers_survive
    check_succeeds
}

/// A fresh account. The first client of a process asks for the machine's name, which takes seconds where nobody
/// answers: that is waited for here, once.
pub async fn emulator() -> CosmosEmulator {
    static NAMED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let first = async || connect(&CosmosEmulator::start().await, true).check().await.unwrap();
    NAMED.get_or_init(first).await;
    CosmosEmulator::start().await
}

pub fn connect(emulator: &CosmosEmulator, create_missing: bool) -> CosmosDocuments {
    CosmosDocuments::connect(&emulator.config("rtvoice"), None, create_missing).unwrap()
}

pub(super) fn page(call: &str, id: &str) -> Value {
    json!({"id": id, "callConnectionId": call, "text": format!("page {id}")})
}

async fn written(store: &Store, body: &Value) -> String {
    match store.put(Container::Transcripts, body, Condition::Always).await.unwrap() {
        Put::Done(etag) => etag,
        Put::Conflict => panic!("an unconditional write met a conflict"),
    }
}

/// Ids of a whole listing, page by page.
async fn ids(store: &Store, call: &str, prefix: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut from) = (Vec::new(), None::<String>);
    loop {
        let page = store.list(Container::Transcripts, call, prefix, from.as_deref(), limit).await.unwrap();
        assert!(page.documents.len() <= limit);
        assert!(!page.documents.is_empty() || page.next.is_none(), "an empty page must be the last");
        ids.extend(page.documents.iter().map(|d| d.body["id"].as_str().unwrap().to_owned()));
        from = page.next;
        if from.is_none() {
            return ids;
        }
    }
}

async fn a_document_reads_back_as_it_was_written(store: Store) {
    let body = json!({"id": "turn-a.b_c-9", "callConnectionId": "call-1", "nested": {"a": [1, null, true, {"b": "c"}]}, "empty": ""});
    let etag = written(&store, &body).await;
    let read = store.get(Container::Transcripts, "call-1", "turn-a.b_c-9").await.unwrap().unwrap();
    assert_eq!(read.body, body);
    assert_eq!(read.etag, etag);
}

async fn what_was_never_written_is_none(store: Store) {
    assert_eq!(store.get(Container::Profiles, "nobody", "profile").await.unwrap(), None);
    assert_eq!(store.get(Container::Profiles, "nobody", "no/such?id").await.unwrap(), None);
    let page = store.list(Container::Profiles, "nobody", "", None, 10).await.unwrap();
    assert!(page.documents.is_empty() && page.next.is_none());
}

async fn always_inserts_and_replaces_whole(store: Store) {
    written(&store, &json!({"id": "h", "callConnectionId": "c", "old": 1})).await;
    let second = json!({"id": "h", "callConnectionId": "c", "new": 2});
    written(&store, &second).await;
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body, second);
}

async fn an_insert_writes_what_its_maker_wrote_where_nothing_is(store: Store) {
    let body = json!({"id": "1", "stream": "s", "ttl": 600, "entries": [{"n": 1, "text": "naïve \"quotes\" 👋"}]});
    let document = |id: &str, body: &Value| Written { id: id.to_owned(), partition: "s".to_owned(), ttl: Some(600), json: to_raw_value(body).unwrap() };
    let Put::Done(etag) = store.insert(Container::Audit, &document("1", &body)).await.unwrap() else { panic!("it was there") };
    let stored = store.get(Container::Audit, "s", "1").await.unwrap().expect("written");
    assert_eq!((&stored.body, &stored.etag), (&body, &etag));
    let other = json!({"id": "1", "stream": "s", "entries": []});
    assert_eq!(store.insert(Container::Audit, &document("1", &other)).await.unwrap(), Put::Conflict);
    assert_eq!(store.get(Container::Audit, "s", "1").await.unwrap().map(|stored| stored.body), Some(body));
    let large = json!({"id": "2", "stream": "s", "text": "x".repeat(2 << 20)});
    for refused in [document("a/b", &json!({"id": "a/b", "stream": "s"})), document("2", &large)] {
        assert_eq!(store.insert(Container::Audit, &refused).await.unwrap_err().kind, Kind::BadInput);
    }
    assert_eq!(store.list(Container::Audit, "s", "", None, 10).await.unwrap().documents.len(), 1);
}

async fn absent_writes_only_where_nothing_is(store: Store) {
    let first = json!({"id": "h", "callConnectionId": "c", "by": "first"});
    let Put::Done(etag) = store.put(Container::Transcripts, &first, Condition::Absent).await.unwrap() else { panic!("refused") };
    let again = store.put(Container::Transcripts, &json!({"id": "h", "callConnectionId": "c", "by": "second"}), Condition::Absent).await.unwrap();
    assert_eq!(again, Put::Conflict);
    let read = store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap();
    assert_eq!((read.body, read.etag), (first, etag));
}

async fn matches_writes_only_over_that_version(store: Store) {
    let stale = written(&store, &page("c", "h")).await;
    let etag = written(&store, &page("c", "h")).await;
    let body = json!({"id": "h", "callConnectionId": "c", "n": 3});
    for wrong in [stale.as_str(), "*", "", "\"never\"", "two,\"etags\"", "broken\netag"] {
        assert_eq!(store.put(Container::Transcripts, &body, Condition::Matches(wrong)).await.unwrap(), Put::Conflict, "{wrong:?}");
    }
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body, page("c", "h"));
    let Put::Done(new) = store.put(Container::Transcripts, &body, Condition::Matches(&etag)).await.unwrap() else { panic!("refused") };
    assert_ne!(new, etag);
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().etag, new);
    let gone = json!({"id": "gone", "callConnectionId": "c"});
    assert_eq!(store.put(Container::Transcripts, &gone, Condition::Matches(&new)).await.unwrap(), Put::Conflict);
}

async fn a_version_is_never_given_twice(store: Store) {
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        assert!(seen.insert(written(&store, &page("c", "h")).await));
        assert!(store.delete(Container::Transcripts, "c", "h", None).await.unwrap());
        assert!(seen.insert(written(&store, &page("c", "h")).await));
    }
}

async fn delete_tells_whether_it_removed(store: Store) {
    assert!(!store.delete(Container::Transcripts, "c", "h", None).await.unwrap());
    assert!(!store.delete(Container::Transcripts, "c", "a/b", None).await.unwrap());
    let stale = written(&store, &page("c", "h")).await;
    let etag = written(&store, &page("c", "h")).await;
    for wrong in [stale.as_str(), "*", ""] {
        assert!(!store.delete(Container::Transcripts, "c", "h", Some(wrong)).await.unwrap(), "{wrong:?}");
    }
    assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_some());
    assert!(store.delete(Container::Transcripts, "c", "h", Some(&etag)).await.unwrap());
    assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_none());
    assert!(!store.delete(Container::Transcripts, "c", "h", Some(&etag)).await.unwrap());
    written(&store, &page("c", "h")).await;
    assert!(store.delete(Container::Transcripts, "c", "h", None).await.unwrap());
}

/// How many of twenty concurrent writers won, and whether what stands there is what the winner wrote.
async fn race(store: &Store, etag: Option<String>) {
    let writers = (0..20).map(|n| {
        let (store, etag) = (Arc::clone(store), etag.clone());
        tokio::spawn(async move {
            let condition = etag.as_deref().map_or(Condition::Absent, Condition::Matches);
            let body = json!({"id": "h", "callConnectionId": "c", "writer": n});
            matches!(store.put(Container::Transcripts, &body, condition).await.unwrap(), Put::Done(_)).then_some(n)
        })
    });
    let winners: Vec<i32> = futures::future::join_all(writers).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body["writer"], winners[0]);
}

async fn of_twenty_writers_of_one_version_one_wins(store: Store) {
    let etag = written(&store, &page("c", "h")).await;
    race(&store, Some(etag)).await;
}

async fn of_twenty_writers_of_an_absent_document_one_wins(store: Store) {
    race(&store, None).await;
}

const ODD: [&str; 12] =
    ["turn-a.b_c-9", "turn-a.b_c-10", "turn-A", "turn-", "turn", "turn-a b", "turn-a'b", "turn-a\"b", "turn-é", "turn-😀", "turn-%41", "turn-a+b"];

async fn a_listing_is_ordered_bytewise_and_complete(store: Store) {
    for id in ODD {
        written(&store, &page("c", id)).await;
    }
    let mut expected: Vec<String> = ODD.iter().map(|id| (*id).to_owned()).collect();
    expected.sort();
    for limit in [1, 2, 5, 11, 12, 13, 1000] {
        assert_eq!(ids(&store, "c", "", limit).await, expected, "limit {limit}");
    }
    for id in ODD {
        assert_eq!(store.get(Container::Transcripts, "c", id).await.unwrap().unwrap().body, page("c", id), "{id}");
        assert!(store.delete(Container::Transcripts, "c", id, None).await.unwrap(), "{id}");
    }
}

async fn a_listing_holds_only_its_prefix(store: Store) {
    for id in ["header", "page-0001", "page-0002", "page-0003", "page", "pagf", "turn-1"] {
        written(&store, &page("c", id)).await;
    }
    assert_eq!(ids(&store, "c", "page-", 2).await, ["page-0001", "page-0002", "page-0003"]);
    assert_eq!(ids(&store, "c", "page", 3).await, ["page", "page-0001", "page-0002", "page-0003"]);
    assert!(ids(&store, "c", "zzz", 3).await.is_empty());
    assert!(ids(&store, "c", "' OR 1=1 --", 3).await.is_empty());
}

async fn a_listing_of_large_documents_is_complete(store: Store) {
    let fill = "x".repeat(1_500_000);
    let expected: Vec<String> = (0..6).map(|n| format!("page-{n}")).collect();
    for id in &expected {
        written(&store, &json!({"id": id, "callConnectionId": "c", "fill": fill})).await;
    }
    assert_eq!(ids(&store, "c", "page-", 1000).await, expected);
}

async fn a_page_has_one_to_a_thousand(store: Store) {
    for limit in [0, 1001] {
        let e = store.list(Container::Transcripts, "c", "", None, limit).await.unwrap_err();
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("limit")));
    }
}

async fn partitions_and_containers_are_apart(store: Store) {
    written(&store, &page("call-1", "h")).await;
    written(&store, &page("call-2", "h")).await;
    let profile = json!({"id": "h", "user": "call-1"});
    assert!(matches!(store.put(Container::Profiles, &profile, Condition::Absent).await.unwrap(), Put::Done(_)));
    assert_eq!(store.get(Container::Transcripts, "call-2", "h").await.unwrap().unwrap().body, page("call-2", "h"));
    assert_eq!(store.get(Container::Profiles, "call-1", "h").await.unwrap().unwrap().body, profile);
    assert!(store.get(Container::Analytics, "call-1", "h").await.unwrap().is_none());
    assert!(store.delete(Container::Transcripts, "call-1", "h", None).await.unwrap());
    assert_eq!(ids(&store, "call-1", "", 10).await, Vec::<String>::new());
    assert_eq!(ids(&store, "call-2", "", 10).await, ["h"]);
}

/// Every document of a whole scan, page by page, with something done between the pages.
async fn scanned<F: Future<Output = ()>>(store: &Store, limit: usize, between: impl Fn(usize) -> F) -> Vec<(String, String)> {
    let (mut found, mut from) = (Vec::new(), None::<String>);
    for turn in 0.. {
        let page = store.scan(Container::Transcripts, from.as_deref(), limit).await.unwrap();
        assert!(page.documents.len() <= limit, "{} for {limit}", page.documents.len());
        found.extend(page.documents.iter().map(|d| {
            assert!(!d.etag.is_empty() && d.body.get("_etag").is_none());
            (d.body["callConnectionId"].as_str().unwrap().to_owned(), d.body["id"].as_str().unwrap().to_owned())
        }));
        from = page.next;
        if from.is_none() {
            return found;
        }
        between(turn).await;
    }
    unreachable!("a scan ends")
}

async fn a_scan_holds_all_partitions_once(store: Store) {
    assert!(scanned(&store, 10, |_| async {}).await.is_empty());
    let mut expected = Vec::new();
    for n in 0..40 {
        let (call, id) = (format!("call-{}", n % 13), format!("{}-{n}", ODD[n % ODD.len()]));
        written(&store, &page(&call, &id)).await;
        expected.push((call, id));
    }
    store.put(Container::Profiles, &json!({"id": "profile", "user": "call-1"}), Condition::Always).await.unwrap();
    expected.sort();
    for limit in [1, 3, 40, 1000] {
        let mut found = scanned(&store, limit, |_| async {}).await;
        found.sort();
        assert_eq!(found, expected, "limit {limit}");
    }
}

async fn a_scan_holds_what_stands_while_others_come_and_go(store: Store) {
    for n in 0..60 {
        written(&store, &page(&format!("call-{n}"), if n % 3 == 0 { "passing" } else { "standing" })).await;
    }
    let mut found = scanned(&store, 4, |turn| {
        let store = Arc::clone(&store);
        async move {
            store.delete(Container::Transcripts, &format!("call-{}", (turn * 3) % 60), "passing", None).await.unwrap();
            written(&store, &page(&format!("call-{turn}"), "coming")).await;
        }
    })
    .await;
    found.retain(|(_, id)| id == "standing");
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!((found.len(), distinct.len()), (40, 40));
}

async fn a_scan_takes_only_its_own_cursor(store: Store) {
    let e = store.scan(Container::Transcripts, Some("nonsense"), 10).await.unwrap_err();
    assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("from")));
    for limit in [0, 1001] {
        let e = store.scan(Container::Transcripts, None, limit).await.unwrap_err();
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("limit")));
    }
}

async fn fields_of_the_store_are_not_returned(store: Store) {
    let body = json!({"id": "h", "callConnectionId": "c", "_mine": 1, "nested": {"_kept": 1}});
    written(&store, &body).await;
    let expected = json!({"id": "h", "callConnectionId": "c", "nested": {"_kept": 1}});
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body, expected);
    let listed = store.list(Container::Transcripts, "c", "", None, 10).await.unwrap();
    assert_eq!(listed.documents[0].body, expected);
    assert_eq!(listed.documents[0].etag, store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().etag);
}

async fn bad_input_is_refused_and_nothing_written(store: Store) {
    let long = "x".repeat(256);
    for id in [json!(""), json!("a/b"), json!("a\\b"), json!("a?b"), json!("a#b"), json!("."), json!(".."), json!("a\nb"), json!(7), Value::Null, json!(long)] {
        let e = store.put(Container::Transcripts, &json!({"id": id, "callConnectionId": "c"}), Condition::Always).await.unwrap_err();
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("id")), "{id}");
    }
    for body in [json!({"id": "h"}), json!({"id": "h", "callConnectionId": 7}), json!({"id": "h", "user": "c"})] {
        let e = store.put(Container::Transcripts, &body, Condition::Always).await.unwrap_err();
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("callConnectionId")), "{body}");
    }
    for body in [json!([]), json!("text"), Value::Null] {
        assert_eq!(store.put(Container::Transcripts, &body, Condition::Always).await.unwrap_err().kind, Kind::BadInput, "{body}");
    }
    assert!(ids(&store, "c", "", 10).await.is_empty());
    let longest = "é".repeat(255);
    written(&store, &page("c", &longest)).await;
    assert!(store.get(Container::Transcripts, "c", &longest).await.unwrap().is_some());
}

async fn a_body_may_have_two_mebibytes(store: Store) {
    let sized = |bytes: usize| {
        let frame = json!({"id": "h", "callConnectionId": "c", "fill": ""}).to_string().len();
        json!({"id": "h", "callConnectionId": "c", "fill": "x".repeat(bytes - frame)})
    };
    let e = store.put(Container::Transcripts, &sized((2 << 20) + 1), Condition::Always).await.unwrap_err();
    assert_eq!(e.kind, Kind::BadInput);
    assert!(store.get(Container::Transcripts, "c", "h").await.unwrap().is_none());
    let largest = sized(2 << 20);
    written(&store, &largest).await;
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body, largest);
}

async fn four_byte_characters_and_numbers_survive(store: Store) {
    let body = json!({
        "id": "h", "callConnectionId": "c", "text": "😀𝄞 é \u{0}\u{1f} \"quoted\" \u{2028}".repeat(500),
        "😀": "name", "small": 0.1, "large": 9_007_199_254_740_991_i64, "negative": -1.5e-7,
    });
    written(&store, &body).await;
    assert_eq!(store.get(Container::Transcripts, "c", "h").await.unwrap().unwrap().body, body);
    assert_eq!(store.list(Container::Transcripts, "c", "", None, 1).await.unwrap().documents[0].body, body);
}

async fn check_succeeds(store: Store) {
    store.check().await.unwrap();
    store.check().await.unwrap();
}
