//! Which faults a run meets, and when: drawn from a seed, so that the same seed gives the same schedule again.
//!
//! Every kind comes once before one comes again, in an order of its own each time: a short run meets many kinds. One fault ends
//! before the next begins, with time to recover between them.

use std::time::Duration;

use fastrand::Rng;

use super::proxy::Way;

/// From one beginning to the next, in milliseconds.
const EVERY: (u64, u64) = (5_000, 15_000);
/// When the first one begins, in milliseconds: a short run meets one, too.
const FIRST: (u64, u64) = (500, 1_000);
/// How long a fault lasts, in milliseconds.
const LASTS: (u64, u64) = (1_000, 6_000);
/// The longest that the file is locked, in milliseconds: another process may wait five seconds for it, and no more.
const LOCKED: u64 = 3_000;
/// The least from the end of one to the beginning of the next, in milliseconds.
const BETWEEN: u64 = 3_000;

/// What stands behind a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Redis.
    Redis,
    /// The queue, as Service Bus.
    Queue,
    /// Azure Speech.
    Speech,
    /// Azure OpenAI.
    Replies,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The network to one of them is bad in one way.
    Network(Place, Way),
    /// Redis is killed, and later started again with its append-only file.
    RedisKilled,
    /// Redis stands still.
    RedisFrozen,
    /// Redis has no memory left for a write.
    RedisFull,
    /// Redis is a replica without a master.
    RedisReadOnly,
    /// The handler is killed, and started again by its host.
    HandlerKilled,
    /// Another process holds the embedded file.
    FileLocked,
}

/// How many kinds there are.
pub const KINDS: usize = 14;

impl Fault {
    /// Its name in the report. The ways to be bad are a kind each for the network to Redis, and one together for each of the others.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Network(Place::Redis, way) => way.name(),
            Self::Network(Place::Queue, _) => "queueNetwork",
            Self::Network(Place::Speech, _) => "speechNetwork",
            Self::Network(Place::Replies, _) => "repliesNetwork",
            Self::RedisKilled => "redisKilled",
            Self::RedisFrozen => "redisFrozen",
            Self::RedisFull => "redisFull",
            Self::RedisReadOnly => "redisReadOnly",
            Self::HandlerKilled => "handlerKilled",
            Self::FileLocked => "fileLocked",
        }
    }

    /// How the network is bad; none where it is another fault.
    pub const fn way(self) -> Option<&'static str> {
        match self {
            Self::Network(_, way) => Some(way.name()),
            _ => None,
        }
    }

    fn draw(rng: &mut Rng) -> [Self; KINDS] {
        // Both up to beyond the deadline of an operation.
        let redis = ways(rng, 700).map(|way| Self::Network(Place::Redis, way));
        let [delay, throttle, cut, black_hole, half_close] = redis;
        let mut one = |place| Self::Network(place, ways(rng, 4_000)[rng.usize(..5)]);
        let mut all = [
            delay,
            throttle,
            cut,
            black_hole,
            half_close,
            one(Place::Queue),
            one(Place::Speech),
            one(Place::Replies),
            Self::RedisKilled,
            Self::RedisFrozen,
            Self::RedisFull,
            Self::RedisReadOnly,
            Self::HandlerKilled,
            Self::FileLocked,
        ];
        rng.shuffle(&mut all);
        all
    }
}

/// All ways, with a delay of at most so many milliseconds. Bytes that are changed are none of them: only under TLS would anybody notice.
fn ways(rng: &mut Rng, latest: u64) -> [Way; 5] {
    let late = Duration::from_millis(rng.u64(20..=latest));
    [Way::Delay(late), Way::Throttle(rng.u32(500..=20_000)), Way::Cut, Way::BlackHole, Way::HalfClose]
}

/// One fault of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// From the beginning of the run to that of the fault.
    pub at: Duration,
    /// How long it lasts; nothing for a kill, which is over at once.
    pub lasts: Duration,
    /// What it is.
    pub fault: Fault,
}

/// The faults of a run of this length: the last one ends within it.
pub fn schedule(seed: u64, length: Duration) -> Vec<Planned> {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(1));
    let (mut planned, mut bag) = (Vec::new(), Vec::new());
    let (mut at, mut free) = (0, 0);
    loop {
        let (soonest, latest) = if planned.is_empty() { FIRST } else { EVERY };
        at = (at + rng.u64(soonest..=latest)).max(free);
        let fault = match bag.pop() {
            Some(fault) => fault,
            None => {
                let [first, rest @ ..] = Fault::draw(&mut rng);
                bag.extend(rest);
                first
            }
        };
        let lasts = rng.u64(LASTS.0..=LASTS.1);
        let lasts = match fault {
            Fault::HandlerKilled => 0,
            Fault::FileLocked => lasts.min(LOCKED),
            _ => lasts,
        };
        free = at + lasts + BETWEEN;
        let (at, lasts) = (Duration::from_millis(at), Duration::from_millis(lasts));
        if at + lasts > length {
            return planned;
        }
        planned.push(Planned { at, lasts, fault });
    }
}
