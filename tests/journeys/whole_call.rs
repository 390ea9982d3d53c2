//! A whole call from CallConnected to the archive, on everything that production has and on nothing but a file.

use rtvoice::model::ids::CallId;
use rtvoice::ports::documents::Container;
use rtvoice::steps::archive::Archived;
use serde_json::{Value, json};

use crate::harness::call::{Call, seqs, turn_ids};
use crate::harness::process::{Handler, eventually};
use crate::harness::stack::{OPENAI_KEY, REDIS_KEY, SPEECH_KEY, Stack};
use crate::harness::{openai, service_bus};

/// The caller's number; it may be seen in the record and nowhere in a log.
const PHONE: &str = "+14255550123";
/// What the caller says, with a repetition.
const SAID: [&str; 7] = [
    "Hello, my name is Rumpelstiltskin",
    "Where is order four seven one one?",
    "Where is order four seven one one?",
    "<speak>I & you</speak> \u{1f600}",
    "My PIN is zero eight one five",
    "Auf Wiedersehen, mein Schatz",
    "Thank you, bye",
];

/// What is kept of it.
const KEPT: [&str; 7] = [
    "Hello, my name is [PERSON_NAME]",
    "Where is order four seven one one?",
    "Where is order four seven one one?",
    "<speak>I & you</speak> \u{1f600}",
    "My PIN is [PIN]",
    "Auf Wiedersehen, mein Schatz",
    "Thank you, bye",
];

/// Plays the call, with everything delivered more than once, and waits for its archive.
async fn play(call: &Call) -> Archived {
    let connected = call.event("CallConnected", json!({}));
    assert_eq!(call.deliver(&[connected.clone(), connected.clone()]).await, 200);
    call.participants(PHONE).await;
    call.participants(PHONE).await;
    assert_eq!(call.deliver(&[call.event("PlayCompleted", json!({})), call.event("FancyNewThing", json!({"a": 1}))]).await, 200);
    for (number, text) in SAID.iter().enumerate() {
        let turn = json!({"turnId": format!("turn-{number}"), "text": text, "language": "en-US", "confidence": 0.9, "context": {"step": number}});
        let first = call.turn(turn.clone()).await.expect("an answer");
        assert_eq!(first.status, 200, "{first:?}\n{}", call.handler.output());
        assert_eq!((&first.body["seq"], &first.body["replayed"], &first.body["degraded"]), (&json!(number + 1), &json!(false), &json!(false)));
        assert_eq!(first.body["speech"]["cache"], json!(if number == 0 { "miss" } else { first.body["speech"]["cache"].as_str().expect("a cache") }));
        let again = call.turn(turn).await.expect("an answer");
        assert_eq!((again.status, &again.body["seq"], &again.body["reply"]), (200, &first.body["seq"], &first.body["reply"]));
        assert_eq!((&again.body["replayed"], &again.body["speech"]["cache"]), (&json!(true), &json!("hit")));
        let hash = again.body["speech"]["hash"].as_str().expect("a hash");
        let audio = call.handler.send("GET", &format!("/api/tts/{hash}"), None).await.expect("an answer");
        assert_eq!(audio.status, 200);
    }
    assert_eq!(call.deliver(&[connected]).await, 200);
    call.disconnect().await;
    call.disconnect().await;
    let archived = call.archived(SAID.len()).await;
    assert_eq!(turn_ids(&archived), (0..SAID.len()).map(|n| format!("turn-{n}")).collect::<Vec<_>>());
    assert_eq!(seqs(&archived), (1..=SAID.len() as u64).map(Some).collect::<Vec<_>>());
    for (turn, kept) in archived.union.in_order().into_iter().zip(KEPT) {
        assert_eq!((turn.entry.words.user.as_deref(), turn.degraded), (Some(kept), false));
        assert!(turn.entry.words.assistant.as_deref().is_some_and(|reply| !reply.is_empty()));
    }
    archived
}

/// What else the record holds after it.
async fn check_record(call: &Call, archived: &Archived) {
    let (header, app) = (&archived.header, call.handler.app());
    assert!(header.complete);
    assert_eq!((header.last_seq, header.turns), (Some(SAID.len() as u64), SAID.len() as u64));
    assert_eq!(header.end_reason.as_deref(), Some("CallDisconnected"));
    assert!(header.started_at <= header.ended_at && header.started_at.is_some());
    let user = header.user.clone().expect("a user");
    let app_ = app.clone();
    let read = async move |container, partition: String, id: String| app_.documents.get(container, &partition, &id).await.ok()?;
    let analytics =
        eventually("analytics", || call.handler.output(), async || read(Container::Analytics, header.day.clone(), call.id.clone()).await).await.body;
    assert_eq!((&analytics["turns"], &analytics["degradedTurns"], &analytics["complete"]), (&json!(SAID.len()), &json!(0), &json!(true)));
    assert!(analytics["stagesMs"]["load"]["p95"].as_f64().is_some_and(|ms| ms >= 0.0), "{analytics}");
    let speech = &analytics["speech"];
    assert_eq!(speech["hits"].as_u64().unwrap() + speech["misses"].as_u64().unwrap(), SAID.len() as u64, "{analytics}");
    let profile = read(Container::Profiles, user.to_string(), "profile".into()).await.expect("a profile").body;
    assert_eq!((&profile["calls"], &profile["turns"], &profile["languages"]), (&json!(1), &json!(SAID.len()), &json!(["en-US"])));
    let loose = app.documents.list(Container::Transcripts, &call.id, "turn-", None, 10).await.expect("a list");
    assert!(loose.documents.is_empty());
}

/// Nothing that arrives late changes anything.
async fn check_late(call: &Call, archived: &Archived) {
    call.connect().await;
    call.participants(PHONE).await;
    call.disconnect().await;
    for turn in ["turn-0", "turn-late"] {
        let late = call.say(turn, "too late").await;
        assert_eq!(late.status, 409, "{late:?}");
    }
    assert_eq!(call.handler.archive(&call.id).await.as_ref().map(|a| &a.etag), Some(&archived.etag));
}

/// Words and secrets that no log may hold.
fn check_log(handler: &Handler, secrets: &[&str]) {
    let output = handler.output();
    assert!(output.contains("serving") && output.contains("DEBUG"), "there is a log to look at: {output}");
    let words = SAID.iter().copied().chain(["Rumpelstiltskin", "zero eight one five", PHONE, &PHONE[1..]]);
    for word in words.chain(secrets.iter().copied()) {
        let line = output.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "{word:?} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_everything_that_production_has() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    let archived = play(&call).await;
    stack.delivered().await;
    check_record(&call, &archived).await;
    check_late(&call, &archived).await;
    stack.delivered().await;

    let left = stack.redis.wire().keys("*");
    let of_call: Vec<&str> = left.iter().map(|(key, _)| key.as_str()).filter(|key| key.contains(&call.id)).collect();
    assert!(matches!(&of_call[..], [summary] if summary.ends_with(":summary")), "{left:?}");
    assert!(left.iter().all(|(_, ttl)| *ttl > 0), "a key without a TTL: {left:?}");
    assert_eq!(stack.complaints(), Vec::<String>::new());
    assert_eq!(stack.pump.failed(), 0);
    let sent = stack.bus.accepted();
    assert_eq!(sent.len(), SAID.len() + 1, "one message a turn and one end");
    assert!(sent.iter().all(|m| m.session_id == sent[0].session_id && m.correlation_id == call.id));
    assert_eq!(stack.openai.seen().len(), SAID.len(), "one reply a turn");
    assert_eq!(stack.speech.seen().len(), 1, "one phrase, synthesised once");
    let secrets = [OPENAI_KEY, SPEECH_KEY, REDIS_KEY, service_bus::KEY, "SharedAccessSignature", openai::ANSWER];
    check_log(&stack.handler, &[&secrets[..], &[&stack.cosmos.key()]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_nothing_but_a_file() {
    let handler = Handler::start(Vec::new()).await;
    let call = Call::new(&handler);
    let archived = play(&call).await;
    let queue = handler.app().embedded_queue.clone().expect("an embedded queue");
    let empty = async || queue.stats().await.ok().filter(|s| s.pending() == 0);
    let stats = eventually("the queue is empty", || handler.output(), empty).await;
    assert_eq!(stats.dead, 0);
    check_record(&call, &archived).await;
    check_late(&call, &archived).await;
    let known = handler.app().state.survey(&[CallId::parse(call.id.clone()).expect("an id")]).await.expect("a survey");
    assert!(known[0].archived && known[0].session.is_none() && known[0].waiting == 0, "{known:?}");
    check_log(&handler, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_printed_by_the_command() {
    let handler = Handler::start(Vec::new()).await;
    let call = Call::new(&handler);
    let archived = play(&call).await;
    let print = |id: &str| {
        let path = handler.app().config.embedded_path.clone();
        // Values are bound to their environment.
        let environment = handler.app().config.environment.as_str();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        command.args(["transcript", id, "--json"]).env_clear().env("EMBEDDED_PATH", path).env("ENVIRONMENT", environment).output().expect("it runs")
    };
    let printed = print(&call.id);
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("one JSON object");
    assert_eq!((&printed["callConnectionId"], &printed["complete"]), (&json!(call.id), &json!(true)));
    let users: Vec<&str> = printed["turns"].as_array().expect("turns").iter().filter_map(|t| t["user"].as_str()).collect();
    assert_eq!(users, KEPT);
    assert_eq!(printed["startedAt"], json!(archived.header.started_at));
    let missing = print("nobody");
    let told: Value = serde_json::from_slice(&missing.stdout).expect("one JSON object");
    assert_eq!((missing.status.code(), &told), (Some(1), &json!({"error": "there is no archived transcript of call nobody"})));
    assert_eq!(String::from_utf8_lossy(&missing.stderr).lines().count(), 1);
}
