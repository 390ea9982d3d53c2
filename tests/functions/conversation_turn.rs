//! ConversationTurn: the answer field by field, once per turn id, and what remains of it when something is away.

use serde_json::{Value, json};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

const TURNS: &str = "/api/calls/call-1/turns";

async fn connected() -> Rtvoice {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.quiesce().await;
    app.state.calls();
    app
}

#[tokio::test]
async fn the_answer_field_by_field() {
    let app = connected().await;
    let body = json!({"turnId": "t1", "text": "hello", "language": "en-GB", "confidence": 0.9, "context": {"topic": "order"}});
    let phrase = app.app.phrase("You said: hello", None, Some("en-GB"), Default::default()).unwrap();
    let hash = rtvoice::steps::speech::hash(&app.app, &phrase, None).await.unwrap();
    assert_ne!(hash, phrase.hash(), "the hash is keyed");
    let expected = |cache: &str, replayed: bool| {
        json!({
            "callConnectionId": "call-1", "turnId": "t1", "seq": 1,
            "reply": {"text": "You said: hello", "source": "scripted"},
            "speech": {"hash": hash, "url": format!("/api/tts/{hash}"), "cache": cache, "format": "riff-16khz-16bit-mono-pcm"},
            "degraded": false, "replayed": replayed,
        })
    };
    assert_eq!(app.post(TURNS, &body).await.ok(), expected("miss", false));
    assert_eq!(app.post(TURNS, &body).await.ok(), expected("hit", true));
    assert_eq!(app.get(&format!("/api/tts/{hash}")).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_turn_costs_three_round_trips_however_long_the_call() {
    let app = connected().await;
    for n in 1..=30 {
        app.turn("call-1", &format!("t{n}"), &format!("number {n}")).await.ok();
        app.quiesce().await;
        let on_the_path: Vec<_> = app.state.calls().into_iter().filter(|c| !matches!(*c, "settle" | "keep_audio")).collect();
        assert_eq!(on_the_path, ["load", "commit", "phrase"], "turn {n}");
    }
    assert_eq!(app.agent.prompts().last().unwrap()["history"], 8, "as far as masking looks back");
    app.finish().await;
}

#[tokio::test]
async fn turns_are_numbered_and_archived_in_order() {
    let app = connected().await;
    for n in 1..=3 {
        assert_eq!(app.turn("call-1", &format!("t{n}"), "hello").await.ok()["seq"], n);
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1", "t2", "t3"]);
    assert!(app.archive("call-1").await.unwrap().header.complete);
    app.finish().await;
}

#[tokio::test]
async fn fifty_copies_at_once_are_one_turn() {
    let app = connected().await;
    let answers = futures::future::join_all((0..50).map(|_| app.turn("call-1", "t1", "hello"))).await;
    let bodies: Vec<Value> = answers.iter().map(|a| a.ok()).collect();
    assert!(bodies.iter().all(|b| b["seq"] == 1 && b["reply"] == bodies[0]["reply"]));
    assert_eq!(bodies.iter().filter(|b| b["replayed"] == false).count(), 1);
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}

#[tokio::test]
async fn the_context_is_patched_and_its_limits_hold() {
    let app = connected().await;
    let patch = |turn: &str, context: Value| app.send_turn(json!({"turnId": turn, "text": "hello", "context": context}));
    patch("t1", json!({"topic": "order", "step": 1, "nested": {"a": 1}})).await.ok();
    patch("t2", json!({"step": null, "nested": {"b": 2}})).await.ok();
    let stored = app.hash("call-1:context");
    assert!(stored["topic"].starts_with("e1.") && !stored.contains_key("step"));
    let context = app.context("call-1").await;
    assert_eq!((context["topic"].as_str(), context.get("step"), context["nested"].as_str()), ("\"order\"", None, "{\"b\":2}"));
    let many: serde_json::Map<String, Value> = (0..63).map(|n| (format!("k{n}"), json!(n))).collect();
    let before = app.hash("call-1:context");
    patch("t3", Value::Object(many)).await.problem(400, "bad-input", "context");
    assert_eq!(app.hash("call-1:context"), before);
    assert_eq!(app.turn("call-1", "t3", "hello").await.ok()["seq"], 3, "the refused turn took no number");
    app.finish().await;
}

#[tokio::test]
async fn speak_false_asks_for_no_audio() {
    let app = connected().await;
    let answer = app.post(TURNS, &json!({"turnId": "t1", "text": "hello", "speak": false})).await.ok();
    assert_eq!(answer["speech"], Value::Null);
    assert!(answer.get("speechReason").is_none());
    assert!(app.voice.switch.calls().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn audio_above_four_mebibytes_is_not_offered_and_the_reason_given() {
    let app = connected().await;
    app.voice.speak_bytes((4 << 20) + 1);
    let answer = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!(answer["speech"], Value::Null);
    assert_eq!(answer["speechReason"], "the audio is above 4194304 bytes and is not kept");
    app.finish().await;
}

#[tokio::test]
async fn without_the_voice_the_turn_is_text_only() {
    let app = connected().await;
    for fault in [Fault::Away, Fault::Hang] {
        app.voice.switch.fail(fault);
        let answer = app.turn("call-1", &format!("t-{fault:?}"), &format!("{fault:?}")).await.ok();
        assert_eq!((&answer["speech"]["cache"], &answer["degraded"]), (&json!("unavailable"), &json!(false)));
    }
    app.finish().await;
}

#[tokio::test]
async fn without_the_agent_the_fallback_line_is_spoken() {
    let app = connected().await;
    app.agent.switch.fail(Fault::Away);
    let answer = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!(answer["reply"], json!({"text": rtvoice::ports::replies::FALLBACK, "source": "fallback"}));
    app.agent.switch.heal();
    assert_eq!(app.turn("call-1", "t1", "hello").await.ok()["reply"], answer["reply"], "the answer of a turn id never changes");
    app.finish().await;
}

#[tokio::test]
async fn without_the_state_store_the_queue_keeps_the_turn() {
    let app = connected().await;
    for fault in [Fault::Away, Fault::Hang] {
        app.state.fail(fault);
        let turn = format!("t-{fault:?}");
        let answer = app.turn("call-1", &turn, "hello").await.ok();
        assert_eq!((&answer["seq"], &answer["degraded"], &answer["replayed"]), (&Value::Null, &json!(true), &json!(false)), "{fault:?}");
        let (message, ..) = app.queued().pop().unwrap();
        assert!(message["transcript"].as_str().is_some_and(|words| words.starts_with("e1.")) && message.get("user").is_none(), "{message}");
        let message = app.opened(&message).await;
        assert_eq!((&message["turnId"], &message["seq"], &message["degraded"], &message["user"]), (&json!(turn), &Value::Null, &json!(true), &json!("hello")));
        assert_eq!(message["assistant"], answer["reply"]["text"]);
        app.state.heal();
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    assert_eq!(app.archived_turns("call-1").await, ["t-Away", "t-Hang"]);
    app.finish().await;
}

#[tokio::test]
async fn without_state_and_queue_it_is_refused_and_leaves_nothing() {
    let app = connected().await;
    let before = app.dump();
    app.state.fail(Fault::Away);
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "hello").await.problem(503, "unavailable", "");
    assert_eq!(app.dump(), before);
    app.state.heal();
    app.queue.heal();
    let answer = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&answer["seq"], &answer["degraded"], &answer["replayed"]), (&json!(1), &json!(false), &json!(false)));
    app.finish().await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_archived_once_as_committed() {
    let app = connected().await;
    app.state.fail_in("commit", Fault::AnswerLost);
    let degraded = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&degraded["seq"], &degraded["degraded"]), (&Value::Null, &json!(true)));
    app.state.heal();
    let again = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&again["seq"], &again["replayed"]), (&json!(1), &json!(true)));
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let archived = app.archive("call-1").await.unwrap();
    assert!(archived.header.complete);
    let turns = archived.union.in_order().iter().map(|t| (t.entry.turn_id.clone(), t.seq, t.degraded)).collect::<Vec<_>>();
    assert_eq!(turns, [("t1".to_owned(), Some(1), true)], "it has its number, and was answered without it");
    app.finish().await;
}

#[tokio::test]
async fn without_the_queue_the_outbox_keeps_the_turn() {
    let app = connected().await;
    app.queue.fail(Fault::Hang);
    let answer = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&answer["seq"], &answer["degraded"]), (&json!(1), &json!(false)));
    app.quiesce().await;
    assert!(app.hash("call-1:outbox").contains_key("t:t1"));
    app.queue.heal();
    app.clock.advance_millis(5_000);
    app.relay().await.ok();
    assert!(app.hash("call-1:outbox").is_empty());
    assert_eq!(app.deliver_queue().await[0]["turnId"], "t1");
    app.finish().await;
}

#[tokio::test]
async fn after_the_queue_has_it_the_outbox_is_empty_and_its_times_are_kept() {
    let app = connected().await;
    app.turn("call-1", "t1", "hello").await.ok();
    app.quiesce().await;
    assert!(app.hash("call-1:outbox").is_empty());
    assert_eq!(app.hash("call-1:turns")["t1"], "1");
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.deliver_queue().await;
    let analytics = app.documents_in(rtvoice::ports::documents::Container::Analytics).remove(0);
    assert_eq!((&analytics["turns"], &analytics["speech"]["misses"]), (&json!(1), &json!(1)), "{analytics}");
    for stage in ["load", "reply", "commit", "speech"] {
        assert!(analytics["stagesMs"][stage]["p95"].is_number(), "{stage}: {analytics}");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_ended_call_takes_no_turn_and_still_answers_those_it_took() {
    let app = connected().await;
    let answer = app.turn("call-1", "t1", "hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.turn("call-1", "t2", "hello").await.problem(409, "call-ended", "");
    let again = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&again["reply"], &again["replayed"]), (&answer["reply"], &json!(true)));
    app.deliver_queue().await;
    app.turn("call-1", "t3", "hello").await.problem(409, "call-ended", "");
    assert_eq!(app.archived_turns("call-1").await, ["t1"]);
    app.finish().await;
}

#[tokio::test]
async fn an_envelope_does_as_a_forwarded_request_does() {
    let app = connected().await;
    let request = |method: &str, path: &str, body: &Value| json!({"Url": format!("http://localhost:7071{path}?code=SECRET"), "Method": method, "Headers": {"Content-Type": ["application/json"]}, "Params": {}, "Body": body.to_string()});
    let body = json!({"turnId": "t1", "text": "hello"});
    let output = app.envelope("ConversationTurn", "req", request("POST", TURNS, &body)).await.ok()["Outputs"]["res"].clone();
    assert_eq!((&output["statusCode"], &output["headers"]["content-type"]), (&json!(200), &json!("application/json")));
    let answer: Value = serde_json::from_str(output["body"].as_str().unwrap()).unwrap();
    assert_eq!((&answer["seq"], &answer["replayed"]), (&json!(1), &json!(false)));
    let again = app.turn("call-1", "t1", "hello").await.ok();
    assert_eq!((&again["reply"], &again["replayed"]), (&answer["reply"], &json!(true)));
    for (function, method, path, status) in [
        ("ConversationTurn", "POST", "/api/calls/call:1/turns", 400),
        ("ConversationTurn", "GET", TURNS, 405),
        ("ConversationTurn", "POST", "/api/nothing", 404),
        ("AuthState", "POST", TURNS, 404),
        ("CallWorker", "GET", "/api/calls/call-1/worker", 404),
        ("Ready", "GET", "/api/ready", 200),
    ] {
        let output = app.envelope(function, "req", request(method, path, &body)).await.ok()["Outputs"]["res"].clone();
        assert_eq!(output["statusCode"], status, "{function} {method} {path}: {output}");
        assert!(output["body"].as_str().is_some_and(|b| !b.is_empty()));
    }
    app.finish().await;
}
