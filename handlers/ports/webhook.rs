//! Telling somebody outside: one JSON body by POST to the URL of the settings, taken when it is answered with 2xx.
//!
//! Errors: `Unavailable`, `Throttled`, `Denied` and `Deadline` (5 s with one retry) where it was not taken. The URL may
//! hold a secret: it stands in no error and in no log.

use std::time::Duration;

use serde_json::Value;

use crate::error::Result;
use crate::ports::exchange::Limits;

const LIMITS: Limits = Limits { service: "the webhook", deadline: Duration::from_secs(5), attempt: Duration::from_secs(3), body: 64 * 1024 };

/// A place to tell things to.
#[derive(Clone)]
pub struct Webhook {
    http: reqwest::Client,
    url: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook")
    }
}

impl Webhook {
    /// The place at this URL.
    pub fn new(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: url.to_owned() }
    }

    /// Tells. `key` is the same for the same thing, so that a receiver knows what it has already.
    pub async fn tell(&self, key: &str, body: &Value) -> Result<()> {
        LIMITS
            .twice(|| async {
                let response = LIMITS.send(self.http.post(&self.url).header("Idempotency-Key", key).json(body)).await?;
                let status = response.status();
                if status.is_success() { Ok(()) } else { Err(LIMITS.refusal(status, response.headers())) }
            })
            .await
    }
}
