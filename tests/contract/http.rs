//! The shared HTTP client: whom it trusts.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rtvoice::error::Kind;
use rtvoice::ports::http::{client_trusting, root_store, system_bundle};

#[test]
fn a_private_authority_is_trusted_besides_the_systems() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(&file, authority.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    let of_the_system = system_bundle().map_or(0, |bundle| root_store(Some(bundle)).unwrap().len());
    assert_eq!(root_store(Some(&file)).unwrap().len(), of_the_system + 1);
    client_trusting(&file).unwrap();
}

#[test]
fn a_file_without_certificates_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for text in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA"] {
        std::fs::write(&file, text).unwrap();
        let e = client_trusting(&file).unwrap_err();
        assert_eq!(e.kind, Kind::Setting, "{text}");
        assert!(e.detail.starts_with("SSL_CERT_FILE must be "), "{}", e.detail);
    }
}
