//! The clock's reminders. An instance takes a reminder for itself under the document's version, tells the webhook, and
//! remembers in the document that it was taken; what was not taken is told again at the next tick. One that is killed in
//! between is followed by another, whose reminder has the same id.

use serde_json::json;

use super::{page, update};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ports::audit::{Actor, Note};
use crate::privacy::breach::Breach;
use crate::telemetry::label::Only;
use crate::telemetry::metric::BREACH_REMINDERS;

/// Breaches that are read at once.
const PAGE: usize = 100;

/// Sends what is due. One breach that fails does not keep the others from theirs: the tick fails at its end.
pub async fn tick(app: &App) -> Result<()> {
    let mut failed: Option<Error> = None;
    let mut from: Option<String> = None;
    loop {
        let (breaches, next) = page(app, from.as_deref(), PAGE).await?;
        for breach in breaches {
            for hours in breach.reminders_due(app.clock.now()) {
                if let Err(e) = remind(app, &breach.id, hours).await {
                    tracing::error!(breach = breach.id, hours, error = e.chain(), page = true, "a reminder of a breach was not taken; trying again");
                    failed.get_or_insert(e);
                }
            }
        }
        from = next;
        if from.is_none() {
            return failed.map_or(Ok(()), Err);
        }
    }
}

async fn remind(app: &App, id: &str, hours: u32) -> Result<()> {
    let mut mine = false;
    let breach = update(app, id, |breach| {
        mine = breach.claim_reminder(hours, app.clock.now());
        Ok(mine)
    })
    .await?;
    if !mine {
        return Ok(());
    }
    let result = tell(app, &breach, hours).await;
    let taken = result.is_ok();
    update(app, id, |breach| {
        breach.reminded(hours, app.clock.now(), taken);
        Ok(true)
    })
    .await?;
    let note = Note::new("breach.reminder").actor(Actor::System).store("documents").named(format!("breach:{id}")).result(&result);
    app.audit.note(note).await?;
    result
}

async fn tell(app: &App, breach: &Breach, hours: u32) -> Result<()> {
    let now = app.clock.now();
    // In the log always: a webhook may be missing, or nobody may look at what it says.
    app.metrics.count(BREACH_REMINDERS, Only);
    tracing::error!(page = true, breach = breach.id, hours, "a breach waits for its notification");
    let Some(webhook) = &app.breach_webhook else { return Ok(()) };
    let id = format!("{}-{hours}", breach.id);
    let body = json!({
        "type": "breach.reminder",
        "reminderId": id,
        "breachId": breach.id,
        "hours": hours,
        "state": breach.state,
        "awareAt": breach.aware_at,
        "dueAt": breach.due_at,
        "remainingSeconds": breach.due_at.map(|due| due.since(now).div_euclid(1000)),
        "missing": breach.facts.missing(),
    });
    webhook.tell(&id, &body).await
}
