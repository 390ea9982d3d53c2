//! Times what must be fast, and knows what the machine lost meanwhile: who is told that something took too long learns both.
//!
//! One thread for all tests naps and sees how late each nap ends. On a machine that does not stall nothing is lost, and a limit is
//! what it says.

use std::fmt::Display;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rtvoice::ops::stalls::{NAP, overrun};
use tokio::time::{Instant, timeout_at};

/// What was lost, and since when the nap that is not over lasts.
#[derive(Debug, Clone, Copy)]
struct Naps {
    lost: Duration,
    since: Instant,
}

impl Naps {
    /// All that was lost, with what the present nap is late by now.
    fn lost(self, now: Instant) -> Duration {
        self.lost + overrun(now.saturating_duration_since(self.since))
    }

    /// The present nap is over, and the next one begins.
    fn next(self, now: Instant) -> Self {
        Self { lost: self.lost(now), since: now }
    }
}

/// What this machine has lost since the first stopwatch was started.
fn lost() -> Duration {
    static NAPS: OnceLock<&Mutex<Naps>> = OnceLock::new();
    let naps = NAPS.get_or_init(|| {
        let naps: &Mutex<Naps> = Box::leak(Box::new(Mutex::new(Naps { lost: Duration::ZERO, since: Instant::now() })));
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(NAP);
                let mut naps = naps.lock().unwrap_or_else(PoisonError::into_inner);
                *naps = naps.next(Instant::now());
            }
        });
        naps
    });
    let naps = naps.lock().unwrap_or_else(PoisonError::into_inner);
    naps.lost(Instant::now())
}

/// Runs from its start on.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    began: Instant,
    before: Duration,
}

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Self { before: lost(), began: Instant::now() }
    }

    /// The time since its start.
    pub fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// What the machine has lost since its start.
    pub fn lost(self) -> Duration {
        lost().saturating_sub(self.before)
    }

    /// Whether so much time has passed, but for what was lost.
    pub fn is_over(self, limit: Duration) -> bool {
        judge(self.elapsed(), limit, self.lost()).is_err()
    }

    /// Panics with `why` where so much time has passed, but for what was lost.
    #[track_caller]
    pub fn below(self, limit: Duration, why: impl Display) {
        if let Err(verdict) = judge(self.elapsed(), limit, self.lost()) {
            panic!("{verdict}: {why}");
        }
    }

    /// Waits for what must come before so much time has passed, but for what was lost; panics with `why` where it does not.
    pub async fn in_time<T>(self, limit: Duration, why: impl Fn() -> String, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = timeout_at(self.began + limit + self.lost(), &mut work).await {
                return done;
            }
            self.below(limit, why());
        }
    }
}

/// What is to be said where something took too long.
fn judge(took: Duration, limit: Duration, lost: Duration) -> Result<(), String> {
    if took < limit + lost {
        return Ok(());
    }
    Err(format!("it took {took:.1?}, and may take {limit:.1?} besides the {lost:.1?} that the machine lost"))
}

#[test]
fn only_naps_that_end_late_are_lost_time() {
    let began = Instant::now();
    let after = |millis: u64| began + Duration::from_millis(millis);
    let naps = Naps { lost: Duration::ZERO, since: began };
    // In time, and as late as a busy machine may be.
    let naps = naps.next(after(20)).next(after(140));
    assert_eq!((naps.lost, naps.lost(after(260))), (Duration::ZERO, Duration::ZERO));
    // One that is not over yet counts, too, and not twice.
    assert_eq!(naps.lost(after(2_160)), Duration::from_secs(2));
    assert_eq!(naps.next(after(2_160)).next(after(2_180)).lost(after(2_190)), Duration::from_secs(2));
}

#[test]
fn a_limit_grows_by_what_was_lost_and_no_further() {
    let seconds = Duration::from_secs;
    assert_eq!(judge(seconds(9), seconds(10), Duration::ZERO), Ok(()));
    assert_eq!(judge(seconds(12), seconds(10), seconds(3)), Ok(()));
    let late = judge(seconds(10), seconds(10), Duration::ZERO).unwrap_err();
    assert_eq!(late, "it took 10.0s, and may take 10.0s besides the 0.0ns that the machine lost");
    assert!(judge(seconds(13), seconds(10), seconds(3)).is_err());
}

#[tokio::test]
async fn what_does_not_come_is_given_up() {
    let given_up = tokio::spawn(async {
        let watch = Stopwatch::start();
        watch.in_time(Duration::from_millis(30), || "nobody comes".to_owned(), std::future::pending::<()>()).await;
    });
    let said = *given_up.await.unwrap_err().into_panic().downcast::<String>().expect("a text");
    assert!(said.ends_with("nobody comes") && said.contains("may take 30.0ms"), "{said}");
    let watch = Stopwatch::start();
    assert_eq!(watch.in_time(Duration::from_secs(60), String::new, async { 7 }).await, 7);
    assert!(!watch.is_over(Duration::from_secs(60)) && watch.is_over(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn work_that_is_timed_is_told_what_was_lost() {
    use rtvoice::ops::stalls::during;
    use tokio::time::{advance, sleep};
    assert_eq!(during(sleep(Duration::from_secs(5))).await.1, Duration::ZERO, "to wait is to lose nothing");
    let stall = async {
        sleep(Duration::from_millis(105)).await;
        advance(Duration::from_secs(3)).await;
        sleep(Duration::from_secs(1)).await;
        "done"
    };
    let (done, lost) = during(stall).await;
    assert_eq!(done, "done");
    assert!((2_900..=3_000).contains(&lost.as_millis()), "{lost:?}");
}
