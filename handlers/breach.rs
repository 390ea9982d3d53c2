//! `rtvoice breach`: the workflow of a personal data breach at the command line, on the documents that the settings name.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use rtvoice::app::App;
use rtvoice::error::{Error, Result};
use rtvoice::privacy::breach::{Action, Breach, csv};
use rtvoice::steps::breach;
use serde_json::{Map, Value, json};

/// Exit codes of what changes one.
const DONE: &str = "Exit codes: 0 done, 1 no such breach, not allowed in its state or failed, 2 wrong usage, field or setting.";
/// Exit codes of what reads all.
const READ: &str = "Exit codes: 0 printed, 1 failed, 2 wrong usage or setting.";

/// Carry a personal data breach through its states (GDPR Art. 33 and 34).
#[derive(Args)]
#[command(after_help = "Fields come from --fields and --set, which wins; docs/PRIVACY.md lists them.\n\
                        Exit codes: 0 done, 1 no such breach, not allowed in its state or failed, 2 wrong usage, field or setting.")]
pub(crate) struct Arguments {
    /// Print JSON in one line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Fields {
    /// A JSON object with fields; - reads standard input
    #[arg(long, value_name = "FILE")]
    fields: Option<PathBuf>,
    /// One field; VALUE is JSON where it is JSON, else a text
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

#[derive(Args)]
#[command(after_help = DONE)]
struct Step {
    /// The breach
    id: String,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Csv,
}

#[derive(Subcommand)]
enum Command {
    /// Open a breach
    #[command(after_help = DONE)]
    Open(Fields),
    /// List the register
    #[command(after_help = READ)]
    List,
    /// Show one breach
    #[command(after_help = "Exit codes: 0 shown, 1 no such breach or failed, 2 wrong usage or setting.")]
    Show {
        /// The breach
        id: String,
    },
    /// Look into it, and keep what is found
    Triage(Step),
    /// It is a breach (reason, awareAt): the 72 hours begin; or correct that moment
    Aware(Step),
    /// Assess the risk (risk, rationale)
    Assess(Step),
    /// The authority was notified (authority, sentAt, phase, delayReason, content)
    Notify(Step),
    /// The people concerned were informed (count, sentAt, content)
    Inform(Step),
    /// They need not be (exemption a, b or c, rationale)
    Exempt(Step),
    /// It is done; from triage with a reason: it was no breach
    Close(Step),
    /// Whose data could have been read (from, to, actor, subject, correlationId, cursor)
    Scope(Step),
    /// Print the whole register
    #[command(after_help = READ)]
    Export {
        /// How
        #[arg(long, default_value = "json", conflicts_with = "json")]
        format: Format,
    },
}

/// What a command came to.
enum Outcome {
    Json(Value),
    Text(String),
    /// For people, and for programs.
    Either(String, Value),
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let json = arguments.json;
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(
        config,
        "error",
        async |app| carry(&app, arguments.command).await,
        |outcome| {
            let text = match outcome {
                Outcome::Json(value) | Outcome::Either(_, value) if json => value.to_string(),
                Outcome::Json(value) => format!("{value:#}"),
                Outcome::Text(text) | Outcome::Either(text, _) => text,
            };
            super::out::say(&text, ExitCode::SUCCESS)
        },
    )
}

async fn carry(app: &App, command: Command) -> Result<Outcome> {
    let (action, step) = match command {
        Command::Open(given) => {
            let breach = breach::open(app, fields(&given)?).await?;
            return breach::view(app, &breach).map(Outcome::Json);
        }
        Command::Show { id } => {
            let breach = breach::show(app, &id, breach::CLI).await?;
            return breach::view(app, &breach).map(Outcome::Json);
        }
        Command::List => return list(app).await,
        Command::Export { format } => return export(app, format).await,
        Command::Scope(step) => return breach::scope(app, &step.id, fields(&step.fields)?).await.map(Outcome::Json),
        Command::Triage(step) => (Action::Triage, step),
        Command::Aware(step) => (Action::Aware, step),
        Command::Assess(step) => (Action::Assess, step),
        Command::Notify(step) => (Action::Notify, step),
        Command::Inform(step) => (Action::Inform, step),
        Command::Exempt(step) => (Action::Exempt, step),
        Command::Close(step) => (Action::Close, step),
    };
    let breach = breach::act(app, &step.id, action, fields(&step.fields)?).await.map_err(|(e, _)| e)?;
    breach::view(app, &breach).map(Outcome::Json)
}

async fn list(app: &App) -> Result<Outcome> {
    breach::noted_reading(app, breach::CLI).await?;
    let mut text = String::new();
    let register = breach::register(app).await?;
    for breach in &register {
        let due = breach.due_at.filter(|_| breach.is_clock_running()).map_or_else(String::new, |due| format!("  due {due}"));
        text.push_str(&format!("{}  {:<20}  {}  {}{due}\n", breach.id, breach.state.as_str(), breach.detected_at, breach.source));
    }
    let line = |breach: &Breach| {
        let due = breach.due_at.filter(|_| breach.is_clock_running());
        json!({ "id": breach.id, "state": breach.state.as_str(), "detectedAt": breach.detected_at, "source": breach.source, "dueAt": due })
    };
    Ok(Outcome::Either(text, json!({ "breaches": register.iter().map(line).collect::<Vec<_>>() })))
}

async fn export(app: &App, format: Format) -> Result<Outcome> {
    breach::noted_reading(app, breach::CLI).await?;
    let register = breach::register(app).await?;
    match format {
        Format::Csv => Ok(Outcome::Text(csv(&register))),
        Format::Json => serde_json::to_value(&register).map(Outcome::Json).map_err(Error::internal),
    }
}

/// The fields of a step: those of the file, then those of the flags.
fn fields(given: &Fields) -> Result<Map<String, Value>> {
    let mut fields = match &given.fields {
        Some(path) => object(path)?,
        None => Map::new(),
    };
    for pair in &given.set {
        let (name, text) = pair.split_once('=').ok_or_else(|| Error::input("--set", "must be FIELD=VALUE"))?;
        fields.insert(name.to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    }
    fields.entry("by").or_insert_with(|| json!(breach::CLI));
    Ok(fields)
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    let wrong = |e: &dyn std::fmt::Display| Error::input("--fields", format!("must be a file with a JSON object ({e})"));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|e| wrong(&e))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
    }
    serde_json::from_str(&text).map_err(|e| wrong(&e))
}
