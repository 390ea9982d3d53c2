//! Windows of time over the figures of all instances.
//!
//! In: what this process counted, cut into slots of 10 s and of 5 minutes. Out: a [`View`] of the last ten minutes and the last
//! six hours, of all instances where the board answers, else of this one. A slot that is over does not change any more and
//! is read once. While the board is away what was counted waits under its own slots.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::board::local::LocalBoard;
use crate::ports::board::{Board, Grain, Slot};
use crate::telemetry::{Figures, Metrics, Series};

/// Slots of each grain that are looked at: eleven minutes, and six hours and a half.
const LOOKED_AT: [(Grain, i64); 2] = [(Grain::Fine, 66), (Grain::Coarse, 78)];
/// Slots behind the newest that may still change: others share theirs a little later.
const MOVING: i64 = 3;
/// Slots that wait at most while the board is away.
const WAITING: usize = 128;
/// Milliseconds for which a gauge is told after it was set; the relay sets its own once a minute. What was set longer ago may have
/// been set by another instance since.
const TELLING: f64 = 60_000.0;

/// Cuts and shares the figures.
pub struct Windows {
    pace: f64,
    own: LocalBoard,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    last: Figures,
    /// When each gauge was last found to be set.
    set: BTreeMap<Series, Timestamp>,
    waiting: BTreeMap<Slot, Figures>,
    /// Slots of all instances that are over.
    settled: BTreeMap<Slot, Figures>,
}

impl std::fmt::Debug for Windows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Windows")
    }
}

impl Windows {
    /// Windows in which time runs `pace` times as fast: 1 but for rehearsals.
    pub fn new(pace: f64) -> Self {
        Self { pace, own: LocalBoard::default(), inner: Mutex::default() }
    }

    /// How many times as fast as the clock time runs here.
    pub fn pace(&self) -> f64 {
        self.pace
    }

    /// The number of the slot that this time lies in.
    fn number(&self, grain: Grain, now: Timestamp) -> i64 {
        (now.millis() as f64 * self.pace / grain.millis() as f64).floor() as i64
    }

    /// Takes what was counted since the last time into the slots of now.
    pub async fn take(&self, metrics: &Metrics, now: Timestamp) {
        let mut inner = self.inner.lock().await;
        // First which, then what: what is set in between is told once more.
        inner.set.extend(metrics.just_set().into_iter().map(|series| (series, now)));
        inner.set.retain(|_, at| now.since(*at).abs() as f64 * self.pace < TELLING);
        let figures = metrics.figures();
        let mut more = figures.since(&inner.last);
        more.gauges.retain(|series, _| inner.set.contains_key(series));
        inner.last = figures;
        let slots: BTreeMap<Slot, Figures> = Grain::ALL.map(|grain| ((grain, self.number(grain, now)), more.clone())).into();
        for (slot, figures) in &slots {
            inner.waiting.entry(*slot).or_default().merge(figures);
        }
        while inner.waiting.len() > WAITING {
            inner.waiting.pop_first();
        }
        // It takes everything.
        let _ = self.own.add(&slots).await;
    }

    /// Gives the board what waits. Where it does not take it, it goes on waiting.
    pub async fn share(&self, board: &dyn Board) -> Result<()> {
        let mut inner = self.inner.lock().await;
        let waiting = std::mem::take(&mut inner.waiting);
        let shared = board.add(&waiting).await;
        if shared.is_err() {
            inner.waiting = waiting;
        }
        shared
    }

    /// What all instances counted; this one alone where the board does not answer.
    pub async fn view(&self, board: &dyn Board, now: Timestamp) -> View {
        match self.shared(board, now).await {
            Ok(slots) => View { slots, at: self.newest(now), shared: true },
            Err(e) => {
                tracing::debug!(error = e.chain(), "the board is away: this instance goes by its own figures");
                self.own(now).await
            }
        }
    }

    /// What this instance counted itself.
    pub async fn own(&self, now: Timestamp) -> View {
        let mut slots = BTreeMap::new();
        for (grain, count) in LOOKED_AT {
            let numbers = self.numbers(grain, count, now);
            let figures = self.own.read(grain, &numbers).await.unwrap_or_default();
            slots.extend(numbers.into_iter().map(|number| (grain, number)).zip(figures));
        }
        View { slots, at: self.newest(now), shared: false }
    }

    /// What was counted in one coarse slot after another, `count` of them, before the one at `end`.
    pub async fn past(&self, board: &dyn Board, end: Timestamp, count: i64) -> (Figures, bool) {
        let last = self.number(Grain::Coarse, end);
        let numbers: Vec<i64> = (last - count..last).collect();
        let (slots, shared) = match board.read(Grain::Coarse, &numbers).await {
            Ok(slots) => (slots, true),
            Err(_) => (self.own.read(Grain::Coarse, &numbers).await.unwrap_or_default(), false),
        };
        let mut figures = Figures::default();
        slots.iter().for_each(|slot| figures.merge(slot));
        (figures, shared)
    }

    fn numbers(&self, grain: Grain, count: i64, now: Timestamp) -> Vec<i64> {
        let newest = self.number(grain, now);
        (newest - count + 1..=newest).collect()
    }

    fn newest(&self, now: Timestamp) -> [i64; 2] {
        Grain::ALL.map(|grain| self.number(grain, now))
    }

    async fn shared(&self, board: &dyn Board, now: Timestamp) -> Result<BTreeMap<Slot, Figures>> {
        let mut inner = self.inner.lock().await;
        let mut view = BTreeMap::new();
        for (grain, count) in LOOKED_AT {
            let numbers = self.numbers(grain, count, now);
            let missing: Vec<i64> = numbers.iter().copied().filter(|number| !inner.settled.contains_key(&(grain, *number))).collect();
            let read = board.read(grain, &missing).await?;
            let newest = self.number(grain, now);
            for (number, figures) in missing.into_iter().zip(read) {
                if number + MOVING <= newest {
                    inner.settled.insert((grain, number), figures);
                } else {
                    view.insert((grain, number), figures);
                }
            }
            inner.settled.retain(|(of, number), _| *of != grain || *number > newest - count);
        }
        view.extend(inner.settled.iter().map(|(slot, figures)| (*slot, figures.clone())));
        Ok(view)
    }
}

/// Figures by slots, up to now.
#[derive(Debug, Clone, Default)]
pub struct View {
    slots: BTreeMap<Slot, Figures>,
    /// Numbers of the newest slots, fine and coarse.
    at: [i64; 2],
    /// Whether all instances are in it, or this one alone.
    pub shared: bool,
}

impl View {
    /// The grain for a window of so many seconds: fine where the view reaches as far.
    fn grain(seconds: i64) -> (Grain, usize) {
        if seconds <= 600 { (Grain::Fine, 0) } else { (Grain::Coarse, 1) }
    }

    /// What was counted from so many seconds ago, for so many seconds, rounded up to whole slots.
    pub fn between(&self, ago: i64, seconds: i64) -> Figures {
        let (grain, place) = Self::grain(ago);
        let slot = grain.millis() / 1000;
        let first = self.at[place] - (ago + slot - 1) / slot;
        let last = first + (seconds + slot - 1) / slot;
        let mut figures = Figures::default();
        self.slots.range((grain, first)..=(grain, last)).for_each(|(_, more)| figures.merge(more));
        figures
    }

    /// What was counted in the last so many seconds.
    pub fn last(&self, seconds: i64) -> Figures {
        self.between(seconds, seconds)
    }

    /// The gauges as they were last told in the last so many seconds, by whichever instance.
    pub fn gauges(&self, seconds: i64) -> BTreeMap<Series, f64> {
        let (grain, place) = Self::grain(seconds);
        let first = self.at[place] - seconds * 1000 / grain.millis();
        let slots = self.slots.range((grain, first)..=(grain, self.at[place]));
        slots.flat_map(|(_, figures)| &figures.gauges).map(|(series, value)| (*series, *value)).collect()
    }

    /// The last so many seconds in parts of so many seconds, the oldest first.
    pub fn parts(&self, seconds: i64, part: i64) -> Vec<Figures> {
        let (grain, place) = Self::grain(seconds);
        let slot = grain.millis() / 1000;
        let (each, count) = ((part / slot).max(1), (seconds / part).max(1));
        let first = self.at[place] - each * count;
        let figures = |n: i64| {
            let mut figures = Figures::default();
            self.slots.range((grain, first + n * each)..(grain, first + (n + 1) * each)).for_each(|(_, more)| figures.merge(more));
            figures
        };
        (0..count).map(figures).collect()
    }
}
