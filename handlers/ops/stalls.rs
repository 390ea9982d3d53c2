//! What the machine loses while something is timed: naps that end late tell of it, for nothing of ours keeps them from ending.
//!
//! In: the work that is timed, which must block no thread. Out: what it yields, and the time that the machine stood still meanwhile;
//! nothing where every nap ended about when it should. Cannot fail. A machine that is merely busy loses nothing by this measure.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long a nap is.
pub const NAP: Duration = Duration::from_millis(20);
/// What a nap may end late on a machine that is well.
const TOLERATED: Duration = Duration::from_millis(100);

/// By how much a nap that took so long was too long; nothing where that is no more than is tolerated.
pub fn overrun(took: Duration) -> Duration {
    let late = took.saturating_sub(NAP);
    if late > TOLERATED { late } else { Duration::ZERO }
}

/// Does the work; what it yields, and the time that the machine lost meanwhile.
pub async fn during<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = pin!(work);
    let mut lost = Duration::ZERO;
    loop {
        let began = Instant::now();
        let done = timeout(NAP, &mut work).await;
        lost += overrun(began.elapsed());
        if let Ok(done) = done {
            return (done, lost);
        }
    }
}
