//! Random stories of a few calls on the state port, each step compared with a plain model.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use rtvoice::model::call::{Effect, field};
use rtvoice::model::conversation::{Committed, ContextPatch, REBUILT_KEY};
use rtvoice::ports::state::keys::CallKey;
use rtvoice::ports::state::{Closing, Pending};
use serde_json::json;

use super::model::{Answer, Call, Event, Step};
use crate::contract::state::bench::{Backend, Bench, call_id, entry, patch};
use crate::contract::state::on_embedded::OnFile;

const CALLS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let event = prop_oneof![
        3 => Just(Event::Connect),
        1 => (0..3u8).prop_map(Event::End),
        2 => (0..3u8).prop_map(Event::Note),
        2 => (0..5i64).prop_map(Event::Participants),
    ];
    prop_oneof![
        4 => (prop::option::of(0..6u8), event).prop_map(|(id, event)| Step::Apply(id, event)),
        6 => (0..6u8, prop::option::of((0..3u8, any::<bool>()))).prop_map(|(turn, change)| Step::Commit(turn, change)),
        3 => prop::option::weighted(0.8, 0..6u8).prop_map(Step::Settle),
        1 => any::<bool>().prop_map(Step::Close),
        1 => Just(Step::Forget),
    ]
}

fn turn_name(turn: u8) -> String {
    format!("t{turn}")
}

fn outbox_name(message: Option<u8>) -> String {
    message.map_or_else(|| "ended".to_owned(), |turn| format!("t:{}", turn_name(turn)))
}

/// Does one step on the port and on the model, and compares what came of it.
async fn take(b: &Bench, n: usize, call: &mut Call, step: &Step) {
    let id = call_id(&format!("c{n}"));
    match step {
        Step::Apply(event_id, event) => {
            let (effect, fields) = match event {
                Event::Connect => (Effect::Connect, Vec::new()),
                Event::End(reason) => (Effect::End { reason: reason.to_string() }, Vec::new()),
                Event::Note(value) => (Effect::Note, vec![(field::SERVER_CALL_ID, value.to_string())]),
                Event::Participants(sequence) => {
                    (Effect::Participants { sequence: *sequence, participants: sequence.to_string(), phone_user: None }, Vec::new())
                }
            };
            let event_id = event_id.map(|id| format!("e{id}"));
            assert_eq!(b.apply_with(&id, event_id.as_deref(), effect, fields).await.outcome, call.apply(event_id.map(|id| id.as_bytes()[1] - b'0'), event));
        }
        Step::Commit(turn, change) => {
            let seq = call.turns.len() + 1;
            let change_json = change.map(|(key, set)| patch(&json!({format!("k{key}"): if set { json!(seq) } else { json!(null) }})));
            let answer = match b.turn_with(&id, &turn_name(*turn), change_json.unwrap_or_else(ContextPatch::default)).await {
                Committed::New(seq) => Answer::New(seq),
                Committed::Known(seq, known) => {
                    assert_eq!(known, entry(&turn_name(*turn)));
                    Answer::Known(seq)
                }
                Committed::Ended => Answer::Ended,
                other => panic!("nothing is full, sealed or revised here: {other:?}"),
            };
            assert_eq!(answer, call.commit(*turn, *change));
        }
        Step::Settle(message) => {
            b.state.settle(&id, &outbox_name(*message), 0, None).await.unwrap();
            call.outbox.remove(message);
        }
        Step::Close(withheld) => {
            let mut archived_fields: Vec<String> = call.outbox.iter().map(|message| outbox_name(*message)).collect();
            let mut archived_entries = call.turns.len() as u64;
            if *withheld && archived_fields.pop().is_none() {
                archived_entries = archived_entries.saturating_sub(1);
            }
            let closing = Closing { call: id, summary: "{}".to_owned(), archived_fields, archived_entries };
            assert_eq!(b.state.close(&closing).await.unwrap(), call.close(*withheld));
        }
        Step::Forget => {
            if call.forget() {
                b.expire(&id, CallKey::Context);
            }
        }
    }
}

/// Compares all that the port tells of a call with the model.
async fn compare(b: &Bench, n: usize, call: &Call) {
    let id = call_id(&format!("c{n}"));
    let loaded = b.load(&id).await;
    assert_eq!(loaded.archived, call.archived);
    let session = b.state.facts(&id).await.expect("a session or none");
    assert_eq!((loaded.status, session.as_ref().map(|s| s.status())), (call.status, call.status));
    let get = |name: &str| session.as_ref().and_then(|s| s.get(name)).map(str::to_owned);
    assert_eq!(get(field::END_REASON), call.reason.map(|n| n.to_string()));
    assert_eq!(get(field::SERVER_CALL_ID), call.note.map(|n| n.to_string()));
    assert_eq!(get(field::PARTICIPANTS), call.participants.map(|n| n.to_string()));
    assert_eq!(session.as_ref().map_or(0, |s| s.last_seq()), call.turns.len() as u64);
    let from = call.turns.len().saturating_sub(b.config.look_back());
    assert_eq!(loaded.window.seqs, (from as u64 + 1..=call.turns.len() as u64).collect::<Vec<_>>());
    assert_eq!(loaded.window.entries, call.turns[from..].iter().map(|turn| entry(&turn_name(*turn))).collect::<Vec<_>>());
    assert_eq!(loaded.context.contains_key(REBUILT_KEY), call.rebuilt);
    let mine = loaded.context.into_iter().filter(|(key, _)| !key.starts_with('_'));
    assert_eq!(mine.collect::<Vec<_>>(), call.context.iter().map(|(key, seq)| (format!("k{key}"), seq.to_string())).collect::<Vec<_>>());
    let outbox = b.outbox(&id).await;
    let mut waiting: Vec<_> = call.outbox.iter().map(|message| outbox_name(*message)).collect();
    let mut shown: Vec<_> = outbox.iter().map(|e| e.field.clone()).collect();
    waiting.sort();
    shown.sort();
    assert_eq!(shown, waiting);
    for message in outbox {
        if let Pending::Turn { seq, entry, .. } = message.pending {
            assert_eq!(entry.turn_id, turn_name(call.turns[usize::try_from(seq).unwrap() - 1]));
        }
    }
}

/// Plays `cases` stories, each on a state of its own.
pub fn stories<B: Backend>(cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Cases { cases, failure_persistence: None, max_shrink_iters: 500, ..Cases::default() });
    let story = vec((0..CALLS, step()), 1..40);
    let outcome = runner.run(&story, |story| {
        let bench = Bench::start::<B>();
        runtime.block_on(async {
            let mut calls = vec![Call::default(); CALLS];
            for (n, step) in &story {
                take(&bench, *n, &mut calls[*n], step).await;
                bench.clock.advance_millis(10);
                compare(&bench, *n, &calls[*n]).await;
            }
        });
        bench.no_leftovers();
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn stories_on_the_embedded_file_follow_the_model() {
    stories::<OnFile>(64);
}
