//! How much waits in the outboxes, as far as the settings name the state store of the target.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::ports::state::PARTITIONS;

/// Most calls of a partition that are looked at.
const LOOKED_AT: u64 = 200;
/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Looks again and again until the first value is dropped. Beside the load: a store that stands still must not hold it up.
pub fn watch(app: &App) -> (AbortOnDropHandle<()>, watch::Receiver<Option<u64>>) {
    let (tell, told) = watch::channel(None);
    let app = app.clone();
    let looking = tokio::spawn(async move {
        loop {
            tell.send_replace(depth(&app).await);
            tokio::time::sleep(EVERY).await;
        }
    });
    (AbortOnDropHandle::new(looking), told)
}

/// Messages in the outboxes of open calls; none where the store cannot be asked.
pub async fn depth(app: &App) -> Option<u64> {
    let mut waiting = 0;
    for partition in 0..PARTITIONS {
        let calls: Vec<_> = app.state.open_calls(partition, 0, LOOKED_AT).await.ok()?.into_iter().map(|(call, _)| call).collect();
        if !calls.is_empty() {
            waiting += app.state.survey(&calls).await.ok()?.iter().map(|survey| survey.waiting).sum::<u64>();
        }
    }
    Some(waiting)
}
