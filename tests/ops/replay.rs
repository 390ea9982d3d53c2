//! `rtvoice replay`: repeated as they are, requests change nothing; fresh, they happen once more.

use rtvoice::error::Kind;
use rtvoice::model::ids::CallId;
use rtvoice::ops::replay::{self, ReplayArgs};
use serde_json::{Value, json};

use super::{args, json};
use crate::harness::process::Handler;

fn file(lines: &[Value]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    file
}

fn recorded() -> Vec<Value> {
    let event = json!([{ "id": "e1", "source": "calling/callConnections/call-1", "type": "Microsoft.Communication.CallConnected", "time": "2026-03-10T17:05:00Z",
        "specversion": "1.0", "subject": "calling/callConnections/call-1", "data": { "callConnectionId": "call-1", "serverCallId": "s", "correlationId": "c" } }]);
    vec![
        json!({ "at": "2026-03-10T17:05:00Z", "method": "POST", "path": "/api/calls/events", "body": event, "status": 200 }),
        json!({ "at": "2026-03-10T17:05:01Z", "method": "POST", "path": "/api/calls/call-1/turns", "body": { "turnId": "t1", "text": "Hello" } }),
        json!({ "at": "2026-03-10T17:05:02Z", "method": "GET", "path": "/api/calls/call-1/worker", "status": 404 }),
    ]
}

#[tokio::test]
async fn a_recording_is_sent_again_and_compared() {
    let handler = Handler::start(Vec::new()).await;
    let url = format!("http://127.0.0.1:{}", handler.port().unwrap());
    let file_ = file(&recorded());
    let path = file_.path().to_str().unwrap();
    let run = async |words: &[&str]| {
        let told = replay::run(&args::<ReplayArgs>(&[&[path, "--json", "--target", &url], words].concat())).await.unwrap();
        (json(&told), told.good)
    };
    let (replayed, good) = run(&["--speed", "1000"]).await;
    assert_eq!((&replayed["sent"], &replayed["asExpected"], good), (&json!(3), &json!(3), true), "{replayed}");
    let turns = async |call: &CallId| handler.app().state.history(call, 0, 10).await.unwrap().total;
    let call = CallId::parse("call-1").unwrap();
    assert_eq!(turns(&call).await, 1);
    assert!(run(&[]).await.1);
    assert_eq!(turns(&call).await, 1, "a duplicate changes nothing");

    assert!(run(&["--fresh"]).await.1);
    let open: Vec<CallId> = {
        let mut open = Vec::new();
        for partition in 0..rtvoice::ports::state::PARTITIONS {
            open.extend(handler.app().state.open_calls(partition, 0, 10).await.unwrap().into_iter().map(|(call, _)| call));
        }
        open
    };
    let fresh = open.iter().find(|other| **other != call).expect("another call");
    assert!(fresh.as_str().starts_with("call-1-"), "{fresh}");
    assert_eq!((open.len(), turns(fresh).await), (2, 1), "event and turn go to the same new call");

    let mut other = recorded();
    other[2]["status"] = json!(200);
    let other = file(&other);
    let told = replay::run(&args::<ReplayArgs>(&[other.path().to_str().unwrap(), "--target", &url])).await.unwrap();
    assert!(!told.good && told.text.contains("line 3: expected 200, came 404"), "{}", told.text);
}

#[tokio::test]
async fn a_line_that_is_none_stops_it_before_anything_is_sent() {
    for bad in [json!({ "method": "POST" }), json!({ "method": "GET", "path": "api" }), json!({ "method": "GET", "path": "/", "cookies": 1 })] {
        let file = file(std::slice::from_ref(&bad));
        let error = replay::run(&args::<ReplayArgs>(&[file.path().to_str().unwrap()])).await.unwrap_err();
        assert_eq!(error.kind, Kind::BadInput, "{bad}");
    }
}
