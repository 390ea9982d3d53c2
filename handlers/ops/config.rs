//! `rtvoice config`: every setting as it takes effect, where it came from, and all that are wrong.
//!
//! In: what the commands go by ([`super::settings`]), or with `--dev` what the local host does. Out: values without
//! secrets, and the backends that follow from them. Opens nothing and sends nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::settings::Chosen;
use super::told::{Told, table};
use crate::config::effective::{self, Effective};
use crate::config::{self, Config, RedisAuth, RootKey};
use crate::dev::settings::Settings;
use crate::error::Result;

/// The settings as they take effect
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Secrets are never shown.\n\
                        Exit codes: 0 all are sound, 2 one is wrong or contradictory, or wrong usage.")]
pub struct ConfigArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// As `rtvoice dev` sees them: with those of local.settings.json whatever the environment says
    #[arg(long)]
    pub dev: bool,
    /// Show only those that differ from their default
    #[arg(long)]
    pub set: bool,
}

/// Runs the command on the process environment.
pub fn run(args: &ConfigArgs) -> Result<Told> {
    let root = config::app_root();
    if !args.dev {
        let chosen = Chosen::from_env(&root)?;
        return tell(args, &root, |name| chosen.lookup(name));
    }
    let local = Settings::read(&root, [])?;
    tell(args, &root, |name| {
        let outer = config::process_env(name).map(|value| (value, "environment"));
        outer.or_else(|| local.of_file(name).map(|value| (value, "local.settings.json")))
    })
}

/// The same on any lookup.
pub fn tell(args: &ConfigArgs, root: &Path, lookup: impl Fn(&str) -> Option<(String, &'static str)>) -> Result<Told> {
    let mut settings = effective::effective(&lookup, root);
    let wrong: Vec<String> = settings.iter().filter_map(|s| s.wrong.as_ref().map(ToString::to_string)).collect();
    let backends = Config::from_lookup(|name| lookup(name).map(|(value, _)| value), root.to_owned()).ok().map(|config| backends(&config));
    if args.set {
        settings.retain(|setting| !["default", "unset"].contains(&setting.source) || setting.wrong.is_some());
    }
    let shown =
        |s: &Effective| json!({ "name": s.name, "value": s.value, "source": s.source, "needs": s.needs, "wrong": s.wrong.as_ref().map(ToString::to_string) });
    let body =
        json!({ "appRoot": root.display().to_string(), "backends": backends, "settings": settings.iter().map(shown).collect::<Vec<_>>(), "wrong": wrong });
    Told::new(args.json, &body, wrong.is_empty(), || {
        let rows = settings.iter().map(|s| {
            let note = s.wrong.as_ref().map_or_else(String::new, |e| format!("wrong: {}", e.needs));
            [s.name.to_owned(), s.value.clone().unwrap_or_default(), s.source.to_owned(), note]
        });
        let mut lines = vec![format!("app root {}", root.display()), table(&["setting", "value", "from", ""], rows)];
        for (name, backend) in backends.as_ref().and_then(Value::as_object).into_iter().flatten() {
            lines.push(format!("{name:<10} {}", backend.as_str().unwrap_or_default()));
        }
        lines.extend(wrong.iter().map(|line| format!("wrong: {line}")));
        lines.join("\n")
    })
}

/// What serves each port, and how it is authenticated to.
pub fn backends(config: &Config) -> Value {
    let by = |key: bool| if key { "by key" } else { "by Entra" };
    let embedded = format!("embedded, {}", config.embedded_path.display());
    let redis = config.redis.as_ref().map(|r| {
        let auth = match &r.auth {
            RedisAuth::None => "without authentication",
            RedisAuth::Key { .. } => "by key",
            RedisAuth::Entra { .. } => "by Entra",
        };
        let kind = if r.cluster { "cluster" } else { "server" };
        format!("Redis {kind} {}:{}{}, {auth}", r.host, r.port, if r.ssl { " over TLS" } else { "" })
    });
    let service = |name: &str, s: &crate::config::EndpointConfig| format!("{name} {}, {}", s.endpoint, by(s.key.is_some()));
    json!({
        "state": redis.unwrap_or_else(|| embedded.clone()),
        "documents": config.cosmos.as_ref().map_or_else(|| embedded.clone(), |c| format!("Cosmos DB {} / {}, {}", c.endpoint, c.database, by(c.key.is_some()))),
        "queue": config.service_bus.as_ref().map_or_else(|| embedded.clone(), |b| format!("Service Bus {} / {}, {}", b.base_url, config.transcript_queue, by(b.key.is_some()))),
        "speech": config.speech.as_ref().map_or_else(|| "offline voice".to_owned(), |s| service("Azure Speech", s)),
        "replies": config.openai.as_ref().map_or_else(|| "scripted agent".to_owned(), |o| format!("{} / {}", service("Azure OpenAI", &o.service), o.deployment)),
        "rootKey": match &config.root_key {
            RootKey::Vault { url, key } => format!("Key Vault {url} / {key}, by Entra"),
            RootKey::File(path) => format!("file {}", path.display()),
        },
        "identity": if config.guarded || config.managed_identity { "managed identity" } else { "developer's sign-in" },
    })
}
