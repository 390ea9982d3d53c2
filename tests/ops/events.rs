//! `rtvoice events`: every sample is what it says, and a handler takes it.

use rtvoice::ops::events::{self, EventsArgs, samples};
use serde_json::{Value, json};

use super::{args, json};
use crate::harness::process::{Handler, eventually};

async fn send(url: &str, words: &[&str]) -> (Value, bool) {
    let told = events::run(&args::<EventsArgs>(&[&["send"], words, &["--json", "--target", url]].concat())).await.unwrap();
    (json(&told), told.good)
}

#[tokio::test]
async fn a_whole_call_of_samples_is_taken_and_archived() {
    let handler = Handler::start(Vec::new()).await;
    let url = format!("http://127.0.0.1:{}", handler.port().unwrap());
    let samples = samples().unwrap();
    assert!(samples.len() >= 14, "{}", samples.len());
    // What Event Grid delivers comes to the handler in envelopes, by way of a host; what ends a call comes last.
    for sample in samples.iter().filter(|sample| sample.path.starts_with("/api/") && !["disconnected", "create-failed"].contains(&sample.name.as_str())) {
        let (answer, good) = send(&url, &[&sample.name, "--call", "sample-1"]).await;
        assert!(good, "{}: {answer}", sample.name);
    }
    let (answer, good) = send(&url, &["create-failed", "--call", "sample-2"]).await;
    assert!(good, "{answer}");
    let (answer, _) = send(&url, &["turn", "--call", "sample-1", "--id", "t-9", "--set", "/text=Goodbye", "--set", "/speak=false"]).await;
    assert_eq!((&answer["body"]["turnId"], &answer["body"]["speech"]), (&json!("t-9"), &Value::Null), "{answer}");
    let (again, _) = send(&url, &["turn", "--call", "sample-1", "--id", "t-9", "--set", "/text=Goodbye"]).await;
    assert_eq!(again["body"]["replayed"], true, "an id that is given is not fresh");
    assert!(send(&url, &["disconnected", "--call", "sample-1"]).await.1);
    let session = rtvoice::model::ids::CallId::parse("sample-1").unwrap();
    let ended = eventually(
        "the call has ended",
        || handler.output(),
        async || {
            let survey = handler.app().state.survey(std::slice::from_ref(&session)).await.ok()?.pop()?;
            (survey.archived || survey.session.is_some_and(|s| s.status() == rtvoice::model::call::CallStatus::Ended)).then_some(())
        },
    );
    ended.await;
    let (refused, good) = send(&url, &["turn", "--call", "sample-1"]).await;
    assert_eq!((&refused["status"], good), (&json!(409), false), "what is refused is a no");
}

#[tokio::test]
async fn samples_have_their_own_names_and_nothing_left_to_fill_in() {
    let samples = samples().unwrap();
    let names: std::collections::BTreeSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names.len(), samples.len());
    let call = rtvoice::model::ids::CallId::parse("call-1").unwrap();
    for sample in samples {
        let name = sample.name.clone();
        let filled = serde_json::to_string(&sample.filled(&call, "id-1")).unwrap();
        assert!(!filled.contains("{call}") && !filled.contains("{id}") && !filled.contains("{now}"), "{name}: {filled}");
    }
    let told = events::run(&args::<EventsArgs>(&["list"])).await.unwrap();
    assert!(told.good && told.text.contains("eventgrid-connected"), "{}", told.text);
    let unknown = events::run(&args::<EventsArgs>(&["send", "nonsense"])).await.unwrap_err();
    assert_eq!(unknown.kind, rtvoice::error::Kind::BadInput);
}
