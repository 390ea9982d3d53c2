//! The open sets and the survey.

use rtvoice::model::call::Effect;
use rtvoice::model::ids::CallId;
use rtvoice::ports::state::keys::{TtlPolicy, lane};
use rtvoice::ports::state::{Closing, PARTITIONS};

use super::bench::{Bench, START, call_id, entry};

/// Calls of one partition.
fn neighbours(partition: u8, count: usize) -> Vec<CallId> {
    let all = (0..).map(|n| call_id(&format!("call-{n:04}")));
    all.filter(|call| lane(call, u16::from(PARTITIONS)) == u16::from(partition)).take(count).collect()
}

pub async fn calls_stand_in_their_partition_the_idlest_first(b: &Bench) {
    let calls = neighbours(3, 5);
    // The first is the most active one.
    for (n, call) in calls.iter().enumerate() {
        b.state.register(call, START.plus_millis(-i64::try_from(n).unwrap())).await.unwrap();
    }
    let expected: Vec<_> = calls.iter().enumerate().rev().map(|(n, call)| (call.clone(), START.plus_millis(-i64::try_from(n).unwrap()))).collect();
    assert_eq!(b.state.open_calls(3, 0, 100).await.unwrap(), expected);
    assert_eq!(b.state.open_calls(3, 0, 2).await.unwrap(), expected[..2]);
    assert_eq!(b.state.open_calls(3, 2, 2).await.unwrap(), expected[2..4]);
    assert_eq!(b.state.open_calls(3, 4, 2).await.unwrap(), expected[4..]);
    for (skip, limit) in [(5, 2), (0, 0), (2, 0)] {
        assert_eq!(b.state.open_calls(3, skip, limit).await.unwrap(), [], "{skip}, {limit}");
    }
    for other in (0..PARTITIONS).filter(|other| *other != 3) {
        assert_eq!(b.state.open_calls(other, 0, 100).await.unwrap(), []);
    }
}

pub async fn touching_moves_and_removes(b: &Bench) {
    let calls = neighbours(7, 2);
    for call in &calls {
        b.state.register(call, START).await.unwrap();
    }
    b.state.touch_open(&calls[0], Some(START.plus_millis(500))).await.unwrap();
    let moved = [(calls[1].clone(), START), (calls[0].clone(), START.plus_millis(500))];
    assert_eq!(b.state.open_calls(7, 0, 10).await.unwrap(), moved);
    b.assert_life(&b.keys.open_calls(7), TtlPolicy::OpenCalls);
    for _ in 0..2 {
        b.state.touch_open(&calls[1], None).await.unwrap();
        assert_eq!(b.state.open_calls(7, 0, 10).await.unwrap(), moved[1..]);
    }
    b.state.register(&calls[0], START.plus_millis(900)).await.unwrap();
    assert_eq!(b.state.open_calls(7, 0, 10).await.unwrap(), [(calls[0].clone(), START.plus_millis(900))]);
    b.state.touch_open(&calls[0], None).await.unwrap();
    assert_eq!(b.beneath.keys(&b.keys.root()), []);
}

pub async fn a_survey_keeps_the_order(b: &Bench) {
    let calls: Vec<CallId> = (0..200).rev().map(|n| call_id(&format!("c{n}"))).collect();
    for (n, call) in calls.iter().enumerate() {
        match n % 4 {
            0 => drop(b.apply(call, None, Effect::Connect).await),
            1 => drop(b.turn(call, "t1").await),
            2 => {
                let closing = Closing { call: call.clone(), summary: "{}".to_owned(), archived_fields: Vec::new(), archived_entries: 0 };
                assert!(b.state.close(&closing).await.unwrap());
            }
            _ => {}
        }
    }
    let surveys = b.state.survey(&calls).await.unwrap();
    assert_eq!(surveys.iter().map(|s| s.call.clone()).collect::<Vec<_>>(), calls);
    for (n, survey) in surveys.iter().enumerate() {
        let shown = (survey.session.is_some(), survey.archived, survey.waiting);
        assert_eq!(shown, [(true, false, 0), (true, false, 1), (false, true, 0), (false, false, 0)][n % 4]);
    }
    assert_eq!(b.outbox(&surveys[1].call).await[0].field, format!("t:{}", entry("t1").turn_id));
    assert_eq!(b.state.survey(&[]).await.unwrap(), []);
}
