use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A certificate authority of this server's own, and the server's certificate signed by it.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) authority: String,
}

impl Tls {
    /// Makes both and writes what `redis-server` reads into `dir`.
    pub(super) fn make(dir: &Path) -> Self {
        let authority = authority();
        let key = KeyPair::generate().expect("a key pair can be made");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)
            .expect("the names are valid")
            .signed_by(&key, &authority)
            .expect("the authority signs");
        write(dir, AUTHORITY, &authority.pem());
        write(dir, CERTIFICATE, &certificate.pem());
        write(dir, KEY, &key.serialize_pem());
        Self {
            authority: authority.pem(),
        }
    }

    /// The arguments that make the server speak TLS, and only TLS, on its port.
    pub(super) fn args(dir: &Path, port: u16) -> Vec<String> {
        let file = |name| dir.join(name).display().to_string();
        [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_string()),
            ("--tls-ca-cert-file", file(AUTHORITY)),
            ("--tls-cert-file", file(CERTIFICATE)),
            ("--tls-key-file", file(KEY)),
            ("--tls-auth-clients", "no".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let key = KeyPair::generate().expect("a key pair can be made");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key).expect("an authority signs itself")
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("the server's directory can be written");
}

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";
