//! Which version of TLS a server of ours really speaks with us: one handshake beside all connections, with the process's own
//! provider, which is the one that the Redis client takes.
//!
//! Errors: `Unavailable` where there is no handshake, `Deadline` after 2 s.

use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};

use crate::error::{Error, Kind, Result};
use crate::ports::http;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The version that is negotiated with this server, such as `1.3`.
pub async fn negotiated(host: &str, port: u16, ca_file: Option<&Path>) -> Result<&'static str> {
    let (host, ca_file) = (host.to_owned(), ca_file.map(Path::to_owned));
    let handshake = tokio::task::spawn_blocking(move || handshake(&host, port, ca_file));
    let shaken = tokio::time::timeout(LIMIT * 2, handshake).await.map_err(|_| Error::deadline("the TLS handshake", LIMIT))?;
    shaken.map_err(Error::internal)?
}

fn handshake(host: &str, port: u16, ca_file: Option<PathBuf>) -> Result<&'static str> {
    let away = |e: std::io::Error| Error::unavailable("the TLS handshake", e);
    let roots = http::root_store(ca_file.as_deref())?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name =
        ServerName::try_from(host.to_owned()).map_err(|e| Error::new(Kind::Setting, "REDIS_HOST must be a name that a certificate can have").because(e))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(Error::internal)?;
    let address = (host, port).to_socket_addrs().map_err(away)?.next().ok_or_else(|| Error::unavailable("the TLS handshake", "the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).map_err(away)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(away)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(away)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(away)?;
    }
    let version = connection.protocol_version();
    connection.send_close_notify();
    // The answer stands already.
    let _ = connection.complete_io(&mut stream).and_then(|_| stream.flush());
    Ok(match version {
        Some(ProtocolVersion::TLSv1_3) => "1.3",
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        _ => "other",
    })
}
