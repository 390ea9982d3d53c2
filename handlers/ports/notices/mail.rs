//! Alerts by mail: one message when an episode begins, and one in answer to it when it ends.
//!
//! In: a notice. Out: a message of plain text to all of `ALERT_MAIL_TO`, whose id is made of the episode, so that a copy that is
//! sent again is known for one. Errors: `Unavailable`, `Denied` and `Deadline` (10 s, with a second attempt where the first did not
//! come as far as the message). A recipient that the server does not take is told to the log, by number.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::smtp::{Conversation, SERVICE};
use super::{Notice, What};
use crate::config::{MailConfig, MailTls};
use crate::error::{Error, Result};
use crate::ports::exchange::{Attempt, Failure, Limits};
use crate::ports::http;

const LIMITS: Limits = Limits { service: SERVICE, deadline: Duration::from_secs(10), attempt: Duration::from_secs(6), body: 0 };
/// How long the server may take to say good-bye.
const GOOD_BYE: Duration = Duration::from_millis(500);
/// Longest line of a message (RFC 5322, 2.1.1).
const LINE: usize = 998;
/// Characters of base64 in one line.
const FOLD: usize = 76;

/// Who takes mail.
pub struct Mail {
    config: MailConfig,
    ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail")
    }
}

impl Mail {
    /// The server of the settings, whose certificate is held to the system's authorities and those of `ca_file`.
    pub fn new(config: MailConfig, ca_file: Option<PathBuf>) -> Self {
        Self { config, ca_file }
    }

    /// Sends the mail of a notice.
    pub async fn tell(&self, notice: &Notice) -> Result<()> {
        let message = message(&self.config, notice);
        LIMITS
            .twice(|| async {
                let mut talk = self.begin().await?;
                let (taken, no) = talk.address(&self.config).await?;
                if let Some(code) = no {
                    let left_out = self.config.to.len() - taken;
                    tracing::error!(code, left_out, of = self.config.to.len(), "the mail server does not take all recipients of ALERT_MAIL_TO");
                }
                talk.hand_over(&message).await?;
                // It has the message.
                let _ = tokio::time::timeout(GOOD_BYE, talk.end()).await;
                Ok(())
            })
            .await
    }

    /// Whether the server would take a mail for each recipient; none is sent.
    pub async fn check(&self) -> Result<()> {
        LIMITS
            .twice(|| async {
                let mut talk = self.begin().await?;
                let (taken, no) = talk.address(&self.config).await?;
                let _ = tokio::time::timeout(GOOD_BYE, talk.end()).await;
                let left_out = self.config.to.len() - taken;
                let some = |code| Error::new(crate::error::Kind::Denied, format!("{SERVICE} answered {left_out} of ALERT_MAIL_TO with {code}"));
                no.map_or(Ok(()), |code| Err(Failure::last(some(code))))
            })
            .await
    }

    async fn begin(&self) -> Attempt<Conversation> {
        let tls = match self.config.tls {
            MailTls::None => None,
            MailTls::Implicit | MailTls::StartTls => {
                let ca_file = self.ca_file.clone();
                // Authorities are read from files.
                let read = tokio::task::spawn_blocking(move || http::tls(ca_file.as_deref())).await;
                Some(read.map_err(|e| Failure::last(Error::internal(e)))?.map_err(Failure::last)?)
            }
        };
        Conversation::begin(&self.config, tls).await
    }
}

/// Headers and text, with lines that end in `\r\n`.
fn message(config: &MailConfig, notice: &Notice) -> String {
    let text = text(notice);
    let plain = text.is_ascii() && text.lines().all(|line| line.len() <= LINE);
    let domain = config.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let id = |key: &str| format!("<{}@{domain}>", key.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-"));
    let mut lines = vec![
        format!("From: {}", config.from),
        format!("To: {}", config.to.join(",\r\n ")),
        format!("Subject: {}", header(&notice.headline())),
        format!("Date: {}", notice.at.utc().to_rfc2822()),
        format!("Message-ID: {}", id(&notice.key())),
    ];
    if notice.what == What::Resolved {
        lines.push(format!("In-Reply-To: {}", id(&Notice { what: What::Fires, ..notice.clone() }.key())));
    }
    let encoding = if plain { "7bit" } else { "base64" };
    lines.extend([
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        format!("Content-Transfer-Encoding: {encoding}"),
        String::new(),
    ]);
    if plain {
        lines.push(text);
    } else {
        let encoded = STANDARD.encode(text);
        lines.extend(encoded.as_bytes().chunks(FOLD).map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    lines.join("\r\n")
}

/// What a header may hold.
fn header(text: &str) -> String {
    text.chars().take(LINE - 100).map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect()
}

fn text(notice: &Notice) -> String {
    let state = if notice.what == What::Fires { "fires" } else { "is resolved" };
    let lines = [
        format!("{} {state}.", notice.rule),
        String::new(),
        format!("Severity: {}", notice.level),
        format!("Value:    {:.1} {}", notice.value, notice.unit),
        format!("Limit:    {} {}", notice.threshold, notice.unit),
        format!("Since:    {}", notice.since),
        format!("Seen:     {}", notice.at),
        format!("Source:   {}", notice.source),
        format!("Episode:  {}", notice.episode),
        String::new(),
        notice.meaning.clone(),
        String::new(),
        format!("Runbook: {}", notice.runbook),
    ];
    lines.join("\r\n")
}
