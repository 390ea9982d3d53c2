//! Telling people of alerts: by webhook in the form that the receiver takes, and calling the hook to scale out.
//!
//! In: a [`Notice`]. `Ok` means that every sink has it; a sink that is told again knows by the episode what it has already.
//! Errors: those of [`Webhook`]. URLs and secrets stand in no error and in no log.

use serde_json::{Value, json};

use crate::config::{AlertConfig, WebhookForm};
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::webhook::Webhook;

/// Whether an alert begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It fires.
    Fires,
    /// It is over.
    Resolved,
}

/// What is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Whether it begins or ends.
    pub what: What,
    /// Name of the rule.
    pub rule: String,
    /// `P0`, `P1` or `P2`.
    pub level: &'static str,
    /// Id of the episode.
    pub episode: String,
    /// What the signal is.
    pub value: f64,
    /// What it is held to.
    pub threshold: f64,
    /// The unit of both.
    pub unit: String,
    /// Since when it fires.
    pub since: Timestamp,
    /// When this was seen.
    pub at: Timestamp,
    /// What it means for callers.
    pub meaning: String,
    /// Where its runbook is.
    pub runbook: String,
    /// Whose alert it is: prefix and environment.
    pub source: String,
}

impl Notice {
    /// One line.
    pub fn headline(&self) -> String {
        let verb = if self.what == What::Fires { "fires" } else { "is resolved" };
        format!("[{}] {} {verb} on {}: {:.1} {} (limit {})", self.level, self.rule, self.source, self.value, self.unit, self.threshold)
    }

    /// The same for the same thing.
    pub fn key(&self) -> String {
        let what = if self.what == What::Fires { "fires" } else { "resolved" };
        format!("{}-{what}", self.episode)
    }

    /// All of it as JSON.
    pub fn json(&self) -> Value {
        json!({
            "type": "alert", "state": if self.what == What::Fires { "firing" } else { "resolved" }, "rule": self.rule, "level": self.level,
            "episode": self.episode, "value": self.value, "threshold": self.threshold, "unit": self.unit, "since": self.since, "at": self.at,
            "meaning": self.meaning, "runbook": self.runbook, "source": self.source,
        })
    }

    /// As the Events API v2 of PagerDuty takes it: one incident for a rule of one source, whoever tells of it.
    fn pager_duty(&self, routing_key: &str) -> Value {
        let severity = match self.level {
            "P0" => "critical",
            "P1" => "error",
            _ => "warning",
        };
        json!({
            "routing_key": routing_key,
            "event_action": if self.what == What::Fires { "trigger" } else { "resolve" },
            "dedup_key": format!("{}/{}", self.source, self.rule),
            "payload": {
                "summary": self.headline(), "source": self.source, "severity": severity, "timestamp": self.at, "component": self.rule,
                "custom_details": { "meaning": self.meaning, "runbook": self.runbook, "since": self.since },
            },
        })
    }

    /// An adaptive card, as the workflows of Teams take it.
    fn teams(&self) -> Value {
        let line = |text: String, weight: &str| json!({ "type": "TextBlock", "text": text, "wrap": true, "weight": weight });
        let body = [line(self.headline(), "bolder"), line(self.meaning.clone(), "default"), line(format!("Runbook: {}", self.runbook), "default")];
        card(&body)
    }

    fn slack(&self) -> Value {
        json!({ "text": format!("*{}*\n{}\nRunbook: {}", self.headline(), self.meaning, self.runbook) })
    }
}

fn card(body: &[Value]) -> Value {
    let card = json!({ "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body });
    json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }] })
}

/// All sinks of the settings.
#[derive(Debug)]
pub struct Notices {
    webhook: Option<(Webhook, WebhookForm, String)>,
    /// Called under memory pressure.
    pub scale_out: Option<Webhook>,
}

impl Notices {
    /// The sinks that the settings name.
    pub fn new(http: &reqwest::Client, config: &AlertConfig) -> Self {
        let secret = config.webhook_secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        let webhook = config.webhook_url.as_ref().map(|url| {
            let hook = Webhook::new(http.clone(), url.expose());
            let signed = config.webhook_form == WebhookForm::Generic && !secret.is_empty();
            (if signed { hook.signed(&secret) } else { hook }, config.webhook_form, secret)
        });
        Self { webhook, scale_out: config.scale_out_url.as_ref().map(|url| Webhook::new(http.clone(), url.expose())) }
    }

    /// Tells of a report, in Markdown, whoever reads such a thing: an incident is none.
    pub async fn report(&self, week: &str, markdown: &str) -> Result<()> {
        let Some((webhook, form, _)) = &self.webhook else { return Ok(()) };
        let body = match form {
            WebhookForm::Generic => json!({ "type": "weeklyReport", "week": week, "markdown": markdown }),
            WebhookForm::Slack => json!({ "text": markdown }),
            WebhookForm::Teams => card(&[json!({ "type": "TextBlock", "text": markdown, "wrap": true })]),
            WebhookForm::PagerDuty => return Ok(()),
        };
        webhook.tell(&format!("weekly-{week}"), &body).await
    }

    /// Tells all sinks.
    pub async fn tell(&self, notice: &Notice) -> Result<()> {
        let Some((webhook, form, secret)) = &self.webhook else { return Ok(()) };
        let body = match form {
            WebhookForm::Generic => notice.json(),
            WebhookForm::PagerDuty => notice.pager_duty(secret),
            WebhookForm::Teams => notice.teams(),
            WebhookForm::Slack => notice.slack(),
        };
        webhook.tell(&notice.key(), &body).await
    }
}
