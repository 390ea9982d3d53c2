//! A running handler or host that a command speaks with.
//!
//! In: its address and, where it asks for one, a function key, which never stands on a command line. Out: the status and body of
//! an answer, whatever it is. `Unavailable` or `Deadline` where none comes.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Method, Url};
use serde_json::{Map, Value};

use crate::config::{self, Secret};
use crate::error::{Error, Result};
use crate::ports::http;

/// The variable with the function key.
pub const KEY: &str = "RTVOICE_FUNCTION_KEY";
/// Most bytes of an answer that are read.
const BODY: usize = 8 << 20;

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    client: reqwest::Client,
    url: String,
    key: Option<Secret>,
    limit: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body: JSON where it is that, a text where it is that, else null.
    pub body: Value,
    /// Milliseconds until it was whole.
    pub millis: u64,
}

impl Answer {
    /// True for 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Target {
    /// A target at `url`, such as `http://localhost:7071`; each request may take `limit`. Plain http is for this machine alone,
    /// where no proxy is asked. `BadInput` where the address is none.
    pub fn new(url: &str, key: Option<Secret>, limit: Duration) -> Result<Self> {
        let wrong = || Error::input("--target", "must be an address such as http://localhost:7071 or https://contoso.azurewebsites.net");
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        let host = parsed.host_str().ok_or_else(wrong)?.trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let client = match parsed.scheme() {
            _ if here => http::loopback_client()?,
            "https" => {
                config::process_env("SSL_CERT_FILE").filter(|file| !file.is_empty()).map_or_else(http::client, |file| http::client_trusting(file.as_ref()))?
            }
            _ => return Err(Error::input("--target", "must be https, or on this machine: a key may not travel in clear")),
        };
        Ok(Self { client, url: parsed.as_str().trim_end_matches('/').to_owned(), key, limit })
    }

    /// The same with the key of the environment.
    pub fn from_env(url: &str, limit: Duration) -> Result<Self> {
        Self::new(url, config::process_env(KEY).filter(|key| !key.is_empty()).map(Secret::new), limit)
    }

    /// Sends one request. `path` begins with a slash.
    pub async fn send(&self, method: &str, path: &str, headers: &Map<String, Value>, body: Option<&Value>) -> Result<Answer> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Error::input("method", "must be an HTTP method"))?;
        let began = tokio::time::Instant::now();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).timeout(self.limit);
        for (name, value) in headers {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        if let Some(key) = &self.key {
            request = request.header("x-functions-key", key.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let failed =
            |e: reqwest::Error| if e.is_timeout() { Error::deadline("the target", self.limit) } else { Error::unavailable("the target", e.without_url()) };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > BODY {
                return Err(Error::internal(format!("the target answered with more than {BODY} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map_or(Value::Null, |text| Value::String(text.to_owned()));
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text(&bytes));
        Ok(Answer { status, body, millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
    }
}
