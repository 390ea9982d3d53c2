//! `rtvoice demo`: plays a whole phone call through the local host on a fresh embedded file, and verifies what came of it.
//!
//! In: a script of what the caller says. Out: a [`report::Report`] whose every figure was read back from the stores or from the
//! HTTP answers. Nothing outside its own folder is touched.

pub mod call;
pub mod report;
pub mod script;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::config::Config;
use crate::dev::host::{LocalHost, Options};
use crate::dev::log::LogSink;
use crate::error::{Error, Kind, Result};
use crate::ports::clock::{Clock as _, SystemClock};

/// How long the archive may take to appear.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Last lines of the handler that are shown when something fails.
const LAST_LINES: usize = 20;
/// Settings that would lead the demo to services of the cloud; it runs on the embedded backends whatever is set.
const CLOUD: [&str; 28] = [
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_SSL",
    "REDIS_CLUSTER",
    "REDIS_USERNAME",
    "REDIS_ACCESS_KEY",
    "COSMOS_ENDPOINT",
    "COSMOS_KEY",
    "COSMOS_DATABASE",
    "SERVICE_BUS_NAMESPACE",
    "SERVICE_BUS_KEY_NAME",
    "SERVICE_BUS_KEY",
    "SPEECH_ENDPOINT",
    "SPEECH_KEY",
    "OPENAI_ENDPOINT",
    "OPENAI_KEY",
    "BREACH_WEBHOOK_URL",
    "ALERT_WEBHOOK_URL",
    "ALERT_WEBHOOK_FORM",
    "ALERT_WEBHOOK_SECRET",
    "SCALE_OUT_WEBHOOK_URL",
    "ALERT_MAIL_HOST",
    "ALERT_MAIL_PORT",
    "ALERT_MAIL_TLS",
    "ALERT_MAIL_FROM",
    "ALERT_MAIL_TO",
    "ALERT_MAIL_USER",
    "ALERT_MAIL_PASSWORD",
];

/// How the demo is played.
pub struct Demo {
    /// The folder of `host.json`.
    pub app_root: PathBuf,
    /// What the caller says; none for the script that is built in.
    pub script: Option<PathBuf>,
    /// Whether the folder with the stores stays.
    pub keep: bool,
    /// The handler's executable; none for this one.
    pub executable: Option<PathBuf>,
    /// Shows what is being done.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Demo {
    /// Plays the call. An error means that it could not be played; what it found is in the report.
    pub async fn play(&self) -> Result<report::Report> {
        let script = match &self.script {
            Some(path) => script::Script::load(path)?,
            None => script::Script::builtin()?,
        };
        let folder = std::env::temp_dir().join(format!("rtvoice-demo-{}", SystemClock.new_id()));
        std::fs::create_dir_all(&folder).map_err(|e| Error::new(Kind::Setting, "the temporary folder must be writable, for example TMPDIR=/tmp").because(e))?;
        let result = self.play_in(&folder, &script).await;
        if !self.keep {
            // A folder that cannot be removed is no reason to fail what was shown.
            let _ = std::fs::remove_dir_all(&folder);
        }
        result.map(|report| report::Report { kept: self.keep.then(|| folder.display().to_string()), ..report })
    }

    async fn play_in(&self, folder: &Path, script: &script::Script) -> Result<report::Report> {
        let environment = alone(&folder.join("rtvoice.db"));
        let lines = Arc::new(Mutex::new(Vec::<String>::new()));
        let sink = Arc::clone(&lines);
        let log = LogSink::new(move |_, line| sink.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned()));
        let options = Options { port: 0, environment: environment.clone(), executable: self.executable.clone(), log, ..Options::new(self.app_root.clone()) };

        (self.progress)("starting the local host and the handler");
        let lookup = |name: &str| environment.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let config = Config::from_lookup(lookup, self.app_root.clone()).map_err(|e| Error::new(Kind::Setting, e.to_string()))?;
        // Opened before the handler, so that what is read back is read from the file alone.
        let app = App::new(config)?;
        let host = LocalHost::start(options).await.inspect_err(|_| show(&lines))?;
        let played = call::play(host.url(), &app, script, self.progress.as_ref()).await;
        host.stop().await;
        played.inspect_err(|_| show(&lines))
    }
}

/// Settings that keep an app to this embedded file and away from everything else, whatever the environment says.
pub fn alone(file: &Path) -> Vec<(String, String)> {
    let mut environment = vec![
        ("ENVIRONMENT".to_owned(), "dev".to_owned()),
        ("WEBSITE_SITE_NAME".to_owned(), String::new()),
        ("OPENAI_DEPLOYMENT".to_owned(), String::new()),
        ("EMBEDDED_PATH".to_owned(), file.display().to_string()),
    ];
    environment.extend(CLOUD.iter().map(|name| ((*name).to_owned(), String::new())));
    environment
}

fn show(lines: &Mutex<Vec<String>>) {
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    for line in lines.iter().rev().take(LAST_LINES).rev() {
        eprintln!("{line}");
    }
}
