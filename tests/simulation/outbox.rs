//! The outbox at 13,300 turns a second: what could not be sent at once waits for the relay, which comes each minute and takes
//! what is older than five seconds. How old does it get?

/// Turns each second.
const TURNS: f64 = 13_333.0;
/// Share of sends that fail by chance.
const FAILING: f64 = 0.001;
/// Seconds between two runs of the relay, and how old an entry must be for it.
const RELAY: (f64, f64) = (60.0, 5.0);
/// Entries that one run of the relay sends each second: one after the other at 10 ms, in 16 partitions at once.
const SENDS: f64 = 1_600.0;
/// Longest run of the relay: its deadline.
const RUN: f64 = 55.0;

/// Entries that wait from these times on, relayed; the ages at which they left, and how many were left at the end.
fn relayed(mut waiting: Vec<f64>, until: f64, away: (f64, f64)) -> (Vec<f64>, usize) {
    waiting.sort_unstable_by(f64::total_cmp);
    let (mut ages, mut tick) = (Vec::new(), RELAY.0);
    while tick <= until {
        let mut now = tick;
        let mut left = Vec::new();
        for since in waiting {
            let due = since <= tick - RELAY.1;
            let open = now < tick + RUN && !(away.0..away.1).contains(&now);
            if due && open {
                now += 1.0 / SENDS;
                ages.push(now - since);
            } else {
                left.push(since);
            }
        }
        waiting = left;
        tick += RELAY.0;
    }
    (ages, waiting.len())
}

/// When entries began to wait: by chance, and all while the queue was away.
fn unsent(seconds: f64, away: (f64, f64), seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times = Vec::new();
    let mut at = 0.0;
    while at < seconds {
        let gone = (away.0..away.1).contains(&at);
        at += -(1.0 - random.f64()).ln() / if gone { TURNS } else { TURNS * FAILING };
        // A step over the beginning of the outage begins there.
        if !gone && (away.0..away.1).contains(&at) {
            at = away.0;
        }
        times.push(at);
    }
    times
}

#[test]
fn what_fails_by_chance_leaves_within_two_runs_of_the_relay() {
    let never = (f64::MAX, f64::MAX);
    let unsent = unsent(300.0, never, 3);
    let count = unsent.len();
    let (ages, left) = relayed(unsent, 480.0, never);
    assert_eq!((ages.len(), left), (count, 0));
    let oldest = ages.iter().copied().fold(0.0, f64::max);
    assert!(oldest <= RELAY.0 + RELAY.1 + 2.0, "{oldest}");
}

#[test]
fn an_outage_of_ten_seconds_is_worked_off_within_its_share_of_relay_runs() {
    let away = (90.0, 100.0);
    let unsent = unsent(200.0, away, 5);
    let count = unsent.len();
    assert!(count > 130_000, "{count} were not sent");
    let (ages, left) = relayed(unsent, 600.0, away);
    assert_eq!((ages.len(), left), (count, 0));
    // 133,000 entries at 1,600 a second take two runs; the first begins at most 65 s after the oldest.
    let oldest = ages.iter().copied().fold(0.0, f64::max);
    assert!(oldest <= 2.0 * RELAY.0 + RELAY.1 + RUN, "{oldest}");
}
