//! Sessions of Service Bus as the Functions host holds them: messages of a session one after the other, a session held by
//! one receiver until it has been silent for the idle time, and no more sessions at once than there are receivers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// A message that comes in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When, in seconds.
    pub at: f64,
    /// Of which call.
    pub call: usize,
    /// In which session.
    pub lane: usize,
    /// Seconds that the writer takes.
    pub service: f64,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Most sessions held at once.
    pub held: usize,
    /// Messages that came in.
    pub arrived: usize,
    /// Messages that were delivered.
    pub delivered: usize,
    /// Messages that were delivered before an earlier one of their call.
    pub out_of_order: usize,
    /// When the last one was done.
    pub ended_at: f64,
    latencies: Vec<f64>,
}

impl Seen {
    /// Seconds from arrival to the end of the writer, which this share took at most.
    pub fn latency(&self, share: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
    }
}

struct Message {
    at: f64,
    call: usize,
    number: u32,
    service: f64,
}

#[derive(Default)]
struct Lane {
    messages: VecDeque<Message>,
    held: bool,
    busy: bool,
    waits: bool,
    /// Counts what happened, so that an old idle timer is known.
    stamp: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Done(usize),
    Idle(usize, u64),
}

/// The broker and its receivers.
pub struct Broker {
    lanes: Vec<Lane>,
    free: usize,
    held: usize,
    idle: f64,
    waiting: VecDeque<usize>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    made: u64,
    last: HashMap<usize, u32>,
    seen: Seen,
}

/// Seconds as whole nanoseconds, which can be ordered.
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

impl Broker {
    /// So many sessions, so many receivers over all instances.
    pub fn new(lanes: usize, receivers: usize, idle: f64) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            free: receivers,
            held: 0,
            idle,
            waiting: VecDeque::new(),
            events: BinaryHeap::new(),
            made: 0,
            last: HashMap::new(),
            seen: Seen::default(),
        }
    }

    /// Takes all arrivals, which come in order, and delivers everything.
    pub fn run(mut self, arrivals: impl Iterator<Item = Arrival>) -> Seen {
        let mut numbers: HashMap<usize, u32> = HashMap::new();
        for arrival in arrivals {
            while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= nanos(arrival.at)) {
                self.step();
            }
            let number = numbers.entry(arrival.call).or_default();
            *number += 1;
            self.seen.arrived += 1;
            let message = Message { at: arrival.at, call: arrival.call, number: *number, service: arrival.service };
            self.lanes[arrival.lane].messages.push_back(message);
            self.offer(arrival.lane, arrival.at);
        }
        while !self.events.is_empty() {
            self.step();
        }
        self.seen
    }

    fn schedule(&mut self, at: f64, event: Event) {
        self.made += 1;
        self.events.push(Reverse((nanos(at), self.made, event)));
    }

    /// A lane has a message: a receiver takes the session where one is free.
    fn offer(&mut self, lane: usize, now: f64) {
        let state = &mut self.lanes[lane];
        if state.held {
            if !state.busy {
                self.begin(lane, now);
            }
        } else if self.free > 0 {
            self.hold(lane, now);
        } else if !state.waits {
            state.waits = true;
            self.waiting.push_back(lane);
        }
    }

    fn hold(&mut self, lane: usize, now: f64) {
        self.free -= 1;
        self.held += 1;
        self.seen.held = self.seen.held.max(self.held);
        self.lanes[lane].held = true;
        self.lanes[lane].waits = false;
        self.begin(lane, now);
    }

    fn begin(&mut self, lane: usize, now: f64) {
        let state = &mut self.lanes[lane];
        state.busy = true;
        state.stamp += 1;
        let service = state.messages.front().expect("a message").service;
        self.schedule(now + service, Event::Done(lane));
    }

    fn step(&mut self) {
        let Some(Reverse((at, _, event))) = self.events.pop() else { return };
        let now = at as f64 / 1e9;
        match event {
            Event::Done(lane) => {
                let message = self.lanes[lane].messages.pop_front().expect("a message");
                self.done(&message, now);
                if self.lanes[lane].messages.is_empty() {
                    self.lanes[lane].busy = false;
                    let stamp = self.lanes[lane].stamp;
                    self.schedule(now + self.idle, Event::Idle(lane, stamp));
                } else {
                    self.begin(lane, now);
                }
            }
            Event::Idle(lane, stamp) if !self.lanes[lane].busy && self.lanes[lane].stamp == stamp => {
                self.lanes[lane].held = false;
                self.held -= 1;
                self.free += 1;
                if let Some(next) = self.waiting.pop_front() {
                    self.hold(next, now);
                }
            }
            Event::Idle(..) => {}
        }
    }

    fn done(&mut self, message: &Message, now: f64) {
        let last = self.last.entry(message.call).or_default();
        if message.number < *last {
            self.seen.out_of_order += 1;
        }
        *last = (*last).max(message.number);
        self.seen.delivered += 1;
        self.seen.ended_at = self.seen.ended_at.max(now);
        self.seen.latencies.push(now - message.at);
    }
}
