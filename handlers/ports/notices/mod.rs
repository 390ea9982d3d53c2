//! Telling people of alerts: by webhook in the form that the receiver takes, by mail, and calling the hook to scale out.
//!
//! In: a [`Notice`] and the [`Sink`] that is told, so that one that is away holds up no other. `Ok` means that it has it; a sink
//! that is told again knows by the episode what it has already. Errors: those of [`Webhook`] and [`mail::Mail`]. URLs, addresses
//! and secrets stand in no error and in no log.

pub mod mail;
mod smtp;

use std::path::Path;

use serde_json::{Value, json};

use crate::config::{AlertConfig, WebhookForm};
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::webhook::Webhook;
use mail::Mail;

/// Levels that are mailed: somebody must act. What can wait for the weekly report fills no mailbox.
const MAILED: [&str; 2] = ["P0", "P1"];

/// Who can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// `ALERT_WEBHOOK_URL`, of all levels.
    Webhook,
    /// `ALERT_MAIL_*`, of P0 and P1.
    Mail,
    /// `SCALE_OUT_WEBHOOK_URL`, of rules that ask for more room when they fire.
    ScaleOut,
}

impl Sink {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Mail, Self::ScaleOut];

    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::ScaleOut => "scale-out",
        }
    }

    /// Milliseconds that it is left alone once it has not taken something, after so many failures in a row before. Mail servers take
    /// being pressed amiss; what makes room is pressed less and less, up to once in five minutes.
    pub fn pause(self, failures: u32) -> i64 {
        match self {
            Self::Webhook => 0,
            Self::Mail => 60_000,
            Self::ScaleOut => (5_000 << failures.min(6)).min(300_000),
        }
    }

    /// Takes out what this sink need not be told any more: nobody asks for more room once the alert is over.
    pub fn drop_needless(self, notices: &mut Vec<Notice>) {
        if self == Self::ScaleOut {
            let over: Vec<String> = notices.iter().filter(|notice| notice.what == What::Resolved).map(|notice| notice.episode.clone()).collect();
            notices.retain(|notice| !over.contains(&notice.episode));
        }
    }
}

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
    /// Whether the rule calls the hook to scale out.
    pub scales_out: bool,
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
    /// Takes mail.
    pub mail: Option<Mail>,
    scale_out: Option<Webhook>,
}

impl Notices {
    /// The sinks that the settings name. A mail server is trusted by the system's authorities and those of `ca_file`.
    pub fn new(http: &reqwest::Client, config: &AlertConfig, ca_file: Option<&Path>) -> Self {
        let secret = config.webhook_secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        let webhook = config.webhook_url.as_ref().map(|url| {
            let hook = Webhook::new(http.clone(), url.expose());
            let signed = config.webhook_form == WebhookForm::Generic && !secret.is_empty();
            (if signed { hook.signed(&secret) } else { hook }, config.webhook_form, secret)
        });
        let mail = config.mail.clone().map(|mail| Mail::new(mail, ca_file.map(Path::to_owned)));
        Self { webhook, mail, scale_out: config.scale_out_url.as_ref().map(|url| Webhook::new(http.clone(), url.expose())) }
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

    /// Whether this sink is there and is to be told of this.
    pub fn wants(&self, sink: Sink, notice: &Notice) -> bool {
        match sink {
            Sink::Webhook => self.webhook.is_some(),
            Sink::Mail => self.mail.is_some() && MAILED.contains(&notice.level),
            Sink::ScaleOut => self.scale_out.is_some() && notice.scales_out,
        }
    }

    /// Tells one sink; nothing where it is not there.
    pub async fn tell(&self, sink: Sink, notice: &Notice) -> Result<()> {
        match (sink, &self.webhook, &self.mail) {
            (Sink::Webhook, Some((webhook, form, secret)), _) => {
                let body = match form {
                    WebhookForm::Generic => notice.json(),
                    WebhookForm::PagerDuty => notice.pager_duty(secret),
                    WebhookForm::Teams => notice.teams(),
                    WebhookForm::Slack => notice.slack(),
                };
                webhook.tell(&notice.key(), &body).await
            }
            (Sink::Mail, _, Some(mail)) => mail.tell(notice).await,
            (Sink::ScaleOut, _, _) if notice.what == What::Fires => self.call_scale_out(notice).await,
            _ => Ok(()),
        }
    }

    async fn call_scale_out(&self, notice: &Notice) -> Result<()> {
        let Some(hook) = &self.scale_out else { return Ok(()) };
        let body = json!({ "type": "scale-out", "rule": notice.rule, "episode": notice.episode, "value": notice.value, "unit": notice.unit });
        hook.tell(&notice.episode, &body).await?;
        tracing::info!(rule = notice.rule, "the scale-out hook was called");
        Ok(())
    }
}
