//! PiiScan: what rests in clear is found by place, label and fingerprint, what is sealed or an id is not, and canaries
//! tell what the scan would have found.

use std::time::Duration;

use rtvoice::ops::scan::{self, ScanArgs};
use rtvoice::ports::documents::{Condition, Container, Documents as _};
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::state::embedded::EmbeddedState;
use rtvoice::steps::exposure::{self, Scope};
use serde_json::{Value, json};

use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;
use crate::harness::redis::RedisServer;

/// The last scan, as the compliance report shows it.
async fn scanned(app: &Rtvoice) -> Value {
    app.tick("PiiScan").await.ok();
    exposure::last(&app.app).await.unwrap().unwrap()
}

async fn seed(app: &Rtvoice, container: Container, body: Value) {
    app.beneath().put(container, &body, Condition::Always).await.unwrap();
}

/// Places and labels of the findings, once each.
fn places(scan: &Value) -> Vec<(String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let mut places: Vec<_> = scan["findings"].as_array().unwrap().iter().map(|f| (text(f, "place"), text(f, "label"))).collect();
    places.dedup();
    places
}

fn recall(scan: &Value) -> Vec<(String, f64)> {
    scan["recall"].as_object().unwrap().iter().map(|(store, figures)| (store.clone(), figures["recall"].as_f64().unwrap())).collect()
}

const EVERYWHERE: [&str; 5] = ["analytics", "deadletters", "profiles", "state", "transcripts"];

#[tokio::test]
async fn where_nothing_rests_in_clear_nothing_is_found_but_the_canaries() {
    let app = Rtvoice::start();
    let body = json!({
        "id": "header", "callConnectionId": "4111111111111111", "endedAt": START, "user": "u1-00000000000000000000415555014200",
        "sealed": "e1.4111111111111111", "turns": [{"turnId": "4155550142", "at": START, "user": "e1.abc", "lastSeq": 4_155_550_142_u64}],
        "guid": "41111111-1111-4111-8111-111111111111", "hash": "4111111111111111411111111111111141111111",
    });
    seed(&app, Container::Transcripts, body).await;
    let scan = scanned(&app).await;
    assert_eq!((&scan["found"], &scan["findings"], &scan["complete"]), (&json!(0), &json!([]), &json!(true)), "{scan}");
    let recall = recall(&scan);
    assert_eq!(recall.iter().map(|(store, _)| store.as_str()).collect::<Vec<_>>(), EVERYWHERE);
    assert!(recall.iter().all(|(_, recall)| *recall == 1.0), "{scan}");
    assert_eq!(scan["looked"]["documents"], json!(1), "canaries are not counted");
    app.finish().await;
}

#[tokio::test]
async fn what_rests_in_clear_is_found_in_every_store_and_never_told() {
    let app = Rtvoice::start();
    let said =
        json!({"id": "page", "callConnectionId": "c1", "turns": [{"turnId": "t1", "user": "my number is four one five five five five oh one nine nine"}]});
    seed(&app, Container::Transcripts, said).await;
    app.hold("conversation:c1:history", &format!("1 {}", json!({"user": "my number is four one five five five five oh one nine nine"})));
    seed(&app, Container::Profiles, json!({"id": "profile", "user": "u1-a", "preferences": {"mail": "ada@example.org"}})).await;
    seed(&app, Container::DeadLetters, json!({"id": "m", "day": "d", "body": json!({"text": "card 4111 1111 1111 1111"}).to_string()})).await;
    seed(&app, Container::Analytics, json!({"id": "a", "day": "d", "by": {"+14155550199": "x"}})).await;
    let scan = scanned(&app).await;
    let places = places(&scan);
    for (place, label) in [
        ("transcripts/turns/*/user", "PHONE_NUMBER"),
        ("conversation/history/user", "PHONE_NUMBER"),
        ("profiles/preferences/mail", "EMAIL_ADDRESS"),
        ("deadletters/body/text", "CREDIT_CARD"),
        ("analytics/by/*", "PHONE_NUMBER"),
    ] {
        assert!(places.contains(&(place.to_owned(), label.to_owned())), "{place} {label} in {places:?}");
    }
    let told = scan.to_string();
    for value in ["4155550199", "four one five", "ada@", "4111"] {
        assert!(!told.contains(value), "{value} in {told}");
    }
    let fingerprints = |place: &str| -> Vec<&Value> {
        let found = scan["findings"].as_array().unwrap().iter().filter(|f| f["place"] == place);
        found.map(|f| &f["fingerprint"]).collect()
    };
    assert_eq!(fingerprints("transcripts/turns/*/user"), fingerprints("conversation/history/user"), "equal values have equal fingerprints");
    assert_eq!(fingerprints("transcripts/turns/*/user")[0].as_str().unwrap().len(), 32);
    app.finish_with(0, 1).await;
}

#[tokio::test(start_paused = true)]
async fn canaries_are_removed_also_after_a_failure() {
    let app = Rtvoice::start();
    scanned(&app).await;
    assert!(!app.dump().iter().any(|row| row.contains("canary")), "{:?}", app.dump());
    for method in ["scan", "put"] {
        app.documents.fail_after(method, 3, Fault::Away);
        app.tick("PiiScan").await.problem(503, "unavailable", "");
        app.documents.heal();
        assert!(!app.dump().iter().any(|row| row.contains("canary")), "{method}: {:?}", app.dump());
    }
    app.state.fail_in("values", Fault::Away);
    app.tick("PiiScan").await.problem(503, "unavailable", "");
    app.state.heal();
    assert!(!app.dump().iter().any(|row| row.contains("canary")));
    app.finish().await;
}

#[tokio::test]
async fn canaries_of_another_scan_are_no_findings_and_expire_by_themselves() {
    let app = Rtvoice::start();
    let id = "canary-000000000000000000000000000000ff";
    let body = json!({"id": id, "callConnectionId": id, "text": "call +1 415 555 0142", "expiresAt": START.plus_millis(600_000)});
    app.app.documents.put(Container::Transcripts, &body, Condition::Always).await.unwrap();
    assert_eq!(scanned(&app).await["found"], json!(0));
    app.clock.advance_millis(600_000);
    let gone = app.app.documents.get(Container::Transcripts, id, id).await.unwrap();
    assert_eq!(gone, None);
    app.finish().await;
}

#[tokio::test]
async fn findings_are_bounded_and_all_are_counted() {
    let app = Rtvoice::start();
    for n in 0..250 {
        let text = format!("write to someone{n}@example.org, I said someone{n}@example.org");
        seed(&app, Container::Profiles, json!({"id": "profile", "user": format!("u{n}"), "text": text})).await;
    }
    let scan = scanned(&app).await;
    assert_eq!((scan["found"].as_u64(), scan["findings"].as_array().unwrap().len()), (Some(500), 200), "{scan}");
    assert_eq!(scan["untold"], json!(100));
    app.finish().await;
}

#[tokio::test]
async fn a_scan_without_time_says_that_it_saw_nothing() {
    let app = Rtvoice::start();
    let scan = exposure::look(&app.app, &Scope { limit: Duration::ZERO, log: None }).await.unwrap();
    assert_eq!(scan["complete"], json!(false));
    assert_eq!((&scan["recall"]["transcripts"]["found"], &scan["recall"]["transcripts"]["planted"]), (&json!(0), &json!(6)), "{scan}");
    app.finish().await;
}

#[tokio::test]
async fn a_log_is_looked_at_from_its_end() {
    let app = Rtvoice::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handler.log");
    let line = json!({"timestamp": START, "fields": {"message": "heard +1 415 555 0199", "call_id": "4155550123"}}).to_string();
    let quiet = json!({"timestamp": START, "fields": {"message": "done"}}).to_string();
    let early = "the number was +1 415 555 0111\n";
    std::fs::write(&path, format!("{early}{}\n{line}\n", vec![quiet; 140_000].join("\n"))).unwrap();
    let scan = exposure::look(&app.app, &Scope { limit: Duration::from_secs(60), log: Some(path) }).await.unwrap();
    assert_eq!(places(&scan), [("line/fields/message".to_owned(), "PHONE_NUMBER".to_owned())], "{scan}");
    assert_eq!((&scan["found"], &scan["recall"]["log"]["recall"]), (&json!(1), &json!(1.0)), "{scan}");
    let missing = Scope { limit: Duration::from_secs(60), log: Some(folder.path().join("none")) };
    let e = exposure::look(&app.app, &missing).await.unwrap_err();
    assert_eq!(e.field.as_deref(), Some("log"));
    app.finish().await;
}

#[tokio::test]
async fn the_command_tells_what_the_function_keeps() {
    let app = Rtvoice::start();
    let arguments = ScanArgs { json: false, log: None, limit: 60 };
    let clean = scan::run(&app.app, &arguments).await.unwrap();
    assert!(clean.clean && clean.text.contains("looked at 0 documents, 0 keys and 0 log lines: 0 found"), "{}", clean.text);
    seed(&app, Container::Profiles, json!({"id": "profile", "user": "u1-a", "text": "ada@example.org"})).await;
    let found = scan::run(&app.app, &arguments).await.unwrap();
    assert!(!found.clean && found.text.contains("profiles/text") && found.text.contains("EMAIL_ADDRESS"), "{}", found.text);
    let json = scan::run(&app.app, &ScanArgs { json: true, ..arguments }).await.unwrap();
    let told: Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!((&told["found"], json.clean), (&json!(1), false));
    assert_eq!(exposure::last(&app.app).await.unwrap(), Some(told));
    app.finish().await;
}

#[tokio::test]
async fn a_call_with_all_that_it_leaves_holds_nothing_in_clear() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    for (turn, text) in [("t1", "hello, I would like to order two of these for 49.90"), ("t2", "my number is four one five five five five oh one nine nine")] {
        app.turn("call-1", turn, text).await.ok();
    }
    app.turn("call-2", "t1", "please call me on +1 415 555 0199, ada@example.org").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    app.tick("RetentionPurge").await.ok();
    app.tick("ComplianceReport").await.ok();
    let scan = scanned(&app).await;
    assert_eq!((&scan["found"], &scan["complete"]), (&json!(0), &json!(true)), "{scan}");
    assert!(scan["looked"]["documents"].as_u64() > Some(3) && scan["looked"]["keys"].as_u64() > Some(3), "{scan}");
    app.finish().await;
}

#[tokio::test]
async fn what_the_stages_of_a_turn_took_is_no_number_of_a_telephone() {
    let server = RedisServer::single();
    let app = Rtvoice::with(&server.settings().iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
    let mut wire = server.wire();
    let key = "rtvoice:dev:conversation:call-1:turns";
    for (turn, times) in [(":t1", "415 555 0142 - -"), (":t2", "1.415 555.0142 3.2 4.1 1")] {
        wire.command(&["HSET", key, turn, times]);
    }
    let scan = scanned(&app).await;
    assert_eq!(scan["found"], 0, "{scan}");
    wire.command(&["HSET", key, ":t3", "call me at 415 555 0142"]);
    assert_eq!(scanned(&app).await["found"], 1, "what is none is looked at");
    drop(EmbeddedState::open(Embedded::open(&app.app.config.embedded_path).unwrap(), &app.app.config, std::sync::Arc::clone(&app.clock) as _).unwrap());
    app.finish().await;
}
