//! The memory of the handler while a run goes on: its proportional set size, looked at each second, whichever process it is by then.
//!
//! In: where the local host says what its handler is. Out: the most that was seen. It fails on nothing: what cannot be read
//! (the handler is being started again, or there is no `/proc`) is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::dev::child::State;

/// Between two samples.
const EVERY: Duration = Duration::from_secs(1);
/// KiB of a MiB.
const KIB: f64 = 1024.0;

/// The most that was seen so far; looking ends when it is dropped.
pub struct Peak {
    kib: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Peak {
    /// Looks again and again.
    pub fn watch(handler: watch::Receiver<State>) -> Self {
        let kib = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&kib);
        let task = tokio::spawn(async move {
            loop {
                let pid = match &*handler.borrow() {
                    State::Ready(ready) => Some(ready.pid),
                    _ => None,
                };
                if let Some(now) = pid.and_then(pss) {
                    seen.fetch_max(now, Ordering::Relaxed);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { kib, _task: AbortOnDropHandle::new(task) }
    }

    /// In MiB; none where nothing could be read.
    pub fn mib(&self) -> Option<f64> {
        Some(self.kib.load(Ordering::Relaxed)).filter(|kib| *kib > 0).map(|kib| kib as f64 / KIB)
    }
}

/// Proportional set size of a process in KiB (proc(5), `smaps_rollup`).
fn pss(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
