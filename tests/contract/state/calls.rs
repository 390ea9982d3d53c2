//! Events on calls.

use std::sync::Arc;

use futures::future::join_all;
use rtvoice::model::call::{CallChange, CallStatus, Effect, Outcome, field};
use rtvoice::model::conversation::{Committed, PROFILE_KEY, REBUILT_KEY};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use rtvoice::ports::state::{Closing, Known, Pending};

use super::bench::{Bench, START, call_id, end, user_id};

fn participants(sequence: i64, names: &str, phone: Option<&str>) -> Effect {
    Effect::Participants { sequence, participants: names.to_owned(), phone_user: phone.map(user_id) }
}

pub async fn an_unknown_call_registers_as_nothing(b: &Bench) {
    let call = call_id("c1");
    assert_eq!(b.state.register(&call, START).await.unwrap(), Known::Nothing);
    let partition = b.keys.open_calls_of(&call);
    b.assert_life(&partition, TtlPolicy::OpenCalls);
    assert_eq!(b.beneath.keys(&b.keys.root()).len(), 1, "registering writes nothing else");
}

pub async fn register_tells_an_open_session(b: &Bench) {
    let call = call_id("c1");
    let applied = b.apply(&call, Some("e1"), Effect::Connect).await;
    assert_eq!(b.state.register(&call, START).await.unwrap(), Known::Open(applied.session.unwrap()));
}

pub async fn connect_opens_the_call_and_its_context(b: &Bench) {
    let call = call_id("c1");
    let fields = vec![(field::SERVER_CALL_ID, "server 1".to_owned()), (field::DIRECTION, "inbound".to_owned())];
    let applied = b.apply_with(&call, Some("e1"), Effect::Connect, fields).await;
    assert_eq!(applied.outcome, Outcome::Applied);
    let session = applied.session.unwrap();
    assert_eq!(session.status(), CallStatus::Connected);
    assert_eq!(session.time(field::CONNECTED_AT), Some(START.plus_millis(-250)));
    assert_eq!(session.time(field::OPENED_AT), Some(START));
    assert_eq!(session.time(field::LAST_ACTIVITY), Some(START));
    assert_eq!((session.get(field::SERVER_CALL_ID), session.get(field::DIRECTION)), (Some("server 1"), Some("inbound")));
    let loaded = b.load(&call).await;
    assert_eq!((b.session(&call).await, loaded.status), (session, Some(CallStatus::Connected)));
    assert_eq!(loaded.context.keys().collect::<Vec<_>>(), ["_createdAt"]);
    b.assert_life_of(&call, CallKey::Session, TtlPolicy::SessionHistory);
    b.assert_life_of(&call, CallKey::Events, TtlPolicy::SessionHistory);
    b.assert_life_of(&call, CallKey::Context, TtlPolicy::ConversationContext);
}

pub async fn connect_keeps_the_first_time(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.clock.advance_millis(5000);
    let session = b.apply_with(&call, Some("e2"), Effect::Connect, vec![(field::CORRELATION_ID, "x".to_owned())]).await.session.unwrap();
    assert_eq!(session.time(field::CONNECTED_AT), Some(START.plus_millis(-250)));
    assert_eq!(session.time(field::OPENED_AT), Some(START));
    assert_eq!(session.time(field::LAST_ACTIVITY), Some(START.plus_millis(5000)));
    assert_eq!(session.get(field::CORRELATION_ID), Some("x"));
}

pub async fn an_event_id_is_taken_once(b: &Bench) {
    let call = call_id("c1");
    let first = b.apply_with(&call, Some("e1"), Effect::Note, vec![(field::DIRECTION, "inbound".to_owned())]).await;
    assert_eq!(first.session.as_ref().unwrap().status(), CallStatus::Provisional);
    b.clock.advance_millis(5000);
    let again = b.apply_with(&call, Some("e1"), end("late"), vec![(field::DIRECTION, "outbound".to_owned())]).await;
    assert_eq!(again.outcome, Outcome::Duplicate);
    assert_eq!(again.session, first.session);
    assert_eq!(b.outbox(&call).await, []);
}

pub async fn a_duplicate_touches_no_life(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    let session = b.keys.call(&call, CallKey::Session);
    b.beneath.set_life(&session, 500);
    b.apply(&call, Some("e1"), Effect::Connect).await;
    assert!(b.life(&session).is_some_and(|left| left <= 500));
}

pub async fn an_event_id_counts_within_its_call(b: &Bench) {
    assert_eq!(b.apply(&call_id("c1"), Some("e1"), Effect::Connect).await.outcome, Outcome::Applied);
    assert_eq!(b.apply(&call_id("c2"), Some("e1"), Effect::Connect).await.outcome, Outcome::Applied);
}

pub async fn changes_without_an_event_id_are_all_taken(b: &Bench) {
    let call = call_id("c1");
    for value in ["one", "two"] {
        let applied = b.apply_with(&call, None, Effect::Note, vec![(field::LEGACY, value.to_owned())]).await;
        assert_eq!(applied.outcome, Outcome::Applied);
        assert_eq!(applied.session.unwrap().get(field::LEGACY), Some(value));
    }
    assert_eq!(b.life_of(&call, CallKey::Events), None);
}

pub async fn one_of_many_concurrent_copies_is_taken(b: &Bench) {
    let change = CallChange { call: call_id("c1"), event_id: Some("e1".to_owned()), at: START, now: START, effect: end("gone"), fields: Vec::new(), key: None };
    let copies = (0..20).map(|_| {
        let (state, change) = (Arc::clone(&b.state), change.clone());
        tokio::spawn(async move { state.apply(&change).await.unwrap().outcome })
    });
    let outcomes: Vec<Outcome> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Applied).count(), 1);
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Duplicate).count(), 19);
}

pub async fn an_end_is_kept_and_raises_lives(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.turn(&call, "t1").await;
    b.clock.advance_millis(1000);
    let applied = b.apply(&call, Some("e2"), end("CallDisconnected")).await;
    assert_eq!(applied.outcome, Outcome::Applied);
    let session = applied.session.unwrap();
    assert_eq!(session.status(), CallStatus::Ended);
    assert_eq!(session.get(field::END_REASON), Some("CallDisconnected"));
    assert_eq!(session.time(field::ENDED_AT), Some(START.plus_millis(750)));
    assert_eq!(session.last_seq(), 1);
    for key in [CallKey::Session, CallKey::Events, CallKey::History, CallKey::Turns] {
        b.assert_life_of(&call, key, TtlPolicy::Ended);
    }
    b.assert_life_of(&call, CallKey::Outbox, TtlPolicy::Outbox);
    let outbox = b.outbox(&call).await;
    let last = outbox.last().unwrap();
    assert_eq!((last.field.as_str(), last.since, &last.pending), ("ended", START.plus_millis(1000), &Pending::Ended));
    assert_eq!(outbox.len(), 2);
}

pub async fn an_ended_call_stays_ended(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    let ended = b.apply(&call, Some("e2"), end("first")).await.session.unwrap();
    b.clock.advance_millis(1000);
    for (id, effect) in [("e3", Effect::Connect), ("e4", end("second")), ("e5", Effect::Note), ("e6", participants(9, "[]", None))] {
        let applied = b.apply(&call, Some(id), effect).await;
        assert_eq!(applied.outcome, Outcome::AlreadyEnded);
        let session = applied.session.unwrap();
        assert_eq!(session.status(), CallStatus::Ended);
        assert_eq!(session.get(field::END_REASON), Some("first"));
        assert_eq!(session.time(field::ENDED_AT), ended.time(field::ENDED_AT));
        b.assert_life_of(&call, CallKey::Session, TtlPolicy::Ended);
        b.assert_life_of(&call, CallKey::Events, TtlPolicy::Ended);
    }
    assert_eq!(b.turn(&call, "t1").await, Committed::Ended);
    assert_eq!(b.apply(&call, Some("e4"), Effect::Connect).await.outcome, Outcome::Duplicate);
    assert_eq!(b.session(&call).await.status(), CallStatus::Ended);
    let outbox = b.outbox(&call).await;
    assert_eq!(outbox.iter().map(|e| (e.field.as_str(), e.since)).collect::<Vec<_>>(), [("ended", START)], "the end waits once, since the first");
}

pub async fn a_late_event_is_kept_as_a_note(b: &Bench) {
    let call = call_id("c1");
    b.apply_with(&call, Some("e1"), end("gone"), vec![(field::SERVER_CALL_ID, "first".to_owned())]).await;
    let late = |value: &str| vec![(field::SERVER_CALL_ID, value.to_owned()), (field::DIRECTION, value.to_owned())];
    let connected = b.apply_with(&call, Some("e2"), Effect::Connect, late("second")).await.session.unwrap();
    assert_eq!((connected.get(field::SERVER_CALL_ID), connected.get(field::DIRECTION)), (Some("first"), Some("second")));
    let noted = b.apply_with(&call, Some("e3"), Effect::Note, late("third")).await.session.unwrap();
    assert_eq!((noted.get(field::SERVER_CALL_ID), noted.get(field::DIRECTION)), (Some("third"), Some("third")));
}

pub async fn disconnected_before_connected_opens_and_ends(b: &Bench) {
    let call = call_id("c1");
    let applied = b.apply(&call, Some("e1"), end("CallDisconnected")).await;
    assert_eq!(applied.outcome, Outcome::Applied);
    let session = applied.session.unwrap();
    assert_eq!((session.status(), session.time(field::OPENED_AT), session.last_seq()), (CallStatus::Ended, Some(START), 0));
    assert_eq!(b.outbox(&call).await.len(), 1);
    assert_eq!(b.apply(&call, Some("e2"), Effect::Connect).await.outcome, Outcome::AlreadyEnded);
    assert_eq!(b.load(&call).await.status, Some(CallStatus::Ended));
}

pub async fn every_order_of_connect_turn_and_disconnect_keeps_its_word(b: &Bench) {
    for (n, order) in ["ctd", "cdt", "tcd", "tdc", "dct", "dtc"].iter().enumerate() {
        let call = call_id(&format!("c{n}"));
        let mut taken = false;
        for step in order.chars() {
            match step {
                'c' => drop(b.apply(&call, Some("connect"), Effect::Connect).await),
                'd' => drop(b.apply(&call, Some("disconnect"), end("gone")).await),
                _ => taken = b.turn(&call, "t1").await == Committed::New(1),
            }
        }
        assert_eq!(taken, order.find('t') < order.find('d'), "{order}: a turn is taken before the end alone");
        let loaded = b.load(&call).await;
        assert_eq!(loaded.status, Some(CallStatus::Ended), "{order}");
        assert_eq!(b.session(&call).await.last_seq(), u64::from(taken), "{order}");
        assert_eq!(loaded.window.seqs.len(), usize::from(taken), "{order}");
        let fields: Vec<String> = b.outbox(&call).await.into_iter().map(|e| e.field).collect();
        assert_eq!(fields, if taken { vec!["t:t1", "ended"] } else { vec!["ended"] }, "{order}");
    }
}

pub async fn a_stale_participants_report_is_ignored(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), participants(5, "[5]", Some("tel-1"))).await;
    for (id, sequence) in [("e2", 4), ("e3", 5), ("e4", -1)] {
        let stale = b.apply(&call, Some(id), participants(sequence, "[stale]", Some("tel-9"))).await.session.unwrap();
        assert_eq!((stale.get(field::PARTICIPANTS), stale.get(field::PHONE_USER)), (Some("[5]"), Some("tel-1")));
    }
    let later = b.apply(&call, Some("e5"), participants(10, "[10]", None)).await.session.unwrap();
    assert_eq!(later.get(field::PARTICIPANTS), Some("[10]"));
    assert_eq!(later.get(field::PARTICIPANTS_SEQ), Some("10"));
    assert_eq!(later.user(), Some(user_id("tel-1")), "a report without a phone keeps the user");
    assert_eq!(later.status(), CallStatus::Provisional);
}

pub async fn each_event_lets_the_call_live_on(b: &Bench) {
    let call = call_id("c1");
    let slides = [CallKey::Session, CallKey::Events, CallKey::History, CallKey::Turns];
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.turn(&call, "t1").await;
    assert!(b.keys.ttl(TtlPolicy::SessionHistory) >= b.config.call_idle_limit.as_secs() + 3600);
    for key in slides {
        b.beneath.set_life(&b.keys.call(&call, key), 100);
    }
    b.apply(&call, Some("e2"), Effect::Note).await;
    for key in slides {
        b.assert_life_of(&call, key, TtlPolicy::SessionHistory);
    }
}

pub async fn a_profile_that_opens_the_context_says_so(b: &Bench) {
    let (new, old) = (call_id("new"), call_id("old"));
    b.apply(&new, Some("e1"), Effect::Note).await;
    b.turn(&old, "t1").await;
    b.expire(&old, CallKey::Context);
    for (call, rebuilt) in [(&new, false), (&old, true)] {
        b.state.attach_profile(call, "{}").await.unwrap();
        let context = b.load(call).await.context;
        assert_eq!((context.contains_key("_createdAt"), context.contains_key(REBUILT_KEY)), (!rebuilt, rebuilt), "{context:?}");
    }
}

pub async fn the_profile_is_kept_in_an_open_call_alone(b: &Bench) {
    let (open, ended, unknown, archived) = (call_id("open"), call_id("ended"), call_id("unknown"), call_id("archived"));
    b.apply(&open, Some("e1"), Effect::Connect).await;
    b.apply(&ended, Some("e1"), end("gone")).await;
    let closing = Closing { call: archived.clone(), summary: "{}".to_owned(), archived_fields: Vec::new(), archived_entries: 0 };
    assert!(b.state.close(&closing).await.unwrap());
    for call in [&open, &ended, &unknown, &archived] {
        b.state.attach_profile(call, r#"{"name":"Ada"}"#).await.unwrap();
    }
    assert_eq!(b.load(&open).await.context.get(PROFILE_KEY).map(String::as_str), Some(r#"{"name":"Ada"}"#));
    b.assert_life_of(&open, CallKey::Context, TtlPolicy::ConversationContext);
    for call in [&ended, &unknown, &archived] {
        assert_eq!(b.life_of(call, CallKey::Context), None, "{call}");
    }
    let later = Timestamp::from_millis(b.now().millis());
    assert_eq!(b.state.register(&unknown, later).await.unwrap(), Known::Nothing);
}
