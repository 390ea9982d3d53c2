//! `rtvoice pii scan`: the exposure scan on demand, told in a table or as JSON.

use std::path::PathBuf;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::Value;

use crate::app::App;
use crate::error::{Error, Result};
use crate::steps::exposure::{self, Scope};

/// Look for personal values that rest in clear in the stores
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Findings name the place, the kind and a keyed fingerprint, never the value.\n\
                        Exit codes: 0 everything was looked at and nothing found; 1 something was found, a canary was not, or a store failed; \
                        2 wrong usage or setting.")]
pub struct ScanArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Look at the last lines of this log, too
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Longest that the walk over the stores may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub limit: u64,
}

/// What a scan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// For standard output.
    pub text: String,
    /// True where everything was looked at, nothing was found, and every canary was.
    pub clean: bool,
}

/// Runs one scan, which is kept as the last one.
pub async fn run(app: &App, arguments: &ScanArgs) -> Result<Scanned> {
    let scope = Scope { limit: Duration::from_secs(arguments.limit), log: arguments.log.clone() };
    let scan = exposure::look(app, &scope).await?;
    let recalls = scan["recall"].as_object().cloned().unwrap_or_default();
    let seen = recalls.values().all(|figures| figures["found"] == figures["planted"]);
    let clean = scan["complete"] == Value::Bool(true) && scan["found"] == 0 && seen;
    let text = if arguments.json { serde_json::to_string(&scan).map_err(Error::internal)? } else { render(&scan) };
    Ok(Scanned { text, clean })
}

fn render(scan: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let looked = &scan["looked"];
    let mut text = format!("looked at {} documents, {} keys and {} log lines: {} found\n", looked["documents"], looked["keys"], looked["lines"], scan["found"]);
    if scan["complete"] != Value::Bool(true) {
        text.push_str("not everything was looked at: time was up\n");
    }
    let findings = scan["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !findings.is_empty() {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(["store", "place", "label", "fingerprint", "count"]);
        for finding in findings {
            table.add_row(["store", "place", "label", "fingerprint", "count"].map(|field| plain(&finding[field])));
        }
        text.push_str(&format!("{table}\n"));
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(["store", "canaries", "found"]);
    for (store, figures) in scan["recall"].as_object().into_iter().flatten() {
        table.add_row([store.clone(), plain(&figures["planted"]), plain(&figures["found"])]);
    }
    text.push_str(&format!("{table}\n"));
    text
}
