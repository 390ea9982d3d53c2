//! How much waits in the outboxes, as far as the settings name the state store of the target.

use crate::app::App;
use crate::ports::state::PARTITIONS;

/// Most calls of a partition that are looked at.
const LOOKED_AT: u64 = 200;

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
