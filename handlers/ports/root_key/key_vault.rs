//! The root key in Azure Key Vault: an RSA key that wraps and unwraps by RSA-OAEP-256, over the vault's REST API 7.4
//! (learn.microsoft.com/rest/api/keyvault/keys), with Entra tokens.
//!
//! One call takes at most 2 s with its one retry. A wrap keeps the identifier of the version that made it; an identifier that
//! is not of this vault is never asked for, so that a forged one leads no token elsewhere. Key Vault answers 400 where wrapped
//! bytes are not what the version wrapped: `Tampered`.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{KeyWrapper, Wrapped};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::exchange::{Attempt, Failure, Limits};
use crate::ports::identity::Identity;

const SCOPE: &str = "https://vault.azure.net/.default";
const API: &str = "7.4";
const ALGORITHM: &str = "RSA-OAEP-256";

const LIMITS: Limits = Limits { service: "Key Vault", deadline: Duration::from_secs(2), attempt: Duration::from_millis(1500), body: 64 * 1024 };

/// Keys of one vault.
#[derive(Debug, Clone)]
pub struct KeyVault {
    url: String,
    key: String,
    http: reqwest::Client,
    identity: Identity,
}

/// Answer of wrapkey and unwrapkey.
#[derive(Deserialize)]
struct Operated {
    kid: String,
    value: Zeroizing<String>,
}

/// Answer of get and rotate, of which the identifier and the age alone matter.
#[derive(Deserialize)]
struct Bundle {
    key: Named,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    /// Seconds since 1970.
    created: Option<i64>,
}

#[derive(Deserialize)]
struct Named {
    kid: String,
}

impl KeyVault {
    /// The key of this name in the vault at `url` (without a trailing slash). Nothing is sent yet.
    pub fn new(url: &str, key: &str, http: reqwest::Client, identity: Identity) -> Self {
        Self { url: url.to_owned(), key: key.to_owned(), http, identity }
    }

    /// One attempt: `path` is what follows `/keys/`.
    async fn attempt<T: for<'de> Deserialize<'de>>(&self, method: Method, path: &str, body: Option<&Value>) -> Attempt<T> {
        let token = self.identity.token(SCOPE).await.map_err(|e| if e.kind == Kind::Deadline { Failure::again(e) } else { Failure::last(e) })?;
        let request = self.http.request(method, format!("{}/keys/{path}?api-version={API}", self.url)).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            // An empty POST must say so, or the service answers 411.
            None => request.header(CONTENT_LENGTH, 0),
        };
        let response = LIMITS.send(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(match status.as_u16() {
                400 => Failure::last(Error::new(Kind::Tampered, "a wrapped key is not what was stored there").because("status 400")),
                404 => {
                    Failure::last(Error::new(Kind::Setting, "KEY_VAULT_KEY must name an RSA key of KEY_VAULT_URL, with all its versions").because("status 404"))
                }
                _ => LIMITS.refusal(status, response.headers()),
            });
        }
        let body = Zeroizing::new(LIMITS.body(response).await?.to_vec());
        serde_json::from_slice(&body).map_err(|_| LIMITS.broken("what is not the answer of an operation on keys"))
    }

    /// Name and version of a key of this vault, `name/version`. An identifier of another vault is `Setting`.
    fn version<'k>(&self, kid: &'k str) -> Result<&'k str> {
        let path = kid.strip_prefix(self.url.as_str()).and_then(|rest| rest.strip_prefix("/keys/"));
        let sound = |part: &str| (1..=127).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let known = path.filter(|path| path.split_once('/').is_some_and(|(name, version)| sound(name) && sound(version)));
        known.ok_or_else(|| Error::new(Kind::Setting, "KEY_VAULT_URL must be the vault that wrapped the keys of this record"))
    }

    /// Wraps or unwraps; the answer must be of the version that was asked.
    async fn operate(&self, operation: &str, kid: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let path = format!("{}/{operation}", self.version(kid)?);
        let body = json!({"alg": ALGORITHM, "value": URL_SAFE_NO_PAD.encode(bytes)});
        let answer: Operated = LIMITS.twice(|| self.attempt(Method::POST, &path, Some(&body))).await?;
        let value = URL_SAFE_NO_PAD.decode(answer.value.trim_end_matches('=')).map(Zeroizing::new);
        match value {
            Ok(value) if answer.kid == kid => Ok(value),
            _ => Err(Error::new(Kind::Internal, "Key Vault answered for another key")),
        }
    }
}

#[async_trait]
impl KeyWrapper for KeyVault {
    async fn wrap(&self, key: &[u8]) -> Result<Wrapped> {
        let kid = self.current().await?;
        let bytes = self.operate("wrapkey", &kid, key).await.map_err(|e| match e.kind {
            // Nothing wrapped was sent: it is the key that does not take it.
            Kind::Tampered => Error { kind: Kind::Setting, detail: "KEY_VAULT_KEY must name an RSA key that may wrap and unwrap".to_owned(), ..e },
            _ => e,
        })?;
        Ok(Wrapped { kid, bytes: bytes.to_vec() })
    }

    async fn unwrap(&self, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.operate("unwrapkey", kid, wrapped).await
    }

    async fn current(&self) -> Result<String> {
        let bundle: Bundle = LIMITS.twice(|| self.attempt(Method::GET, &self.key, None)).await?;
        self.version(&bundle.key.kid)?;
        Ok(bundle.key.kid)
    }

    async fn made_at(&self) -> Result<Option<Timestamp>> {
        let bundle: Bundle = LIMITS.twice(|| self.attempt(Method::GET, &self.key, None)).await?;
        Ok(bundle.attributes.created.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis))
    }

    async fn rotate(&self) -> Result<String> {
        let path = format!("{}/rotate", self.key);
        let once = tokio::time::timeout(LIMITS.deadline, self.attempt::<Bundle>(Method::POST, &path, None)).await;
        let bundle = once.map_err(|_| Error::deadline(LIMITS.service, LIMITS.deadline))?.map_err(Failure::into_error)?;
        self.version(&bundle.key.kid)?;
        Ok(bundle.key.kid)
    }

    /// Disables the version, which can be undone in the vault.
    async fn retire(&self, kid: &str) -> Result<bool> {
        if self.current().await? == kid {
            return Err(Error::new(Kind::Conflict, "the current version of the root key cannot be retired"));
        }
        let path = self.version(kid)?;
        let body = json!({"attributes": {"enabled": false}});
        let bundle: Bundle = LIMITS.twice(|| self.attempt(Method::PATCH, path, Some(&body))).await?;
        Ok(bundle.key.kid == kid)
    }
}
