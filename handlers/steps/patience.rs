//! Asking a store again for as long as that is worth it: for walks that nobody waits for.

use std::time::Duration;

use crate::error::Result;

/// How often more a step is tried.
const TRIES: u32 = 5;
/// Pause before trying again, where the store names none.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(10);

/// Does a step, again after failures that may pass. The step must do no harm when it happens twice.
pub async fn patiently<T, F>(step: impl Fn() -> F + Send) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let mut left = TRIES;
    loop {
        match step().await {
            Err(e) if e.is_transient() && left > 0 => {
                left -= 1;
                tokio::time::sleep(e.retry_after.unwrap_or(PAUSE).min(LONGEST)).await;
            }
            result => return result,
        }
    }
}
