//! `local.settings.json`, which `rtvoice dev` always adds to the environment, and operators' commands only where the environment does not
//! say by itself which app is meant: whoever looks at an empty file beside the store that is in use is told so.

use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::dev::settings::Settings;
use crate::ops::config::backends;

/// What serves where no setting names anything; a file that leaves it at that names nothing.
const DEFAULTS: [&str; 4] = ["embedded", "offline", "scripted", "file "];

/// A warning for each backend that the file names and this process does not use.
pub fn look(config: &Config) -> Vec<Finding> {
    match named(&config.app_root) {
        Some(file) => differences(config, &file),
        None => Vec::new(),
    }
}

/// The settings as `rtvoice dev` would have them; none where there is no such file, or it holds no sound settings: then `rtvoice
/// dev` says so.
fn named(root: &Path) -> Option<Config> {
    let file = Settings::read(root, []).ok()?;
    Config::from_lookup(|name| file.lookup(name), root.to_owned()).ok()
}

fn differences(config: &Config, file: &Config) -> Vec<Finding> {
    let (here, there) = (backends(config), backends(file));
    let differs = |port: &String| {
        let text = |backends: &serde_json::Value| backends[port.as_str()].as_str().unwrap_or_default().to_owned();
        let (here, there) = (text(&here), text(&there));
        let is_named = !DEFAULTS.iter().any(|default| there.starts_with(default)) && port != "identity";
        (is_named && here != there).then(|| {
            Finding::warning(
                "settings.local",
                format!("{port}: {there} in local.settings.json, {here} here"),
                "rtvoice dev adds local.settings.json to the environment; this and every other command go by the environment alone once that names an app or a store (ENVIRONMENT, APP_PREFIX, REDIS_HOST, COSMOS_ENDPOINT, SERVICE_BUS_NAMESPACE, EMBEDDED_PATH, ...)",
                "take those out of the environment, or put the settings of that backend into it too (rtvoice config --dev --set shows them)",
            )
        })
    };
    there.as_object().into_iter().flatten().filter_map(|(port, _)| differs(port)).collect()
}
