//! A certificate authority and a server certificate for 127.0.0.1, made anew for each server.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `server.pem` and `server.key`; the server's certificate ended in 2021 where `expired`.
pub fn write(folder: &Path, expired: bool) {
    let mut authority = CertificateParams::new(Vec::new()).expect("sound parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&authority_key).expect("a certificate");
    let server_key = KeyPair::generate().expect("a key");
    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "0.0.0.0".to_owned(), "localhost".to_owned()]).expect("sound parameters");
    if expired {
        server.not_before = rcgen::date_time_ymd(2020, 1, 1);
        server.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let server = server.signed_by(&server_key, &Issuer::new(authority, authority_key)).expect("a certificate");
    for (name, pem) in [("ca.pem", ca.pem()), ("server.pem", server.pem()), ("server.key", server_key.serialize_pem())] {
        std::fs::write(folder.join(name), pem).expect("a written file");
    }
}
