//! The settings of the app under the local host: those given at start, then the process environment, then `Values` of
//! `local.settings.json`, as with `func start`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::host::manifest::{Function, Trigger};

/// All settings, by where they come from.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    given: BTreeMap<String, String>,
    local: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(default)]
    is_encrypted: bool,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Reads `local.settings.json` under `root`, which may be missing; `given` wins over everything.
    pub fn read(root: &Path, given: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let wrong = |reason: String| Error::new(Kind::Setting, format!("local.settings.json: {reason}"));
        let file = match std::fs::read_to_string(root.join("local.settings.json")) {
            Ok(text) => serde_json::from_str::<File>(text.trim_start_matches('\u{feff}')).map_err(|e| wrong(e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => File { is_encrypted: false, values: BTreeMap::new() },
            Err(e) => return Err(wrong(format!("cannot be read ({e})"))),
        };
        if file.is_encrypted {
            return Err(wrong("IsEncrypted: must be false, for example after `func settings decrypt`".to_owned()));
        }
        Ok(Self { given: given.into_iter().collect(), local: file.values })
    }

    /// A setting as the handler sees it.
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.outer(name).or_else(|| self.local.get(name).cloned())
    }

    /// A setting of the file alone.
    pub fn of_file(&self, name: &str) -> Option<String> {
        self.local.get(name).cloned()
    }

    fn outer(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned().or_else(|| config::process_env(name))
    }

    /// What the handler's environment needs besides that of this process.
    pub fn for_child(&self) -> Vec<(String, String)> {
        let local = self.local.iter().filter(|(name, _)| self.outer(name).is_none());
        local.chain(&self.given).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether `AzureWebJobs.{function}.Disabled` switches a function off.
    ///
    /// For the queue's functions `local.settings.json` is not asked: it disables them for `func start`, whose host would
    /// look for a Service Bus that a laptop has not. This host delivers the embedded queue itself.
    pub fn is_disabled(&self, function: &Function) -> bool {
        let is_queue = matches!(function.trigger, Trigger::ServiceBus(_));
        // A shell cannot export a name with dots: the form with underlines means the same.
        let names = [format!("AzureWebJobs.{}.Disabled", function.name), format!("AzureWebJobs__{}__Disabled", function.name)];
        let value = names.iter().find_map(|name| if is_queue { self.outer(name) } else { self.lookup(name) });
        value.is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
    }
}
