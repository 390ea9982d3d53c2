//! The settings of operators' commands: the environment; on a developer's machine `local.settings.json` besides, as `rtvoice dev` has it.
//!
//! In: the environment and the file under the app root. Out: a lookup, and whether the file is in it. The file is left alone as soon as
//! the environment says by itself which app is meant (a store, an environment, a function app), so that a command never acts on a
//! mixture of two apps, and where the file names production. Fails with `Setting` where it would be read and cannot be.

use std::path::Path;

use crate::config::{self, Config, Environment};
use crate::dev::settings::Settings;
use crate::error::{Error, Kind, Result};

/// Settings that say which app is meant. Empty counts as unset.
const CHOOSING: [&str; 10] = [
    "WEBSITE_SITE_NAME",
    "ENVIRONMENT",
    "APP_PREFIX",
    "REDIS_HOST",
    "COSMOS_ENDPOINT",
    "SERVICE_BUS_NAMESPACE",
    "KEY_VAULT_URL",
    "KEYS_PATH",
    "EMBEDDED_PATH",
    "IDENTITY_ENDPOINT",
];

/// A look into an environment.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// What the commands go by.
pub struct Chosen {
    outer: Lookup,
    local: Option<Settings>,
}

impl Chosen {
    /// Of the process environment.
    pub fn from_env(root: &Path) -> Result<Self> {
        Self::of(root, config::process_env)
    }

    /// The same of any environment.
    pub fn of(root: &Path, outer: impl Fn(&str) -> Option<String> + 'static) -> Result<Self> {
        let outer: Lookup = Box::new(outer);
        if CHOOSING.iter().any(|name| outer(name).is_some_and(|value| !value.trim().is_empty())) {
            return Ok(Self { outer, local: None });
        }
        let file = root.join("local.settings.json");
        if !file.is_file() {
            return Ok(Self { outer, local: None });
        }
        let local = Settings::read(root, [])?;
        let guarded = [Environment::Prod, Environment::Staging].map(Environment::as_str);
        if let Some(environment) = local.of_file("ENVIRONMENT").filter(|environment| guarded.contains(&environment.trim().to_ascii_lowercase().as_str())) {
            let detail = format!(
                "local.settings.json names ENVIRONMENT={environment}, which no command takes from a file: set ENVIRONMENT in the environment too, with all settings of that app"
            );
            return Err(Error::new(Kind::Setting, detail));
        }
        Ok(Self { outer, local: Some(local) })
    }

    /// Whether `local.settings.json` is read.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// A setting, and where it comes from.
    pub fn lookup(&self, name: &str) -> Option<(String, &'static str)> {
        let local = || Some((self.local.as_ref()?.of_file(name)?, "local.settings.json"));
        (self.outer)(name).map(|value| (value, "environment")).or_else(local)
    }

    /// Its value alone.
    pub fn value(&self, name: &str) -> Option<String> {
        self.lookup(name).map(|(value, _)| value)
    }

    /// All of them. `Setting` where one is wrong.
    pub fn config(&self, root: &Path) -> Result<Config> {
        Config::from_lookup(|name| self.value(name), root.to_owned()).map_err(|e| Error::new(Kind::Setting, e.to_string()))
    }
}
