//! What stands between the app and a stand-in in production: a network, which may be bad, and TLS at its far end.
//!
//! In: a stand-in on a port of 127.0.0.1 that speaks plain HTTP. Out: an `https` address whose bytes pass the proxy of
//! `rtvoice load --faults`. Under TLS a byte that is changed on the way is noticed; HTTP itself has no checksums.

use std::path::PathBuf;
use std::sync::Arc;

use rtvoice::ops::load::proxy::{Proxy, Way};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::redis::certificates;

/// The way to one stand-in; it ends when dropped, and its connections with it.
pub struct Front {
    proxy: Proxy,
    folder: TempDir,
    _task: AbortOnDropHandle<()>,
}

impl Front {
    /// Starts it before the stand-in at this address; everything passes.
    pub async fn before(url: &str) -> Self {
        let target = reqwest::Url::parse(url).expect("an address").port().expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        certificates::write(folder.path(), false);
        let chain = vec![CertificateDer::from_pem_file(folder.path().join("server.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(folder.path().join("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = versions.with_no_client_auth().with_single_cert(chain, key).expect("a sound certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((client, _)) = accepted {
                        open.spawn(carry(acceptor.clone(), client, target));
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        let proxy = Proxy::start(port).await.expect("a proxy");
        Self { proxy, folder, _task: AbortOnDropHandle::new(task) }
    }

    /// Where the app finds the stand-in.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.proxy.port())
    }

    /// Who has signed its certificate; a value for `SSL_CERT_FILE`.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The network behaves like this from now on.
    pub fn behave(&self, way: Way) {
        self.proxy.behave(way);
    }
}

/// One connection: what breaks on the way ends it.
async fn carry(acceptor: TlsAcceptor, client: TcpStream, target: u16) {
    let Ok(mut client) = acceptor.accept(client).await else { return };
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    // Which side ended it, and how, is seen at both ends.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
