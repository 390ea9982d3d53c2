//! Whether a turn grows with its call: turn 2,000 beside turn 10, and beside turn 30, before which even the window of an agent that is
//! told of the history is full.

use super::RowName;
use super::report::{Goal, Row};
use super::stage::Stage;
use super::turns::Caller;
use super::wire::Taken;
use crate::error::Result;
use crate::ports::state::redis::BareRedis;

/// Calls of each length.
const CALLS: usize = 8;
/// Turns that are timed on each of them.
const TIMED: u64 = 8;
/// Turns whose bytes are counted.
const COUNTED: u64 = 4;

/// What turns from one place on took.
struct Place {
    at: u64,
    callers: Vec<Caller>,
    taken: Taken,
    bytes: f64,
}

impl Place {
    /// Times one turn of one of its callers.
    async fn step(&mut self) -> Result<()> {
        let caller = self.callers.remove(0);
        let began = tokio::time::Instant::now();
        let caller = caller.turn().await?;
        self.taken.push(began.elapsed());
        self.callers.push(caller);
        Ok(())
    }
}

/// The rows. `turns` is how long the long call is: 2,000 but in tests.
pub(super) async fn rows(stage: &Stage, turns: u64) -> Result<Vec<Row>> {
    let arm = stage.arm("growth", true);
    let handler = stage.serve(&arm, &[]).await?;
    let redis = BareRedis::connect(&arm).await?;
    let mut places = Vec::new();
    for at in [10, 30, turns] {
        // The counted turns lie around the place, and the timed ones follow.
        let callers = Caller::many(&handler, CALLS, at.saturating_sub(COUNTED / 2)).await?;
        places.push(Place { at, callers, taken: Taken::default(), bytes: 0.0 });
    }
    for place in &mut places {
        let before = redis.figures().await?;
        for _ in 0..COUNTED * CALLS as u64 {
            place.step().await?;
        }
        let moved = redis.figures().await?.since(before);
        place.bytes = (moved.bytes_in + moved.bytes_out) as f64 / (COUNTED * CALLS as u64) as f64;
        place.taken = Taken::default();
    }
    for _ in 0..TIMED * CALLS as u64 {
        for place in &mut places {
            place.step().await?;
        }
    }
    handler.stop().await?;
    let [early, full, late] = &mut places[..] else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for (other, goal) in [(early, Goal::Times(1.05)), (full, Goal::Times(1.05))] {
        let what = |kind: &str| format!("turn {} beside turn {}, {kind}", late.at, other.at);
        let p50 = Row::new(RowName::Growth, what("p50"), late.taken.millis(50.0), "ms").limit(other.taken.millis(50.0), format!("turn {}", other.at));
        rows.push(p50.goal(goal).note("one caller at a time"));
        let bytes = Row::new(RowName::Growth, what("Redis traffic"), late.bytes, "bytes per turn").limit(other.bytes, format!("turn {}", other.at));
        rows.push(bytes.goal(goal).note(format!("a turn looks back on {} entries", arm.look_back())));
    }
    Ok(rows)
}
