//! `rtvoice health`: what `GET /api/health` of a target says, or, without one, what this process finds of the dependencies.
//!
//! Out: the status and a line for each detail, whatever it holds. Degraded is no: an operator who asks wants to know.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::target::Target;
use super::told::{Told, table};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::steps::health;

/// Longest that a target may take.
const REQUEST: Duration = Duration::from_secs(15);

/// Whether the app serves
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Without --target this process looks at the dependencies of its own settings. A function key is taken from the environment:\n\
                        RTVOICE_FUNCTION_KEY.\n\
                        Exit codes: 0 healthy, 1 degraded, unhealthy or no answer, 2 wrong usage or setting.")]
pub struct HealthArgs {
    /// Ask this handler or host
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Looks itself.
pub async fn look(app: &App, args: &HealthArgs) -> Result<Told> {
    let report = health::report(app).await;
    tell(args, &json!({ "status": report.status, "details": report.details }))
}

/// Asks a target.
pub async fn ask(args: &HealthArgs, url: &str) -> Result<Told> {
    let answer = Target::from_env(url, REQUEST)?.send("GET", "/api/health", &Map::new(), None).await?;
    match answer.status {
        200 | 503 if answer.body["status"].is_string() => tell(args, &answer.body),
        401 | 403 => Err(Error::new(Kind::Denied, format!("the target asks for a function key, for example {}=<key>", super::target::KEY))),
        status => Err(Error::new(Kind::Unavailable, format!("the target answered {status} and no health report"))),
    }
}

fn tell(args: &HealthArgs, body: &Value) -> Result<Told> {
    let status = body["status"].as_str().unwrap_or_default();
    Told::new(args.json, body, status == "healthy", || {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows = body["details"].as_object().into_iter().flatten().map(|(name, detail)| {
            let rest = detail.as_object().into_iter().flatten().filter(|(field, _)| *field != "status");
            let rest: Vec<String> = rest.map(|(field, value)| format!("{field}: {}", plain(value))).collect();
            [name.clone(), plain(&detail["status"]), rest.join(", ")]
        });
        format!("{status}\n{}", table(&["what", "status", "found"], rows))
    })
}
