//! Nothing personal rests in clear: a caller who says, spells and splits what is hers, on every store, and a search of all
//! bytes that lie anywhere afterwards. With privacy off the same search must find everything, or it would prove nothing.

use rtvoice::host::compose::{self, Invocation};
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::queue::Message;
use rtvoice::ports::queue::embedded::Delivery;
use rtvoice::steps::archive::Archived;
use serde_json::json;

use crate::harness::call::Call;
use crate::harness::openai;
use crate::harness::process::{Handler, Settings, eventually};
use crate::harness::redis::{Options, RedisServer};
use crate::harness::residue::{Residue, Value};
use crate::harness::stack::{OPENAI_KEY, REDIS_KEY, Stack};
use crate::harness::stand_in::{Credential, StandIn};

/// What is hers, in the forms that it is said, written or kept in.
const HERS: [Value; 6] = [
    Value { name: "phone", forms: &["4255550187", "four two five five five five oh one eight seven"] },
    Value { name: "phone of the context", forms: &["4255550146"] },
    Value { name: "card", forms: &["4539148803436467", "four five three nine one four eight eight oh three four three six four six seven"] },
    Value { name: "e-mail", forms: &["quill.farthing@example.org", "quill dot farthing at example dot org", "quill.farthing"] },
    Value { name: "name", forms: &["pasternak", "annabel pasternak"] },
    Value { name: "date of birth", forms: &["1983-07-14", "July 14th 1983", "july fourteenth nineteen eighty three"] },
];

/// What she splits over turns, of other values than those that she says whole: its parts, and the turn that brings the last
/// one. Only then can anybody know. Parts of few digits are searched for with what stands before them, or in words: the bytes
/// of a clock hold any four digits.
const SPLIT: [(usize, Value); 9] = [
    (1, Value { name: "part of a phone number", forms: &["number is two oh six five five five", "oh one one nine"] }),
    (4, Value { name: "part of a card", forms: &["five four two five two three three four", "three oh one oh", "nine nine oh three"] }),
    (7, Value { name: "part of an e-mail", forms: &["thistle dot wren", "at northquay", "northquay dot net"] }),
    (9, Value { name: "part of a name", forms: &["rosalind", "vandermeersch"] }),
    (11, Value { name: "part of a spelled name", forms: &["v a n d e r", "m e e r s c h"] }),
    (14, Value { name: "part of a date of birth", forms: &["twenty third", "of november", "nineteen sixty one"] }),
    (17, Value { name: "part of a number around something else", forms: &["phone number is 206", "five five five oh one two oh"] }),
    (20, Value { name: "part of a card around something else", forms: &["card number is 6011", "double oh one three nine", "four double two oh six"] }),
    (23, Value { name: "part of an account number", forms: &["seven six two five", "one one nine oh", "three three eight"] }),
];

/// Her user id: nobody but the app may know whose token it is.
const USER: Value = Value { name: "user id", forms: &["customer-4711-annabel"] };

/// What she says, turn by turn, with what the agent is made to answer where it does not repeat her.
const SAID: [(&str, Option<&str>); 34] = [
    ("my phone number is two oh six five five five", None),
    ("oh one one nine", None),
    ("my second card is five four two five two three three four", Some("Yes.")),
    ("three oh one oh", Some("Yes.")),
    ("nine nine oh three", Some("Thank you. What is your e-mail?")),
    ("thistle dot wren", None),
    ("at northquay", None),
    ("dot net", Some("And your name please?")),
    ("Rosalind", None),
    ("Vandermeersch", Some("How do you spell it?")),
    ("V A N D E R", None),
    ("M E E R S C H", Some("Thank you.")),
    ("I was born on the twenty third", None),
    ("of november", Some("And the year?")),
    ("nineteen sixty one", Some("Thank you.")),
    ("my phone number is 206", Some("Yes.")),
    ("hold on a second", Some("Of course.")),
    ("five five five oh one two oh", Some("Thank you.")),
    ("my card number is 6011", Some("Go on.")),
    ("sorry somebody is at the door", Some("No hurry.")),
    ("double oh one three nine four double two oh six", Some("Thank you. What is your account number?")),
    ("seven six two five", None),
    ("one one nine oh", Some("And the rest?")),
    ("three three eight", Some("Thank you.")),
    ("Hello, my name is Annabel Pasternak.", Some("Hello Annabel Pasternak, what can I do for you?")),
    ("My last name is spelled P A S T E R N A K", None),
    ("You can call me at +1 (425) 555-0187 after six.", Some("I noted your phone number 425-555-0187.")),
    ("my phone number is four two five five five five oh one eight seven", None),
    ("My card number is 4539 1488 0343 6467", Some("Your card number is 4539148803436467, right?")),
    ("the card is four five three nine one four eight eight oh three four three six four six seven", None),
    ("Write to quill.farthing@example.org please", None),
    ("my email is quill dot farthing at example dot org", Some("I wrote down the e-mail address quill.farthing@example.org.")),
    ("I was born on July 14th 1983", None),
    ("my date of birth is july fourteenth nineteen eighty three", Some("So your date of birth is 1983-07-14.")),
];

/// What she says between the parts, which holds nothing.
const TALK: [&str; 2] = ["hold on a second", "sorry somebody is at the door"];

/// A turn that is taken without Redis.
const DEGRADED: &str = "once more, my phone number is 425 555 0187 and my email is quill.farthing@example.org";

/// A message of the queue and an event that nobody can read, with her words in them.
async fn park(handler: &Handler) {
    let now = SystemClock.now();
    let body = json!({"kind": "nonsense", "text": "Annabel Pasternak, 4255550187, quill.farthing@example.org"}).to_string();
    let delivery = Delivery {
        message: Message {
            message_id: "poison".to_owned(),
            session_id: "lane-0".to_owned(),
            correlation_id: String::new(),
            label: "turn".to_owned(),
            traceparent: None,
            not_before: None,
            body,
        },
        sequence_number: 1,
        lock_token: SystemClock.new_id(),
        locked_until: now.plus_millis(60_000),
        delivery_count: 11,
        enqueued_at: now,
        dead_letter_reason: Some("MaxDeliveryCountExceeded".to_owned()),
        dead_letter_description: Some("cannot read 4539148803436467".to_owned()),
    };
    let id = SystemClock.new_id();
    let invocation = |function: &'static str, binding: &'static str| Invocation { function, binding, now, id: &id };
    let queue = "transcripts/$DeadLetterQueue";
    assert!(handler.invoke("TranscriptDeadLetter", &compose::service_bus(invocation("TranscriptDeadLetter", "message"), &delivery, queue, false)).await);
    let event = json!({
        "id": "e", "source": "calling", "type": "Microsoft.Communication.CallConnected", "time": now, "specversion": "1.0",
        "data": {"callConnectionId": "not {an} id", "note": "Annabel Pasternak, 4255550187"},
    });
    let binding = rtvoice::functions::call_connected::BINDING;
    assert!(handler.invoke("CallConnected", &compose::event_grid(invocation("CallConnected", binding), &event)).await);
}

/// Her profile, by her token.
async fn prefer(call: &Call) {
    let found = call.handler.send("POST", "/api/users/lookup", Some(&json!({"userId": USER.forms[0]}))).await.expect("an answer");
    let path = format!("/api/users/{}", found.body["token"].as_str().expect("a token"));
    let preferences = json!({"preferences": {"name": "Annabel Pasternak", "phone": "+14255550146", "birthday": "1983-07-14", "tone": "formal"}});
    let answer = call.handler.send("PATCH", &path, Some(&preferences)).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// One turn that must be answered, and its repetition with the same answer.
async fn turn(call: &Call, id: &str, text: &str, context: serde_json::Value) {
    let body = json!({"turnId": id, "text": text, "language": "en-US", "context": context});
    let first = call.turn(body.clone()).await.expect("an answer");
    assert_eq!((first.status, &first.body["degraded"]), (200, &json!(false)), "{first:?}\n{}", call.handler.output());
    let again = call.turn(body).await.expect("an answer");
    assert_eq!((again.status, &again.body["replayed"], &again.body["reply"]), (200, &json!(true), &first.body["reply"]));
}

/// Plays the call up to its end, on a handler whose agent repeats what it hears unless it is told a line of its own.
async fn play(call: &Call, agent: &StandIn<openai::Fault>) {
    call.connect().await;
    prefer(call).await;
    let caller = json!({
        "identifier": {"rawId": "4:+14255550146", "kind": "phoneNumber", "phoneNumber": {"value": "+14255550146"}},
        "displayName": "Annabel Pasternak", "isMuted": false,
    });
    let event = call.event("ParticipantsUpdated", json!({"sequenceNumber": 1, "participants": [caller]}));
    assert_eq!(call.deliver(&[event]).await, 200);
    let subject = json!({"authenticated": true, "method": "pin", "level": "basic", "subject": "Annabel Pasternak"});
    let put = call.handler.send("PUT", &format!("/api/calls/{}/auth", call.id), Some(&subject)).await.expect("an answer");
    assert_eq!(put.status, 200, "{put:?}");
    for (number, (text, answer)) in SAID.iter().enumerate() {
        agent.inject(answer.iter().map(|line| openai::Fault::Says((*line).to_owned(), "stop")));
        let context = json!({
            "user_id": USER.forms[0], "phone_number": "+14255550146",
            "session_metadata": {"crm": {"who": "Annabel Pasternak", "born": "1983-07-14"}, "card": 4_539_148_803_436_467_u64, "step": number},
        });
        turn(call, &format!("turn-{number}"), text, context).await;
    }
    park(&call.handler).await;
}

/// Nothing of hers stands in what people are shown of the archive.
fn check_archive(archived: &Archived, store: &str) {
    let mut shown = Residue::default();
    for turn in archived.union.in_order() {
        let words = &turn.entry.words;
        shown.add(turn.entry.turn_id.clone(), format!("{:?} {:?}", words.user, words.assistant));
        assert!(!turn.entry.is_refused());
        assert!(store == "encrypted" || (words.said.is_none() && words.spoken.is_none()), "{store}: {}", turn.entry.turn_id);
    }
    assert_eq!(shown.find(&HERS), Vec::<String>::new());
    assert_eq!(SPLIT.iter().flat_map(|(_, value)| shown.find(std::slice::from_ref(value))).collect::<Vec<_>>(), Vec::<String>::new());
    let said = |id: &str| archived.union.in_order().into_iter().find(|t| t.entry.turn_id == id).map(|t| t.entry.words.clone()).expect("it is there");
    for (number, (text, _)) in SAID.iter().enumerate().filter(|(_, (text, _))| !TALK.contains(text)) {
        let id = format!("turn-{number}");
        assert!(said(&id).user.is_some_and(|masked| masked.contains('[')), "{id}: {text}: {:?}", said(&id).user);
    }
    if store == "encrypted" {
        for (number, (text, _)) in SAID.iter().enumerate().filter(|(_, (text, _))| !TALK.contains(text)) {
            assert_eq!(said(&format!("turn-{number}")).said.as_deref(), Some(*text), "what she said is there for who may see it");
        }
    }
}

fn settings(privacy: &str, store: &str, level: &str, agent: &StandIn<openai::Fault>) -> Settings {
    vec![
        ("PRIVACY", privacy.to_owned()),
        ("STORE_PII", store.to_owned()),
        ("LOG_LEVEL", level.to_owned()),
        ("OPENAI_ENDPOINT", agent.url()),
        ("OPENAI_DEPLOYMENT", openai::DEPLOYMENT.to_owned()),
        ("OPENAI_KEY", OPENAI_KEY.to_owned()),
    ]
}

/// The prompts hold her values nowhere, and what she split from its last part on.
fn check_agent(agent: &StandIn<openai::Fault>, privacy: &str) {
    for (number, seen) in agent.seen().into_iter().enumerate() {
        let mut residue = Residue::default();
        residue.add(format!("prompt {number}"), seen.body.to_vec());
        let mut found = residue.find(&HERS);
        found.extend(SPLIT.iter().filter(|(last, _)| number >= *last).flat_map(|(_, value)| residue.find(std::slice::from_ref(value))));
        assert!(privacy == "off" || found.is_empty(), "{found:?}");
    }
    assert!(agent.complaints().is_empty(), "{:?}", agent.complaints());
}

/// Nothing of hers anywhere; with privacy off each of hers somewhere.
fn judge(residue: &Residue, privacy: &str, when: &str) {
    let mut found = residue.find(&HERS);
    found.extend(residue.find(&[USER]));
    found.extend(SPLIT.iter().flat_map(|(_, value)| residue.find(std::slice::from_ref(value))));
    let (places, bytes) = residue.size();
    assert!(places > 10 && bytes > 50_000, "{when}: there is something to search: {places} places, {bytes} bytes");
    match privacy {
        "on" => assert!(found.is_empty(), "{when}: {} finds in {places} places:\n{}", found.len(), found.join("\n")),
        _ => {
            for value in HERS.iter().chain([&USER]).chain(SPLIT.iter().map(|(_, value)| value)) {
                assert!(found.iter().any(|line| line.starts_with(value.name)), "{when}: the search does not see the {}", value.name);
            }
        }
    }
}

async fn on_a_file(privacy: &str, store: &str, level: &str) {
    let agent = openai::echoing(Credential::Key(OPENAI_KEY));
    let handler = Handler::start(settings(privacy, store, level, &agent)).await;
    let call = Call::new(&handler);
    play(&call, &agent).await;
    let look = async |when: &str| {
        let mut residue = Residue::default();
        residue.add_files(handler.app().config.embedded_path.parent().expect("a folder"));
        residue.add_documents(handler.app()).await;
        residue.add("log", handler.output());
        check_agent(&agent, privacy);
        judge(&residue, privacy, &format!("{store} in a file, {when}"));
    };
    look("during the call").await;
    call.disconnect().await;
    let archived = call.archived(SAID.len()).await;
    look("after the call").await;
    if privacy == "on" {
        check_archive(&archived, store);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        let config = &handler.app().config;
        let environment = [("EMBEDDED_PATH", config.embedded_path.as_os_str()), ("ENVIRONMENT", config.environment.as_str().as_ref())];
        let printed = command.args(["transcript", &call.id]).env_clear().envs(environment).output().expect("it runs");
        assert!(printed.status.success(), "{printed:?}");
        let mut shown = Residue::default();
        shown.add("the transcript", [printed.stdout, printed.stderr].concat());
        assert_eq!(shown.find(&HERS), Vec::<String>::new());
        assert_eq!(SPLIT.iter().flat_map(|(_, value)| shown.find(std::slice::from_ref(value))).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

async fn on_the_stack(privacy: &str, store: &str, level: &str) {
    let agent = openai::echoing(Credential::Key(OPENAI_KEY));
    let redis = RedisServer::start(Options { password: Some(REDIS_KEY), aof: true, extra: vec!["--rdbcompression", "no"], ..Options::default() });
    let stack = Stack::with(redis, settings(privacy, store, level, &agent)).await;
    let call = Call::new(&stack.handler);
    play(&call, &agent).await;
    stack.delivered().await;
    let look = async |when: &str| {
        let mut residue = Residue::default();
        residue.add_redis(&mut stack.redis.wire());
        stack.redis.wire().command(&["SAVE"]).expect_ok();
        residue.add_files(stack.redis.folder());
        residue.add_files(stack.handler.app().config.embedded_path.parent().expect("a folder"));
        residue.add_documents(stack.handler.app()).await;
        for message in stack.bus.accepted().into_iter().chain(stack.bus.dropped()) {
            residue.add(format!("message {}", message.label), format!("{message:?}"));
        }
        residue.add("log", stack.handler.output());
        check_agent(&agent, privacy);
        judge(&residue, privacy, &format!("{store} on the stack, {when}"));
    };
    look("during the call").await;
    stack.redis.kill();
    let degraded = call.say("degraded", DEGRADED).await;
    assert_eq!((degraded.status, &degraded.body["degraded"]), (200, &json!(true)), "{degraded:?}");
    stack.redis.restart();
    let back = async || stack.handler.send("GET", "/api/ready", None).await.filter(|a| a.status == 200);
    eventually("Redis is back", || stack.handler.output(), back).await;
    stack.pump.release_scheduled();
    call.disconnect().await;
    let archived = call.archived(SAID.len() + 1).await;
    stack.delivered().await;
    look("after the call").await;
    if privacy == "on" {
        check_archive(&archived, store);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_rests_in_a_file() {
    on_a_file("on", "masked", "trace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_rests_in_a_file_that_keeps_the_words_sealed() {
    on_a_file("on", "encrypted", "debug").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_rests_in_redis_cosmos_db_and_service_bus() {
    on_the_stack("on", "masked", "trace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_they_keep_the_words_sealed() {
    on_the_stack("on", "encrypted", "debug").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_everything_where_privacy_is_off() {
    on_a_file("off", "masked", "debug").await;
    on_the_stack("off", "masked", "debug").await;
}
