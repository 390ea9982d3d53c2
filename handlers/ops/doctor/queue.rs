//! The queue: the right to send, and how it is set up, as far as a sender may see that.

use std::time::Duration;

use super::{Finding, blame};
use crate::app::App;
use crate::error::Kind;
use crate::ports::queue::Description;

/// For how long duplicates must be dropped: our message ids are made for it.
const WINDOW: Duration = Duration::from_secs(600);
/// Deliveries of one message: the writer defers what is transient, and only the unreadable comes this far.
const DELIVERIES: u32 = 10;
/// Shortest lock: the host renews it, but not in its first seconds.
const LOCK: Duration = Duration::from_secs(30);

const ACCESS: &str = "set SERVICE_BUS_KEY_NAME and SERVICE_BUS_KEY to a policy with the right Send (az servicebus namespace authorization-rule keys list); with Entra, give the identity the role Azure Service Bus Data Sender";
const REACH: &str = "see the finding network.service-bus; without it, look whether the namespace's firewall lets this network in";

/// Looks at both.
pub async fn look(app: &App) -> Vec<Finding> {
    if let Err(e) = app.queue.check().await {
        return vec![blame("queue", &e, ACCESS, REACH)];
    }
    let mut found = vec![Finding::ok("queue", format!("{} takes messages", app.config.transcript_queue))];
    match app.queue.describe().await {
        Ok(description) => found.extend(judged(app, &description)),
        Err(e) if e.kind == Kind::Denied => found.push(Finding::skipped(
            "queue.settings",
            "sessions, duplicate detection and lock cannot be seen with the right to send alone; compare: az servicebus queue show --query '[requiresSession,requiresDuplicateDetection,duplicateDetectionHistoryTimeWindow,lockDuration,maxDeliveryCount]'",
        )),
        Err(e) => found.push(blame("queue.settings", &e, ACCESS, REACH)),
    }
    found
}

fn judged(app: &App, queue: &Description) -> Vec<Finding> {
    let name = &app.config.transcript_queue;
    let mut found = Vec::new();
    let mut fault = |what: String, cause: &str, fix: String| found.push(Finding::fault("queue.settings", what, cause.to_owned(), fix));
    let anew = |option: &str| {
        format!(
            "this cannot be changed later: create the queue anew (az servicebus queue create --name {name} {option}), after `rtvoice outbox list` shows nothing and the old one is empty"
        )
    };
    if !queue.sessions {
        fault(
            format!("{name} has no sessions"),
            "the messages of one call would be delivered at once and out of order, and TranscriptWriter would not start",
            anew("--enable-session true"),
        );
    }
    match queue.duplicate_window {
        None => fault(
            format!("{name} does not drop duplicates"),
            "what is sent twice would be written twice over",
            anew("--enable-duplicate-detection true --duplicate-detection-history-time-window PT10M"),
        ),
        Some(window) if window < WINDOW => {
            let fix = format!("az servicebus queue update --name {name} --duplicate-detection-history-time-window PT10M");
            fault(format!("{name} remembers message ids for {} s", window.as_secs()), "the relay may send a message again within 10 minutes", fix);
        }
        Some(_) => {}
    }
    if queue.max_deliveries != DELIVERIES {
        let fix = format!("az servicebus queue update --name {name} --max-delivery-count {DELIVERIES}");
        fault(
            format!("{name} gives up after {} deliveries", queue.max_deliveries),
            "fewer lose messages to the dead letters when instances are killed, more hold up a lane behind a poison message",
            fix,
        );
    }
    if queue.lock < LOCK {
        let fix = format!("az servicebus queue update --name {name} --lock-duration PT1M");
        fault(format!("{name} holds a message for {} s alone", queue.lock.as_secs()), "a message is delivered again while it is still worked on", fix);
    }
    if queue.dead > 0 {
        let cause = "a poison message that nobody parked: TranscriptDeadLetter does not run, or the record is away";
        let fix = "switch TranscriptDeadLetter on (AzureWebJobs.TranscriptDeadLetter.Disabled), mend the record; then rtvoice dlq list shows what was parked";
        fault(format!("{} dead letters lie in {name}", queue.dead), cause, fix.to_owned());
    }
    if found.is_empty() {
        let lock = queue.lock.as_secs();
        found.push(Finding::ok(
            "queue.settings",
            format!("sessions, duplicates dropped, lock {lock} s, {DELIVERIES} deliveries; {} wait, {} scheduled", queue.active, queue.scheduled),
        ));
    }
    found
}
