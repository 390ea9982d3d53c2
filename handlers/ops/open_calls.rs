//! A walk over the open calls: pages of what the store has of them, the idlest of each partition first.
//!
//! Bounded by page; where one call cannot be read the others of its page are, and it is named. Fails as the store does.

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;
use crate::ports::state::{PARTITIONS, Survey};

/// Calls of one page.
const PAGE: u64 = 200;

/// Where a walk stands; printed as `partition:skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    partition: u8,
    skip: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.partition, self.skip)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split_once(':').and_then(|(partition, skip)| Some(Self { partition: partition.parse().ok()?, skip: skip.parse().ok()? }));
        parts.filter(|place| place.partition < PARTITIONS).ok_or_else(|| "must be what an earlier list printed, such as 3:200".to_owned())
    }
}

/// One open call.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What the store has of it.
    pub survey: Survey,
    /// Its last registered activity.
    pub registered: Timestamp,
}

/// One page of open calls.
#[derive(Debug, Default)]
pub struct Page {
    /// The calls.
    pub calls: Vec<Open>,
    /// Calls that cannot be read, with the reason.
    pub unreadable: Vec<(CallId, Error)>,
    /// Where the next page begins; none after the last.
    pub next: Option<Place>,
}

/// The page that begins here, of at most `limit` calls.
pub async fn page(app: &App, place: Place, limit: u64) -> Result<Page> {
    let limit = limit.min(PAGE);
    let Place { mut partition, mut skip } = place;
    while partition < PARTITIONS {
        let open = app.state.open_calls(partition, skip, limit).await?;
        if open.is_empty() {
            (partition, skip) = (partition + 1, 0);
            continue;
        }
        let next = Place { partition, skip: skip + open.len() as u64 };
        return surveyed(app, open, next).await;
    }
    Ok(Page::default())
}

async fn surveyed(app: &App, open: Vec<(CallId, Timestamp)>, next: Place) -> Result<Page> {
    let mut page = Page { next: Some(next), ..Page::default() };
    let ids: Vec<CallId> = open.iter().map(|(call, _)| call.clone()).collect();
    match app.state.survey(&ids).await {
        Ok(surveys) => page.calls = surveys.into_iter().zip(open).map(|(survey, (_, registered))| Open { survey, registered }).collect(),
        Err(e) if e.is_transient() => return Err(e),
        Err(_) => {
            for (call, registered) in open {
                match app.state.survey(std::slice::from_ref(&call)).await {
                    Ok(one) => page.calls.extend(one.into_iter().map(|survey| Open { survey, registered })),
                    Err(e) if e.is_transient() => return Err(e),
                    Err(e) => page.unreadable.push((call, e)),
                }
            }
        }
    }
    Ok(page)
}
