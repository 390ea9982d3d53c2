//! `rtvoice events`: sample events and requests by name, and sending them to a running handler or host.
//!
//! In: a name of `events/samples.json`, a target, a call. Out: what the target answered. Ids and times are fresh each time, so that
//! nothing is taken for a duplicate, unless `--id` says so. The samples hold made-up values alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::target::{Answer, Target};
use super::told::{Told, table};
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::ports::clock::{Clock as _, SystemClock};

const SAMPLES: &str = include_str!("events/samples.json");
/// Longest that one request may take.
const REQUEST: Duration = Duration::from_secs(60);

/// Sample events
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct EventsArgs {
    /// Print JSON: one array, or one object for each request
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: EventsCommand,
}

/// What can be done with samples.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum EventsCommand {
    /// List the samples
    #[command(after_help = "Exit codes: 0 listed, 2 wrong usage.")]
    List,
    /// Send one to a handler or host
    #[command(after_help = "A function key is taken from the environment: RTVOICE_FUNCTION_KEY.\n\
                            Exit codes: 0 answered with 2xx, 1 answered otherwise or not at all, 2 wrong usage.")]
    Send(SendArgs),
}

/// How a sample is sent.
#[derive(Debug, Clone, clap::Args)]
pub struct SendArgs {
    /// Its name, as `rtvoice events list` shows it
    pub sample: String,
    /// Where to
    #[arg(long, value_name = "URL", default_value = "http://localhost:7071")]
    pub target: String,
    /// The call's callConnectionId
    #[arg(long, default_value = "sample-call")]
    pub call: String,
    /// The event's or turn's id; a fresh one where none is given
    #[arg(long)]
    pub id: Option<String>,
    /// Put this JSON (or text) at this place of the body, such as /text=Hello or /0/data/sequenceNumber=2
    #[arg(long = "set", value_name = "POINTER=VALUE")]
    pub changes: Vec<String>,
    /// How often, each with an id of its own unless --id is given
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub times: u16,
}

/// One sample: a request with `{call}`, `{id}` and `{now}` to be filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// What it says.
    pub what: String,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers besides the content type.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// The body.
    pub body: Value,
}

/// All samples, in the order of a call.
pub fn samples() -> Result<Vec<Sample>> {
    serde_json::from_str(SAMPLES).map_err(Error::internal)
}

impl Sample {
    /// The sample of this name. `BadInput` where there is none.
    pub fn named(name: &str) -> Result<Self> {
        let unknown = || Error::input("SAMPLE", "must be one of those that `rtvoice events list` shows");
        samples()?.into_iter().find(|sample| sample.name == name).ok_or_else(unknown)
    }

    /// The same for one call, with this id, and the time now.
    #[must_use]
    pub fn filled(mut self, call: &CallId, id: &str) -> Self {
        let now = SystemClock.now().to_string();
        let fill = |text: &str| text.replace("{call}", call.as_str()).replace("{id}", id).replace("{now}", &now);
        walk(&mut self.body, &fill);
        self.path = fill(&self.path);
        self
    }

    /// Puts a value at a place of the body: `POINTER=VALUE`.
    fn change(&mut self, change: &str) -> Result<()> {
        let wrong = || Error::input("--set", "must be a place that the sample has and a value, such as /text=Hello");
        let (pointer, text) = change.split_once('=').ok_or_else(wrong)?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        if let Some(place) = self.body.pointer_mut(pointer) {
            *place = value;
            return Ok(());
        }
        // A member that the sample leaves out.
        let (parent, name) = pointer.rsplit_once('/').ok_or_else(wrong)?;
        self.body.pointer_mut(parent).and_then(Value::as_object_mut).ok_or_else(wrong)?.insert(name.to_owned(), value);
        Ok(())
    }
}

fn walk(value: &mut Value, fill: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = fill(text),
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, fill)),
        Value::Object(fields) => fields.values_mut().for_each(|value| walk(value, fill)),
        _ => {}
    }
}

/// Runs the command.
pub async fn run(args: &EventsArgs) -> Result<Told> {
    match &args.command {
        EventsCommand::List => {
            let samples = samples()?;
            Told::new(args.json, &samples, true, || {
                let rows = samples.iter().map(|sample| [sample.name.clone(), sample.method.clone(), sample.path.clone(), sample.what.clone()]);
                table(&["name", "method", "path", "what"], rows)
            })
        }
        EventsCommand::Send(how) => send(args.json, how).await,
    }
}

async fn send(json: bool, args: &SendArgs) -> Result<Told> {
    let target = Target::from_env(&args.target, REQUEST)?;
    let (sample, call) = (Sample::named(&args.sample)?, CallId::parse(args.call.as_str())?);
    let mut lines = Vec::new();
    let mut good = true;
    for _ in 0..args.times {
        let id = args.id.clone().unwrap_or_else(|| SystemClock.new_id());
        let mut sample = sample.clone().filled(&call, &id);
        args.changes.iter().try_for_each(|change| sample.change(change))?;
        let answer = target.send(&sample.method, &sample.path, &sample.headers, Some(&sample.body)).await?;
        good &= answer.is_success();
        lines.push(told(json, &id, &answer));
    }
    Ok(Told { text: lines.join("\n"), good })
}

fn told(json: bool, id: &str, answer: &Answer) -> String {
    if json {
        return json!({ "id": id, "status": answer.status, "millis": answer.millis, "body": answer.body }).to_string();
    }
    let body = if answer.body.is_null() { String::new() } else { format!(" {}", answer.body) };
    format!("{id}: {} in {} ms{body}", answer.status, answer.millis)
}
