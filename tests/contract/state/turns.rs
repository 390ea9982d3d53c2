//! Turns: committing and loading.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use rtvoice::model::call::{CallStatus, Effect, field};
use rtvoice::model::conversation::{CONTEXT_BYTES, CONTEXT_KEYS, Committed, ContextPatch, Loaded, PROFILE_KEY, REBUILT_KEY, TurnCommit};
use rtvoice::ports::state::Pending;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use serde_json::json;

use super::bench::{Bench, START, call_id, end, entry, patch, turn_id, user_id};

pub async fn turns_are_numbered_and_remembered(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    assert_eq!(b.turn(&call, "t1").await, Committed::New(1));
    b.clock.advance_millis(1000);
    assert_eq!(b.turn(&call, "t2").await, Committed::New(2));
    let loaded = b.state.load(&call, &turn_id("t1")).await.unwrap();
    assert_eq!(loaded.window.seqs, [1, 2]);
    assert_eq!(loaded.window.entries, [entry("t1"), entry("t2")]);
    assert_eq!(loaded.saved, Some((1, entry("t1"))));
    let session = b.session(&call).await;
    assert_eq!((session.last_seq(), session.status(), loaded.status), (2, CallStatus::Connected, Some(CallStatus::Connected)));
    assert_eq!(session.time(field::LAST_ACTIVITY), Some(START.plus_millis(1000)));
    let outbox = b.outbox(&call).await;
    let shown: Vec<_> = outbox.iter().map(|e| (e.field.as_str(), e.since)).collect();
    assert_eq!(shown, [("t:t1", START), ("t:t2", START.plus_millis(1000))]);
    assert_eq!(outbox[1].pending, Pending::Turn { seq: 2, rev: 0, entry: entry("t2") });
}

/// Commits these turns at once.
async fn at_once(b: &Bench, ids: Vec<String>) -> Vec<Committed> {
    let tasks = ids.into_iter().map(|id| {
        let state = Arc::clone(&b.state);
        let turn = TurnCommit::new(call_id("c1"), entry(&id), ContextPatch::default(), START);
        tokio::spawn(async move { state.commit(&turn).await.unwrap() })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

pub async fn fifty_copies_of_one_turn_are_one_turn(b: &Bench) {
    let mut answers = at_once(b, vec!["t1".to_owned(); 50]).await;
    answers.retain(|answer| *answer != Committed::New(1));
    assert_eq!(answers, vec![Committed::Known(1, entry("t1")); 49]);
    let call = call_id("c1");
    assert_eq!((b.load(&call).await.window.entries.len(), b.session(&call).await.last_seq()), (1, 1));
}

pub async fn concurrent_turns_get_consecutive_numbers(b: &Bench) {
    let answers = at_once(b, (0..20).map(|n| format!("t{n}")).collect()).await;
    let seqs: BTreeSet<u64> = answers.iter().map(|a| if let Committed::New(seq) = a { *seq } else { panic!("{a:?}") }).collect();
    assert_eq!(seqs, (1..=20).collect());
    let kept = b.state.history(&call_id("c1"), 0, 100).await.unwrap().entries;
    assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    for (seq, entry) in &kept {
        let n: usize = entry.turn_id[1..].parse().unwrap();
        assert_eq!(answers[n], Committed::New(*seq), "the number in the answer is the place in the history");
    }
}

pub async fn a_known_turn_gets_the_first_answer(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    let before = b.load(&call).await;
    b.clock.advance_millis(1000);
    let mut other = entry("t1");
    other.words.user = Some("something else".to_owned());
    let again = TurnCommit::new(call.clone(), other, patch(&json!({"a": 1})), b.now());
    assert_eq!(b.state.commit(&again).await.unwrap(), Committed::Known(1, entry("t1")));
    assert_eq!(b.load(&call).await, before, "nothing changed");
    assert_eq!(b.outbox(&call).await.len(), 1);
}

pub async fn a_known_turn_is_answered_after_the_end(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.apply(&call, Some("e1"), end("gone")).await;
    assert_eq!(b.turn(&call, "t1").await, Committed::Known(1, entry("t1")));
    assert_eq!(b.turn(&call, "t2").await, Committed::Ended);
    assert_eq!(b.load(&call).await.window.seqs, [1]);
}

pub async fn an_unknown_call_is_opened_provisionally(b: &Bench) {
    let call = call_id("c1");
    assert_eq!(b.turn(&call, "t1").await, Committed::New(1));
    let session = b.session(&call).await;
    assert_eq!((session.status(), session.time(field::OPENED_AT)), (CallStatus::Provisional, Some(START)));
    let connected = b.apply(&call, Some("e1"), Effect::Connect).await.session.unwrap();
    assert_eq!((connected.status(), connected.last_seq()), (CallStatus::Connected, 1));
    assert_eq!(b.turn(&call, "t2").await, Committed::New(2));
}

pub async fn a_context_that_never_expired_is_not_rebuilt(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.turn(&call, "t2").await;
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.turn(&call, "t3").await;
    assert!(!b.load(&call).await.context.contains_key(REBUILT_KEY), "a call may begin without anything in its context");
}

pub async fn a_context_within_its_limits_is_taken(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.state.attach_profile(&call, &"p".repeat(CONTEXT_BYTES)).await.unwrap();
    let keys: serde_json::Map<_, _> = (0..CONTEXT_KEYS).map(|n| (format!("k{n}"), json!(n))).collect();
    assert_eq!(b.turn_with(&call, "t1", patch(&keys.into())).await, Committed::New(1), "our own keys do not count");
    let nulls: serde_json::Map<_, _> = (0..CONTEXT_KEYS).map(|n| (format!("k{n}"), json!(null))).collect();
    assert_eq!(b.turn_with(&call, "t2", patch(&nulls.into())).await, Committed::New(2));
    // A key of 1 byte, and a value of two quotes and the rest.
    let whole = json!({"k": "v".repeat(CONTEXT_BYTES - 3)});
    assert_eq!(b.turn_with(&call, "t3", patch(&whole)).await, Committed::New(3));
    assert_eq!(b.turn_with(&call, "t4", patch(&whole)).await, Committed::New(4), "a value that is replaced counts once");
}

pub async fn a_context_above_its_limits_changes_nothing(b: &Bench) {
    let call = call_id("c1");
    let keys: serde_json::Map<_, _> = (0..CONTEXT_KEYS).map(|n| (format!("k{n}"), json!(n))).collect();
    b.turn_with(&call, "t1", patch(&keys.into())).await;
    let before = b.load(&call).await;
    assert_eq!(b.turn_with(&call, "t2", patch(&json!({"one-more": 1}))).await, Committed::ContextFull);
    assert_eq!(b.turn_with(&call, "t2", patch(&json!({"k1": "v".repeat(CONTEXT_BYTES - 4)}))).await, Committed::ContextFull);
    assert_eq!(b.load(&call).await, before);
    assert_eq!(b.outbox(&call).await.len(), 1);
    let swapped = patch(&json!({"one-more": 1, "k0": null}));
    assert_eq!(b.turn_with(&call, "t2", swapped).await, Committed::New(2), "what counts is the result");
}

pub async fn a_patch_sets_replaces_and_removes(b: &Bench) {
    let call = call_id("c1");
    b.turn_with(&call, "t1", patch(&json!({"a": {"deep": [1, null]}, "b": "ü\n", "c": 1.5}))).await;
    b.turn_with(&call, "t2", patch(&json!({"a": null, "b": false, "absent": null}))).await;
    let mut context = b.load(&call).await.context;
    context.retain(|key, _| !key.starts_with('_'));
    assert_eq!(context.into_iter().collect::<Vec<_>>(), [("b".to_owned(), "false".to_owned()), ("c".to_owned(), "1.5".to_owned())]);
}

pub async fn the_user_follows_the_patch(b: &Bench) {
    let call = call_id("c1");
    let phone = Effect::Participants { sequence: 1, participants: "[]".to_owned(), phone_user: Some(user_id("tel-1")) };
    b.apply(&call, Some("e1"), phone).await;
    for (id, change, user) in [
        ("t1", json!({}), "tel-1"),
        ("t2", json!({"user_id": "ada"}), "ada"),
        ("t3", json!({"other": 1}), "ada"),
        ("t4", json!({"user_id": "grace"}), "grace"),
        ("t5", json!({"user_id": null}), "tel-1"),
    ] {
        b.turn_with(&call, id, patch(&change)).await;
        assert_eq!(b.session(&call).await.user(), Some(user_id(user)), "{id}");
    }
}

pub async fn an_expired_context_is_rebuilt_and_says_so(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.turn_with(&call, "t1", patch(&json!({"a": 1}))).await;
    b.state.attach_profile(&call, "{}").await.unwrap();
    assert!(!b.load(&call).await.context.contains_key(REBUILT_KEY));
    b.expire(&call, CallKey::Context);
    assert!(b.load(&call).await.context.is_empty());
    b.clock.advance_millis(1000);
    assert_eq!(b.turn_with(&call, "t2", patch(&json!({"b": 2}))).await, Committed::New(2));
    let context = b.load(&call).await.context;
    assert_eq!(context.get(REBUILT_KEY), Some(&START.plus_millis(1000).millis().to_string()));
    assert_eq!((context.get("a"), context.get(PROFILE_KEY), context.get("b").map(String::as_str)), (None, None, Some("2")));
}

pub async fn the_window_is_bounded(b: &Bench) {
    let call = call_id("c1");
    let window = b.config.look_back();
    for n in 1..=window + 5 {
        b.turn(&call, &format!("t{n}")).await;
    }
    let loaded = b.state.load(&call, &turn_id("t2")).await.unwrap();
    assert_eq!(loaded.window.entries.len(), window);
    assert_eq!(loaded.window.seqs, (6..=window as u64 + 5).collect::<Vec<_>>());
    assert_eq!(loaded.window.entries[0], entry("t6"));
    assert_eq!(loaded.saved, Some((2, entry("t2"))), "also outside the window");
}

pub async fn an_unknown_call_loads_as_nothing(b: &Bench) {
    assert_eq!(b.load(&call_id("c1")).await, Loaded::default());
    assert_eq!(b.beneath.keys(&b.keys.root()), []);
}

pub async fn a_turn_gives_every_key_its_life(b: &Bench) {
    let call = call_id("c1");
    b.apply(&call, Some("e1"), Effect::Note).await;
    for id in ["t1", "t2"] {
        b.turn_with(&call, id, patch(&json!({"a": 1}))).await;
        let sliding = [CallKey::Session, CallKey::Events, CallKey::History, CallKey::Turns];
        for key in sliding {
            b.assert_life_of(&call, key, TtlPolicy::SessionHistory);
        }
        b.assert_life_of(&call, CallKey::Context, TtlPolicy::ConversationContext);
        b.assert_life_of(&call, CallKey::Outbox, TtlPolicy::Outbox);
        for key in sliding.into_iter().chain([CallKey::Context]) {
            b.beneath.set_life(&b.keys.call(&call, key), 100);
        }
    }
}
