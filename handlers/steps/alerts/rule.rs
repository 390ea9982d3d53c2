//! The rules, as `alerts.toml` has them, built into the program and checked when it is read.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::signal::Signal;
use crate::error::{Error, Kind, Result};

/// The file.
pub const FILE: &str = include_str!("../../../alerts.toml");

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Somebody is woken.
    P0,
    /// Somebody is told.
    P1,
    /// It stands in the weekly report.
    P2,
}

impl Level {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
        }
    }
}

/// What is called besides the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// `SCALE_OUT_WEBHOOK_URL`.
    ScaleOut,
}

/// One rule; `alerts.toml` says what its members mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique.
    pub name: String,
    /// How bad it is.
    pub level: Level,
    /// What is measured.
    pub signal: Signal,
    /// The unit of the numbers.
    pub unit: String,
    /// It fires above this.
    pub threshold: f64,
    /// Seconds that it is measured over.
    pub window: i64,
    /// Seconds of a second window that must be above the threshold, too.
    #[serde(default)]
    pub short: Option<i64>,
    /// Samples without which the signal is 0.
    #[serde(default)]
    pub least: u64,
    /// It ends at or below this.
    pub resolve: f64,
    /// Seconds that the end is measured over.
    pub clear: i64,
    /// Seconds after which it must have fired.
    pub within: i64,
    /// Anchor of its runbook.
    pub runbook: String,
    /// What it means for callers.
    pub meaning: String,
    /// What is called besides.
    #[serde(default)]
    pub hook: Option<Hook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// Reads rules. `Setting` with the rule and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Rule>> {
    let wrong = |detail: String| Error::new(Kind::Setting, format!("alerts.toml {detail}"));
    let file: File = toml::from_str(text).map_err(|e| wrong(format!("cannot be read: {}", e.message())))?;
    for (place, rule) in file.rule.iter().enumerate() {
        let fault = |what: &str| Err(wrong(format!("rule {}: {what}", rule.name)));
        if rule.name.is_empty() || !rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return fault("its name must be of a-z and -");
        }
        if file.rule[..place].iter().any(|other| other.name == rule.name) {
            return fault("its name stands twice");
        }
        if !(rule.threshold.is_finite() && rule.resolve.is_finite() && rule.resolve <= rule.threshold) {
            return fault("resolve must be at most threshold");
        }
        if rule.window < 10 || rule.window > 21_600 || rule.clear < 10 || rule.clear > rule.window.max(120) || rule.within < 1 {
            return fault("window must be 10 to 21600 s, clear 10 s to window");
        }
        if rule.short.is_some_and(|short| short < 10 || short > rule.window) {
            return fault("short must be 10 s to window");
        }
        if rule.meaning.is_empty() || rule.runbook.is_empty() {
            return fault("it needs a meaning and a runbook");
        }
    }
    Ok(file.rule)
}

/// The rules that are built in. Empty only where the file of the source tree is broken, which a test refuses.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    parse(FILE).unwrap_or_else(|e| {
        tracing::error!(error = e.chain(), page = true, "there are no alerts");
        Vec::new()
    })
});

/// The rule of this name.
pub fn named(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}
