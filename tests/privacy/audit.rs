//! The audit log: that every change of what was written is found, that nothing cries wolf, and that nothing is lost but the
//! last second of a process that is killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rtvoice::error::Kind;
use rtvoice::ports::audit::{Actor, Audit, Note, Parts};
use rtvoice::ports::clock::Clock;
use rtvoice::ports::documents::{Condition, Container, Put};
use rtvoice::privacy::audit::{Key, SettingsRecord};
use rtvoice::steps::audit::verify;
use serde_json::{Value, json};

use crate::harness::app::Rtvoice;
use crate::harness::faults::{Fault, Switch, Switchable};
use crate::harness::process::{Handler, eventually};

fn body_of(documents: &[Value], stream: &str, id: &str) -> Option<Value> {
    documents.iter().find(|d| d["stream"] == stream && d["id"] == id).cloned()
}

/// An app whose log has three closed streams with several batches each, and nothing else.
async fn three_streams() -> Rtvoice {
    let rt = Rtvoice::start();
    // Two starts: the settings of the first one were others.
    let key = rt.app.audit.keys().await.unwrap().remove(0);
    let before = BTreeMap::from([("ttl_multiplier".to_owned(), "another".to_owned())]);
    let first = SettingsRecord::new(rt.app.config.environment.as_str(), 1, rt.clock_now(), before, 730, &key);
    put(&rt, &json!(first)).await;
    rt.app.audit.note(Note::new("settings.record").named(first.named())).await.unwrap();
    rtvoice::steps::audit::settings(&rt.app).await.unwrap();
    for stream in 0..3u64 {
        for n in 0..24u64 {
            let note = Note::new(format!("test.{}", n % 5)).actor(Actor::Operator(format!("o{}", n % 3))).store("cosmos").count(n + 1).bytes(100 * n + 1);
            let note = note.subject(&format!("u1-{:032x}", n % 7)).took(Duration::from_micros(n + 1)).key("call", "session", format!("call-{stream}-{n}"));
            rt.app.audit.note(note).await.unwrap();
            if n % 6 == 5 {
                rt.app.audit.flush().await.unwrap();
            }
        }
        rt.app.audit.close().await.unwrap();
        rt.clock.advance_millis(1000);
    }
    rt
}

async fn put(rt: &Rtvoice, body: &Value) {
    assert!(matches!(rt.app.documents.put(Container::Audit, body, Condition::Always).await.unwrap(), Put::Done(_)));
}

async fn delete(rt: &Rtvoice, body: &Value) {
    assert!(rt.app.documents.delete(Container::Audit, body["stream"].as_str().unwrap(), body["id"].as_str().unwrap(), None).await.unwrap());
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Something else of the same type.
fn changed(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::Number(n) => json!(n.as_u64().unwrap() + 1 + dice.roll(3) as u64),
        Value::Bool(flag) => json!(!flag),
        Value::String(text) if text.len() == 24 && text.ends_with('Z') => {
            json!(text.replace(&text[20..23], if &text[20..23] == "999" { "000" } else { "999" }))
        }
        Value::String(text) if text.is_empty() => json!("x"),
        Value::String(text) => {
            let at = dice.roll(text.len());
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            json!(format!("{}{other}{}", &text[..at], &text[at + 1..]))
        }
        _ => Value::Null,
    }
}

/// Changes a field of an object, or of what the document of a register holds; true where there was one to change.
fn edit(object: &mut Value, dice: &mut Dice) {
    let fields = object.as_object().unwrap().iter().filter(|(_, v)| !v.is_array() && !v.is_object());
    let fields: Vec<String> = fields.map(|(k, _)| k.clone()).collect();
    let field = &fields[dice.roll(fields.len())];
    object[field] = changed(&object[field], dice);
}

/// Tampers with the log. What was done, in words.
async fn tamper(rt: &Rtvoice, documents: &[Value], kind: usize, dice: &mut Dice) -> String {
    let batches: Vec<&Value> = documents.iter().filter(|d| d["entries"].is_array()).collect();
    let heads: Vec<&Value> = documents.iter().filter(|d| d["id"] == "head" && d["stream"] != "streams").collect();
    let mut batch = batches[dice.roll(batches.len())].clone();
    let stream = batch["stream"].as_str().unwrap().to_owned();
    let count = batch["entries"].as_array().unwrap().len();
    match kind {
        0 | 1 => {
            let n = dice.roll(count);
            edit(&mut batch["entries"][n], dice);
            put(rt, &batch).await;
            format!("entry {n} of {} edited: {}", batch["id"], batch["entries"][n])
        }
        2 => {
            batch["entries"].as_array_mut().unwrap().remove(dice.roll(count));
            put(rt, &batch).await;
            "an entry removed".to_owned()
        }
        3 => {
            let (a, b) = (dice.roll(count), dice.roll(count - 1));
            let b = if b >= a { b + 1 } else { b };
            batch["entries"].as_array_mut().unwrap().swap(a, b);
            put(rt, &batch).await;
            "two entries swapped".to_owned()
        }
        4 => {
            delete(rt, &batch).await;
            format!("batch {} deleted", batch["id"])
        }
        5 => {
            let mut tail: Vec<&&Value> = batches.iter().filter(|d| d["stream"] == stream.as_str()).collect();
            let from = 1 + dice.roll(tail.len() - 1);
            for body in tail.split_off(from) {
                delete(rt, body).await;
            }
            if dice.roll(2) == 1 {
                delete(rt, &body_of(documents, &stream, "head").unwrap()).await;
                return "tail and head cut off".to_owned();
            }
            "tail cut off".to_owned()
        }
        6 => {
            let mut head = heads[dice.roll(heads.len())].clone();
            edit(&mut head, dice);
            put(rt, &head).await;
            format!("head edited: {head}")
        }
        7 => {
            let (one, other) = (dice.roll(heads.len()), dice.roll(heads.len() - 1));
            let other = if other >= one { other + 1 } else { other };
            let mut head = heads[other].clone();
            head["stream"] = heads[one]["stream"].clone();
            put(rt, &head).await;
            "the head of another stream".to_owned()
        }
        8 => {
            for body in documents.iter().filter(|d| d["stream"] == stream.as_str()) {
                delete(rt, body).await;
            }
            if dice.roll(2) == 1 {
                delete(rt, &body_of(documents, "streams", &stream).unwrap()).await;
            }
            "a stream deleted".to_owned()
        }
        9 => {
            let mut registration = body_of(documents, "streams", &stream).unwrap();
            edit(&mut registration, dice);
            put(rt, &registration).await;
            if registration["id"] != stream.as_str() {
                delete(rt, &body_of(documents, "streams", &stream).unwrap()).await;
            }
            format!("registration edited: {registration}")
        }
        10 => {
            batch["forged"] = json!(true);
            put(rt, &batch).await;
            "a field added".to_owned()
        }
        12 | 13 => {
            let mut one = documents[dice.roll(documents.len())].clone();
            let field = ["expiresAt", "ttl"][dice.roll(2)];
            one[field] = changed(&one[field], dice);
            put(rt, &one).await;
            format!("{field} of {} edited", one["id"])
        }
        14 => {
            delete(rt, &body_of(documents, "settings", rt.app.config.environment.as_str()).unwrap()).await;
            "the record of the settings deleted".to_owned()
        }
        15 => {
            let mut record = body_of(documents, "settings", rt.app.config.environment.as_str()).unwrap();
            if dice.roll(2) == 0 {
                edit(&mut record["settings"], dice)
            } else {
                edit(&mut record, dice)
            }
            put(rt, &record).await;
            format!("the record of the settings edited: {record}")
        }
        16 => {
            let key = rt.app.audit.keys().await.unwrap().remove(0);
            let before = BTreeMap::from([("ttl_multiplier".to_owned(), "another".to_owned())]);
            put(rt, &json!(SettingsRecord::new(rt.app.config.environment.as_str(), 1, rt.clock_now(), before, 730, &key))).await;
            "an older record of the settings put back".to_owned()
        }
        _ => {
            let other = batches.iter().find(|d| d["stream"] != stream.as_str()).unwrap();
            let mut moved = (**other).clone();
            (moved["stream"], moved["id"]) = (json!(stream), batch["id"].clone());
            put(rt, &moved).await;
            "a batch from another stream".to_owned()
        }
    }
}

async fn restore(rt: &Rtvoice, documents: &[Value]) {
    for body in rt.documents_in(Container::Audit) {
        if !documents.contains(&body) {
            delete(rt, &body).await;
        }
    }
    for body in documents {
        put(rt, body).await;
    }
}

#[tokio::test]
async fn each_of_a_hundred_tamperings_is_found() {
    let rt = three_streams().await;
    let documents = rt.documents_in(Container::Audit);
    let sound = verify(&rt.app).await.unwrap();
    assert!(sound.findings.is_empty(), "{:?}", sound.findings);
    assert!(sound.streams == 3 && sound.entries >= 72 && sound.head.is_some(), "{sound:?}");
    let mut dice = Dice(20_260_310);
    for n in 0..170 {
        let done = tamper(&rt, &documents, n % 17, &mut dice).await;
        assert_ne!(rt.documents_in(Container::Audit), documents, "{done}");
        let seen = verify(&rt.app).await.unwrap();
        assert!(!seen.findings.is_empty(), "not found: {done}");
        restore(&rt, &documents).await;
    }
    assert!(verify(&rt.app).await.unwrap().findings.is_empty());
    rt.finish().await;
}

#[tokio::test]
async fn a_finding_names_stream_and_number() {
    let rt = three_streams().await;
    let documents = rt.documents_in(Container::Audit);
    let mut batch = documents.iter().filter(|d| d["entries"].is_array()).nth(1).unwrap().clone();
    let (stream, seq) = (batch["stream"].as_str().unwrap().to_owned(), batch["entries"][2]["seq"].as_u64().unwrap());
    batch["entries"].as_array_mut().unwrap().remove(2);
    put(&rt, &batch).await;
    let findings = verify(&rt.app).await.unwrap().findings;
    assert!(findings.iter().any(|f| f.stream == stream && f.seq == Some(seq) && f.what == "missing"), "{findings:?}");
    rt.finish().await;
}

/// Who rewrites a batch with everything that follows, but has no key, is found; and so is another key.
#[tokio::test]
async fn who_has_no_key_cannot_rewrite_it() {
    let rt = three_streams().await;
    let forger = Audit::new(Parts {
        documents: Arc::clone(&rt.app.documents),
        keys: Arc::new(vec![Key::new(b"another key")]),
        clock: Arc::clone(&rt.app.clock),
        sample: 1.0,
        days: 730,
        queue: None,
        metrics: Arc::default(),
    });
    forger.note(Note::new("test.forged")).await.unwrap();
    forger.close().await.unwrap();
    let findings = verify(&rt.app).await.unwrap().findings;
    assert!(findings.iter().any(|f| f.what == "unknown-key"), "{findings:?}");
    rt.finish().await;
}

/// What is written by a log of its own, with its faults.
fn apart(rt: &Rtvoice, queue: usize) -> (Audit, Switch) {
    let switch = Switch::default();
    let documents = Arc::new(Switchable { inner: Arc::clone(&rt.app.documents), switch: switch.clone() });
    let clock = Arc::clone(&rt.app.clock) as Arc<dyn Clock>;
    (Audit::new(Parts { documents, keys: Arc::clone(&rt.app.vault) as _, clock, sample: 1.0, days: 730, queue: Some(queue), metrics: Arc::default() }), switch)
}

fn entries(rt: &Rtvoice, action: &str) -> Vec<Value> {
    let batches = rt.documents_in(Container::Audit);
    let all = batches.iter().flat_map(|d| d["entries"].as_array().cloned().unwrap_or_default());
    all.filter(|e| e["action"] == action).collect()
}

#[tokio::test]
async fn while_the_record_is_away_entries_are_kept_and_written_later() {
    let rt = Rtvoice::start();
    let (audit, faults) = apart(&rt, 1000);
    faults.fail(Fault::Away);
    for _ in 0..50 {
        audit.note(Note::new("test.kept")).await.unwrap();
    }
    eventually("the writer has tried", String::new, async || (!faults.calls().is_empty()).then_some(())).await;
    assert!(entries(&rt, "test.kept").is_empty());
    faults.heal();
    eventually("they are written", String::new, async || (entries(&rt, "test.kept").len() == 50).then_some(())).await;
    // A write whose answer is lost is not written twice.
    faults.fail_in("insert", Fault::AnswerLost);
    audit.note(Note::new("test.once")).await.unwrap();
    eventually("it was written", String::new, async || (!entries(&rt, "test.once").is_empty()).then_some(())).await;
    faults.heal();
    audit.close().await.unwrap();
    assert_eq!(entries(&rt, "test.once").len(), 1);
    let findings = verify(&rt.app).await.unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
    rt.finish().await;
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_personal_and_leaves_out_the_rest() {
    let rt = Rtvoice::start();
    let (audit, faults) = apart(&rt, 4);
    faults.fail(Fault::Away);
    let refused = eventually("the queue is full", String::new, async || audit.note(Note::new("test.full")).await.err()).await;
    assert_eq!(refused.kind, Kind::Unavailable);
    assert!(audit.room(true).await.is_err());
    audit.note(Note::new("test.idle").impersonal()).await.unwrap();
    assert_eq!(audit.left_out(), 1);
    faults.heal();
    eventually("there is room again", String::new, async || audit.note(Note::new("test.full")).await.ok()).await;
    audit.close().await.unwrap();
    let told = entries(&rt, "audit.left_out");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["count"], 1);
    assert!(verify(&rt.app).await.unwrap().findings.is_empty());
    rt.finish().await;
}

#[tokio::test]
async fn a_share_of_the_impersonal_is_noted() {
    let rt = Rtvoice::with(&[("AUDIT_SAMPLE", "0.25")]);
    for _ in 0..100 {
        rt.app.audit.note(Note::new("test.sampled").impersonal()).await.unwrap();
    }
    rt.app.audit.note(Note::new("test.personal")).await.unwrap();
    rt.app.audit.flush().await.unwrap();
    assert_eq!((entries(&rt, "test.sampled").len(), entries(&rt, "test.personal").len()), (25, 1));
    rt.finish().await;
}

/// Entries of a turn name their function and the call, and share its correlation id; nothing that was said and no key stands
/// in them.
#[tokio::test]
async fn entries_tell_who_and_why_but_no_words() {
    let rt = Rtvoice::start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [("content-type", "application/json"), ("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01") as &str)];
    rt.send(
        axum::http::Method::POST,
        "/api/calls/call-very-secret/turns",
        &headers,
        json!({"turnId": "t1", "text": "Hello from the very secret one"}).to_string(),
    )
    .await
    .ok();
    rt.quiesce().await;
    rt.app.audit.close().await.unwrap();
    let text = json!(rt.documents_in(Container::Audit)).to_string();
    assert!(!text.contains("very secret") && !text.contains(":call-very-secret"), "{text}");
    let mine: Vec<Value> = entries(&rt, "embedded.write").into_iter().filter(|e| e["correlationId"] == trace).collect();
    assert!(mine.iter().any(|e| e["actor"] == "function:ConversationTurn" && e["calls"] == json!(["call-very-secret"])), "{mine:?}");
    let places: Vec<&str> = mine.iter().filter_map(|e| e["places"].as_array()).flatten().map(|place| place.as_str().unwrap()).collect();
    assert!(["call:session", "conversation:history", "conversation:turns", "conversation:outbox"].iter().all(|place| places.contains(place)), "{places:?}");
    rt.deliver_queue().await;
    rt.finish().await;
}

#[tokio::test]
async fn a_change_of_the_settings_is_noted() {
    let rt = Rtvoice::start();
    for _ in 0..2 {
        rtvoice::steps::audit::settings(&rt.app).await.unwrap();
    }
    let last = rt.documents_in(Container::Audit).into_iter().find(|d| d["stream"] == "settings").unwrap();
    let mut other: BTreeMap<String, String> = serde_json::from_value(last["settings"].clone()).unwrap();
    other.insert("ttl_multiplier".to_owned(), "another".to_owned());
    let key = rt.app.audit.keys().await.unwrap().remove(0);
    put(&rt, &json!(SettingsRecord::new(rt.app.config.environment.as_str(), 1, rt.clock_now(), other, 730, &key))).await;
    for _ in 0..2 {
        rtvoice::steps::audit::settings(&rt.app).await.unwrap();
    }
    rt.app.audit.flush().await.unwrap();
    let changes = entries(&rt, "settings.change");
    assert_eq!((entries(&rt, "settings.first").len(), changes.len(), &changes[0]["key"]), (1, 1, &json!("setting:ttl_multiplier")));
    // Whoever has no key changes the record: the next start overwrites it, and says so.
    let mut forged = rt.documents_in(Container::Audit).into_iter().find(|d| d["stream"] == "settings").unwrap();
    forged["settings"]["ttl_multiplier"] = json!("forged");
    put(&rt, &forged).await;
    for _ in 0..2 {
        rtvoice::steps::audit::settings(&rt.app).await.unwrap();
    }
    rt.quiesce().await;
    rt.app.audit.flush().await.unwrap();
    assert_eq!((entries(&rt, "settings.refused").len(), rt.documents_in(Container::Breaches).len()), (1, 1));
    assert!(verify(&rt.app).await.unwrap().findings.is_empty(), "what stands there now is sound");
    rt.finish().await;
}

#[tokio::test]
async fn who_looks_at_a_profile_is_noted() {
    let rt = Rtvoice::start();
    let token = format!("u1-{:032x}", 5);
    rt.get(&format!("/api/users/{token}")).await.problem(404, "not-found", "");
    rt.patch(&format!("/api/users/{token}"), &json!({"language": "en-GB"})).await.ok();
    rt.app.audit.flush().await.unwrap();
    for action in ["profile.read", "profile.change"] {
        let found = entries(&rt, action);
        assert_eq!((found.len(), &found[0]["subject"], &found[0]["actor"]), (1, &json!(token), &json!("function:UserProfile")));
    }
    rt.finish().await;
}

/// A process that is killed loses at most its last second, and what it leaves is no finding; a gap in it is.
#[tokio::test]
async fn a_killed_process_leaves_no_finding() {
    let handler = Handler::start(Vec::new()).await;
    let turn = async |n: u32| handler.send("POST", "/api/calls/call-1/turns", Some(&json!({"turnId": format!("t{n}"), "text": "Hello"}))).await;
    let documents = Arc::clone(&handler.app().documents);
    let count = async || {
        let page = documents.scan(Container::Audit, None, 1000).await.unwrap();
        page.documents.iter().filter_map(|d| Some(d.body["entries"].as_array()?.len())).sum::<usize>()
    };
    turn(0).await.unwrap();
    eventually("the first turn is in the log", || handler.output(), async || (count().await > 3).then_some(())).await;
    for n in 1..20 {
        turn(n).await.unwrap();
    }
    handler.kill();
    let left = verify(handler.app()).await.unwrap();
    assert!(left.findings.is_empty() && left.entries > 3, "{left:?}");
    handler.restart().await;
    turn(20).await.unwrap();
    eventually("two streams", || handler.output(), async || (verify(handler.app()).await.unwrap().streams >= 2).then_some(())).await;
    handler.kill();
    let page = documents.scan(Container::Audit, None, 1000).await.unwrap();
    let batch = page.documents.iter().find(|d| d.body["entries"].as_array().is_some_and(|e| e.len() > 2)).unwrap();
    let mut body = batch.body.clone();
    body["entries"].as_array_mut().unwrap().remove(1);
    documents.put(Container::Audit, &body, Condition::Always).await.unwrap();
    assert!(verify(handler.app()).await.unwrap().findings.iter().any(|f| f.what == "missing"));
}
