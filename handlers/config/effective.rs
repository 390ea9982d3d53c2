//! The settings as they take effect: each with its value, where that came from, and every one that is wrong, not the first alone.
//!
//! In: a lookup that says where it found a value. Out: rows for an operator. Secrets are told as set or unset, never shown.

use std::path::{Path, PathBuf};

use super::read::{self, SETTINGS, SettingError};
use super::{Config, RootKey};

/// What stands for a secret.
pub const HIDDEN: &str = "‹secret›";
/// Settings that hold a secret inside of something else.
const HOLDING_SECRETS: [&str; 4] = ["WEBHOOK", "PASSWORD", "SECRET", "CONNECTION_STRING"];

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its name.
    pub name: &'static str,
    /// The value that takes effect; none where it is unset and has no default. A secret is [`HIDDEN`].
    pub value: Option<String>,
    /// Where the value was found; `default` where it was not, `unset` where there is no default either.
    pub source: &'static str,
    /// What it needs.
    pub needs: &'static str,
    /// What is wrong with it.
    pub wrong: Option<SettingError>,
}

/// All settings; `lookup` gives a value and the name of the place where it was found.
pub fn effective(lookup: impl Fn(&str) -> Option<(String, &'static str)>, app_root: &Path) -> Vec<Effective> {
    let wrong = wrong(|name| lookup(name).map(|(value, _)| value), app_root);
    let config = Config::from_lookup(|name| lookup(name).map(|(value, _)| value), app_root.to_owned()).ok();
    SETTINGS
        .iter()
        .map(|&(name, needs, default)| {
            let found = lookup(name).map(|(value, source)| (value.trim().to_owned(), source)).filter(|(value, _)| !value.is_empty());
            let secret = needs.starts_with("secret") || HOLDING_SECRETS.iter().any(|part| name.contains(part));
            let (value, source) = match found {
                Some((_, source)) if secret => (Some(HIDDEN.to_owned()), source),
                Some((value, source)) => (Some(value), source),
                None => match config.as_ref().map_or_else(|| Some(default.to_owned()), |config| derived(config, name, default)).filter(|v| !v.is_empty()) {
                    Some(value) => (Some(value), "default"),
                    None => (None, "unset"),
                },
            };
            Effective { name, value, source, needs, wrong: wrong.iter().find(|e| e.name == name).cloned() }
        })
        .collect()
}

/// The default that takes effect; some follow from other settings.
fn derived(config: &Config, name: &str, default: &str) -> Option<String> {
    let shown = |path: &PathBuf| Some(path.display().to_string());
    match name {
        "REDIS_PORT" => config.redis.as_ref().map(|redis| redis.port.to_string()),
        "REDIS_SSL" => config.redis.as_ref().map(|redis| redis.ssl.to_string()),
        "REDIS_CLUSTER" => config.redis.as_ref().map(|redis| redis.cluster.to_string()),
        "COSMOS_DATABASE" => config.cosmos.as_ref().map(|cosmos| cosmos.database.clone()),
        "ALERT_MAIL_PORT" => config.alerts.mail.as_ref().map(|mail| mail.port.to_string()),
        "ALERT_MAIL_TLS" => config.alerts.mail.as_ref().map(|_| default.to_owned()),
        "EMBEDDED_PATH" => shown(&config.embedded_path),
        "KEYS_PATH" => match &config.root_key {
            RootKey::File(path) => shown(path),
            RootKey::Vault { .. } => None,
        },
        "KEY_VAULT_KEY" => match &config.root_key {
            RootKey::Vault { key, .. } => Some(key.clone()),
            RootKey::File(_) => None,
        },
        _ => Some(default.to_owned()),
    }
}

/// How a setting that was found wrong is passed over to find the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// As if it were unset.
    Hidden,
    /// As if it had the value of the example.
    Exemplary,
}

/// Every setting that is wrong: each is found by passing over those that were found before, so that one does not hide the next.
pub fn wrong(lookup: impl Fn(&str) -> Option<String>, app_root: &Path) -> Vec<SettingError> {
    let mut found: Vec<(SettingError, Passed)> = Vec::new();
    // Each is passed over in two ways at most.
    for _ in 0..=2 * SETTINGS.len() {
        let passing = |name: &str| match found.iter().find(|(e, _)| e.name == name) {
            None => lookup(name),
            Some((_, Passed::Hidden)) => None,
            Some((e, Passed::Exemplary)) => Some(e.example.to_owned()),
        };
        let Err(e) = read::config(&passing, app_root.to_owned()) else { break };
        let is_set = lookup(e.name).is_some_and(|value| !value.trim().is_empty());
        // What is set and wrong is left out; what is missing is made up.
        let first = if is_set { Passed::Hidden } else { Passed::Exemplary };
        match found.iter_mut().find(|(known, _)| known.name == e.name) {
            None => found.push((e, first)),
            Some((_, passed)) if *passed == first => *passed = if is_set { Passed::Exemplary } else { Passed::Hidden },
            Some(_) => break,
        }
    }
    found.into_iter().map(|(e, _)| e).collect()
}
