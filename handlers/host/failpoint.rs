//! Ends the process at an await of a function, for tests of what is left behind: release builds have nothing of it.
//!
//! In: the name of a function and a number, from the settings of a debug build. Every invocation of that function counts the
//! awaits at which it really waits, from 1: at number 2n the process ends as the n-th wait begins, at 2n + 1 as it ends.

#[cfg(debug_assertions)]
use std::pin::Pin;
#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::task::{Context, Poll};

/// The function and the number.
#[cfg(debug_assertions)]
static POINT: OnceLock<(String, u64)> = OnceLock::new();

/// Sets the point, once; release builds ignore it.
pub fn set(point: Option<&(String, u64)>) {
    #[cfg(debug_assertions)]
    if let Some(point) = point {
        // A second app in the process finds the first one's.
        let _ = POINT.set(point.clone());
    }
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// The work of an invocation, which ends the process where the point says so.
#[cfg(not(debug_assertions))]
pub fn watch<W>(_: &str, work: W) -> W {
    work
}

/// The work of an invocation, which ends the process where the point says so.
#[cfg(debug_assertions)]
pub fn watch<W: Future>(function: &str, work: W) -> impl Future<Output = W::Output> + use<W> {
    let ends_at = POINT.get().filter(|(name, _)| name == function).map(|(_, number)| *number);
    Watched { work: Box::pin(work), ends_at, waited: 0 }
}

#[cfg(debug_assertions)]
struct Watched<W> {
    work: Pin<Box<W>>,
    ends_at: Option<u64>,
    waited: u64,
}

#[cfg(debug_assertions)]
impl<W: Future> Future for Watched<W> {
    type Output = W::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Output> {
        if self.waited > 0 && self.ends_at == Some(2 * self.waited + 1) {
            std::process::abort();
        }
        let polled = self.work.as_mut().poll(context);
        if polled.is_pending() {
            self.waited += 1;
            if self.ends_at == Some(2 * self.waited) {
                std::process::abort();
            }
        }
        polled
    }
}
