//! The function app's own description: `host.json` and every `function.json`, as typed structs that refuse what they
//! do not know. The published schemas let misspelt keys pass; these do not.
//!
//! In: the app root. Out: one [`Manifest`], functions sorted by name; a folder's name is its function's name. Fails
//! with `Kind::Setting`, naming the file and what is wrong in it.

mod files;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};
use crate::host::route::Route;
pub use files::{
    AuthLevel, Binding, Cardinality, CustomHandler, DataType, Direction, EventGridTrigger, Extensions, FunctionFile, HandlerDescription, HostFile,
    HttpExtension, HttpOutput, HttpTrigger, Retry, RetryStrategy, ServiceBusExtension, ServiceBusTrigger, TimerTrigger,
};

/// Everything that the app's files say.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder of `host.json`.
    pub root: PathBuf,
    /// `host.json`.
    pub host: HostFile,
    /// The functions, sorted by name.
    pub functions: Vec<Function>,
}

/// One function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name: the name of its folder, case kept.
    pub name: String,
    /// What starts it.
    pub trigger: Trigger,
    /// The name of its `http` output binding, where it has one.
    pub http_output: Option<String>,
}

/// What starts a function.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A request; with the parsed route (default: the function's name).
    Http(HttpTrigger, Route),
    /// An event.
    EventGrid(EventGridTrigger),
    /// A queue message.
    ServiceBus(ServiceBusTrigger),
    /// A schedule.
    Timer(TimerTrigger),
}

impl Manifest {
    /// Reads `host.json` and the `function.json` of every folder under `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let host: HostFile = parse(&root.join("host.json"))?;
        host.check().map_err(|reason| wrong("host.json", &reason))?;
        let unreadable = |e: std::io::Error| wrong(&root.display().to_string(), &format!("cannot be listed ({e})"));
        let mut functions = Vec::new();
        for entry in std::fs::read_dir(root).map_err(unreadable)? {
            let folder = entry.map_err(unreadable)?.path();
            let file = folder.join("function.json");
            if file.is_file() {
                let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                functions.push(Function::from_file(&name, parse(&file)?).map_err(|reason| wrong(&format!("{name}/function.json"), &reason))?);
            }
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: root.to_owned(), host, functions })
    }

    /// The function of this name; as in the host, case does not matter.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The HTTP function that takes this path (percent-encoded, without the route prefix and outer slashes). Several may
    /// share a route: the one that has the method, else any, which then refuses the method.
    pub fn by_route(&self, method: &str, path: &str) -> Option<&Function> {
        let taking = self.functions.iter().filter_map(|f| match &f.trigger {
            Trigger::Http(_, route) if route.matches(path).is_some() => Some(((route.precedence(), !f.takes(method)), f)),
            _ => None,
        });
        taking.min_by(|a, b| a.0.cmp(&b.0)).map(|(_, f)| f)
    }
}

impl Function {
    /// Whether an HTTP function has this method; one that names none has all.
    fn takes(&self, method: &str) -> bool {
        let methods = self.methods();
        methods.is_empty() || methods.iter().any(|m| m.eq_ignore_ascii_case(method))
    }

    fn from_file(name: &str, file: FunctionFile) -> std::result::Result<Self, String> {
        let mut trigger = None;
        let mut http_output = None;
        for binding in file.bindings {
            let found = match binding {
                Binding::Http(output) => {
                    http_output = Some(output.name);
                    continue;
                }
                Binding::HttpTrigger(t) => {
                    let route = Route::parse(t.route.as_deref().unwrap_or(name)).map_err(|reason| format!("bindings: route: {reason}"))?;
                    Trigger::Http(t, route)
                }
                Binding::EventGridTrigger(t) => Trigger::EventGrid(t),
                Binding::ServiceBusTrigger(t) => Trigger::ServiceBus(t),
                Binding::TimerTrigger(t) => {
                    schedule(&t.schedule).map_err(|reason| format!("bindings: schedule: {reason}"))?;
                    Trigger::Timer(t)
                }
            };
            if trigger.replace(found).is_some() {
                return Err("bindings: must hold one trigger, not two".to_owned());
            }
        }
        let trigger = trigger.ok_or("bindings: must hold one trigger")?;
        match (&trigger, &http_output) {
            (Trigger::Http(..), None) => return Err("bindings: an httpTrigger needs an http output, such as res".to_owned()),
            // The answer of `$return` goes through the host's base64 guessing, which garbles plain strings.
            (_, Some(output)) if output == "$return" => return Err("bindings: name: the http output must be named res, not $return".to_owned()),
            _ => {}
        }
        Ok(Self { name: name.to_owned(), trigger, http_output })
    }

    /// The name of the trigger's binding: the key under `Data` in the envelope.
    pub fn binding(&self) -> &str {
        match &self.trigger {
            Trigger::Http(t, _) => &t.name,
            Trigger::EventGrid(t) => &t.name,
            Trigger::ServiceBus(t) => &t.name,
            Trigger::Timer(t) => &t.name,
        }
    }

    /// The `type` of its trigger, as function.json writes it.
    pub const fn kind(&self) -> &'static str {
        match self.trigger {
            Trigger::Http(..) => "httpTrigger",
            Trigger::EventGrid(_) => "eventGridTrigger",
            Trigger::ServiceBus(_) => "serviceBusTrigger",
            Trigger::Timer(_) => "timerTrigger",
        }
    }

    /// The route template of an HTTP function, without the prefix; its name where the file gives none.
    pub fn route(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::Http(t, _) => Some(t.route.as_deref().unwrap_or(&self.name)),
            _ => None,
        }
    }

    /// The methods of an HTTP function in capitals; empty means all.
    pub fn methods(&self) -> Vec<String> {
        match &self.trigger {
            Trigger::Http(t, _) => t.methods.iter().flatten().map(|m| m.to_ascii_uppercase()).collect(),
            _ => Vec::new(),
        }
    }

    /// Who may call an HTTP function; the host's default is a function key.
    pub fn auth_level(&self) -> Option<AuthLevel> {
        match &self.trigger {
            Trigger::Http(t, _) => Some(t.auth_level.unwrap_or(AuthLevel::Function)),
            _ => None,
        }
    }
}

/// Parses a six-field schedule (`second minute hour day month weekday`), UTC.
pub fn schedule(text: &str) -> std::result::Result<croner::Cron, String> {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Required).build();
    parser.parse(text).map_err(|e| format!("\"{text}\" must have six fields, such as 0 * * * * * ({e})"))
}

/// Replaces each `%NAME%` by the setting; the error names the first that is not set.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, tail)) = after.split_once('%') else { break };
        out.push_str(before);
        out.push_str(&lookup(name).ok_or_else(|| Error::new(Kind::Setting, format!("{name} must be set: {text} needs it, for example {name}=transcripts")))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// Reads a time span as the host writes it: `hh:mm:ss`, `d.hh:mm:ss`, with an optional fraction.
pub fn span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, rest)) if rest.contains(':') => (days.parse::<u64>().ok()?, rest),
        _ => (0, text),
    };
    let mut fields = clock.split(':');
    let (hours, minutes, seconds) = (fields.next()?, fields.next()?, fields.next()?);
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds: f64 = seconds.parse().ok().filter(|s| (0.0..60.0).contains(s))?;
    if fields.next().is_some() || minutes > 59 || hours > 23 || days > 10_000 {
        return None;
    }
    Some(Duration::from_secs(days * 86_400 + hours * 3600 + minutes * 60) + Duration::from_secs_f64(seconds))
}

fn parse<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).map_err(|e| wrong(&shown(file), &format!("cannot be read ({e})")))?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| wrong(&shown(file), &e.to_string()))
}

/// `Folder/function.json` or `host.json`: enough to find the file.
fn shown(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match file.parent().and_then(Path::file_name) {
        Some(folder) if name == "function.json" => format!("{}/{name}", folder.to_string_lossy()),
        _ => name.into_owned(),
    }
}

fn wrong(file: &str, reason: &str) -> Error {
    Error::new(Kind::Setting, format!("{file}: {reason}"))
}
