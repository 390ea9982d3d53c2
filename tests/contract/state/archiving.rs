//! What the archive reads and removes.

use rtvoice::model::call::{Effect, Outcome};
use rtvoice::model::conversation::Committed;
use rtvoice::model::ids::CallId;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use rtvoice::ports::state::{Closing, Known, StageTimes};

use super::bench::{Bench, call_id, end, entry, turn_id, worker_id};

fn closing(call: &CallId, fields: &[&str], entries: u64) -> Closing {
    let archived_fields = fields.iter().map(|&field| field.to_owned()).collect();
    Closing { call: call.clone(), summary: r#"{"turns":2}"#.to_owned(), archived_fields, archived_entries: entries }
}

/// A call with two turns that has ended, with every key that a call may have but the summary.
async fn ended_call(b: &Bench) -> CallId {
    let call = call_id("c1");
    b.state.register(&call, b.now()).await.unwrap();
    b.apply(&call, Some("e1"), Effect::Connect).await;
    b.turn(&call, "t1").await;
    b.turn(&call, "t2").await;
    b.apply(&call, Some("e2"), end("gone")).await;
    b.state.attempt_auth(&call, &Default::default(), 1).await.unwrap();
    b.state.claim(&call, &worker_id("w1"), None, "token", b.now()).await.unwrap().unwrap();
    call
}

pub async fn history_is_read_in_slices(b: &Bench) {
    let call = call_id("c1");
    for n in 1..=7 {
        b.turn(&call, &format!("t{n}")).await;
    }
    for (from, count, numbers) in [(0, 3, 1..=3), (3, 3, 4..=6), (6, 3, 7..=7), (0, 200, 1..=7)] {
        let slice = b.state.history(&call, from, count).await.unwrap();
        assert_eq!(slice.total, 7);
        assert_eq!(slice.entries, numbers.map(|n| (n, entry(&format!("t{n}")))).collect::<Vec<_>>());
    }
    for (from, count) in [(7, 3), (100, 3), (0, 0), (3, 0)] {
        let slice = b.state.history(&call, from, count).await.unwrap();
        assert_eq!((slice.entries.len(), slice.total), (0, 7), "{from}, {count}");
    }
    assert_eq!(b.state.history(&call_id("unknown"), 0, 200).await.unwrap(), Default::default());
}

pub async fn close_refuses_what_is_not_archived(b: &Bench) {
    let call = ended_call(b).await;
    let before = (b.load(&call).await, b.outbox(&call).await);
    for refused in
        [closing(&call, &["t:t1", "t:t2"], 2), closing(&call, &["t:t1", "ended"], 2), closing(&call, &[], 2), closing(&call, &["t:t1", "t:t2", "ended"], 1)]
    {
        assert!(!b.state.close(&refused).await.unwrap(), "{refused:?}");
    }
    assert_eq!((b.load(&call).await, b.outbox(&call).await), before);
    assert_eq!(b.state.summary(&call).await.unwrap(), None);
    assert!(b.state.holder(&call, b.now()).await.unwrap().is_some());
}

pub async fn close_leaves_the_summary_alone(b: &Bench) {
    let call = ended_call(b).await;
    let present = CallKey::ALL.into_iter().filter(|key| b.life_of(&call, *key).is_some()).count();
    assert_eq!(present, CallKey::ALL.len() - 1);
    assert!(b.state.close(&closing(&call, &["ended", "t:t2", "t:t1", "t:other"], 5)).await.unwrap());
    let left: Vec<_> = CallKey::ALL.into_iter().filter(|key| b.life_of(&call, *key).is_some()).collect();
    assert_eq!(left, [CallKey::Summary]);
    b.assert_life_of(&call, CallKey::Summary, TtlPolicy::CallSummary);
    assert_eq!(b.state.summary(&call).await.unwrap().as_deref(), Some(r#"{"turns":2}"#));
}

pub async fn closing_again_is_true(b: &Bench) {
    let call = ended_call(b).await;
    let all = closing(&call, &["ended", "t:t2", "t:t1"], 2);
    for _ in 0..2 {
        assert!(b.state.close(&all).await.unwrap());
        assert_eq!(b.state.summary(&call).await.unwrap(), Some(all.summary.clone()));
    }
}

pub async fn an_archived_call_refuses_everything(b: &Bench) {
    let call = ended_call(b).await;
    assert!(b.state.close(&closing(&call, &["ended", "t:t2", "t:t1"], 2)).await.unwrap());
    for effect in [Effect::Connect, Effect::Note, end("again")] {
        let applied = b.apply(&call, Some("e9"), effect).await;
        assert_eq!((applied.outcome, applied.session), (Outcome::Archived, None));
    }
    for turn in ["t1", "t9"] {
        assert_eq!(b.turn(&call, turn).await, Committed::Ended);
    }
    b.state.settle(&call, "t:t1", 0, Some((&turn_id("t1"), StageTimes::default()))).await.unwrap();
    b.state.attach_profile(&call, "{}").await.unwrap();
    let loaded = b.load(&call).await;
    assert!(loaded.archived && loaded.status.is_none() && loaded.window.entries.is_empty());
    let survey = b.state.survey(std::slice::from_ref(&call)).await.unwrap().remove(0);
    assert!(survey.archived && survey.session.is_none() && survey.waiting == 0);
    assert_eq!(b.state.register(&call, b.now()).await.unwrap(), Known::Archived);
    assert_eq!(b.life(&b.keys.open_calls_of(&call)), None, "an archived call leaves the open set");
    let left: Vec<_> = CallKey::ALL.into_iter().filter(|key| b.life_of(&call, *key).is_some()).collect();
    assert_eq!(left, [CallKey::Summary]);
}
