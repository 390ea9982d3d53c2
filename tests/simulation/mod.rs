//! Lanes and outbox at the load of 100,000 concurrent calls, on a model of Service Bus sessions, with the product's own
//! function from calls to lanes. Time is the model's; the seed repeats every run.

mod broker;
mod outbox;

use std::sync::LazyLock;

use rtvoice::config::Retention;
use rtvoice::model::ids::CallId;
use rtvoice::ops::bench::Report;
use rtvoice::ops::plan::{Load, Needs, needs};
use rtvoice::ports::state::keys::lane;

use broker::{Arrival, Broker, Seen};

/// Calls that are open at once.
const CALLS: usize = 100_000;
/// Seconds of a call, and its turns.
const CALL: (f64, f64) = (300.0, 40.0);
/// Seconds of load in a run; what waits then is still delivered.
const LOAD: f64 = 6.0;
/// Seconds of the writer for a turn: two operations on Cosmos DB.
const TURN: f64 = 0.016;
/// Seconds of the writer for all messages of a call, as the plan has them from the committed benchmark; what its turns leave is the end.
static OF_CALL: LazyLock<f64> = LazyLock::new(|| planned().lanes.writer_seconds_per_call);
/// `sessionIdleTimeout` in host.json.
const IDLE: f64 = 5.0;

/// What the plan says of all calls, on the default of 256 lanes.
fn planned() -> Needs {
    let report: Report = serde_json::from_str(include_str!("../../benches/results.json")).expect("a benchmark result");
    let load = Load {
        concurrent_calls: CALLS as f64,
        call_seconds: CALL.0,
        turns: CALL.1,
        busy_hours: 8.0,
        reply_seconds: 1.5,
        queue_lanes: 256,
        retention: Retention { transcripts: 90, analytics: 400, audit: 730, profiles: 730, dead_letters: 30, metrics: 400 },
        audio_bytes: 0.0,
    };
    needs(&load, &report.per_call.expect("what a call costs"))
}

/// What all calls of a share of the load send in the time of a run: (when, call, seconds of the writer), in order.
fn arrivals(calls: usize, seed: u64) -> Vec<(f64, usize, f64)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let starts = calls as f64 / CALL.0;
    let (turns, rate) = (starts * CALL.1, starts * (CALL.1 + 1.0));
    let end = *OF_CALL - CALL.1 * TURN;
    assert!(end > 0.0, "{end}");
    let (mut at, mut all) = (0.0, Vec::new());
    loop {
        at += -(1.0 - random.f64()).ln() / rate;
        if at > LOAD {
            return all;
        }
        let service = if random.f64() * rate < turns { TURN } else { end };
        all.push((at, random.usize(..calls), service));
    }
}

/// The ids of the calls.
static IDS: LazyLock<Vec<CallId>> = LazyLock::new(|| (0..CALLS).map(|n| CallId::parse(format!("aHR0cHM6Ly9hcGktZHUtYS-{n:06}")).expect("an id")).collect());

/// The lane of each call, by the product's function.
fn lanes_of(calls: usize, lanes: u16) -> Vec<usize> {
    IDS[..calls].iter().map(|call| usize::from(lane(call, lanes))).collect()
}

/// A run of so many calls on so many lanes.
fn run(calls: usize, lanes: u16, instances: usize, sessions: usize) -> Seen {
    let of_call = lanes_of(calls, lanes);
    let arrivals = arrivals(calls, 7).into_iter().map(|(at, call, service)| Arrival { at, call, lane: of_call[call], service });
    Broker::new(usize::from(lanes), instances * sessions, IDLE).run(arrivals)
}

#[test]
fn lanes_bound_the_held_sessions_whatever_the_number_of_calls_and_of_sessions_an_instance_holds() {
    const LANES: u16 = 1024;
    let mut latencies = Vec::new();
    for sessions in [8, 32, 64, 128] {
        let seen = run(CALLS, LANES, usize::from(LANES) / sessions, sessions);
        assert!(seen.held <= usize::from(LANES), "{sessions} sessions an instance: {} were held", seen.held);
        assert!(seen.held > usize::from(LANES) * 9 / 10, "the calls must spread over the lanes, not {} of them", seen.held);
        assert_eq!(seen.out_of_order, 0, "{sessions} sessions an instance");
        assert_eq!(seen.delivered, seen.arrived);
        latencies.push(seen.latency(0.99));
    }
    // With as many sessions in all, it does not matter how the instances share them.
    assert!(latencies.iter().all(|latency| (latency - latencies[0]).abs() < 1e-9), "{latencies:?}");
    assert!(latencies[0] < 2.0, "99 % are with the writer within two seconds, not {latencies:?}");
}

#[test]
fn the_default_of_256_lanes_carries_what_the_plan_says_and_no_more() {
    // Lanes at half of their time.
    let carried = planned().lanes.configured_carry as usize;
    assert!(carried.abs_diff((256.0 * 0.5 / *OF_CALL * CALL.0) as usize) <= 1, "{carried}");
    let within = run(carried, 256, 4, 64);
    let beyond = run(CALLS, 256, 4, 64);
    assert!(within.held <= 256 && beyond.held <= 256);
    assert!(within.latency(0.99) < 3.0, "{}", within.latency(0.99));
    // Overload shows: the backlog is worked off long after the load has ended, and nothing is lost or out of order.
    assert!(beyond.ended_at - LOAD > (within.ended_at - LOAD) * 2.0, "{} and {}", beyond.ended_at, within.ended_at);
    assert_eq!((beyond.delivered, beyond.out_of_order), (beyond.arrived, 0));
}

#[test]
fn latency_falls_with_the_sessions_until_every_lane_has_one() {
    let latencies: Vec<f64> = [1, 2, 4, 8].into_iter().map(|instances| run(30_000, 256, instances, 64).latency(0.99)).collect();
    assert!(latencies.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9), "{latencies:?}");
    // Lanes that never fall idle keep their session: what no instance holds waits for a lane to fall silent.
    assert!(latencies[0] > latencies[2] * 3.0, "{latencies:?}");
    // More sessions than lanes help nothing.
    assert!((latencies[2] - latencies[3]).abs() < 1e-9, "{latencies:?}");
}

#[test]
fn a_session_for_each_call_would_need_a_session_for_each_call() {
    // The design that lanes replace, with a twentieth of the calls: nearly every call holds a session.
    let calls = 5_000;
    let arrivals = arrivals(calls, 7).into_iter().map(|(at, call, service)| Arrival { at, call, lane: call, service });
    let seen = Broker::new(calls, usize::MAX, IDLE).run(arrivals);
    assert!(seen.held > 2_000, "{} sessions held", seen.held);
}

#[test]
fn the_model_notices_messages_that_are_out_of_order() {
    // A lane that is not a function of the call breaks the order of its messages.
    let mut next = 0;
    let arrivals = arrivals(2_000, 7).into_iter().map(|(at, call, service)| {
        next = (next + 1) % 64;
        Arrival { at, call, lane: next, service }
    });
    assert!(Broker::new(64, 64, IDLE).run(arrivals).out_of_order > 0);
}
