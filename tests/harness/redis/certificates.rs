//! A certificate authority and a server certificate for 127.0.0.1, made anew for each server.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `server.pem` and `server.key`.
pub fn write(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).expect("sound parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&authority_key).expect("a certificate");
    let server_key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "0.0.0.0".to_owned(), "localhost".to_owned()]).expect("sound parameters");
    let server = server.signed_by(&server_key, &Issuer::new(authority, authority_key)).expect("a certificate");
    for (name, pem) in [("ca.pem", ca.pem()), ("server.pem", server.pem()), ("server.key", server_key.serialize_pem())] {
        std::fs::write(folder.join(name), pem).expect("a written file");
    }
}
