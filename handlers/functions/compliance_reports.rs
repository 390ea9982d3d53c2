//! ComplianceReports: `GET` answers the report of a day; of today, where none is named. Today's is made anew each time: the day
//! is not over. A day that has passed without one has none.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, json_response};
use crate::model::time::Timestamp;
use crate::steps::compliance;

/// How long the walk over the stores may take while somebody waits for it.
const WALK: Duration = Duration::from_secs(40);

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let today = app.clock.now().day();
    let day = match request.query("day")? {
        Some(text) => checked(&text)?,
        None => today.clone(),
    };
    let report = if day == today {
        compliance::make(&app, WALK).await?
    } else {
        compliance::stored(&app, &day).await?.ok_or_else(|| Error::new(Kind::NotFound, "there is no report of this day"))?
    };
    Ok(json_response(StatusCode::OK, &report))
}

/// A day of the calendar, written as reports are named.
fn checked(text: &str) -> Result<String> {
    let day = Timestamp::parse(&format!("{text}T00:00:00Z")).map(Timestamp::day);
    day.filter(|day| day == text).ok_or_else(|| Error::input("day", "must be a day, such as 2026-01-15"))
}
