//! The one HTTP client of the process, shared by every backend that speaks HTTPS.
//!
//! It has a TLS configuration of its own (TLS 1.2 and 1.3 with certificate authorities of the system and of
//! `SSL_CERT_FILE`), because the process default is TLS 1.3 alone, for Redis. It follows no redirects: a bearer
//! token goes to the configured endpoint and nowhere else.

use std::path::Path;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_native_certs::{load_certs_from_paths, load_native_certs};

use crate::error::{Error, Kind, Result};

/// Where systems keep their certificate authorities in one PEM file: Debian and Alpine, Fedora and its kin, openSUSE, BSD
/// and macOS.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

const WRONG_FILE: &str = "SSL_CERT_FILE must be a PEM file with certificate authorities, for example SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt";

/// The system's own certificate authorities as one PEM file; none where it has no such file.
pub fn system_bundle() -> Option<&'static Path> {
    BUNDLES.iter().map(Path::new).find(|path| path.is_file())
}

/// The system's bundle and this PEM file as one PEM text, for clients that take nothing else. Errors: `Setting` where the
/// file cannot be read.
pub fn bundle_with(ca_file: &Path) -> Result<Vec<u8>> {
    let mut bundle = system_bundle().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    bundle.push(b'\n');
    let own = std::fs::read(ca_file).map_err(|e| Error::new(Kind::Setting, WRONG_FILE).because(e))?;
    bundle.extend(own);
    Ok(bundle)
}

/// Certificate authorities to trust: the system's and those of a PEM file. Errors: `Setting` where the file holds none.
///
/// The platform's loader reads `SSL_CERT_FILE` itself, and where it is set nothing else: with a file of our own to add,
/// the system's bundle is therefore read by its path.
pub fn root_store(ca_file: Option<&Path>) -> Result<RootCertStore> {
    let mut certificates = match ca_file {
        None => load_native_certs().certs,
        Some(_) => system_bundle().map(|bundle| load_certs_from_paths(Some(bundle), None).certs).unwrap_or_default(),
    };
    if let Some(file) = ca_file {
        let own = load_certs_from_paths(Some(file), None);
        if own.certs.is_empty() {
            let reason = own.errors.first().map_or_else(|| "no certificate in it".to_owned(), ToString::to_string);
            return Err(Error::new(Kind::Setting, WRONG_FILE).because(reason));
        }
        certificates.extend(own.certs);
    }
    // The file may be the system's bundle, or hold it.
    certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    let mut roots = RootCertStore::empty();
    // A certificate that cannot be parsed is one we do not trust.
    roots.add_parsable_certificates(certificates);
    Ok(roots)
}

/// Makes the shared client. Without any certificate authority it still serves plain loopback endpoints.
pub fn client() -> Result<reqwest::Client> {
    build(None, |builder| builder)
}

/// The same, trusting the certificate authorities of this PEM file as well.
pub fn client_trusting(ca_file: &Path) -> Result<reqwest::Client> {
    build(Some(ca_file), |builder| builder)
}

/// Makes a client for this machine alone: a proxy of the environment must not see what goes to 127.0.0.1.
pub fn loopback_client() -> Result<reqwest::Client> {
    build(None, reqwest::ClientBuilder::no_proxy)
}

/// How everything but Redis speaks TLS: 1.2 and 1.3, whatever the process default is. Errors: `Setting` where the file of
/// certificate authorities holds none.
pub fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(Error::internal)?;
    Ok(versions.with_root_certificates(root_store(ca_file)?).with_no_client_auth())
}

fn build(ca_file: Option<&Path>, adapt: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Result<reqwest::Client> {
    let tls = tls(ca_file)?;
    #[expect(clippy::disallowed_methods, reason = "the one place that makes the shared client")]
    let builder = reqwest::Client::builder();
    adapt(builder)
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(60))
        .build()
        .map_err(Error::internal)
}

/// Seconds of a `Retry-After` header, at most `limit`.
pub fn retry_after(headers: &reqwest::header::HeaderMap, limit: Duration) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(limit))
}
