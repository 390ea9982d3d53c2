//! Telling somebody outside: one JSON body by POST to the URL of the settings, taken when it is answered with 2xx.
//!
//! Errors: `Unavailable`, `Throttled`, `Denied` and `Deadline` (5 s with one retry) where it was not taken. The URL may
//! hold a secret: it stands in no error and in no log.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::model::phrase::hex;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::exchange::Limits;

/// Where a signature stands.
const SIGNATURE: &str = "X-Rtvoice-Signature";

const LIMITS: Limits = Limits { service: "the webhook", deadline: Duration::from_secs(5), attempt: Duration::from_secs(3), body: 64 * 1024 };

/// A place to tell things to.
#[derive(Clone)]
pub struct Webhook {
    http: reqwest::Client,
    url: String,
    secret: Option<Arc<str>>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook")
    }
}

impl Webhook {
    /// The place at this URL.
    pub fn new(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: url.to_owned(), secret: None }
    }

    /// Signs what it tells: the header `X-Rtvoice-Signature` holds `t={seconds since 1970},v1={HMAC-SHA256 of "{t}.{body}", hex}`.
    #[must_use]
    pub fn signed(self, secret: &str) -> Self {
        Self { secret: Some(secret.into()), ..self }
    }

    fn signature(&self, body: &[u8]) -> Result<Option<String>> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let at = SystemClock.now().millis() / 1000;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(Error::internal)?;
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        Ok(Some(format!("t={at},v1={}", hex(&mac.finalize().into_bytes()))))
    }

    /// Tells. `key` is the same for the same thing, so that a receiver knows what it has already.
    pub async fn tell(&self, key: &str, body: &Value) -> Result<()> {
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        let signature = self.signature(&body)?;
        let (body, signature) = (&body, &signature);
        LIMITS
            .twice(|| async {
                let mut request = self.http.post(&self.url).header("Idempotency-Key", key).header("Content-Type", "application/json").body(body.clone());
                if let Some(signature) = &signature {
                    request = request.header(SIGNATURE, signature);
                }
                let response = LIMITS.send(request).await?;
                let status = response.status();
                if status.is_success() { Ok(()) } else { Err(LIMITS.refusal(status, response.headers())) }
            })
            .await
    }
}
