//! The transport under the vendor crate: the configured address, authorization, and errors that keep what the service said.
//!
//! In: the crate's requests. Out: `Created`, or our own error inside of the crate's. A signature is made once and used for
//! half of its life.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core_legacy::auth::Secret as LegacySecret;
use azure_core_legacy::error::ErrorKind;
use azure_core_legacy::headers::{AUTHORIZATION, Headers};
use azure_core_legacy::hmac::hmac_sha256;
use azure_core_legacy::{Body, Error as LegacyError, HttpClient, Request, Response, Result as LegacyResult, StatusCode as LegacyStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::Secret;
use crate::error::{Error, Kind, Result};
use crate::ports::clock::Clock;
use crate::ports::http::retry_after;
use crate::ports::identity::Identity;

/// What an Entra token must be for.
const SCOPE: &str = "https://servicebus.azure.net/.default";
/// Version of the management interface.
const API: &str = "2017-04";
/// When to come back after a 429 without `Retry-After`: what the service's guidance asks for when it is busy.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// When to come back to a full queue: somebody must empty it first.
const QUOTA_WAIT: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Life of a signature: long enough for clocks that disagree, short enough to be of little use to a thief.
const SIGNATURE_SECONDS: i64 = 1200;
/// What a signature's parts leave unescaped, as in the reference's samples.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who we are.
#[derive(Debug)]
pub(super) enum Auth {
    Key { policy: String, key: Secret },
    Entra(Identity),
}

/// The transport under the vendor crate.
pub(super) struct Courier {
    http: reqwest::Client,
    base_url: String,
    auth: Auth,
    clock: Arc<dyn Clock>,
    /// The last signature: for which address, until when.
    signed: Mutex<Option<(String, i64, HeaderValue)>>,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("base_url", &self.base_url).field("auth", &self.auth).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn execute_request(&self, request: &Request) -> LegacyResult<Response> {
        // Our error travels through the crate inside of its own.
        self.carry(request).await.map_err(|e| LegacyError::new(ErrorKind::Other, e))?;
        Ok(Response::new(LegacyStatus::Created, Headers::new(), Box::pin(futures::stream::empty())))
    }
}

impl Courier {
    pub(super) fn new(http: reqwest::Client, base_url: &str, auth: Auth, clock: Arc<dyn Clock>) -> Self {
        Self { http, base_url: base_url.trim_end_matches('/').to_owned(), auth, clock, signed: Mutex::default() }
    }

    async fn carry(&self, request: &Request) -> Result<()> {
        let url = format!("{}{}", self.base_url, request.url().path());
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter().filter(|(name, _)| **name != AUTHORIZATION) {
            let name = HeaderName::try_from(name.as_str()).map_err(Error::internal)?;
            headers.insert(name, HeaderValue::try_from(value.as_str()).map_err(Error::internal)?);
        }
        headers.insert(reqwest::header::AUTHORIZATION, self.authorization(&url).await?);
        let Body::Bytes(body) = request.body() else { return Err(Error::internal("a streamed body was not expected")) };
        let sent = self.http.post(url).headers(headers).body(body.clone()).send().await;
        let answer = sent.map_err(|e| if e.is_builder() { Error::internal(e) } else { Error::unavailable("Service Bus", e) })?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_success() {
            return Ok(());
        }
        // The status decides; a body that cannot be read only leaves the log poorer.
        let body = answer.text().await.unwrap_or_default();
        Err(refusal(status.as_u16(), &headers, &body))
    }

    /// The queue's description ("Get Queue" of the REST reference), which the Manage right lets one read.
    pub(super) async fn describe(&self, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.base_url);
        let asked = self.http.get(format!("{url}?api-version={API}")).header(reqwest::header::AUTHORIZATION, self.authorization(&url).await?);
        let answer = asked.send().await.map_err(|e| Error::unavailable("Service Bus", e.without_url()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.map_err(|e| Error::unavailable("Service Bus", e.without_url()))?;
        if status.is_success() { Ok(body) } else { Err(refusal(status.as_u16(), &headers, &body)) }
    }

    async fn authorization(&self, url: &str) -> Result<HeaderValue> {
        match &self.auth {
            Auth::Key { policy, key } => self.signature(url, policy, key),
            Auth::Entra(identity) => sensitive(format!("Bearer {}", identity.token(SCOPE).await?)),
        }
    }

    /// A shared access signature: HMAC-SHA256 with the policy's key over the escaped address and the expiry.
    fn signature(&self, url: &str, policy: &str, key: &Secret) -> Result<HeaderValue> {
        let now = self.clock.now().millis() / 1000;
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes a new one, too.
        if let Some((of, expiry, value)) = signed.as_ref()
            && of == url
            && (SIGNATURE_SECONDS / 2..=SIGNATURE_SECONDS).contains(&(expiry - now))
        {
            return Ok(value.clone());
        }
        let resource = utf8_percent_encode(url, ESCAPED);
        let expiry = now + SIGNATURE_SECONDS;
        // The crate's HMAC decodes its key from base64; a policy's key is used as the text that it is.
        let key = LegacySecret::new(STANDARD.encode(key.expose()));
        let signature = hmac_sha256(&format!("{resource}\n{expiry}"), &key).map_err(Error::internal)?;
        let (signature, policy) = (utf8_percent_encode(&signature, ESCAPED), utf8_percent_encode(policy, ESCAPED));
        let value = sensitive(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}"))?;
        *signed = Some((url.to_owned(), expiry, value.clone()));
        Ok(value)
    }
}

/// A header that is never shown.
fn sensitive(text: String) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a refusal means. The service answers 403 to missing rights, to a full queue and to a message over its size.
fn refusal(status: u16, headers: &HeaderMap, body: &str) -> Error {
    let words = body.to_ascii_lowercase();
    let wait = retry_after(headers, LONGEST_WAIT);
    let mut e = match status {
        400 | 413 => Error::input("message", "must be one that Service Bus takes"),
        403 if words.contains("quota") => Error::new(Kind::Throttled, "the Service Bus queue is full").retry_after(wait.unwrap_or(QUOTA_WAIT)),
        403 if words.contains("too large") || words.contains("exceeds the limit") => Error::input("message", "must be one that Service Bus takes"),
        401 | 403 => Error::new(Kind::Denied, "Service Bus refused our identity or its right to send"),
        404 | 410 => {
            Error::new(Kind::Setting, "TRANSCRIPT_QUEUE must name a queue of the SERVICE_BUS_NAMESPACE namespace, for example TRANSCRIPT_QUEUE=transcripts")
        }
        429 => Error::new(Kind::Throttled, "Service Bus is overloaded").retry_after(wait.unwrap_or(BUSY_WAIT)),
        408 | 500.. => Error { retry_after: wait, ..Error::new(Kind::Unavailable, "Service Bus is out of reach") },
        _ => Error::new(Kind::Internal, "Service Bus gave an unexpected answer"),
    };
    let excerpt: String = body.chars().take(500).collect();
    e.source = Some(format!("status {status}: {excerpt}").into());
    e
}
