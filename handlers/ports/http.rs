//! The one HTTP client of the process, shared by every backend that speaks HTTPS.
//!
//! It has a TLS configuration of its own (TLS 1.2 and 1.3 with certificate authorities of the system and of
//! `SSL_CERT_FILE`), because the process default is TLS 1.3 alone, for Redis. It follows no redirects: a bearer
//! token goes to the configured endpoint and nowhere else.

use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// Certificate authorities to trust: the system's and those that `SSL_CERT_FILE` names.
pub fn root_store() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    // The loader reads SSL_CERT_FILE itself; a certificate that it cannot parse is one we do not trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Makes the shared client. Without any certificate authority it still serves plain loopback endpoints.
pub fn client() -> Result<reqwest::Client> {
    build(|builder| builder)
}

/// Makes a client for this machine alone: a proxy of the environment must not see what goes to 127.0.0.1.
pub fn loopback_client() -> Result<reqwest::Client> {
    build(reqwest::ClientBuilder::no_proxy)
}

fn build(adapt: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Result<reqwest::Client> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(root_store())
        .with_no_client_auth();
    #[expect(clippy::disallowed_methods, reason = "the one place that makes the shared client")]
    let builder = reqwest::Client::builder();
    adapt(builder)
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(60))
        .build()
        .map_err(|e| {
            Error::new(Kind::Setting, "SSL_CERT_FILE must name readable certificate authorities, for example SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
                .because(e)
        })
}

/// Seconds of a `Retry-After` header, at most `limit`.
pub fn retry_after(headers: &reqwest::header::HeaderMap, limit: Duration) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(limit))
}
