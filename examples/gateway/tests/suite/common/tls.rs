use std::{io::Write, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;
use tower_keep_test_support::{Authority, Certificate};

/// An authority, and the configuration of a gateway that trusts it.
pub(crate) struct Trusted {
    pub(crate) authority: Authority,
    file: NamedTempFile,
}

impl Trusted {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let mut file = NamedTempFile::new().expect("a file");
        let pem = authority.pem();
        file.write_all(pem.as_bytes()).expect("written");
        Self { authority, file }
    }

    /// With what else is said of the connections.
    pub(crate) fn pool(&self, more: &str) -> String {
        format!("pool = {{ ca = {:?}{more} }}", self.file.path())
    }

    /// A server on this machine, which speaks these protocols.
    pub(crate) fn server(&self, protocols: &[&str]) -> TlsAcceptor {
        acceptor(&self.authority.certificate(&["127.0.0.1"]), protocols)
    }
}

pub(crate) fn acceptor(certificate: &Certificate, protocols: &[&str]) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("PEM");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("a key for the certificate");
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    Arc::new(config).into()
}
