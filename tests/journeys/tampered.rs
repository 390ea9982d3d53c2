//! Somebody writes into the stores: swaps, cuts, replays and plants envelopes, in Redis, in documents, in the queue. Each is
//! refused and counted, the next turn is answered all the same, and the call is archived with all that the record has of it.

use rtvoice::model::ids::CallId;
use rtvoice::ports::documents::{Condition, Container};
use rtvoice::ports::queue::Message;
use rtvoice::steps::{archive, profile};
use serde_json::{Value, json};

use crate::harness::call::Call;
use crate::harness::process::eventually;
use crate::harness::redis::Wire;
use crate::harness::service_bus;
use crate::harness::stack::Stack;

/// What each call says.
const TURNS: [&str; 3] = ["where is my parcel", "my phone number is 425 555 0187", "it was a blue one"];

/// How often the handler has refused a sealed value.
fn refusals(stack: &Stack) -> usize {
    stack.handler.output().matches("envelope_refused").count()
}

/// The key of a call that ends so.
fn key(wire: &mut Wire, call: &Call, end: &str) -> String {
    let keys = wire.keys(&format!("*{}*:{end}", call.id));
    keys.first().unwrap_or_else(|| panic!("{} has no {end}", call.id)).0.clone()
}

fn field(wire: &mut Wire, key: &str, field: &str) -> Vec<u8> {
    wire.command(&["HGET", key, field]).bytes().unwrap_or_else(|| panic!("{key} has no {field}"))
}

fn set(wire: &mut Wire, key: &str, field: &str, value: &[u8]) {
    wire.raw(&[b"HSET", key.as_bytes(), field.as_bytes(), value]).expect("it is set").number();
}

/// A frame of the history, split before its envelope.
fn frame(wire: &mut Wire, history: &str, place: &str) -> (Vec<u8>, Vec<u8>) {
    split(&wire.command(&["LINDEX", history, place]).bytes().expect("a frame"))
}

fn split(frame: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = frame.iter().position(|b| *b == b'\n').expect("a sealed frame");
    (frame[..=at].to_vec(), frame[at + 1..].to_vec())
}

fn put_frame(wire: &mut Wire, history: &str, place: &str, head: &[u8], envelope: &[u8]) {
    assert_eq!(wire.raw(&[b"LSET", history.as_bytes(), place.as_bytes(), &[head, envelope].concat()]).expect("it is set").text(), "OK");
}

/// A call with three turns, a context, an authentication and its participants.
async fn begun(stack: &Stack, phone: &str) -> Call {
    let call = Call::new(&stack.handler);
    call.connect().await;
    call.participants(phone).await;
    let subject = json!({"authenticated": true, "method": "pin", "level": "basic", "subject": "Annabel"});
    let put = call.handler.send("PUT", &format!("/api/calls/{}/auth", call.id), Some(&subject)).await.expect("an answer");
    assert_eq!(put.status, 200, "{put:?}");
    for (number, text) in TURNS.iter().enumerate() {
        let body = json!({"turnId": format!("t{number}"), "text": text, "speak": false, "context": {"crm": {"number": number}, "note": "blue"}});
        assert_eq!(call.turn(body).await.expect("an answer").status, 200);
    }
    call
}

/// The next turn is answered, not degraded, and the call ends in an archive with all its turns and their words.
async fn goes_on(stack: &Stack, call: &Call, what: &str) {
    let answer = call.say("after", "are you still there").await;
    assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(false)), "{what}: {answer:?}\n{}", stack.handler.output());
    call.disconnect().await;
    let archived = call.archived(TURNS.len() + 1).await;
    assert!(archived.header.complete, "{what}");
    let users: Vec<Option<&str>> = archived.union.in_order().into_iter().map(|t| t.entry.words.user.as_deref()).collect();
    assert_eq!(users, [Some(TURNS[0]), Some("my phone number is [PHONE_NUMBER]"), Some(TURNS[2]), Some("are you still there")], "{what}");
}

/// One way to tamper with the first of two calls in Redis.
type Tamper = fn(&mut Wire, &Call, &Call);

const IN_REDIS: &[(&str, Tamper)] = &[
    ("the words of another turn", |wire, call, _| {
        let history = key(wire, call, "history");
        let ((head, _), (_, other)) = (frame(wire, &history, "0"), frame(wire, &history, "1"));
        put_frame(wire, &history, "0", &head, &other);
    }),
    ("the words of another call", |wire, call, other| {
        let (mine, theirs) = (key(wire, call, "history"), key(wire, other, "history"));
        let ((head, _), (_, foreign)) = (frame(wire, &mine, "1"), frame(wire, &theirs, "1"));
        put_frame(wire, &mine, "1", &head, &foreign);
    }),
    ("words that were cut", |wire, call, _| {
        let history = key(wire, call, "history");
        for (place, left) in [("0", 0), ("1", 20), ("2", 60)] {
            let (head, envelope) = frame(wire, &history, place);
            put_frame(wire, &history, place, &head, &envelope[..left]);
        }
    }),
    ("words with another first byte", |wire, call, _| {
        let history = key(wire, call, "history");
        let (head, mut envelope) = frame(wire, &history, "2");
        envelope[0] = 0xfe;
        put_frame(wire, &history, "2", &head, &envelope);
    }),
    ("words under another revision", |wire, call, _| {
        let history = key(wire, call, "history");
        let (head, envelope) = frame(wire, &history, "2");
        let head = String::from_utf8(head).expect("text").replacen("3 0 ", "3 7 ", 1);
        put_frame(wire, &history, "2", head.as_bytes(), &envelope);
    }),
    ("another field of the context", |wire, call, _| {
        let context = key(wire, call, "context");
        let note = field(wire, &context, "note");
        set(wire, &context, "crm", &note);
    }),
    ("the context of another call", |wire, call, other| {
        let (mine, theirs) = (key(wire, call, "context"), key(wire, other, "context"));
        let foreign = field(wire, &theirs, "crm");
        set(wire, &mine, "crm", &foreign);
    }),
    ("a context that was cut", |wire, call, _| {
        let context = key(wire, call, "context");
        let whole = field(wire, &context, "crm");
        set(wire, &context, "crm", &whole[..9]);
    }),
    ("whom another caller was shown to be", |wire, call, other| {
        let (mine, theirs) = (key(wire, call, "auth"), key(wire, other, "auth"));
        let foreign = field(wire, &theirs, "state");
        set(wire, &mine, "state", &foreign);
    }),
    ("the participants of another call", |wire, call, other| {
        let (mine, theirs) = (key(wire, call, "session"), key(wire, other, "session"));
        let foreign = field(wire, &theirs, "participants");
        set(wire, &mine, "participants", &foreign);
    }),
    ("the key of another call", |wire, call, other| {
        let (mine, theirs) = (key(wire, call, "session"), key(wire, other, "session"));
        let foreign = field(wire, &theirs, "_key");
        set(wire, &mine, "_key", &foreign);
    }),
    ("a key that is none", |wire, call, _| {
        let session = key(wire, call, "session");
        set(wire, &session, "_key", b"nonsense");
    }),
    ("a key that was cut", |wire, call, _| {
        let session = key(wire, call, "session");
        let whole = field(wire, &session, "_key");
        set(wire, &session, "_key", &whole[..whole.len() - 3]);
    }),
];

async fn in_redis(forgetful: bool) {
    let stack = Stack::start().await;
    let other = begun(&stack, "+14255550199").await;
    for (what, tamper) in IN_REDIS {
        let call = begun(&stack, "+14255550123").await;
        stack.delivered().await;
        tamper(&mut stack.redis.wire(), &call, &other);
        if forgetful {
            // Another process has nothing of the call in memory.
            stack.handler.restart().await;
        }
        let before = refusals(&stack);
        goes_on(&stack, &call, what).await;
        assert!(refusals(&stack) > before, "{what} was not refused");
    }
    goes_on(&stack, &other, "the other call").await;
    stack.delivered().await;
    assert_eq!(stack.pump.dead(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_redis_is_refused_and_stops_nothing() {
    in_redis(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_stop_a_process_that_remembers_nothing() {
    in_redis(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_outbox_loses_no_turn() {
    let stack = Stack::start().await;
    let other = begun(&stack, "+14255550199").await;
    stack.bus.inject(std::iter::repeat_n(service_bus::Fault::status(503), 100_000));
    let call = begun(&stack, "+14255550123").await;
    let given_up = async || (stack.handler.output().matches("the turn stays in the outbox").count() >= TURNS.len()).then_some(());
    eventually("no send is under way", || stack.handler.output(), given_up).await;
    {
        let mut wire = stack.redis.wire();
        let (outbox, theirs) = (key(&mut wire, &call, "outbox"), key(&mut wire, &other, "session"));
        let foreign = String::from_utf8(field(&mut wire, &theirs, "_key")).expect("text");
        let ((head, _), (_, second)) = (split(&field(&mut wire, &outbox, "t:t0")), split(&field(&mut wire, &outbox, "t:t1")));
        set(&mut wire, &outbox, "t:t0", &[&head[..], &second].concat());
        let (head, envelope) = split(&field(&mut wire, &outbox, "t:t1"));
        let mut words: Vec<String> = String::from_utf8(head).expect("text").splitn(4, ' ').map(str::to_owned).collect();
        words[2] = foreign;
        set(&mut wire, &outbox, "t:t1", &[words.join(" ").as_bytes(), &envelope].concat());
    }
    let before = refusals(&stack);
    stack.bus.recover();
    let relayed = async || {
        stack.handler.relay().await;
        (refusals(&stack) >= before + 2).then_some(())
    };
    eventually("the relay meets what was changed", || stack.handler.output(), relayed).await;
    // What still waits is sent once it has waited for long enough.
    let relaying = async {
        loop {
            stack.handler.relay().await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = goes_on(&stack, &call, "the outbox") => {}
        () = relaying => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_documents_are_refused_field_by_field() {
    let stack = Stack::start().await;
    let (call, other) = (begun(&stack, "+14255550123").await, begun(&stack, "+14255550199").await);
    for one in [&call, &other] {
        goes_on(&stack, one, "before").await;
    }
    stack.delivered().await;
    let app = stack.handler.app();
    let (mine, theirs) = (call.archived(4).await, other.archived(4).await);
    let get =
        async |container, partition: String, id: String| app.documents.get(container, &partition, &id).await.expect("an answer").expect("it is there").body;
    let put = async |container, body: &Value| drop(app.documents.put(container, body, Condition::Always).await.expect("it is put"));
    // A turn of another call, and another turn of the same.
    let mut page = get(Container::Transcripts, call.id.clone(), mine.header.pages[0].clone()).await;
    let foreign = get(Container::Transcripts, other.id.clone(), theirs.header.pages[0].clone()).await;
    page["turns"][0]["transcript"] = foreign["turns"][0]["transcript"].clone();
    page["turns"][1]["transcript"] = page["turns"][2]["transcript"].clone();
    put(Container::Transcripts, &page).await;
    let mut header = get(Container::Transcripts, call.id.clone(), "header".to_owned()).await;
    header["participantInfo"] = get(Container::Transcripts, other.id.clone(), "header".to_owned()).await["participantInfo"].clone();
    put(Container::Transcripts, &header).await;
    let before = app.vault.refused().count();
    let id = CallId::parse(call.id.clone()).expect("an id");
    let read = archive::read(app, &id).await.expect("it can be read").expect("it is there");
    let sources: Vec<bool> = read.union.in_order().into_iter().map(|t| t.entry.is_refused() && t.entry.words.is_empty()).collect();
    assert_eq!(sources, [true, true, false, false]);
    assert_eq!(read.header.participant_info, None);
    assert_eq!(app.vault.refused().count(), before + 3);

    // The preferences of another user.
    let users = [mine.header.user.expect("a user"), theirs.header.user.expect("a user")];
    for user in &users {
        let answer = stack.handler.send("PATCH", &format!("/api/users/{user}"), Some(&json!({"preferences": {"tone": "formal"}}))).await;
        assert_eq!(answer.map(|a| a.status), Some(200));
    }
    let mut body = get(Container::Profiles, users[0].to_string(), "profile".to_owned()).await;
    body["preferences"] = get(Container::Profiles, users[1].to_string(), "profile".to_owned()).await["preferences"].clone();
    put(Container::Profiles, &body).await;
    let (stored, _) = profile::stored(app, &users[0]).await.expect("it can be read").expect("it is there");
    assert!(stored.preferences.is_empty());
    assert_eq!(app.vault.refused().count(), before + 4);
    // And the cached copy: the next call of that user goes on, and is counted.
    {
        let mut wire = stack.redis.wire();
        let copy = |wire: &mut Wire, user: &str| wire.keys(&format!("*{user}*")).into_iter().map(|(key, _)| key).find(|key| key.contains("profile"));
        let (to, from) = (copy(&mut wire, users[0].as_str()).expect("a copy"), copy(&mut wire, users[1].as_str()).expect("a copy"));
        let foreign = wire.command(&["GET", &from]).bytes().expect("a value");
        assert_eq!(wire.raw(&[b"SET", to.as_bytes(), &foreign, b"EX", b"600"]).expect("it is set").text(), "OK");
    }
    let before = refusals(&stack);
    let next = begun(&stack, "+14255550123").await;
    goes_on(&stack, &next, "the profile").await;
    assert!(refusals(&stack) > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_message_ends_as_a_parked_document_and_the_call_is_archived_whole() {
    let stack = Stack::start().await;
    let call = begun(&stack, "+14255550123").await;
    stack.delivered().await;
    let turns = stack.bus.accepted().into_iter().filter(|m| m.label == "turn");
    let bodies: Vec<Value> = turns.map(|m| serde_json::from_str(&m.body).expect("JSON")).collect();
    let mut forged = bodies[0].clone();
    (forged["transcript"], forged["rev"]) = (bodies[1]["transcript"].clone(), json!(1));
    let mut keyless = bodies[1].clone();
    keyless.as_object_mut().expect("an object").remove("key");
    let (app, before) = (stack.handler.app(), refusals(&stack));
    for (number, body) in [forged, keyless].into_iter().enumerate() {
        let message = Message {
            message_id: format!("forged-{number}"),
            session_id: "lane-0".to_owned(),
            correlation_id: call.id.clone(),
            label: "turn".to_owned(),
            traceparent: None,
            not_before: None,
            body: body.to_string(),
        };
        app.queue.send(&message).await.expect("it is sent");
    }
    let parked = async || (stack.pump.dead() == 2).then_some(());
    eventually("both are parked", || stack.handler.output(), parked).await;
    assert!(refusals(&stack) >= before + 2);
    goes_on(&stack, &call, "the message").await;
}

/// Ids of the incidents that were opened, by their kind.
async fn incidents(stack: &Stack, kind: &str) -> Vec<String> {
    let page = stack.handler.app().documents.scan(Container::Breaches, None, 100).await.expect("an answer");
    let ids = page.documents.into_iter().filter_map(|d| d.body["id"].as_str().map(str::to_owned));
    ids.filter(|id| id.contains(kind)).collect()
}

/// Two turns that make a number together: the first one is revised.
async fn revised(stack: &Stack) -> (Call, Vec<u8>) {
    let call = Call::new(&stack.handler);
    call.connect().await;
    call.said("s1", "my phone number is four two five five five five").await;
    let (_, older) = { frame(&mut stack.redis.wire(), &key(&mut stack.redis.wire(), &call, "history"), "0") };
    call.said("s2", "oh one two three").await;
    (call, older)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_revision_put_back_is_a_replay_and_a_second_delivery_is_none() {
    let stack = Stack::start().await;
    let (call, older) = revised(&stack).await;
    stack.delivered().await;
    // Everything comes twice: messages, events, turns.
    let app = stack.handler.app();
    let sent: Vec<Value> = stack.bus.accepted().iter().map(|m| serde_json::from_str(&m.body).expect("JSON")).collect();
    let again = async |number: usize, body: &Value| {
        let message = Message {
            message_id: format!("again-{number}"),
            session_id: "lane-0".to_owned(),
            correlation_id: call.id.clone(),
            label: "turn".to_owned(),
            traceparent: None,
            not_before: None,
            body: body.to_string(),
        };
        app.queue.send(&message).await.expect("it is sent");
    };
    for (number, body) in sent.iter().enumerate() {
        again(number, body).await;
    }
    call.say("s1", "my phone number is four two five five five five").await;
    stack.delivered().await;
    assert!(stack.handler.app().documents.scan(Container::Breaches, None, 10).await.expect("an answer").documents.is_empty(), "copies are honest");

    {
        let mut wire = stack.redis.wire();
        let history = key(&mut wire, &call, "history");
        let (head, newer) = frame(&mut wire, &history, "0");
        assert_ne!(newer, older);
        put_frame(&mut wire, &history, "0", &head, &older);
    }
    call.said("s3", "are you still there").await;
    let opened = async || incidents(&stack, "inc-replay-").await.into_iter().next();
    let id = eventually("the replay is an incident", || stack.handler.output(), opened).await;
    let incident = app.documents.get(Container::Breaches, &id, &id).await.expect("an answer").expect("it is there").body;
    assert_eq!(incident["source"], "security:replay");
    assert!(incidents(&stack, "inc-envelope-").await.is_empty(), "it is told apart from what is merely not what was sealed");

    // In the queue: the words of the first revision under the name of the second one.
    let turn = |rev: u64| sent.iter().find(|m| m["turnId"] == "s1" && m["rev"] == rev).expect("it was sent").clone();
    let mut forged = turn(1);
    forged["transcript"] = turn(0)["transcript"].clone();
    let before = stack.handler.output().matches("\"replayed\":true").count();
    again(1000, &forged).await;
    let counted = async || (stack.handler.output().matches("\"replayed\":true").count() > before && stack.pump.dead() == 1).then_some(());
    eventually("the message is refused as a replay", || stack.handler.output(), counted).await;
    call.disconnect().await;
    let archived = call.archived(3).await;
    let first = archived.union.in_order()[0].clone();
    assert!(first.rev == 1 && first.entry.words.user.as_deref().is_some_and(|text| text.contains("[PHONE_NUMBER]")), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_private_audio_is_spoken_anew() {
    let stack = Stack::start().await;
    let call = begun(&stack, "+14255550123").await;
    let say = async |turn: &str, answer: &str| {
        stack.openai.inject([crate::harness::openai::Fault::Says(answer.to_owned(), "stop")]);
        let said = call.turn(json!({"turnId": turn, "text": "say it again"})).await.expect("an answer");
        assert_eq!((said.status, &said.body["speech"]["cache"]), (200, &json!("private")), "{said:?}");
        said.body["speech"]["hash"].as_str().expect("a hash").to_owned()
    };
    let first = say("p0", "Your number is 425 555 0187.").await;
    let second = say("p1", "Your number is 425 555 0188.").await;
    {
        let mut wire = stack.redis.wire();
        let copy = |wire: &mut Wire, hash: &str| wire.keys(&format!("*{hash}*")).first().expect("audio").0.clone();
        let (to, from) = (copy(&mut wire, &first), copy(&mut wire, &second));
        let foreign = wire.command(&["GET", &from]).bytes().expect("a value");
        wire.raw(&[b"SET", to.as_bytes(), &foreign, b"EX", b"300"]).expect("it is set").expect_ok();
        wire.raw(&[b"SET", from.as_bytes(), &foreign[..40], b"EX", b"300"]).expect("it is set").expect_ok();
    }
    let before = refusals(&stack);
    for hash in [&first, &second] {
        let audio = call.handler.send("GET", &format!("/api/tts/{hash}"), None).await.expect("an answer");
        assert_eq!(audio.status, 404, "{audio:?}");
    }
    // Its lines come a moment after its answers.
    let refused = async || (refusals(&stack) == before + 2).then_some(());
    eventually("both were refused", || stack.handler.output(), refused).await;
    let again = call.turn(json!({"turnId": "p0", "text": "say it again"})).await.expect("an answer");
    assert_eq!((again.status, &again.body["speech"]["hash"]), (200, &json!(first)));
    let audio = call.handler.send("GET", &format!("/api/tts/{first}"), None).await.expect("an answer");
    assert_eq!(audio.status, 200, "it was spoken anew");
}
