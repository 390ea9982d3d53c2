//! A service that hangs, without the wait: of two attempts the first is given up, and the second has come, before any time goes by that
//! the test does not let go by. So a machine that stands still costs none of them its time.

use std::sync::mpsc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{advance, pause};

/// What passes between two attempts.
const BETWEEN: Duration = Duration::from_millis(100);
/// By how much more the clock must go on: timers end on whole milliseconds.
const TICK: Duration = Duration::from_millis(5);
/// Looks, a millisecond apart, before a request is given up.
const LOOKS: u32 = 60_000;

/// The clock stands still; dropped, it goes on wherever nothing else does. For tests on one thread.
pub struct Held {
    _hold: mpsc::Sender<()>,
}

impl Held {
    /// Holds the clock.
    pub fn clock() -> Self {
        pause();
        let (hold, held) = mpsc::channel::<()>();
        // A clock that is paused goes on by itself only where no such work is under way.
        tokio::task::spawn_blocking(move || held.recv());
        Self { _hold: hold }
    }

    /// Waits for a first request, lets go by what its attempt may take, and waits for the second one. `seen` counts them.
    pub async fn second_attempt(&self, attempt: Duration, first: usize, seen: impl Fn() -> usize) {
        came(first, &seen).await;
        for time in [attempt, BETWEEN] {
            advance(time + TICK).await;
            for _ in 0..100 {
                yield_now().await;
            }
        }
        came(first + 1, &seen).await;
    }
}

async fn came(count: usize, seen: &impl Fn() -> usize) {
    for _ in 0..LOOKS {
        if seen() >= count {
            return;
        }
        yield_now().await;
        // It comes by other threads, and no timer would end.
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("request {count} does not come");
}
