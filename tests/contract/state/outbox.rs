//! The outbox and the stage times.

use rtvoice::model::call::Effect;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use rtvoice::ports::state::{MESSAGES, StageTimes};

use super::bench::{Bench, START, call_id, end, turn_id};

const TIMES: StageTimes = StageTimes { load_ms: 1.5, reply_ms: 800.25, commit_ms: 2.0, speech_ms: Some(120.5), speech_hit: Some(true) };

pub async fn settling_takes_the_message_out(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.turn(&call, "t2").await;
    b.apply(&call, None, end("gone")).await;
    b.state.settle(&call, "t:t1", 0, None).await.unwrap();
    let fields: Vec<String> = b.outbox(&call).await.into_iter().map(|e| e.field).collect();
    assert_eq!(fields, ["t:t2", "ended"]);
    b.state.settle(&call, "ended", 0, None).await.unwrap();
    b.state.settle(&call, "t:t2", 7, None).await.unwrap();
    assert_eq!(b.outbox(&call).await, []);
    assert_eq!(b.life_of(&call, CallKey::Outbox), None);
    assert_eq!(b.load(&call).await.window.seqs, [1, 2], "the history keeps what was sent");
}

pub async fn settling_what_is_not_there_does_nothing(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    for _ in 0..2 {
        b.state.settle(&call, "t:t1", 0, None).await.unwrap();
        b.state.settle(&call, "t:other", 0, None).await.unwrap();
        b.state.settle(&call, "ended", 0, None).await.unwrap();
    }
    assert_eq!(b.outbox(&call).await, []);
}

pub async fn stage_times_are_kept_with_the_turns(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.turn(&call, "t2").await;
    assert_eq!(b.state.stages(&call).await.unwrap(), []);
    let silent = StageTimes { speech_ms: None, speech_hit: None, ..TIMES };
    b.beneath.set_life(&b.keys.call(&call, CallKey::Turns), 500);
    b.state.settle(&call, "t:t1", 0, Some((&turn_id("t1"), TIMES))).await.unwrap();
    b.state.settle(&call, "t:t2", 0, Some((&turn_id("t2"), silent))).await.unwrap();
    let mut stages = b.state.stages(&call).await.unwrap();
    stages.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(stages, [("t1".to_owned(), TIMES), ("t2".to_owned(), silent)]);
    assert!(b.life_of(&call, CallKey::Turns).is_some_and(|left| (400..=500).contains(&left)), "settling leaves lives alone");
    assert_eq!(b.state.load(&call, &turn_id("t1")).await.unwrap().saved.unwrap().0, 1);
}

pub async fn stage_times_of_a_call_that_is_gone_leave_no_trace(b: &Bench) {
    let call = call_id("c1");
    b.state.settle(&call, "t:t1", 0, Some((&turn_id("t1"), TIMES))).await.unwrap();
    assert_eq!(b.beneath.keys(&b.keys.root()), []);
    assert_eq!(b.state.stages(&call).await.unwrap(), []);
}

pub async fn the_outbox_is_ordered(b: &Bench) {
    let call = call_id("c1");
    // As text, t10 comes before t9: only the time and the number may decide.
    for n in 8..=11 {
        b.turn(&call, &format!("t{n}")).await;
    }
    b.clock.advance_millis(1000);
    b.turn(&call, "a-later-one").await;
    b.apply(&call, None, end("gone")).await;
    let outbox = b.outbox(&call).await;
    let fields: Vec<&str> = outbox.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(fields, ["t:t8", "t:t9", "t:t10", "t:t11", "t:a-later-one", "ended"]);
    assert_eq!((outbox[3].since, outbox[4].since), (START, START.plus_millis(1000)));
}

pub async fn the_outbox_never_lives_shorter(b: &Bench) {
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    let steps = ["settle", "apply", "turn"];
    for step in steps {
        match step {
            "settle" => b.state.settle(&call, "t:absent", 0, None).await.unwrap(),
            "apply" => drop(b.apply(&call, None, Effect::Connect).await),
            _ => drop(b.turn(&call, "t2").await),
        }
        b.assert_life_of(&call, CallKey::Outbox, TtlPolicy::Outbox);
    }
}

pub async fn a_large_outbox_is_read_in_slices(b: &Bench) {
    let call = call_id("c1");
    for n in 0..2 * MESSAGES + 10 {
        b.turn(&call, &format!("t{n}")).await;
    }
    b.apply(&call, None, end("gone")).await;
    let fields = b.state.outbox(&call).await.unwrap();
    let mut expected: Vec<String> = (0..2 * MESSAGES + 10).map(|n| format!("t:t{n}")).collect();
    expected.push("ended".to_owned());
    assert_eq!(fields, expected);
    b.state.settle(&call, "t:t1", 0, None).await.unwrap();
    let slice: Vec<String> = b.state.messages(&call, &fields[..MESSAGES]).await.unwrap().into_iter().map(|m| m.field).collect();
    assert_eq!(slice, [&expected[..1], &expected[2..MESSAGES]].concat(), "what is gone is left out");
    assert_eq!(b.state.messages(&call, &["t:other".to_owned()]).await.unwrap(), []);
    assert_eq!(b.state.messages(&call, &[]).await.unwrap(), []);
}

pub async fn turns_whose_numbers_are_forgotten_come_first(b: &Bench) {
    let call = call_id("c1");
    for turn in ["b", "a"] {
        b.turn(&call, turn).await;
    }
    for key in [CallKey::Turns, CallKey::History, CallKey::Session] {
        b.expire(&call, key);
    }
    for turn in ["z", "c"] {
        b.turn(&call, turn).await;
    }
    b.apply(&call, None, end("gone")).await;
    let fields: Vec<String> = b.outbox(&call).await.into_iter().map(|m| m.field).collect();
    assert_eq!(fields, ["t:a", "t:b", "t:z", "t:c", "ended"]);
}
