//! Admission: how many invocations run, and how many wait, so that more work than can be done is refused at once.
//!
//! HTTP functions and triggers have a room each: the archive cannot starve turns, nor turns the archive. In: whom an
//! invocation is for, by a [`Key`]. Out: a [`Seat`], held for as long as it runs. Seats are given in the order of arrival,
//! and one key may hold only a share of them, running and waiting together, so that a flood on one call leaves the others
//! their seats. A key takes memory only while it holds a place. Fails with `Throttled`, at once where the room is full.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::bodies::{Bodies, Leave};
use crate::error::{Error, Kind, Result};

/// When those who are refused may come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// How long many must have been waiting before the app counts as not ready.
const MOMENT: Duration = Duration::from_secs(1);
/// Fewest places of one key, however small the room is.
const FEWEST: usize = 8;
/// Memory for request bodies that are on their way, in KiB for each seat, and the largest body: an event's.
const INTERACTIVE_BODIES: (usize, usize) = (256, 1 << 20);
/// The same for envelopes, which come without a length.
const BACKGROUND_BODIES: (usize, usize) = (4096, 4 << 20);

/// Both rooms; clones share them.
#[derive(Debug, Clone)]
pub struct Admission {
    /// HTTP functions: somebody waits for the answer.
    pub interactive: Arc<Room>,
    /// Triggers: archive, events from Event Grid, timers.
    pub background: Arc<Room>,
}

impl Admission {
    /// Rooms of this size; that of the triggers is half as large.
    pub fn new(max_in_flight: usize, max_waiting: usize) -> Self {
        let background = (max_in_flight / 2).max(1);
        Self {
            interactive: Arc::new(Room::new(max_in_flight, max_waiting, INTERACTIVE_BODIES)),
            background: Arc::new(Room::new(background, max_waiting / 2, BACKGROUND_BODIES)),
        }
    }

    /// What health tells: `{"interactive","background"}`, each room as `{"inFlight","waiting","maxInFlight","maxWaiting",
    /// "refused"}`, the last one since the start.
    pub fn detail(&self) -> Value {
        json!({ "interactive": self.interactive.detail(), "background": self.background.detail() })
    }
}

/// Whom an invocation is for, and with it how much of its room that one may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    hash: u64,
    share: Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// A quarter of the seats.
    One,
    /// Half of the seats.
    Route,
    /// All but an eighth of all places.
    Trigger,
}

/// How full a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    /// Invocations that run.
    pub in_flight: usize,
    /// Invocations that wait for a seat.
    pub waiting: usize,
    /// Keys that hold a place.
    pub keys: usize,
    /// Memory that bodies on their way take, in KiB.
    pub bodies: usize,
    /// Invocations that were refused since the start.
    pub refused: u64,
}

/// A bounded number of seats with a bounded number of those who wait for one.
#[derive(Debug)]
pub struct Room {
    max_in_flight: usize,
    max_waiting: usize,
    /// Fair: in the order of arrival.
    seats: Semaphore,
    bodies: Arc<Bodies>,
    inside: Mutex<Inside>,
    /// Seeded anew in each process: nobody can choose keys that fall together.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Inside {
    /// Those who run and those who wait.
    places: usize,
    by_key: HashMap<u64, usize>,
    refused: u64,
    /// Since when many have been waiting.
    pressed_since: Option<Instant>,
    /// Until when it counts as pressed, whoever waits: somebody was refused, or nearly.
    pressed_until: Option<Instant>,
}

impl Room {
    fn new(max_in_flight: usize, max_waiting: usize, (kib, largest): (usize, usize)) -> Self {
        Self {
            max_in_flight,
            max_waiting,
            seats: Semaphore::new(max_in_flight),
            bodies: Arc::new(Bodies::new(max_in_flight, kib, largest)),
            inside: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// The key of one call, person, worker or phrase.
    pub fn one(&self, id: &[u8]) -> Key {
        Key { hash: self.hasher.hash_one(id), share: Share::One }
    }

    /// The key of an HTTP function that is for nobody in particular.
    pub fn route(&self, function: &str) -> Key {
        Key { hash: self.hasher.hash_one(("route", function)), share: Share::Route }
    }

    /// The key of a trigger.
    pub fn trigger(&self, function: &str) -> Key {
        Key { hash: self.hasher.hash_one(("trigger", function)), share: Share::Trigger }
    }

    /// Refuses, and counts it, where the room or the share of the key is full now; nothing is taken. Without a key the room
    /// alone is looked at.
    pub fn look(&self, key: Option<Key>) -> Result<()> {
        self.fits(&mut self.lock(), key)
    }

    /// Takes a place, and waits for a seat for at most `patience`. Refuses at once where there is no place.
    pub async fn enter(self: &Arc<Self>, key: Key, patience: Duration) -> Result<Seat> {
        let mut seat = self.place(key)?;
        let permit = match self.seats.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(patience, self.seats.acquire()).await {
                Ok(permit) => permit.map_err(Error::internal)?,
                Err(_) => return Err(self.refusal("too many wait for their turn")),
            },
        };
        permit.forget();
        seat.seated = true;
        Ok(seat)
    }

    /// Leave to keep a body of at most `limit` bytes of which `bytes` have come, while the rest of it is on its way; none where too many
    /// bodies are. Without a key it shares with all others that have none.
    pub fn body(&self, key: Option<Key>, limit: usize, bytes: usize) -> Option<Leave> {
        let (key, part) = key.map_or((0, 2), |key| (key.hash, key.share.part_of_bodies()));
        self.bodies.begin(key, part, limit, bytes)
    }

    /// The error of an invocation that was refused; counts it.
    pub fn refusal(&self, why: &str) -> Error {
        refused(&mut self.lock(), why)
    }

    /// How many seats there are.
    pub fn seats(&self) -> usize {
        self.max_in_flight
    }

    /// How full it is now.
    pub fn gauge(&self) -> Gauge {
        let inside = self.lock();
        let in_flight = inside.places.min(self.max_in_flight);
        Gauge { in_flight, waiting: inside.places - in_flight, keys: inside.by_key.len(), bodies: self.bodies.held(), refused: inside.refused }
    }

    /// True where half of those who may wait do so, for longer than a moment, until it is less than a quarter; at once, and for a moment,
    /// where three quarters wait or somebody was refused for want of a place; and while bodies take most of their memory.
    pub fn is_pressed(&self) -> bool {
        let inside = self.lock();
        let long = inside.pressed_since.is_some_and(|since| since.elapsed() >= MOMENT);
        long || inside.pressed_until.is_some_and(|until| Instant::now() < until) || self.bodies.is_pressed()
    }

    fn detail(&self) -> Value {
        let now = self.gauge();
        json!({
            "inFlight": now.in_flight, "waiting": now.waiting, "refused": now.refused,
            "maxInFlight": self.max_in_flight, "maxWaiting": self.max_waiting,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most places of a key.
    fn share(&self, share: Share) -> usize {
        let all = self.max_in_flight + self.max_waiting;
        match share {
            Share::One => (self.max_in_flight / 4).max(FEWEST),
            Share::Route => (self.max_in_flight / 2).max(FEWEST),
            Share::Trigger => all - all / 8,
        }
    }

    fn fits(&self, inside: &mut Inside, key: Option<Key>) -> Result<()> {
        if inside.places >= self.max_in_flight + self.max_waiting {
            inside.pressed_until = Some(Instant::now() + MOMENT);
            return Err(refused(inside, "too much is under way at once"));
        }
        match key {
            Some(key) if inside.by_key.get(&key.hash).is_some_and(|held| *held >= self.share(key.share)) => {
                Err(refused(inside, "too much is under way at once for this one"))
            }
            _ => Ok(()),
        }
    }

    fn place(self: &Arc<Self>, key: Key) -> Result<Seat> {
        let mut inside = self.lock();
        self.fits(&mut inside, Some(key))?;
        inside.places += 1;
        *inside.by_key.entry(key.hash).or_default() += 1;
        self.judge(&mut inside);
        drop(inside);
        Ok(Seat { room: Arc::clone(self), key: key.hash, seated: false })
    }

    fn leave(&self, key: u64) {
        let mut inside = self.lock();
        inside.places = inside.places.saturating_sub(1);
        if let Entry::Occupied(mut held) = inside.by_key.entry(key) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        self.judge(&mut inside);
    }

    /// Notes when many began to wait; between half and a quarter it stays as it is, so that it does not flutter.
    fn judge(&self, inside: &mut Inside) {
        let waiting = inside.places.saturating_sub(self.max_in_flight);
        if waiting >= (self.max_waiting / 2).max(1) {
            inside.pressed_since.get_or_insert_with(Instant::now);
        } else if waiting < (self.max_waiting / 4).max(1) {
            inside.pressed_since = None;
        }
        if waiting > 0 && waiting * 4 >= self.max_waiting * 3 {
            inside.pressed_until = Some(Instant::now() + MOMENT);
        }
    }
}

impl Share {
    /// One in how many parts of the memory for bodies such a key may take.
    const fn part_of_bodies(self) -> usize {
        match self {
            Self::One => 4,
            Self::Route => 2,
            Self::Trigger => 1,
        }
    }
}

fn refused(inside: &mut Inside, why: &str) -> Error {
    inside.refused += 1;
    Error::new(Kind::Throttled, why).retry_after(COME_BACK)
}

/// A place in a room, and once it was entered a seat; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    key: u64,
    seated: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.leave(self.key);
        if self.seated {
            self.room.seats.add_permits(1);
        }
    }
}
