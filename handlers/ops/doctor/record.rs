//! The record: its containers, the right to read and to write in each, their expiry; and what lies parked.

use serde_json::json;

use super::{Finding, blame};
use crate::app::App;
use crate::error::{Kind, Result};
use crate::ops::dlq;
use crate::ports::documents::{Condition, Container};

/// Days of parked messages that are looked at.
const DAYS: u16 = 7;
/// Parked messages that are counted, at most.
const PARKED: usize = 500;
/// Partition and id of a document that does not exist.
const NOWHERE: &str = "rtvoice-doctor";
/// A version that no document has.
const NO_VERSION: &str = "\"rtvoice-doctor\"";

const ACCESS: &str = "set COSMOS_KEY to the primary key that the portal shows now; with Entra, give the identity the role Cosmos DB Built-in Data Contributor on the account (az cosmosdb sql role assignment create)";
const REACH: &str = "see the finding network.cosmos; without it, look whether the account's firewall lets this network in";

/// Containers, rights and expiry.
pub async fn look(app: &App) -> Vec<Finding> {
    let mut checked = app.documents.check().await;
    if matches!(&checked, Err(e) if e.kind == Kind::Deadline) {
        // Its client was coming up.
        checked = app.documents.check().await;
    }
    match checked {
        Err(e) if e.kind != Kind::Setting => return vec![blame("documents", &e, ACCESS, REACH)],
        Err(e) => {
            // It names the first that is wrong.
            let mut found = Vec::new();
            for container in Container::ALL {
                if let Err(e) = rights(app, container).await {
                    found.push(if e.kind == Kind::Setting { missing(app, container, &e.detail) } else { blame("documents", &e, ACCESS, REACH) });
                }
            }
            if found.is_empty() {
                let cause = "a document's own ttl means nothing in a container without time to live: nothing is removed on time";
                let fix = "az cosmosdb sql container update --account-name NAME --database-name DATABASE --name CONTAINER --ttl -1";
                found.push(Finding::fault("documents.expiry", e.detail, cause, fix));
            }
            return found;
        }
        Ok(()) => {}
    }
    for container in Container::ALL {
        if let Err(e) = rights(app, container).await {
            return vec![blame("documents", &e, ACCESS, REACH)];
        }
    }
    vec![Finding::ok("documents", format!("{} containers are there, to be read and written, and let documents expire", Container::ALL.len()))]
}

/// Reads a partition that does not exist, and writes where no version can match: nothing comes of either.
async fn rights(app: &App, container: Container) -> Result<()> {
    app.documents.list(container, NOWHERE, "", None, 1).await?;
    let body = json!({ "id": NOWHERE, container.partition_field(): NOWHERE });
    app.documents.put(container, &body, Condition::Matches(NO_VERSION)).await.map(drop)
}

fn missing(app: &App, container: Container, detail: &str) -> Finding {
    let (name, key) = (container.name(), container.partition_field());
    let database = app.config.cosmos.as_ref().map_or("rtvoice", |cosmos| cosmos.database.as_str());
    let ttl = if container.has_expiry() { " --ttl -1" } else { "" };
    let fix = format!("az cosmosdb sql container create --account-name NAME --database-name {database} --name {name} --partition-key-path /{key}{ttl}");
    // Where production's rules do not hold a start makes what is missing.
    let fix = if app.config.guarded { fix } else { format!("start the app, which makes it here; or {fix}") };
    Finding::fault("documents", format!("the container {name} is missing in database {database}"), detail.to_owned(), fix)
}

/// Messages and events that could not be taken, and that nobody has delivered again since.
pub async fn parked(app: &App) -> Vec<Finding> {
    let (parked, complete) = match dlq::parked(app, DAYS, PARKED).await {
        Ok(parked) => parked,
        // The finding on documents tells why.
        Err(_) => return vec![Finding::skipped("deadletters", "the record cannot be read")],
    };
    let open: Vec<_> = parked.iter().filter(|one| one.replayed_at.is_none()).collect();
    let Some(newest) = open.first() else { return vec![Finding::ok("deadletters", format!("nothing was parked in {DAYS} days"))] };
    let count = format!("{}{}", if complete { "" } else { "more than " }, open.len());
    let (day, id) = (&newest.day, &newest.id);
    let found = format!("{count} messages or events are parked, the newest {day} {id}");
    let cause = newest.reason.clone().map_or_else(|| "a poison message: it could not be read".to_owned(), |reason| format!("a poison message: {reason}"));
    let fix = if newest.replayable {
        format!("rtvoice dlq show {day} {id}, mend what it names, then rtvoice dlq replay {day} {id}")
    } else {
        format!("rtvoice dlq show {day} {id} to see who sent it; it cannot be delivered again: rtvoice dlq drop {day} {id}")
    };
    vec![Finding::fault("deadletters", found, cause, fix)]
}
