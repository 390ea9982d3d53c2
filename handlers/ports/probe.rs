//! Looking at a service from below: its name, its port, the TLS that it really speaks, and its clock.
//!
//! In: host and port. Out: addresses, times, the version that was negotiated and when the certificate ends. Nothing is sent but a
//! handshake, or one HEAD request without credentials. Every step has its limit; why one failed is told apart, since each is
//! mended elsewhere.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, ProtocolVersion};
use tokio::time::Instant;

use super::http;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;

/// Longest that a name may take.
const NAME: Duration = Duration::from_secs(3);
/// Longest that a connection, and each step of a handshake, may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How TLS is spoken there, if it is.
    pub tls: Option<Versions>,
}

impl Place {
    /// Host and port of a URL that the settings have checked.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = scheme == "https";
        // A query may hold a key, and so may what stands before the host.
        let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port.parse().ok()?),
            _ => (authority, if secure { 443 } else { 80 }),
        };
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port, tls: secure.then_some(Versions::Both) })
    }
}

/// Which versions of TLS we offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.3 alone: Redis.
    Newest,
    /// 1.2 and 1.3: everything else.
    Both,
}

/// What was found at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The address that answered.
    pub address: SocketAddr,
    /// Milliseconds until it was connected.
    pub millis: u64,
    /// The TLS that was negotiated.
    pub tls: Option<Tls>,
}

/// A TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// When the server's certificate ends.
    pub ends: Option<Timestamp>,
}

/// Why a service was not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreached {
    /// Its name has no address.
    Name(String),
    /// Nothing takes connections there.
    Refused,
    /// Nothing answered in time.
    Silent,
    /// Its certificate has ended.
    Expired,
    /// Nobody that we trust has signed its certificate, or it is for another name.
    Untrusted(String),
    /// It speaks no TLS that we speak.
    Handshake(String),
}

/// Looks at a service. `Err` of the outer result where our own certificate authorities cannot be read.
pub async fn reach(place: &Place, ca_file: Option<&Path>) -> Result<std::result::Result<Reached, Unreached>> {
    let (place, ca_file) = (place.clone(), ca_file.map(Path::to_owned));
    // To read the authorities takes milliseconds of a thread, too.
    let looked = tokio::task::spawn_blocking(move || {
        let tls = place.tls.map(|versions| client(versions, ca_file.as_deref())).transpose()?;
        Ok(look(&place, tls))
    });
    // Names are looked up by the system, which takes its own time: the thread ends by itself.
    match tokio::time::timeout(NAME + CONNECT * 3, looked).await {
        Ok(found) => found.map_err(Error::internal)?,
        Err(_) => Ok(Err(Unreached::Silent)),
    }
}

fn client(versions: Versions, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let offered: &[&rustls::SupportedProtocolVersion] = match versions {
        Versions::Newest => &[&rustls::version::TLS13],
        Versions::Both => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(offered)
        .map_err(Error::internal)?
        .with_root_certificates(http::root_store(ca_file)?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn look(place: &Place, tls: Option<Arc<ClientConfig>>) -> std::result::Result<Reached, Unreached> {
    let addresses: Vec<SocketAddr> = (place.host.as_str(), place.port).to_socket_addrs().map_err(|e| Unreached::Name(e.to_string()))?.collect();
    let began = Instant::now();
    let mut last = Unreached::Name("the name has no address".to_owned());
    for address in addresses {
        let stream = match std::net::TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => stream,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                last = Unreached::Refused;
                continue;
            }
            Err(_) => {
                last = Unreached::Silent;
                continue;
            }
        };
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tls = tls.map(|config| shake(stream, config, &place.host)).transpose()?;
        return Ok(Reached { address, millis, tls });
    }
    Err(last)
}

fn shake(mut stream: std::net::TcpStream, config: Arc<ClientConfig>, host: &str) -> std::result::Result<Tls, Unreached> {
    let broken = |e: &dyn std::fmt::Display| Unreached::Handshake(e.to_string());
    let name = ServerName::try_from(host.to_owned()).map_err(|e| broken(&e))?;
    stream.set_read_timeout(Some(CONNECT)).and_then(|()| stream.set_write_timeout(Some(CONNECT))).map_err(|e| broken(&e))?;
    let mut connection = ClientConnection::new(config, name).map_err(|e| broken(&e))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|e| refusal(&e))?;
    }
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    };
    let ends = connection.peer_certificates().and_then(|chain| not_after(chain.first()?.as_ref()));
    connection.send_close_notify();
    // The look is done: whether the other side hears of it changes nothing.
    let _ = connection.complete_io(&mut stream);
    Ok(Tls { version, ends })
}

fn refusal(e: &std::io::Error) -> Unreached {
    if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) {
        return Unreached::Silent;
    }
    match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => Unreached::Expired,
        Some(rustls::Error::InvalidCertificate(why)) => Unreached::Untrusted(format!("{why:?}")),
        Some(other) => Unreached::Handshake(other.to_string()),
        None => Unreached::Handshake(e.to_string()),
    }
}

/// When a certificate ends (RFC 5280, 4.1: Certificate, TBSCertificate, validity, notAfter).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, signature, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (tag, validity, _) = element(fields)?;
    let (_, _, rest) = element(validity).filter(|_| tag == SEQUENCE)?;
    let (kind, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?;
    // UTCTime has two digits of a year, up to 49 in this century.
    let full = match kind {
        0x17 => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => text.to_owned(),
    };
    let ends = chrono::NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()?;
    Some(Timestamp::from_millis(ends.and_utc().timestamp_millis()))
}

/// The first element of DER: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
        (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The clock of an HTTP service, by the `Date` of its answer, with the milliseconds that the round trip took. None where it says
/// none. Errors: `Unavailable`, `Deadline`.
pub async fn clock(client: &reqwest::Client, url: &str) -> Result<Option<(Timestamp, u64)>> {
    let began = Instant::now();
    let answer = tokio::time::timeout(CONNECT, client.head(url).send()).await.map_err(|_| Error::deadline("the service", CONNECT))?;
    let answer = answer.map_err(|e| Error::unavailable("the service", e.without_url()))?;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    let time = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    Ok(time.map(|time| (Timestamp::from_millis(time.timestamp_millis()), took)))
}
