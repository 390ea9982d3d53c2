//! A value that a caller splits over turns: with its last part every representation of the earlier ones is masked, in
//! whatever order the messages arrive, and turns that revise the same one at once lose nothing.

use rtvoice::model::ids::CallId;
use rtvoice::ports::state::Pending;
use rtvoice::privacy::detect::detect;
use rtvoice::steps::archive::Archived;
use rtvoice::steps::masking;
use serde_json::{Value, json};

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

const CALL: &str = "call-1";
const FIRST: &str = "my phone number is four two five five five five";
const BETWEEN: &str = "hold on a second";
const LAST: &str = "oh one eight seven";
/// What may be seen of the first part nowhere.
const PART: &str = "five five five five";

async fn say(app: &Rtvoice, call: &str, turn: &str, text: &str) -> Value {
    app.post(&format!("/api/calls/{call}/turns"), &json!({"turnId": turn, "text": text, "speak": false})).await.ok()
}

/// The call up to the last part.
async fn split(app: &Rtvoice) {
    app.event("CallConnected", CALL, "e1").await.ok();
    for (turn, text) in [("t1", FIRST), ("t2", BETWEEN), ("t3", LAST)] {
        say(app, CALL, turn, text).await;
    }
}

async fn end(app: &Rtvoice, call: &str) -> Archived {
    app.event("CallDisconnected", call, "e9").await.ok();
    app.deliver_queue().await;
    app.archive(call).await.expect("an archive")
}

fn words(archived: &Archived, turn: &str) -> (u32, String, String) {
    let turn = archived.union.in_order().into_iter().find(|t| t.entry.turn_id == turn).unwrap_or_else(|| panic!("{turn} is there"));
    (turn.rev, turn.entry.words.user.clone().unwrap_or_default(), turn.entry.words.assistant.clone().unwrap_or_default())
}

#[track_caller]
fn check_masked(archived: &Archived) {
    let (rev, user, assistant) = words(archived, "t1");
    assert!(rev >= 1 && user.contains("[PHONE_NUMBER]"), "{rev} {user}");
    assert!(!user.contains(PART) && !assistant.contains(PART), "{user} {assistant}");
    assert!(words(archived, "t3").1.contains("[PHONE_NUMBER]"));
    assert_eq!(words(archived, "t2").1, BETWEEN);
}

#[tokio::test]
async fn masking_looks_further_back_than_the_agent_is_told() {
    let app = Rtvoice::with(&[("HISTORY_WINDOW", "1")]);
    split(&app).await;
    let first = &app.app.state.history(&CallId::parse(CALL).unwrap(), 0, 10).await.unwrap().entries[0].1;
    assert!(first.words.user.as_deref().is_some_and(|text| !text.contains(PART)), "two turns back: {first:?}");
    let told: Vec<_> = app.agent.prompts().iter().map(|prompt| prompt["history"].clone()).collect();
    assert_eq!(told, [0, 1, 1]);
    check_masked(&end(&app, CALL).await);
    app.finish().await;
}

#[tokio::test]
async fn every_representation_is_revised() {
    let app = Rtvoice::start();
    app.queue.fail(Fault::Away);
    split(&app).await;
    app.quiesce().await;
    let call = CallId::parse(CALL).unwrap();
    // The history, and the answer that is given to the same turn id again.
    let history = app.app.state.history(&call, 0, 10).await.unwrap().entries;
    let first = &history[0].1;
    assert_eq!(first.rev, 1);
    assert!(first.words.user.as_deref().is_some_and(|text| text.contains("[PHONE_NUMBER]") && !text.contains(PART)), "{first:?}");
    assert!(first.words.said.is_none() && !first.words.reply().contains(PART), "{first:?}");
    let again = say(&app, CALL, "t1", FIRST).await;
    assert_eq!(again["replayed"], true);
    assert!(!again.to_string().contains(PART), "{again}");
    // The outbox.
    let fields = app.app.state.outbox(&call).await.unwrap();
    for message in app.app.state.messages(&call, &fields).await.unwrap() {
        let Pending::Turn { rev, entry, .. } = message.pending else { continue };
        assert_eq!(rev, u32::from(entry.turn_id == "t1"));
        assert!(!format!("{:?}", entry.words).contains(PART), "{entry:?}");
    }
    // The message in the queue.
    app.queue.heal();
    app.clock.advance_millis(10_000);
    app.relay().await.ok();
    app.quiesce().await;
    let mut revised = 0;
    for (message, ..) in app.queued() {
        let opened = app.opened(&message).await;
        revised += usize::from(opened["turnId"] == "t1" && opened["rev"] == 1);
        assert!(!opened.to_string().contains(PART), "{opened}");
    }
    assert_eq!(revised, 1);
    check_masked(&end(&app, CALL).await);
    app.finish().await;
}

#[tokio::test]
async fn a_revision_may_come_before_its_turn_and_after_the_archive() {
    for order in [[1_usize, 0, 2, 3, 4], [0, 2, 3, 4, 1], [4, 3, 2, 0, 1], [4, 1, 0, 2, 3]] {
        let app = Rtvoice::start();
        split(&app).await;
        app.event("CallDisconnected", CALL, "e9").await.ok();
        app.quiesce().await;
        let queued = app.queued();
        let find = |turn: &str, rev: u64| {
            let found = queued.iter().find(|(m, ..)| m["turnId"] == turn && m["rev"] == rev);
            found.unwrap_or_else(|| panic!("{turn} in revision {rev}: {queued:?}")).0.clone()
        };
        let ended = queued.iter().find(|(m, ..)| m["kind"] == "callEnded").expect("the end").0.clone();
        let messages = [find("t1", 0), find("t1", 1), find("t2", 0), find("t3", 0), ended];
        // The messages are all that there is: Redis has forgotten the call.
        app.lose_queue();
        app.forget(CALL);
        for place in order {
            app.enqueue(&messages[place].to_string()).await;
            app.deliver_queue().await;
        }
        let archived = app.archive(CALL).await.expect("an archive");
        assert_eq!(archived.union.len(), 3, "{order:?}");
        check_masked(&archived);
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_that_revise_the_same_one_at_once_lose_nothing() {
    let app = Rtvoice::start();
    for number in 0..20 {
        let call = format!("call-{number}");
        say(&app, &call, "t1", FIRST).await;
        let others = [("t2", LAST), ("t3", "oh one nine two"), ("t4", "where is my parcel")];
        let answers = futures::future::join_all(others.iter().map(|(turn, text)| say(&app, &call, turn, text))).await;
        assert!(answers.iter().all(|a| a["degraded"] == false && a["seq"].is_u64()), "{answers:?}");
        let archived = end(&app, &call).await;
        assert!(archived.header.complete && archived.union.len() == 4, "{:?}", archived.header);
        let (rev, user, _) = words(&archived, "t1");
        assert!(rev >= 1 && !user.contains(PART), "{user}");
        assert_eq!(words(&archived, "t4").1, "where is my parcel");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_no_turn_saw_alone_the_archive_masks() {
    // Without the state store no turn sees another one.
    let app = Rtvoice::start();
    app.event("CallConnected", CALL, "e1").await.ok();
    app.state.fail(Fault::Away);
    for (turn, text) in [("t1", FIRST), ("t2", BETWEEN), ("t3", LAST)] {
        let answer = say(&app, CALL, turn, text).await;
        assert_eq!(answer["degraded"], true);
        app.clock.advance_millis(1000);
    }
    app.state.heal();
    check_masked(&end(&app, CALL).await);
    // Again is no change.
    let before = app.archive(CALL).await.unwrap().etag;
    rtvoice::steps::archiving::archive(&app.app, &CallId::parse(CALL).unwrap(), None).await.unwrap();
    assert_eq!(app.archive(CALL).await.unwrap().etag, before);
    app.finish().await;
}

#[test]
fn an_answer_that_repeats_a_name_is_masked_with_it() {
    let said = "Hello, my name is Annabel Pasternak.";
    let found = detect(said);
    let masked = |reply: &str| masking::answered(reply, said, &found);
    assert_eq!(masked("Good morning, Annabel Pasternak!"), "Good morning, [PERSON_NAME]!");
    assert_eq!(masked("So ANNABEL, or Ms Pasternak?"), "So [PERSON_NAME], or Ms [PERSON_NAME]?");
    assert_eq!(masked("Annabella lives in Pasternakstadt."), "Annabella lives in Pasternakstadt.");
    assert_eq!(masking::answered("Ännäbel", "", &found), "Ännäbel", "spans of another text stop nothing");
}

#[test]
fn the_name_of_a_field_says_what_its_value_is() {
    let mut profile = json!({"name": "Annabel Pasternak", "dateOfBirth": "July 14th 1983", "tone": "formal", "calls": 3, "phone_number": 4_255_550_187_u64, "list": ["+1 425 555 0187"]});
    masking::masked_json(&mut profile);
    assert_eq!(profile["name"], "[PERSON_NAME]", "{profile}");
    assert_eq!((&profile["tone"], &profile["calls"]), (&json!("formal"), &json!(3)));
    for field in ["dateOfBirth", "phone_number"] {
        assert!(profile[field].as_str().is_some_and(|text| text.starts_with('[')), "{field}: {profile}");
    }
    assert_eq!(profile["list"][0], "[PHONE_NUMBER]");
}
